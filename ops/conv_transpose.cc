#include "ops/conv_transpose.h"

#include <algorithm>
#include <limits>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();

// All attributes, before shapes are known.
struct ConvTransposeAttributes {
  WindowAttributes window;
  int64_t group = 1;
  IntList output_padding, output_shape;

  static Result<ConvTransposeAttributes> Read(const Attributes& attrs, int spatial_rank, const int64_t* kernel) {
    ConvTransposeAttributes result;
    MOKA_RETURN_IF_ERROR(WindowAttributes::Read(attrs, spatial_rank, kernel, &result.window));
    MOKA_RETURN_IF_ERROR(ReadInt(attrs, "group", 1, &result.group));
    if (result.group < 1) return InvalidModel("attribute 'group' is ", result.group, ", expected at least 1");
    MOKA_RETURN_IF_ERROR(ReadSizes(attrs, "output_padding", spatial_rank, &result.output_padding));
    MOKA_RETURN_IF_ERROR(ReadSizes(attrs, "output_shape", spatial_rank, &result.output_shape));
    return result;
  }
  bool Same() const { return window.auto_pad == AutoPad::kSameUpper || window.auto_pad == AutoPad::kSameLower; }
  int64_t Padding(int i) const { return output_padding.present ? output_padding[i] : 0; }
  // The size without padding removed.
  Dim FullDim(const Dim& input, int i) const {
    const Window& w = window.window;
    return (input - Dim(1)) * Dim(w.strides[static_cast<size_t>(i)]) + Dim(w.Span(i) + Padding(i));
  }
  Dim OutputDim(const Dim& input, int i) const {
    const size_t k = static_cast<size_t>(i);
    if (output_shape.present) return output_shape[i];
    if (Same()) return input * Dim(window.window.strides[k]);
    return FullDim(input, i) - Dim(window.window.pads_begin[k] + window.window.pads_end[k]);
  }
  int64_t PadBegin(int64_t input, int i) const {
    if (!output_shape.present && !Same()) return window.window.pads_begin[static_cast<size_t>(i)];
    const int64_t total = std::max<int64_t>(FullDim(input, i).constant() - OutputDim(input, i).constant(), 0);
    return window.auto_pad == AutoPad::kSameUpper ? total / 2 : total - total / 2;
  }

 private:
  static Status ReadSizes(const Attributes& attrs, std::string_view name, int spatial_rank, IntList* list) {
    MOKA_RETURN_IF_ERROR(ReadInts(attrs, name, list));
    if (list->present && list->size == 0) list->present = false;
    // Some exporters give the whole shape.
    if (list->size == spatial_rank + 2 && name == "output_shape") {
      std::copy_n(list->values.begin() + 2, spatial_rank, list->values.begin());
      list->size = spatial_rank;
    }
    if (list->present && list->size != spatial_rank) {
      return InvalidModel("attribute '", name, "' has ", list->size, " elements, expected ", spatial_rank);
    }
    for (const int64_t value : list->span()) {
      if (value < 0 || value > kLargest) return InvalidModel("attribute '", name, "' has an element of ", value);
    }
    return Status();
  }
};

const int64_t* KernelOf(const SymbolicTensor& weights, std::array<int64_t, kMaxSpatial>* kernel) {
  for (int i = 2; i < weights.rank(); ++i) {
    const Dim& dim = weights.dims[static_cast<size_t>(i)];
    if (!dim.is_constant() || i - 2 >= kMaxSpatial) return nullptr;
    (*kernel)[static_cast<size_t>(i - 2)] = dim.constant();
  }
  return kernel->data();
}

Status InferConvTranspose(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckSameType(ctx, 1, 0));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 3));
  const SymbolicTensor &x = *ctx.src[0], &w = *ctx.src[1];
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, x.rank(), x.rank()));
  std::array<int64_t, kMaxSpatial> kernel{};
  MOKA_ASSIGN_OR_RETURN(const ConvTransposeAttributes attributes,
                        ConvTransposeAttributes::Read(*ctx.attrs, x.rank() - 2, KernelOf(w, &kernel)));
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, x.dims[1], w.dims[0], "channels of src 0 and dimension 0 of src 1"));
  if (w.dims[0].is_constant() && w.dims[0].constant() % attributes.group != 0) {
    return InvalidModel("src 1: ", w.dims[0].constant(),
                        " input channels do not divide into group = ", attributes.group);
  }
  MOKA_RETURN_IF_ERROR(RequireMultiple(ctx, w.dims[0], attributes.group, "input channels in src 1"));
  const Dim outputs = w.dims[1] * Dim(attributes.group);
  if (ctx.has_src(2)) {
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, 2, 0));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, 2, 1, 1));
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[2]->dims[0], outputs, "elements of src 2 (bias)"));
  }
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims = {x.dims[0], outputs};
  for (int i = 0; i + 2 < x.rank(); ++i) {
    const Dim dim = attributes.OutputDim(x.dims[static_cast<size_t>(i + 2)], i);
    if (dim.is_constant() && dim.constant() < 0) {
      return InvalidModel("along spatial dimension ", i, " the result has a size of ", dim.constant());
    }
    ctx.dst[0].dims.push_back(dim);
  }
  return Status();
}

// The sum over one window of one input channel; x and w start there, `at` is the result's position plus the padding.
template <class Acc>
Acc TransposedSum(const ConvTransposeParams& p, const TensorDesc& x, const void* src, int64_t x_offset,
                  const TensorDesc& w, const void* weights, int64_t w_offset,
                  const std::array<int64_t, kMaxSpatial>& at) {
  Acc sum{};
  TensorDesc window;
  window.type = x.type;
  window.rank = p.rank;
  for (size_t i = 0; i < static_cast<size_t>(p.rank); ++i) window.dims[i] = p.kernel[i];
  ForEachIndex(window, [&](const Index& k) {
    int64_t from = x_offset, weight = w_offset;
    for (size_t i = 0; i < static_cast<size_t>(p.rank); ++i) {
      const int64_t shifted = at[i] - k[i] * p.dilations[i];
      if (shifted < 0 || shifted % p.strides[i] != 0 || shifted / p.strides[i] >= x.dims[i + 2]) return;
      from += shifted / p.strides[i] * x.strides[i + 2];
      weight += k[i] * w.strides[i + 2];
    }
    sum += Load<Acc>(x, src, from) * Load<Acc>(w, weights, weight);
  });
  return sum;
}

template <class Float>
Status ConvTransposeReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &x = call.src[0], &w = call.src[1], &y = call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const ConvTransposeParams p, ConvTransposeParams::From(call));
  const int64_t channels = w.dims[0] / p.group, outputs = w.dims[1];
  return WithAccumulator<Float>(x.type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    ForEachIndex(y, [&](const Index& o) {
      const int64_t first = o[1] / outputs * channels, m = o[1] % outputs;
      std::array<int64_t, kMaxSpatial> at{};
      for (size_t i = 0; i < static_cast<size_t>(p.rank); ++i) at[i] = o[i + 2] + p.pads_begin[i];
      Acc sum{};
      for (int64_t c = first; c < first + channels; ++c) {
        sum += TransposedSum<Acc>(p, x, reference.src[0], o[0] * x.strides[0] + c * x.strides[1], w, reference.src[1],
                                  c * w.strides[0] + m * w.strides[1], at);
      }
      if (call.has_src(2)) sum += Load<Acc>(call.src[2], reference.src[2], o[1] * call.src[2].strides[0]);
      Store<Acc>(y, reference.dst[0], OffsetOf(y, o), sum);
    });
    return Status();
  });
}

Cost ConvTransposeCost(const OpCall& call) {
  const TensorDesc& w = call.src[1];
  double taps = 1;
  for (int i = 1; i < w.rank; ++i) taps *= static_cast<double>(w.dims[static_cast<size_t>(i)]);
  return {2 * taps * static_cast<double>(call.src[0].NumElements()) +
          (call.has_src(2) ? static_cast<double>(call.dst[0].NumElements()) : 0)};
}

}  // namespace

Result<ConvTransposeParams> ConvTransposeParams::From(const OpCall& call) {
  const TensorDesc &x = call.src[0], &w = call.src[1];
  MOKA_ASSIGN_OR_RETURN(const ConvTransposeAttributes attributes,
                        ConvTransposeAttributes::Read(*call.attrs, x.rank - 2, w.dims.data() + 2));
  ConvTransposeParams params;
  static_cast<Window&>(params) = attributes.window.window;
  params.group = attributes.group;
  for (int i = 0; i < params.rank; ++i) {
    params.pads_begin[static_cast<size_t>(i)] = attributes.PadBegin(x.dims[static_cast<size_t>(i + 2)], i);
  }
  return params;
}

const OpSchema* ConvTransposeSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "ConvTranspose",
      .min_src = 2,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kChannelsLast,
      .infer = InferConvTranspose,
      MOKA_REFERENCES(ConvTransposeReference)  //
          .cost = ConvTransposeCost,
  };
  return &kSchema;
}

}  // namespace moka

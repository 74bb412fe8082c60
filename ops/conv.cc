#include "ops/conv.h"

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status ReadGroup(const Attributes& attrs, int64_t* group) {
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "group", 1, group));
  if (*group < 1) return InvalidModel("attribute 'group' is ", *group, ", expected at least 1");
  return Status();
}

// The weights' spatial dims when all are constant; null otherwise (kernel_shape must then be given).
const int64_t* KernelOf(const SymbolicTensor& weights, std::array<int64_t, kMaxSpatial>* kernel) {
  for (int i = 2; i < weights.rank(); ++i) {
    const Dim& dim = weights.dims[static_cast<size_t>(i)];
    if (!dim.is_constant() || i - 2 >= kMaxSpatial) return nullptr;
    (*kernel)[static_cast<size_t>(i - 2)] = dim.constant();
  }
  return kernel->data();
}

Status CheckChannels(InferContext& ctx, size_t weights, int64_t group) {
  const SymbolicTensor& x = *ctx.src[0];
  const SymbolicTensor& w = *ctx.src[weights];
  if (w.dims[0].is_constant() && w.dims[0].constant() % group != 0) {
    return InvalidModel("src ", weights, ": ", w.dims[0].constant(),
                        " output channels do not divide into group = ", group);
  }
  MOKA_RETURN_IF_ERROR(RequireMultiple(ctx, w.dims[0], group, StrCat("output channels in src ", weights)));
  return RequireEqual(ctx, x.dims[1], w.dims[1] * Dim(group),
                      StrCat("channels of src 0 and group * dimension 1 of src ", weights));
}

Status InferConv(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckSameType(ctx, 1, 0));
  if (ctx.has_src(2)) MOKA_RETURN_IF_ERROR(CheckSameType(ctx, 2, 0));
  MOKA_ASSIGN_OR_RETURN(ctx.dst[0].dims, InferConvDims(ctx, 1, 2));
  ctx.dst[0].type = ctx.src[0]->type;
  return Status();
}

struct Spatial {  // dims and strides of dimensions 2.., as three
  std::array<int64_t, kMaxSpatial> dims{1, 1, 1}, strides{};

  explicit Spatial(const TensorDesc& desc) {
    for (int i = 2; i < desc.rank; ++i) {
      dims[static_cast<size_t>(i - 2)] = desc.dims[static_cast<size_t>(i)];
      strides[static_cast<size_t>(i - 2)] = desc.strides[static_cast<size_t>(i)];
    }
  }
};

// The sum over one window of one input channel. x and w start at that channel.
template <class T, class Acc>
Acc WindowSum(const ConvParams& p, const Spatial& x_shape, const void* x, int64_t x_offset, const Spatial& w_shape,
              const void* w, int64_t w_offset, const std::array<int64_t, kMaxSpatial>& start) {
  Acc sum{};
  for (int64_t k0 = 0; k0 < p.kernel[0]; ++k0) {
    const int64_t i0 = start[0] + k0 * p.dilations[0];
    if (i0 < 0 || i0 >= x_shape.dims[0]) continue;
    for (int64_t k1 = 0; k1 < p.kernel[1]; ++k1) {
      const int64_t i1 = start[1] + k1 * p.dilations[1];
      if (i1 < 0 || i1 >= x_shape.dims[1]) continue;
      for (int64_t k2 = 0; k2 < p.kernel[2]; ++k2) {
        const int64_t i2 = start[2] + k2 * p.dilations[2];
        if (i2 < 0 || i2 >= x_shape.dims[2]) continue;
        const int64_t at = x_offset + i0 * x_shape.strides[0] + i1 * x_shape.strides[1] + i2 * x_shape.strides[2];
        const int64_t tap = w_offset + k0 * w_shape.strides[0] + k1 * w_shape.strides[1] + k2 * w_shape.strides[2];
        sum += ConvertElement<Acc>(LoadRaw<T>(x, at)) * ConvertElement<Acc>(LoadRaw<T>(w, tap));
      }
    }
  }
  return sum;
}

template <class T, class Acc>
void ConvLoops(const ConvParams& p, const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &x = call.src[0], &w = call.src[1], &y = call.dst[0];
  const Spatial x_shape(x), w_shape(w);
  const int64_t channels = w.dims[1], outputs = w.dims[0] / p.group;
  ForEachIndex(y, [&](const Index& o) {
    const int64_t first = o[1] / outputs * channels;
    std::array<int64_t, kMaxSpatial> start{};
    for (size_t i = 0; i < static_cast<size_t>(p.rank); ++i) start[i] = o[i + 2] * p.strides[i] - p.pads_begin[i];
    Acc sum{};
    for (int64_t c = 0; c < channels; ++c) {
      sum += WindowSum<T, Acc>(p, x_shape, reference.src[0], o[0] * x.strides[0] + (first + c) * x.strides[1], w_shape,
                               reference.src[1], o[1] * w.strides[0] + c * w.strides[1], start);
    }
    if (call.has_src(2)) sum += ConvertElement<Acc>(LoadRaw<T>(reference.src[2], o[1] * call.src[2].strides[0]));
    StoreRaw<T>(reference.dst[0], OffsetOf(y, o), ConvertElement<T>(sum));
  });
}

template <class Float>
Status ConvReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const ConvParams params, ConvParams::From(reference.call));
  switch (reference.call.src[0].type) {
    case DataType::kF64:
      ConvLoops<double, double>(params, reference);
      return Status();
    case DataType::kF16:
      ConvLoops<Half, Float>(params, reference);
      return Status();
    case DataType::kBF16:
      ConvLoops<BFloat16, Float>(params, reference);
      return Status();
    default:
      ConvLoops<float, Float>(params, reference);
      return Status();
  }
}

Cost ConvCost(const OpCall& call) {
  const TensorDesc& w = call.src[1];
  const double outputs = static_cast<double>(call.dst[0].NumElements());
  double taps = 1;
  for (int i = 1; i < w.rank; ++i) taps *= static_cast<double>(w.dims[static_cast<size_t>(i)]);
  return {2 * outputs * taps + (call.has_src(2) ? outputs : 0)};
}

}  // namespace

Result<std::vector<Dim>> InferConvDims(InferContext& ctx, size_t weights, size_t bias) {
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 3));
  const SymbolicTensor& x = *ctx.src[0];
  const SymbolicTensor& w = *ctx.src[weights];
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, weights, x.rank(), x.rank()));
  int64_t group = 1;
  MOKA_RETURN_IF_ERROR(ReadGroup(*ctx.attrs, &group));
  MOKA_RETURN_IF_ERROR(CheckChannels(ctx, weights, group));
  if (ctx.has_src(bias)) {
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, bias, 1, 1));
    MOKA_RETURN_IF_ERROR(
        RequireEqual(ctx, ctx.src[bias]->dims[0], w.dims[0], StrCat("elements of src ", bias, " (bias)")));
  }
  std::array<int64_t, kMaxSpatial> kernel{};
  WindowAttributes window;
  MOKA_RETURN_IF_ERROR(WindowAttributes::Read(*ctx.attrs, x.rank() - 2, KernelOf(w, &kernel), &window));
  std::vector<Dim> dims = {x.dims[0], w.dims[0]};
  for (int i = 0; i < window.window.rank; ++i) {
    MOKA_ASSIGN_OR_RETURN(Dim dim, window.OutputDim(x.dims[static_cast<size_t>(i + 2)], i));
    dims.push_back(std::move(dim));
  }
  return dims;
}

Result<ConvParams> ConvParams::From(const OpCall& call, size_t weights) {
  ConvParams params;
  WindowAttributes attributes;
  MOKA_RETURN_IF_ERROR(
      WindowAttributes::Read(*call.attrs, call.src[0].rank - 2, call.src[weights].dims.data() + 2, &attributes));
  MOKA_RETURN_IF_ERROR(attributes.Resolve(call.src[0].dims.data() + 2, &params));
  MOKA_RETURN_IF_ERROR(ReadGroup(*call.attrs, &params.group));
  return params;
}

const OpSchema* ConvSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Conv",
      .min_src = 2,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kChannelsLast,
      .infer = InferConv,
      MOKA_REFERENCES(ConvReference)  //
          .cost = ConvCost,
  };
  return &kSchema;
}

}  // namespace moka

#include "ops/deform_conv.h"

#include "base/status.h"
#include "ops/element.h"
#include "ops/grid_sample.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {

Result<DeformConvParams> DeformConvParams::From(const Attributes& attrs, const int64_t* kernel) {
  DeformConvParams params;
  WindowAttributes window;
  MOKA_RETURN_IF_ERROR(WindowAttributes::Read(attrs, 2, kernel, &window));
  static_cast<Window&>(params) = window.window;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "group", 1, &params.group));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "offset_group", 1, &params.offset_group));
  if (params.group < 1 || params.group > INT32_MAX) return InvalidModel("attribute 'group' is ", params.group);
  if (params.offset_group < 1 || params.offset_group > INT32_MAX) {
    return InvalidModel("attribute 'offset_group' is ", params.offset_group);
  }
  return params;
}

namespace {

Status CheckShapes(InferContext& ctx, const DeformConvParams& p) {
  const SymbolicTensor &x = *ctx.src[kDeformX], &w = *ctx.src[kDeformWeight];
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, x.dims[1], w.dims[1] * Dim(p.group), "channels of src 0 and of src 1"));
  for (const auto& [dim, groups] : {std::pair(w.dims[0], p.group), std::pair(x.dims[1], p.offset_group)}) {
    if (dim.is_constant() && dim.constant() % groups != 0) {
      return InvalidModel(dim.constant(), " channels do not divide into ", groups, " groups");
    }
    MOKA_RETURN_IF_ERROR(RequireMultiple(ctx, dim, groups, "channels in groups"));
  }
  const Dim points = p.Points() * p.offset_group;
  MOKA_RETURN_IF_ERROR(
      RequireEqual(ctx, ctx.src[kDeformOffset]->dims[1], points * Dim(2), "channels of src 2 (offset)"));
  if (ctx.has_src(kDeformMask)) {
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[kDeformMask]->dims[1], points, "channels of src 4 (mask)"));
  }
  if (ctx.has_src(kDeformBias)) {
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[kDeformBias]->dims[0], w.dims[0], "elements of src 3 (bias)"));
  }
  return Status();
}

Status InferDeformConv(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, kDeformX, kFloatTypes));
  for (const int i : {kDeformX, kDeformWeight, kDeformOffset, kDeformMask}) {
    if (!ctx.has_src(i)) continue;
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, i, kDeformX));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, 4, 4));
  }
  if (ctx.has_src(kDeformBias)) {
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, kDeformBias, kDeformX));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, kDeformBias, 1, 1));
  }
  const SymbolicTensor &x = *ctx.src[kDeformX], &w = *ctx.src[kDeformWeight];
  if (!w.dims[2].is_constant() || !w.dims[3].is_constant()) return Unsupported("src 1: a kernel of unknown size");
  const int64_t kernel[] = {w.dims[2].constant(), w.dims[3].constant()};
  MOKA_ASSIGN_OR_RETURN(const DeformConvParams params, DeformConvParams::From(*ctx.attrs, kernel));
  MOKA_RETURN_IF_ERROR(CheckShapes(ctx, params));
  WindowAttributes window;
  window.window = params;
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims = {x.dims[0], w.dims[0]};
  for (int i = 0; i < 2; ++i) {
    const size_t d = static_cast<size_t>(i + 2);
    MOKA_ASSIGN_OR_RETURN(const Dim dim, window.OutputDim(x.dims[d], i));
    for (const int operand : {kDeformOffset, kDeformMask}) {
      if (!ctx.has_src(operand)) continue;
      MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[operand]->dims[d], dim,
                                        StrCat("dimension ", d, " of src ", operand, " and of dst")));
    }
    ctx.dst[0].dims.push_back(dim);
  }
  for (const int operand : {kDeformOffset, kDeformMask}) {
    if (!ctx.has_src(operand)) continue;
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[operand]->dims[0], x.dims[0], StrCat("batch of src ", operand)));
  }
  return Status();
}

// The input at a position between pixels; `plane` is the offset of its channel.
template <class Acc>
Acc Sample(const TensorDesc& x, const void* src, int64_t plane, Acc row, Acc col) {
  const SampleParams bilinear;
  int64_t rows[2], cols[2];
  Acc row_weights[2], col_weights[2];
  bilinear.TapsAt(row, x.dims[2], rows, row_weights);
  bilinear.TapsAt(col, x.dims[3], cols, col_weights);
  Acc sum{};
  for (int k = 0; k < 4; ++k) {
    const Acc weight = row_weights[k / 2] * col_weights[k % 2];
    if (weight == 0) continue;
    sum += weight * Load<Acc>(x, src, plane + rows[k / 2] * x.strides[2] + cols[k % 2] * x.strides[3]);
  }
  return sum;
}

template <class Acc>
Acc DeformedSum(const DeformConvParams& p, const ReferenceCall& reference, const Index& o) {
  const OpCall& call = reference.call;
  const TensorDesc &x = call.src[kDeformX], &w = call.src[kDeformWeight];
  const int64_t channels = w.dims[1], first = o[1] / (w.dims[0] / p.group) * channels;
  const int64_t per_offset = x.dims[1] / p.offset_group, points = p.Points();
  const auto at = [&](size_t operand, int64_t channel) {
    const TensorDesc& desc = call.src[operand];
    return Load<Acc>(desc, reference.src[operand], OffsetOf(desc, {o[0], channel, o[2], o[3]}));
  };
  Acc sum{};
  for (int64_t c = 0; c < channels; ++c) {
    const int64_t group = (first + c) / per_offset;
    for (int64_t k = 0; k < points; ++k) {
      const int64_t ky = k / p.kernel[1], kx = k % p.kernel[1], point = group * points + k;
      const auto row = static_cast<Acc>(o[2] * p.strides[0] - p.pads_begin[0] + ky * p.dilations[0]);
      const auto col = static_cast<Acc>(o[3] * p.strides[1] - p.pads_begin[1] + kx * p.dilations[1]);
      const Acc value = Sample<Acc>(x, reference.src[kDeformX], o[0] * x.strides[0] + (first + c) * x.strides[1],
                                    row + at(kDeformOffset, 2 * point), col + at(kDeformOffset, 2 * point + 1));
      const Acc mask = call.has_src(kDeformMask) ? at(kDeformMask, point) : Acc{1};
      sum += value * mask * Load<Acc>(w, reference.src[kDeformWeight], OffsetOf(w, {o[1], c, ky, kx}));
    }
  }
  return sum;
}

template <class Float>
Status DeformConvReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc& y = call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const DeformConvParams params,
                        DeformConvParams::From(*call.attrs, call.src[kDeformWeight].dims.data() + 2));
  if (call.src[kDeformX].NumElements() == 0) return InvalidArgument("src 0 is empty: nothing to sample");
  return WithAccumulator<Float>(y.type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    if constexpr (std::is_floating_point_v<Acc>) {
      ForEachIndex(y, [&](const Index& o) {
        Acc sum = DeformedSum<Acc>(params, reference, o);
        if (call.has_src(kDeformBias))
          sum += Load<Acc>(call.src[kDeformBias], reference.src[kDeformBias], o[1] * call.src[kDeformBias].strides[0]);
        Store<Acc>(y, reference.dst[0], OffsetOf(y, o), sum);
      });
    }
    return Status();
  });
}

Cost DeformConvCost(const OpCall& call) {
  const TensorDesc& w = call.src[kDeformWeight];
  return {10.0 * static_cast<double>(w.dims[1] * w.dims[2] * w.dims[3]) *
          static_cast<double>(call.dst[0].NumElements())};
}

}  // namespace

const OpSchema* DeformConvSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "DeformConv",
      .min_src = 3,
      .max_src = 5,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferDeformConv,
      MOKA_REFERENCES(DeformConvReference)  //
          .cost = DeformConvCost,
  };
  return &kSchema;
}

}  // namespace moka

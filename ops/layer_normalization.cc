#include "ops/layer_normalization.h"

#include <cmath>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status ReadAttributes(const Attributes& attrs, int rank, LayerNormParams* params) {
  int64_t axis = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "axis", -1, &axis));
  MOKA_ASSIGN_OR_RETURN(params->axis, NormalizeAxis(axis, rank, "attribute 'axis'"));
  return ReadFloat(attrs, "epsilon", 1e-5f, &params->epsilon);
}

Status InferLayerNorm(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 1));
  const SymbolicTensor& x = *ctx.src[0];
  LayerNormParams params;
  MOKA_RETURN_IF_ERROR(ReadAttributes(*ctx.attrs, x.rank(), &params));
  for (size_t i = 1; i < 3; ++i) {
    if (!ctx.has_src(i)) continue;
    MOKA_RETURN_IF_ERROR(CheckType(ctx, i, kFloatTypes));
    MOKA_RETURN_IF_ERROR(RequireBroadcastTo(ctx, i, x.dims));
  }
  DataType stash = DataType::kNone;
  MOKA_RETURN_IF_ERROR(ReadFloatType(*ctx.attrs, "stash_type", DataType::kF32, &stash));
  for (size_t i = 1; i < ctx.dst.size(); ++i) {
    ctx.dst[i].type = stash;
    ctx.dst[i].dims = x.dims;
    for (auto d = static_cast<size_t>(params.axis); d < x.dims.size(); ++d) ctx.dst[i].dims[d] = 1;
  }
  return InferSameAsSource(ctx);
}

// RMSNormalization's result has the type of the scale.
Status InferRmsNorm(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(InferLayerNorm(ctx));
  ctx.dst[0].type = ctx.src[1]->type;
  return Status();
}

template <class Acc>
struct Moments {
  Acc mean{}, inverse{};  // 1 / standard deviation
};

template <class Acc>
Moments<Acc> MomentsOf(const LayerNormParams& params, const TensorDesc& x, const void* src, const TensorDesc& row,
                       int64_t base) {
  Moments<Acc> moments;
  const auto count = static_cast<Acc>(row.NumElements());
  const auto load = [&](const Index& at) { return Load<Acc>(x, src, base + OffsetOf(x, at)); };
  if (params.centered) {
    ForEachIndex(row, [&](const Index& at) { moments.mean += load(at); });
    moments.mean /= count;
  }
  Acc squares{};
  ForEachIndex(row, [&](const Index& at) {
    const Acc distance = load(at) - moments.mean;
    squares += distance * distance;
  });
  moments.inverse = Acc(1) / std::sqrt(squares / count + static_cast<Acc>(params.epsilon));
  return moments;
}

template <class Acc>
void LayerNormLoops(const LayerNormParams& params, const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  TensorDesc rows = x, row = x;
  for (int i = 0; i < x.rank; ++i) (i < params.axis ? row : rows).dims[static_cast<size_t>(i)] = 1;
  if (x.NumElements() == 0) return;
  TensorDesc operand[3];
  for (size_t i = 1; i < 3; ++i) {
    if (call.has_src(static_cast<int>(i))) BroadcastView(call.src[i], x.shape(), &operand[i]);
  }
  ForEachIndex(rows, [&](const Index& outer) {
    const int64_t base = OffsetOf(x, outer);
    const Moments<Acc> moments = MomentsOf<Acc>(params, x, reference.src[0], row, base);
    ForEachIndex(row, [&](const Index& inner) {
      const auto at = [&](const TensorDesc& desc) { return OffsetOf(desc, outer) + OffsetOf(desc, inner); };
      Acc value = (Load<Acc>(x, reference.src[0], at(x)) - moments.mean) * moments.inverse;
      value *= Load<Acc>(operand[1], reference.src[1], at(operand[1]));
      if (operand[2].present()) value += Load<Acc>(operand[2], reference.src[2], at(operand[2]));
      Store<Acc>(y, reference.dst[0], at(y), value);
    });
    for (size_t i = 1; i < call.dst.size(); ++i) {
      if (!call.dst[i].present()) continue;
      Store<Acc>(call.dst[i], reference.dst[i], OffsetOf(call.dst[i], outer), i == 1 ? moments.mean : moments.inverse);
    }
  });
}

template <class Float>
Status LayerNormReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const LayerNormParams params, LayerNormParams::From(reference.call));
  reference.call.src[0].type == DataType::kF64 ? LayerNormLoops<double>(params, reference)
                                               : LayerNormLoops<Float>(params, reference);
  return Status();
}

Cost LayerNormCost(const OpCall& call) { return {8 * static_cast<double>(call.dst[0].NumElements())}; }

}  // namespace

Result<LayerNormParams> LayerNormParams::From(const OpCall& call) {
  LayerNormParams params;
  MOKA_RETURN_IF_ERROR(ReadAttributes(*call.attrs, call.src[0].rank, &params));
  params.centered = std::string_view(call.op->name) != "RMSNormalization";
  return params;
}

const OpSchema* LayerNormalizationSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "LayerNormalization",
      .min_src = 2,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 3,
      .layout = LayoutRule::kRowMajor,
      .infer = InferLayerNorm,
      MOKA_REFERENCES(LayerNormReference)  //
          .cost = LayerNormCost,
  };
  return &kSchema;
}

const OpSchema* RMSNormalizationSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "RMSNormalization",
      .min_src = 2,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kRowMajor,
      .infer = InferRmsNorm,
      MOKA_REFERENCES(LayerNormReference)  //
          .cost = LayerNormCost,
  };
  return &kSchema;
}

}  // namespace moka

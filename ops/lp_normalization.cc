#include "ops/lp_normalization.h"

#include <cmath>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferLpNorm(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(LpNormParams::From(*ctx.attrs, ctx.src[0]->rank()).status());
  return InferSameAsSource(ctx);
}

template <class Acc>
void LpNormLoops(const LpNormParams& params, const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  const auto axis = static_cast<size_t>(params.axis);
  TensorDesc rows = x;
  rows.dims[axis] = x.dims[axis] == 0 ? 0 : 1;
  ForEachIndex(rows, [&](const Index& at) {
    const int64_t src = OffsetOf(x, at), dst = OffsetOf(y, at);
    const auto load = [&](int64_t i) { return Load<Acc>(x, reference.src[0], src + i * x.strides[axis]); };
    Acc norm{};
    for (int64_t i = 0; i < x.dims[axis]; ++i) norm += params.p == 1 ? std::fabs(load(i)) : load(i) * load(i);
    if (params.p == 2) norm = std::sqrt(norm);
    for (int64_t i = 0; i < x.dims[axis]; ++i) {
      Store<Acc>(y, reference.dst[0], dst + i * y.strides[axis], norm == Acc{} ? Acc{} : load(i) / norm);
    }
  });
}

template <class Float>
Status LpNormReference(const ReferenceCall& reference) {
  const TensorDesc& x = reference.call.src[0];
  MOKA_ASSIGN_OR_RETURN(const LpNormParams params, LpNormParams::From(*reference.call.attrs, x.rank));
  x.type == DataType::kF64 ? LpNormLoops<double>(params, reference) : LpNormLoops<Float>(params, reference);
  return Status();
}

Cost LpNormCost(const OpCall& call) { return {3 * static_cast<double>(call.dst[0].NumElements())}; }

}  // namespace

Result<LpNormParams> LpNormParams::From(const Attributes& attrs, int rank) {
  LpNormParams params;
  int64_t axis = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "axis", -1, &axis));
  MOKA_ASSIGN_OR_RETURN(params.axis, NormalizeAxis(axis, rank, "attribute 'axis'"));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "p", 2, &params.p));
  if (params.p != 1 && params.p != 2) return InvalidModel("attribute 'p' is ", params.p, ", expected 1 or 2");
  return params;
}

const OpSchema* LpNormalizationSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "LpNormalization",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kSame,
      .infer = InferLpNorm,
      MOKA_REFERENCES(LpNormReference)  //
          .cost = LpNormCost,
  };
  return &kSchema;
}

}  // namespace moka

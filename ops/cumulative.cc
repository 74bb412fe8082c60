#include "ops/cumulative.h"

#include "base/status.h"
#include "ops/accumulate.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status ResolveAxis(const IntList& axis, int rank, int* resolved) {
  if (axis.size != 1) return InvalidModel("src 1 (axis) has ", axis.size, " elements, expected 1");
  MOKA_ASSIGN_OR_RETURN(*resolved, NormalizeAxis(axis[0], rank, "src 1 (axis)"));
  return Status();
}

Status ReadFlags(const Attributes& attrs, CumulativeParams* params) {
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "exclusive", false, &params->exclusive));
  return ReadFlag(attrs, "reverse", false, &params->reverse);
}

Status InferCumulative(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kWideNumberTypes));
  IntList axis;
  MOKA_RETURN_IF_ERROR(ReadInts(ctx, 1, "axis", &axis));
  CumulativeParams params;
  MOKA_RETURN_IF_ERROR(ResolveAxis(axis, ctx.src[0]->rank(), &params.axis));
  MOKA_RETURN_IF_ERROR(ReadFlags(*ctx.attrs, &params));
  return InferSameAsSource(ctx);
}

template <class Float>
Status CumulativeReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const CumulativeParams params, CumulativeParams::From(call));
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  const auto axis = static_cast<size_t>(params.axis);
  const int64_t n = x.dims[axis];
  TensorDesc rows = x;
  rows.dims[axis] = n == 0 ? 0 : 1;
  return WithAccumulator<Float>(x.type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    ForEachIndex(rows, [&](const Index& at) {
      const int64_t src = OffsetOf(x, at), dst = OffsetOf(y, at);
      Acc total = params.product ? Acc(1) : Acc(0);
      for (int64_t step = 0; step < n; ++step) {
        const int64_t i = params.reverse ? n - 1 - step : step;
        const Acc value = Load<Acc>(x, reference.src[0], src + i * x.strides[axis]);
        const Acc before = total;
        total = params.product ? WrappingMul(total, value) : WrappingAdd(total, value);
        Store<Acc>(y, reference.dst[0], dst + i * y.strides[axis], params.exclusive ? before : total);
      }
    });
    return Status();
  });
}

Cost CumulativeCost(const OpCall& call) { return {static_cast<double>(call.src[0].NumElements())}; }

constexpr OpSchema Schema(const char* name) {
  return {
      .domain = "",
      .name = name,
      .min_src = 2,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kSame,
      .infer = InferCumulative,
      MOKA_REFERENCES(CumulativeReference)  //
          .cost = CumulativeCost,
  };
}

}  // namespace

Result<CumulativeParams> CumulativeParams::From(const OpCall& call) {
  CumulativeParams params;
  IntList axis;
  MOKA_RETURN_IF_ERROR(ReadInts(call, 1, "axis", &axis));
  MOKA_RETURN_IF_ERROR(ResolveAxis(axis, call.src[0].rank, &params.axis));
  MOKA_RETURN_IF_ERROR(ReadFlags(*call.attrs, &params));
  params.product = std::string_view(call.op->name) == "CumProd";
  return params;
}

const OpSchema* CumSumSchema() {
  static constexpr OpSchema kSchema = Schema("CumSum");
  return &kSchema;
}

const OpSchema* CumProdSchema() {
  static constexpr OpSchema kSchema = Schema("CumProd");
  return &kSchema;
}

}  // namespace moka

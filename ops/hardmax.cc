#include "ops/hardmax.h"

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {

Result<int> HardmaxAxis(const Attributes& attrs, int rank) {
  int64_t axis = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "axis", -1, &axis));
  return NormalizeAxis(axis, rank, "attribute 'axis'");
}

namespace {

Status InferHardmax(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 1));
  MOKA_RETURN_IF_ERROR(HardmaxAxis(*ctx.attrs, ctx.src[0]->rank()).status());
  return InferSameAsSource(ctx);
}

// 1 at the first of the largest elements (NaN is larger than all), 0 elsewhere.
template <class Float>
Status HardmaxReference(const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const int along, HardmaxAxis(*reference.call.attrs, x.rank));
  if (x.NumElements() == 0) return Status();
  const auto axis = static_cast<size_t>(along);
  TensorDesc rows = x;
  rows.dims[axis] = 1;
  ForEachIndex(rows, [&](const Index& at) {
    const int64_t src = OffsetOf(x, at), dst = OffsetOf(y, at);
    int64_t best = 0;
    double largest = Load<double>(x, reference.src[0], src);
    for (int64_t i = 0; i < x.dims[axis]; ++i) {
      const double value = Load<double>(x, reference.src[0], src + i * x.strides[axis]);
      if (value > largest || (value != value && largest == largest)) {
        largest = value;
        best = i;
      }
      Store<double>(y, reference.dst[0], dst + i * y.strides[axis], 0);
    }
    Store<double>(y, reference.dst[0], dst + best * y.strides[axis], 1);
  });
  return Status();
}

Cost HardmaxCost(const OpCall& call) { return {static_cast<double>(call.dst[0].NumElements())}; }

}  // namespace

const OpSchema* HardmaxSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Hardmax",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kSame,
      .infer = InferHardmax,
      MOKA_REFERENCES(HardmaxReference)  //
          .cost = HardmaxCost,
  };
  return &kSchema;
}

}  // namespace moka

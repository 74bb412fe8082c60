#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status ReadAxis(const Attributes& attrs, int rank, int* axis) {
  int64_t value = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "axis", -1, &value));
  MOKA_ASSIGN_OR_RETURN(*axis, NormalizeAxis(value, rank, "attribute 'axis'"));
  return Status();
}

Status InferHardmax(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 1));
  int axis = 0;
  MOKA_RETURN_IF_ERROR(ReadAxis(*ctx.attrs, ctx.src[0]->rank(), &axis));
  return InferSameAsSource(ctx);
}

// 1 at the first of the largest elements, 0 elsewhere.
template <class Float>
Status HardmaxReference(const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  int axis_read = 0;
  MOKA_RETURN_IF_ERROR(ReadAxis(*reference.call.attrs, x.rank, &axis_read));
  if (x.NumElements() == 0) return Status();
  const auto axis = static_cast<size_t>(axis_read);
  TensorDesc rows = x;
  rows.dims[axis] = 1;
  ForEachIndex(rows, [&](const Index& at) {
    const int64_t src = OffsetOf(x, at), dst = OffsetOf(y, at);
    int64_t best = 0;
    double largest = Load<double>(x, reference.src[0], src);
    for (int64_t i = 0; i < x.dims[axis]; ++i) {
      const double value = Load<double>(x, reference.src[0], src + i * x.strides[axis]);
      if (value > largest) {
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

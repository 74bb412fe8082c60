#include "ops/top_k.h"

#include <algorithm>
#include <vector>

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

Status InferTopK(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kNumberTypes));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, {DataType::kI64}));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 0, 1));
  const SymbolicTensor& x = *ctx.src[0];
  int axis = 0;
  MOKA_RETURN_IF_ERROR(ReadAxis(*ctx.attrs, x.rank(), &axis));
  bool flag = true;
  MOKA_RETURN_IF_ERROR(ReadFlag(*ctx.attrs, "largest", true, &flag));
  MOKA_RETURN_IF_ERROR(ReadFlag(*ctx.attrs, "sorted", true, &flag));
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> k, ctx.Elements(1));
  if (k.size() != 1) return InvalidModel("src 1 (K) has ", k.size(), " elements, expected 1");
  const Dim& n = x.dims[static_cast<size_t>(axis)];
  if (k[0].is_constant()) {
    if (k[0].constant() < 0) return InvalidModel("src 1 (K) is ", k[0].constant());
    if (n.is_constant() && k[0].constant() > n.constant()) {
      return InvalidModel("src 1 (K) is ", k[0].constant(), " of ", n.constant(), " elements");
    }
  }
  MOKA_RETURN_IF_ERROR(RequireAtMost(ctx, k[0], n, "src 1 (K)"));
  for (size_t i = 0; i < ctx.dst.size(); ++i) {
    ctx.dst[i].type = i == 0 ? x.type : DataType::kI64;
    ctx.dst[i].dims = x.dims;
    ctx.dst[i].dims[static_cast<size_t>(axis)] = k[0];
  }
  return Status();
}

template <class Acc>
void TopKLoops(const TopKParams& params, const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const auto axis = static_cast<size_t>(params.axis);
  const TensorDesc& x = call.src[0];
  TensorDesc rows = x;
  rows.dims[axis] = 1;
  std::vector<Acc> values(static_cast<size_t>(params.n));
  std::vector<int64_t> order(values.size());
  ForEachIndex(rows, [&](const Index& at) {
    const int64_t base = OffsetOf(x, at);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = Load<Acc>(x, reference.src[0], base + static_cast<int64_t>(i) * x.strides[axis]);
      order[i] = static_cast<int64_t>(i);
    }
    std::partial_sort(order.begin(), order.begin() + params.k, order.end(), [&](int64_t a, int64_t b) {
      const Acc left = values[static_cast<size_t>(a)], right = values[static_cast<size_t>(b)];
      if (TopKBefore(params.largest, left, right)) return true;
      return !TopKBefore(params.largest, right, left) && a < b;
    });
    for (size_t d = 0; d < call.dst.size(); ++d) {
      const TensorDesc& y = call.dst[d];
      if (!y.present()) continue;
      const int64_t dst_at = OffsetOf(y, at);
      for (int64_t i = 0; i < params.k; ++i) {
        const int64_t from = order[static_cast<size_t>(i)], to = dst_at + i * y.strides[axis];
        if (d == 0) Store<Acc>(y, reference.dst[d], to, values[static_cast<size_t>(from)]);
        if (d == 1) StoreRaw<int64_t>(reference.dst[d], to, from);
      }
    }
  });
}

template <class Float>
Status TopKReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const TopKParams params, TopKParams::From(reference.call));
  return WithAccumulator<Float>(reference.call.src[0].type, [&](auto accumulator) {
    TopKLoops<decltype(accumulator)>(params, reference);
    return Status();
  });
}

Cost TopKCost(const OpCall& call) { return {4 * static_cast<double>(call.src[0].NumElements())}; }

}  // namespace

Result<TopKParams> TopKParams::From(const OpCall& call) {
  TopKParams params;
  const TensorDesc& x = call.src[0];
  MOKA_RETURN_IF_ERROR(ReadAxis(*call.attrs, x.rank, &params.axis));
  MOKA_RETURN_IF_ERROR(ReadFlag(*call.attrs, "largest", true, &params.largest));
  const auto axis = static_cast<size_t>(params.axis);
  params.n = x.dims[axis];
  for (const TensorDesc& y : call.dst) {
    if (y.present()) params.k = y.dims[axis];
  }
  if (params.k > params.n) return InvalidArgument("src 1 (K) is ", params.k, " of ", params.n, " elements");
  return params;
}

const OpSchema* TopKSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "TopK",
      .min_src = 2,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 2,
      .layout = LayoutRule::kStrided,
      .infer = InferTopK,
      MOKA_REFERENCES(TopKReference)  //
          .cost = TopKCost,
  };
  return &kSchema;
}

}  // namespace moka

// The Reduce operators: src data, optional axes (i64); dst has size 1 along the reduced axes, or lacks them.
#ifndef MOKA_OPS_REDUCE_H_
#define MOKA_OPS_REDUCE_H_

#include "ops/op.h"

namespace moka {

// name, start, step over (accumulated s, element x), end over (s, number of elements n); A is the accumulator. Lowest
// and Highest are infinite where A has infinities. A NaN stays.
#define MOKA_REDUCE_OPS(X)                               \
  X(ReduceMean, A(0), s + x, s / A(n))                   \
  X(ReduceSum, A(0), s + x, s)                           \
  X(ReduceMax, Lowest<A>(), x > s || x != x ? x : s, s)  \
  X(ReduceMin, Highest<A>(), x < s || x != x ? x : s, s) \
  X(ReduceProd, A(1), s* x, s)                           \
  X(ReduceSumSquare, A(0), s + x * x, s)                 \
  X(ReduceL1, A(0), s + (x < A(0) ? -x : x), s)          \
  X(ReduceL2, A(0), s + x * x, static_cast<A>(std::sqrt(static_cast<double>(s))))

enum class ReduceKind : uint8_t {
#define MOKA_REDUCE_ENUM(name, start, step, end) k##name,
  MOKA_REDUCE_OPS(MOKA_REDUCE_ENUM)
#undef MOKA_REDUCE_ENUM
};

struct ReduceParams {
  ReduceKind kind = ReduceKind::kReduceMean;
  uint32_t axes = 0;  // bit i: dimension i of the source is reduced; 0: the result is the source
  bool keepdims = true;
  // Strides of dst seen with the rank of src: 0 along the reduced axes.
  std::array<int64_t, kMaxRank> dst_strides{};

  static Result<ReduceParams> From(const OpCall& call);
};

}  // namespace moka

#endif  // MOKA_OPS_REDUCE_H_

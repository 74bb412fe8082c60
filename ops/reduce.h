// The Reduce operators: src data, optional axes (i64); dst has size 1 along the reduced axes, or lacks them.
#ifndef MOKA_OPS_REDUCE_H_
#define MOKA_OPS_REDUCE_H_

#include <array>

#include "ops/op.h"

namespace moka {

// name, start, step over (accumulated s, element x), end over (s, number of elements n); A is the accumulator.
// ops/reduce.cc defines the functions; a NaN stays in Max and Min. Of ReduceLogSumExp, x is less the largest element,
// which is added to the end.
#define MOKA_REDUCE_OPS(X)                                       \
  X(ReduceMean, A(0), WrappingAdd(s, x), Mean(s, n))             \
  X(ReduceSum, A(0), WrappingAdd(s, x), s)                       \
  X(ReduceMax, Lowest<A>(), x > s || x != x ? x : s, s)          \
  X(ReduceMin, Highest<A>(), x < s || x != x ? x : s, s)         \
  X(ReduceProd, A(1), WrappingMul(s, x), s)                      \
  X(ReduceSumSquare, A(0), WrappingAdd(s, WrappingMul(x, x)), s) \
  X(ReduceL1, A(0), WrappingAdd(s, Absolute(x)), s)              \
  X(ReduceL2, A(0), WrappingAdd(s, WrappingMul(x, x)), Root(s))  \
  X(ReduceLogSum, A(0), WrappingAdd(s, x), Logarithm(s))         \
  X(ReduceLogSumExp, A(0), s + Exponential(x), Logarithm(s))

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

// Slice: src data, starts, ends, optional axes, optional steps (i32 or i64); dst[i] = data[start + i * step].
#ifndef MOKA_OPS_SLICE_H_
#define MOKA_OPS_SLICE_H_

#include <array>

#include "ops/op.h"

namespace moka {

struct SliceParams {
  int rank = 0;
  std::array<int64_t, kMaxRank> start{}, step{}, count{};  // per dimension, clamped; step may be negative

  static Result<SliceParams> From(const OpCall& call);
  // The part of src that becomes the result: negative strides where a step is negative.
  void Part(const OpCall& call, TensorDesc* part, int64_t* offset) const;
};

}  // namespace moka

#endif  // MOKA_OPS_SLICE_H_

// ArgMax and ArgMin: src data, dst i64 positions along one axis.
#ifndef MOKA_OPS_ARG_MAX_H_
#define MOKA_OPS_ARG_MAX_H_

#include "ops/op.h"

namespace moka {

struct ArgParams {
  int axis = 0;          // resolved, in [0, rank)
  bool largest = false;  // ArgMax
  bool keepdims = true;
  bool select_last = false;  // of equal elements
  // Strides of dst seen with the rank of src: 0 along the axis.
  std::array<int64_t, kMaxRank> dst_strides{};

  static Result<ArgParams> From(const OpCall& call);
};

}  // namespace moka

#endif  // MOKA_OPS_ARG_MAX_H_

// Split: src input, optional sizes (i64); dst parts along one axis. Without sizes, num_outputs equal parts, the last
// one smaller where it does not divide.
#ifndef MOKA_OPS_SPLIT_H_
#define MOKA_OPS_SPLIT_H_

#include "ops/op.h"

namespace moka {

struct SplitParams {
  int axis = 0;  // resolved

  static Result<SplitParams> From(const Attributes& attrs, int rank);
  static Result<SplitParams> From(const OpCall& call) { return From(*call.attrs, call.src[0].rank); }
  // The part of src that becomes result i, and its element offset.
  void Part(const OpCall& call, int i, TensorDesc* part, int64_t* offset) const;
};

}  // namespace moka

#endif  // MOKA_OPS_SPLIT_H_

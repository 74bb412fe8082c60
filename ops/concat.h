// Concat: any number of sources, equal but for one axis, put one after the other along it.
#ifndef MOKA_OPS_CONCAT_H_
#define MOKA_OPS_CONCAT_H_

#include "ops/op.h"

namespace moka {

struct ConcatParams {
  int axis = 0;  // resolved

  static Result<ConcatParams> From(const Attributes& attrs, int rank);
  static Result<ConcatParams> From(const OpCall& call) { return From(*call.attrs, call.src[0].rank); }
  // Where source i starts in dst: a desc of the source's shape, and its element offset.
  void Part(const OpCall& call, int i, TensorDesc* part, int64_t* offset) const;
};

}  // namespace moka

#endif  // MOKA_OPS_CONCAT_H_

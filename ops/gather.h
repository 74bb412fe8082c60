// Gather: src data, indices (i32 or i64, negative from the end); dst has data's shape with `axis` replaced by the shape
// of the indices.
#ifndef MOKA_OPS_GATHER_H_
#define MOKA_OPS_GATHER_H_

#include "ops/op.h"

namespace moka {

struct GatherParams {
  int axis = 0;  // resolved

  static Result<GatherParams> From(const Attributes& attrs, int rank);
  static Result<GatherParams> From(const OpCall& call) { return From(*call.attrs, call.src[0].rank); }
};

}  // namespace moka

#endif  // MOKA_OPS_GATHER_H_

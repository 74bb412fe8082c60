// CumSum and CumProd: src x, axis (one integer); dst the sums or products of the elements up to each along the axis.
#ifndef MOKA_OPS_CUMULATIVE_H_
#define MOKA_OPS_CUMULATIVE_H_

#include "ops/op.h"

namespace moka {

struct CumulativeParams {
  int axis = 0;            // resolved, in [0, rank)
  bool product = false;    // CumProd
  bool exclusive = false;  // without the element itself
  bool reverse = false;    // from the end

  static Result<CumulativeParams> From(const OpCall& call);
};

}  // namespace moka

#endif  // MOKA_OPS_CUMULATIVE_H_

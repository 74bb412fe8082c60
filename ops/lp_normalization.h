// LpNormalization: x divided by the 1- or 2-norm along one axis; where that is 0, the result is 0.
#ifndef MOKA_OPS_LP_NORMALIZATION_H_
#define MOKA_OPS_LP_NORMALIZATION_H_

#include "ops/op.h"

namespace moka {

struct LpNormParams {
  int axis = 0;  // resolved, in [0, rank)
  int64_t p = 2;

  static Result<LpNormParams> From(const Attributes& attrs, int rank);
};

}  // namespace moka

#endif  // MOKA_OPS_LP_NORMALIZATION_H_

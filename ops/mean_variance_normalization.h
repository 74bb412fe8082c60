// MeanVarianceNormalization: (x - mean) / (standard deviation + 1e-9), with statistics over some axes.
#ifndef MOKA_OPS_MEAN_VARIANCE_NORMALIZATION_H_
#define MOKA_OPS_MEAN_VARIANCE_NORMALIZATION_H_

#include "ops/op.h"

namespace moka {

struct MeanVarianceParams {
  static constexpr double kEpsilon = 1e-9;  // the standard's
  uint32_t axes = 0;                        // bit i: statistics go over dimension i

  static Result<MeanVarianceParams> From(const Attributes& attrs, int rank);
};

}  // namespace moka

#endif  // MOKA_OPS_MEAN_VARIANCE_NORMALIZATION_H_

// BatchNormalization at inference: src X [N, C, ...], scale [C], B [C], input_mean [C], input_var [C];
// dst Y = (X - mean) / sqrt(var + epsilon) * scale + B.
#ifndef MOKA_OPS_BATCH_NORMALIZATION_H_
#define MOKA_OPS_BATCH_NORMALIZATION_H_

#include "ops/op.h"

namespace moka {

struct BatchNormParams {
  float epsilon = 1e-5f;

  static Result<BatchNormParams> From(const Attributes& attrs);
};

}  // namespace moka

#endif  // MOKA_OPS_BATCH_NORMALIZATION_H_

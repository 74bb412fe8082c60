// BatchNormalization: src X [N, C, ...], scale [C], B [C], input_mean [C], input_var [C];
// dst Y = (X - mean) / sqrt(var + epsilon) * scale + B. At inference mean and var are the inputs. With training_mode
// they are those of X over all axes but C (var of the population), and dst 1 and 2 [C], optional, are the running
// statistics input * momentum + current * (1 - momentum): forward only, nothing is trained.
#ifndef MOKA_OPS_BATCH_NORMALIZATION_H_
#define MOKA_OPS_BATCH_NORMALIZATION_H_

#include "ops/op.h"

namespace moka {

struct BatchNormParams {
  float epsilon = 1e-5f, momentum = 0.9f;
  bool training = false;

  static Result<BatchNormParams> From(const Attributes& attrs);
};

}  // namespace moka

#endif  // MOKA_OPS_BATCH_NORMALIZATION_H_

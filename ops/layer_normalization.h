// LayerNormalization: src X, Scale, optional B; dst Y, optional Mean and InvStdDev. RMSNormalization: src X, scale; dst
// Y. Statistics are those of the dimensions from `axis` on; scale and B broadcast to X.
#ifndef MOKA_OPS_LAYER_NORMALIZATION_H_
#define MOKA_OPS_LAYER_NORMALIZATION_H_

#include "ops/op.h"

namespace moka {

struct LayerNormParams {
  int axis = 0;  // resolved, in [0, rank)
  float epsilon = 1e-5f;
  bool centered = true;  // false: RMSNormalization, about zero

  static Result<LayerNormParams> From(const OpCall& call);
};

}  // namespace moka

#endif  // MOKA_OPS_LAYER_NORMALIZATION_H_

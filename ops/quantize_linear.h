// QuantizeLinear: src x, scale, optional zero point; dst y = saturate(round(x / scale) + zero point).
// DequantizeLinear: src x, scale, optional zero point; dst y = (x - zero point) * scale.
#ifndef MOKA_OPS_QUANTIZE_LINEAR_H_
#define MOKA_OPS_QUANTIZE_LINEAR_H_

#include "ops/op.h"

namespace moka {

// Which scale an element has: one for all (axis -1), one per index along `axis`, or one per `block` of such indices and
// per index of the other dimensions.
struct ScaleAxis {
  int axis = -1;
  int64_t block = 0;

  static Result<ScaleAxis> From(const OpCall& call);
};

}  // namespace moka

#endif  // MOKA_OPS_QUANTIZE_LINEAR_H_

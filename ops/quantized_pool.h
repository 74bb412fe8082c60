// com.microsoft: QLinearAveragePool, QLinearGlobalAveragePool (src X, its scale and zero point, scale and zero point of
// dst; attribute channels_last), NhwcMaxPool (src X [N, spatial..., C]).
#ifndef MOKA_OPS_QUANTIZED_POOL_H_
#define MOKA_OPS_QUANTIZED_POOL_H_

#include "ops/pool.h"

namespace moka {

// Operands as descs with dimensions N, C, spatial..., whatever order the operator has them in.
struct QuantizedPool {
  PoolParams params;
  TensorDesc x, y;

  static Result<QuantizedPool> From(const OpCall& call);
};
// The factor of the sum of a window's elements.
inline float PoolScale(float x_scale, float y_scale, int64_t count) {
  return x_scale / (y_scale * static_cast<float>(count));
}

}  // namespace moka

#endif  // MOKA_OPS_QUANTIZED_POOL_H_

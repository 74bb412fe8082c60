// The scale and zero point that DynamicQuantizeLinear finds.
#ifndef MOKA_OPS_DYNAMIC_QUANTIZE_LINEAR_H_
#define MOKA_OPS_DYNAMIC_QUANTIZE_LINEAR_H_

#include <cstdint>

namespace moka {

struct DynamicScale {
  float scale = 1;
  uint8_t zero = 0;
};
// Of values between `lowest` and `highest`. Where all are 0 the scale is 1.
DynamicScale DynamicScaleOf(float lowest, float highest);

}  // namespace moka

#endif  // MOKA_OPS_DYNAMIC_QUANTIZE_LINEAR_H_

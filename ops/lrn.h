// LRN: x / (bias + alpha / size * squares)^beta, where squares is the sum over a window of `size` channels.
#ifndef MOKA_OPS_LRN_H_
#define MOKA_OPS_LRN_H_

#include "ops/op.h"

namespace moka {

struct LrnParams {
  int64_t before = 0, after = 0;  // channels of the window around the element's own
  float alpha = 0;                // divided by size
  float beta = 0, bias = 0;

  static Result<LrnParams> From(const Attributes& attrs);
};

}  // namespace moka

#endif  // MOKA_OPS_LRN_H_

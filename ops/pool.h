// MaxPool, AveragePool, LpPool, GlobalMaxPool, GlobalAveragePool, GlobalLpPool: src X [N, C, spatial...], dst Y, and of
// MaxPool optionally Indices (i64: positions in X flattened).
#ifndef MOKA_OPS_POOL_H_
#define MOKA_OPS_POOL_H_

#include "ops/window.h"

namespace moka {

// Global pooling is a window as large as the input.
struct PoolParams : Window {
  bool max = false;   // else the average
  int64_t power = 0;  // not 0: the norm (sum of |x|^power)^(1 / power)
  bool global = false;
  bool count_include_pad = false;  // the divisor counts padding, but nothing beyond input + pads_end
  bool column_major = false;       // Indices count the first spatial dimension fastest

  static Result<PoolParams> From(const OpCall& call);
};

}  // namespace moka

#endif  // MOKA_OPS_POOL_H_

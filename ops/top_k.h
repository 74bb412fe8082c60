// TopK: src X, K (i64, one element); dst values and their positions along the axis (i64), best first. Of equal
// elements the first comes first. NaN counts as larger than any number.
#ifndef MOKA_OPS_TOP_K_H_
#define MOKA_OPS_TOP_K_H_

#include "ops/op.h"

namespace moka {

struct TopKParams {
  int axis = 0;  // resolved, in [0, rank)
  bool largest = true;
  int64_t n = 0, k = 0;  // k <= n

  static Result<TopKParams> From(const OpCall& call);
};

// Whether a comes before b, by value alone.
template <class T>
bool TopKBefore(bool largest, T a, T b) {
  if (a != a || b != b) return largest ? a != a && b == b : a == a && b != b;
  return largest ? a > b : a < b;
}

}  // namespace moka

#endif  // MOKA_OPS_TOP_K_H_

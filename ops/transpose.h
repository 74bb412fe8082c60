// Transpose: dimension i of dst is dimension perm[i] of src.
#ifndef MOKA_OPS_TRANSPOSE_H_
#define MOKA_OPS_TRANSPOSE_H_

#include <array>

#include "ops/op.h"

namespace moka {

struct TransposeParams {
  int rank = 0;
  std::array<int, kMaxRank> perm{};

  static Result<TransposeParams> From(const Attributes& attrs, int rank);
  static Result<TransposeParams> From(const OpCall& call) { return From(*call.attrs, call.src[0].rank); }
};

}  // namespace moka

#endif  // MOKA_OPS_TRANSPOSE_H_

// Gemm: dst Y [M, N] = alpha * A' B' + beta * C, A' [M, K] and B' [K, N] after the optional transposes, C broadcast.
#ifndef MOKA_OPS_GEMM_H_
#define MOKA_OPS_GEMM_H_

#include "ops/op.h"

namespace moka {

struct GemmParams {
  float alpha = 1, beta = 1;
  bool trans_a = false, trans_b = false;
  int64_t m = 0, n = 0, k = 0;
  // Strides of A'[m][k] and B'[k][n], the transposes applied.
  int64_t a_row = 0, a_col = 0, b_row = 0, b_col = 0;

  static Result<GemmParams> From(const OpCall& call);
};

}  // namespace moka

#endif  // MOKA_OPS_GEMM_H_

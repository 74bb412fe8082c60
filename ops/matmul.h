// MatMul with numpy's rules: a rank-1 operand is a row (A) or a column (B) whose dimension is dropped from the result,
// leading dimensions are batches and broadcast.
#ifndef MOKA_OPS_MATMUL_H_
#define MOKA_OPS_MATMUL_H_

#include <array>
#include <vector>

#include "ops/op.h"

namespace moka {

struct MatMulParams {
  int64_t m = 0, n = 0, k = 0;
  int64_t a_row = 0, a_col = 0, b_row = 0, b_col = 0, dst_row = 0, dst_col = 0;  // strides
  int batch_rank = 0;
  std::array<int64_t, kMaxRank> batch{}, a_batch{}, b_batch{}, dst_batch{};  // sizes; strides, 0 where broadcast

  int64_t Batches() const;
  // `b`: the source that is the right matrix.
  static Result<MatMulParams> From(const OpCall& call, size_t b = 1);
};

// Dims of the product of src 0 and src[b]; ranks and sizes are checked, types are not.
Result<std::vector<Dim>> InferMatMulDims(InferContext& ctx, size_t b);

}  // namespace moka

#endif  // MOKA_OPS_MATMUL_H_

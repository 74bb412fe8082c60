// Matrix products, as Gemm, MatMul and 1x1 convolutions state them, and the packed form of weights.
#ifndef MOKA_GPU_GEMM_H_
#define MOKA_GPU_GEMM_H_

#include "gpu/choose.h"
#include "gpu/epilogue.h"

namespace moka::gpu {

// dst = alpha * A * B + beta * source `bias`, then the epilogue. Strides in elements.
struct Product {
  int64_t m = 0, n = 0, k = 0, batches = 1;
  int64_t a_row = 0, a_col = 0, b_row = 0, b_col = 0, c_row = 0, c_col = 0;
  int64_t pack_row = 0, pack_col = 0;  // strides of B's file contents, for packing
  float alpha = 1, beta = 1;
  int bias = -1;
  bool bias_per_channel = false;  // one value for each of N; else broadcast to dst
  int a_src = 0, b_src = 1;
  bool matrices = true;    // the operands may be read by strides (false: source 1 is known to the pack only)
  Loops batch{.dims = 1};  // operands: dst, A, B
  RowShape rows;
};
// Offers gemm_tile, gemm or matmul.
void OfferProduct(const Request& request, const Product& product, Offer* offer);

// "gpu/rows.1": f32 [groups][taps][rows rounded up to 4][cols rounded up to 4], zeros in the added rows and columns;
// element (g, t, r, c) is element g * group_stride + t * tap_stride + r * row_stride + c * col_stride of the weight.
inline constexpr std::string_view kRowsFormat = "gpu/rows.1";
struct PackedRows {
  int64_t groups, taps, rows, cols, group_stride, tap_stride, row_stride, col_stride;
};
PackSpec RowsPack(int src, const PackedRows& rows);

}  // namespace moka::gpu

#endif  // MOKA_GPU_GEMM_H_

// What the kernels for products of bytes share: packed weights, and scales and zero points turned into the arrays that
// tiles read. Scales and zero points are read when a step runs, so they may be fed.
#ifndef MOKA_CPU_BYTE_PRODUCT_H_
#define MOKA_CPU_BYTE_PRODUCT_H_

#include <cstdint>
#include <span>

#include "cpu/byte_tile.h"
#include "cpu/kernel.h"
#include "ops/quantized_product.h"

namespace moka::cpu {

// Where element (k, n) of a weight is: k runs through four nested dimensions, the last one fastest. `segment` of them
// lie side by side in A: each such segment is packed as whole groups of 4.
struct ByteWeights {
  int64_t k_dims[4];
  int64_t k_strides[4];
  int64_t n_stride;
  int64_t segment;
  int64_t is_signed;

  int64_t K() const { return k_dims[0] * k_dims[1] * k_dims[2] * k_dims[3]; }
  int64_t Quads() const { return segment == 0 ? 0 : K() / segment * CeilDiv(segment, 4); }
  // A packed column: the sum of its elements, then them.
  int64_t ColumnBytes() const { return 4 * (1 + Quads()); }
};

// One panel: the sums of its columns (i32), then [quads][width][4]. `weight` points at the first column's first
// element.
void PackBytePanel(const uint8_t* weight, const ByteWeights& weights, const Panel& panel, std::byte* dst);
// The spec of a constant weight: `groups` blocks of n columns, group_stride elements apart. All strides but those of
// the last dimension and of n follow from the dims, as in a convolution's weights.
PackSpec BytePanelPackSpec(int src, const ByteTable& table, const ByteWeights& dense, int64_t n, int64_t groups,
                           int64_t group_stride);
int64_t PackedBytes(const ByteTable& table, const ByteWeights& weights, int64_t n);
Status PackBytePanels(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst);
Status PackByteDepthwise(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst);  // byte_depthwise.cc

// A parameter of columns: a source, and the step between its elements, 0 for a scalar.
struct ColumnSource {
  int32_t src, step;
};

// Plain data: launches hold it.
struct ByteProduct {
  int32_t kind, a_signed, b_signed, y_signed, residual_signed, sum_signed;
  int32_t a, b, a_scale, a_zero, y_scale, y_zero, residual, residual_scale, residual_zero, sum_scale, sum_zero;
  ColumnSource b_scale, b_zero, bias;
  float alpha;
  int32_t float_bias;      // the bias is f32 and added last
  int32_t zeros_are_zero;  // those of the weights, once they are i8: known
  int64_t lo, hi, sum_lo, sum_hi;
  int64_t k;
  uint32_t Flip() const { return a_signed != 0 ? 0x80808080u : 0; }
};
Status MakeByteProduct(const OpCall& call, int64_t k, ByteProduct* product);

// The zero point of A, as a byte.
uint8_t PaddingByte(const ByteProduct& product, const KernelArgs& args);
// Whether a zero point of the weights is not 0 once they are i8: then the tiles need the sums of A's rows.
bool NeedsRowSums(const ByteProduct& product, const KernelArgs& args, int64_t columns);

// Memory of the arrays of `width` columns, in elements of 4 bytes.
inline constexpr int64_t kFinishArrays = 4;
// All of a finish but its arrays.
ByteFinish PrepareFinish(const ByteProduct& product, const KernelArgs& args);
// The arrays for columns [col, col + cols) of the weights, whose sums are `sums`, in memory for `width` columns.
void FillFinishArrays(const ByteProduct& product, const KernelArgs& args, int64_t col, int64_t cols, int64_t width,
                      const int32_t* sums, bool row_sums, int32_t* memory, ByteFinish* finish);

// All rows times one panel.
struct ByteBlock {
  const ByteTable* table;
  int64_t rows;
  const uint8_t* const* a;
  void* const* dst;
  const uint8_t* const* residual;  // or null
  const int32_t* sums;             // per row, or null
  const int64_t* segments;
  int64_t num_segments, quads, rest;
  uint32_t flip;
};
void RunBytePanel(const ByteBlock& block, const Panel& panel, const std::byte* packed, int64_t first_col,
                  const ByteFinish& finish);

// The sum of the elements of a row of A, its signs flipped as `flip` says.
int32_t RowSum(const uint8_t* row, std::span<const int64_t> segments, int64_t length, uint32_t flip);

}  // namespace moka::cpu

#endif  // MOKA_CPU_BYTE_PRODUCT_H_

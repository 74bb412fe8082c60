// com.microsoft MatMulNBits: src A [..., K], B [N, blocks, bytes of a block] (u8: elements of `bits` bits, lowest bits
// first), scales [N * blocks], optional zero points (packed like B, u8; or of the type of A), optional group indices
// (none of them supported), optional bias [N]; dst Y [..., N] = A * dequantized(B)^T + bias.
#ifndef MOKA_OPS_MICROSOFT_MATMUL_NBITS_H_
#define MOKA_OPS_MICROSOFT_MATMUL_NBITS_H_

#include "ops/op.h"

namespace moka {

struct MatMulNBitsParams {
  int64_t k = 0, n = 0, bits = 4, block = 0;

  int64_t Blocks() const { return (k + block - 1) / block; }
  int64_t BlockBytes() const { return block * bits / 8; }
  int64_t ZeroBytes() const { return (Blocks() * bits + 7) / 8; }  // of one row of packed zero points
  // Element `i` of packed elements.
  int64_t ElementAt(const uint8_t* packed, int64_t i) const {
    const int64_t bit = i * bits;
    return packed[bit / 8] >> (bit % 8) & ((1 << bits) - 1);
  }
  static Status Read(const Attributes& attrs, MatMulNBitsParams* params);
};

}  // namespace moka

#endif  // MOKA_OPS_MICROSOFT_MATMUL_NBITS_H_

// Loops over contiguous quantized elements: one table per SIMD target.
#ifndef MOKA_CPU_BYTE_VECTOR_H_
#define MOKA_CPU_BYTE_VECTOR_H_

#include <cstdint>

#include "cpu/vector.h"

namespace moka::cpu {

// Bytes are u8 or i8.
struct ByteScale {
  float scale;
  int32_t zero, is_signed;

  int32_t Lo() const { return is_signed != 0 ? -128 : 0; }
  int32_t Hi() const { return is_signed != 0 ? 127 : 255; }
};

// dst = saturate(round((a - a.zero) * a.scale + (b - b.zero) * b.scale) + dst.zero), or of the product
// (a - a.zero) * (b - b.zero) * a.scale. The scales are those of the operands by that of dst.
struct ByteBinary {
  ByteScale a, b, dst;
};

struct ByteVectorTable {
  // dst = saturate(round(src / scale) + zero).
  void (*quantize)(const float* src, const ByteScale& to, uint8_t* dst, int64_t n);
  // dst[i * count + k] = src[k * step + i] with i < n and k < count, which is 2, 3 or 4.
  void (*interleave)(const uint8_t* src, int64_t step, int64_t count, uint8_t* dst, int64_t n);
  // dst = (src - zero) * scale.
  void (*dequantize)(const uint8_t* src, const ByteScale& from, float* dst, int64_t n);
  void (*add)(const ByteBinary& binary, const uint8_t* a, const uint8_t* b, uint8_t* dst, int64_t n);
  void (*mul)(const ByteBinary& binary, const uint8_t* a, const uint8_t* b, uint8_t* dst, int64_t n);
  // dst = table[src], of 256 elements. dst may be src.
  void (*lookup)(const uint8_t* table, const uint8_t* src, uint8_t* dst, int64_t n);
  // dst[j] = the largest of src[tap + j] over all taps.
  void (*fold_max)(const uint8_t* src, const Taps& taps, bool is_signed, uint8_t* dst, int64_t n);
  // dst[j] = saturate(round((sum of src[tap + j] over all taps + offset) * to.scale) + to.zero).
  void (*fold_average)(const uint8_t* src, const Taps& taps, bool is_signed, int32_t offset, const ByteScale& to,
                       uint8_t* dst, int64_t n);
  // dst = a * src / y, in this order; whether all of them lie between -1 and 1.
  bool (*column_scales)(const float* src, float a, float y, float* dst, int64_t n);
  // dst = bias - a_zero * sums, modulo 2^32; no bias is null.
  void (*column_offsets)(const int32_t* sums, const int32_t* bias, int32_t a_zero, int32_t* dst, int64_t n);
  // dst = (element - zero) * scale of n elements (a multiple of 16) of 2, 4 or 8 bits, the lowest of a byte first.
  void (*unpack2)(const uint8_t* src, float zero, float scale, float* dst, int64_t n);
  void (*unpack4)(const uint8_t* src, float zero, float scale, float* dst, int64_t n);
  void (*unpack8)(const uint8_t* src, float zero, float scale, float* dst, int64_t n);
  float (*dot)(const float* a, const float* b, int64_t n);
  // Widens [*lowest, *highest] to hold the elements.
  void (*range)(const float* src, int64_t n, float* lowest, float* highest);
};
const ByteVectorTable* ChosenByteVectorTable();  // null where no target was compiled

}  // namespace moka::cpu

#endif  // MOKA_CPU_BYTE_VECTOR_H_

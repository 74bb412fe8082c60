// Floating-point types narrower than f32 as C++ types: half, bfloat16, the 8-bit and the 4-bit ones. They store and
// convert; arithmetic is done in float or double.
#ifndef MOKA_BASE_NARROW_FLOAT_H_
#define MOKA_BASE_NARROW_FLOAT_H_

#include <cstdint>

#include "moka/tensor.h"

namespace moka {

// What codes without a finite value mean. kIeee: the highest exponent is infinity and NaN. kFinite: no infinity, all
// bits set (but the sign) is NaN. kUnsignedZero: no infinity and no negative zero, whose code is NaN. kNumbersOnly:
// every code is a number.
enum class NarrowSpecials : uint8_t { kIeee, kFinite, kUnsignedZero, kNumbersOnly };

// sign, exponent bits, mantissa bits (most significant first): 2^(exponent - bias) * 1.mantissa; exponent 0 is
// subnormal.
struct NarrowFormat {
  int exponent_bits, mantissa_bits, bias;
  NarrowSpecials specials;
};

// The value of a code, exact.
float DecodeNarrow(uint32_t code, const NarrowFormat& format);
// The nearest code, ties to even. Too large is infinity, else NaN, else (kNumbersOnly) the largest number; with
// `saturate` always the largest number of the sign, infinity included. NaN gives NaN (kNumbersOnly: the largest).
uint32_t EncodeNarrow(double value, const NarrowFormat& format, bool saturate = false);

template <class Bits, int exponent_bits, int mantissa_bits, int bias, NarrowSpecials specials>
struct NarrowFloat {
  static constexpr NarrowFormat kFormat = {exponent_bits, mantissa_bits, bias, specials};
  Bits bits = 0;

  NarrowFloat() = default;
  explicit NarrowFloat(double value) : bits(static_cast<Bits>(EncodeNarrow(value, kFormat))) {}
  explicit operator float() const { return DecodeNarrow(bits, kFormat); }
};

using Half = NarrowFloat<uint16_t, 5, 10, 15, NarrowSpecials::kIeee>;
using BFloat16 = NarrowFloat<uint16_t, 8, 7, 127, NarrowSpecials::kIeee>;
using Float8E4M3FN = NarrowFloat<uint8_t, 4, 3, 7, NarrowSpecials::kFinite>;
using Float8E4M3FNUZ = NarrowFloat<uint8_t, 4, 3, 8, NarrowSpecials::kUnsignedZero>;
using Float8E5M2 = NarrowFloat<uint8_t, 5, 2, 15, NarrowSpecials::kIeee>;
using Float8E5M2FNUZ = NarrowFloat<uint8_t, 5, 2, 16, NarrowSpecials::kUnsignedZero>;
using Float4E2M1 = NarrowFloat<uint8_t, 2, 1, 1, NarrowSpecials::kNumbersOnly>;

template <class T>
inline constexpr bool kIsNarrowFloat = false;
template <class Bits, int e, int m, int bias, NarrowSpecials specials>
inline constexpr bool kIsNarrowFloat<NarrowFloat<Bits, e, m, bias, specials>> = true;

// f8e8m0: a power of two, code - 127; 255 is NaN. Encoding rounds to the nearest power, ties away from zero; values
// that are not positive and finite give the nearest end of the range, NaN gives NaN.
float DecodeE8M0(uint8_t code);
uint8_t EncodeE8M0(double value);

// The types that DataType lists after kString, as numbers: their values are exact in double. Storing rounds floats to
// the nearest, ties to even (too large: as EncodeNarrow), and takes the low bits of integers.
inline bool IsNarrow(DataType type) { return type > DataType::kString; }
double LoadNarrow(DataType type, const void* data, int64_t offset);
void StoreNarrow(DataType type, void* data, int64_t offset, double value);

}  // namespace moka

#endif  // MOKA_BASE_NARROW_FLOAT_H_

#include "base/narrow_float.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace moka {
namespace {

uint32_t Mask(int bits) { return (uint32_t{1} << bits) - 1; }

// The code of the largest finite magnitude.
uint32_t LargestCode(const NarrowFormat& format) {
  const uint32_t all = Mask(format.exponent_bits + format.mantissa_bits);
  switch (format.specials) {
    case NarrowSpecials::kIeee:
      return all - Mask(format.mantissa_bits) - 1;
    case NarrowSpecials::kFinite:
      return all - 1;
    default:
      return all;
  }
}

uint32_t SignBit(const NarrowFormat& format) { return uint32_t{1} << (format.exponent_bits + format.mantissa_bits); }

uint32_t NanCode(const NarrowFormat& format) {
  switch (format.specials) {
    case NarrowSpecials::kIeee:
      return LargestCode(format) + 1 + (uint32_t{1} << (format.mantissa_bits - 1));
    case NarrowSpecials::kFinite:
      return LargestCode(format) + 1;
    case NarrowSpecials::kUnsignedZero:
      return SignBit(format);
    default:
      return LargestCode(format);
  }
}

uint8_t LowBits(double value, int bits) {
  const double inside = std::isnan(value) ? 0 : std::clamp(value, -9.2e18, 9.2e18);
  return static_cast<uint8_t>(static_cast<uint64_t>(static_cast<int64_t>(inside)) & Mask(bits));
}

// The low `bits` of an integer, sign-extended.
int8_t SignExtend(double value, int bits) {
  const int shift = 8 - bits;
  return static_cast<int8_t>(static_cast<int8_t>(LowBits(value, bits) << shift) >> shift);
}

}  // namespace

float DecodeNarrow(uint32_t code, const NarrowFormat& format) {
  const uint32_t magnitude = code & (SignBit(format) - 1);
  const bool negative = (code & SignBit(format)) != 0;
  if (format.specials == NarrowSpecials::kUnsignedZero && negative && magnitude == 0) {
    return std::numeric_limits<float>::quiet_NaN();
  }
  if (magnitude > LargestCode(format)) {
    const bool infinite = format.specials == NarrowSpecials::kIeee && magnitude == LargestCode(format) + 1;
    const float value = infinite ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
    return negative ? -value : value;
  }
  const auto exponent = static_cast<int>(magnitude >> format.mantissa_bits);
  const uint32_t fraction = magnitude & Mask(format.mantissa_bits);
  const uint32_t hidden = exponent == 0 ? 0 : uint32_t{1} << format.mantissa_bits;
  const float value =
      std::ldexp(static_cast<float>(hidden + fraction), std::max(exponent, 1) - format.bias - format.mantissa_bits);
  return negative ? -value : value;
}

uint32_t EncodeNarrow(double value, const NarrowFormat& format, bool saturate) {
  if (std::isnan(value)) return NanCode(format);
  const uint32_t sign = std::signbit(value) ? SignBit(format) : 0;
  const uint32_t largest = LargestCode(format);
  const double magnitude = std::abs(value);
  uint64_t code = uint64_t{largest} + 1;
  if (std::isfinite(magnitude)) {
    int exponent = 0;  // magnitude = f * 2^exponent, f in [0.5, 1)
    (void)std::frexp(magnitude, &exponent);
    const int biased = magnitude == 0 ? 0 : std::max(exponent - 1 + format.bias, 1);
    if (biased < (1 << format.exponent_bits) + 1) {
      // In units of the last place; the default rounding mode is to nearest, ties to even. A carry out of the mantissa
      // raises the exponent by itself, a subnormal has no hidden bit to take off.
      const double units =
          std::nearbyint(std::ldexp(magnitude, format.mantissa_bits + format.bias - std::max(biased, 1)));
      const auto steps = static_cast<uint64_t>(units);
      code = biased == 0 ? 0 : (static_cast<uint64_t>(biased - 1) << format.mantissa_bits) + steps;
    }
  }
  if (code > largest) {
    if (saturate || format.specials == NarrowSpecials::kNumbersOnly) return sign | largest;
    return format.specials == NarrowSpecials::kIeee     ? sign | (largest + 1)
           : format.specials == NarrowSpecials::kFinite ? sign | NanCode(format)
                                                        : NanCode(format);
  }
  if (code == 0 && format.specials == NarrowSpecials::kUnsignedZero) return 0;
  return sign | static_cast<uint32_t>(code);
}

float DecodeE8M0(uint8_t code) {
  return code == 255 ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.0f, code - 127);
}

uint8_t EncodeE8M0(double value) {
  if (std::isnan(value)) return 255;
  if (value <= 0) return 0;
  if (std::isinf(value)) return 254;
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);  // in [0.5, 1): the middle of two powers is 0.75
  return static_cast<uint8_t>(std::clamp(exponent - 1 + (fraction >= 0.75 ? 1 : 0) + 127, 0, 254));
}

double LoadNarrow(DataType type, const void* data, int64_t offset) {
  const auto code = static_cast<const uint8_t*>(data)[offset];
  switch (type) {
    case DataType::kF8E4M3FN:
      return DecodeNarrow(code, Float8E4M3FN::kFormat);
    case DataType::kF8E4M3FNUZ:
      return DecodeNarrow(code, Float8E4M3FNUZ::kFormat);
    case DataType::kF8E5M2:
      return DecodeNarrow(code, Float8E5M2::kFormat);
    case DataType::kF8E5M2FNUZ:
      return DecodeNarrow(code, Float8E5M2FNUZ::kFormat);
    case DataType::kF4E2M1:
      return DecodeNarrow(code, Float4E2M1::kFormat);
    case DataType::kF8E8M0:
      return DecodeE8M0(code);
    case DataType::kI4:
    case DataType::kI2:
      return static_cast<int8_t>(code);
    default:
      return code;
  }
}

void StoreNarrow(DataType type, void* data, int64_t offset, double value) {
  uint8_t* code = static_cast<uint8_t*>(data) + offset;
  switch (type) {
    case DataType::kF8E4M3FN:
      *code = Float8E4M3FN(value).bits;
      return;
    case DataType::kF8E4M3FNUZ:
      *code = Float8E4M3FNUZ(value).bits;
      return;
    case DataType::kF8E5M2:
      *code = Float8E5M2(value).bits;
      return;
    case DataType::kF8E5M2FNUZ:
      *code = Float8E5M2FNUZ(value).bits;
      return;
    case DataType::kF4E2M1:
      *code = Float4E2M1(value).bits;
      return;
    case DataType::kF8E8M0:
      *code = EncodeE8M0(value);
      return;
    case DataType::kI4:
      *code = static_cast<uint8_t>(SignExtend(value, 4));
      return;
    case DataType::kI2:
      *code = static_cast<uint8_t>(SignExtend(value, 2));
      return;
    case DataType::kU4:
      *code = LowBits(value, 4);
      return;
    default:
      *code = LowBits(value, 2);
      return;
  }
}

}  // namespace moka

#include "cpu/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/byte_vector.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "cpu/byte_vector.h"
#include "cpu/simd-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

using DI = hn::RebindToSigned<D>;
using VI = hn::Vec<DI>;
using DB = hn::Rebind<uint8_t, D>;

HWY_INLINE VI Promote(hn::Vec<DB> bytes, int32_t is_signed) {
  const DI d;
  return is_signed != 0 ? hn::PromoteTo(d, hn::BitCast(hn::RebindToSigned<DB>(), bytes)) : hn::PromoteTo(d, bytes);
}
HWY_INLINE VI LoadBytes(FullVector, const uint8_t* p, int32_t is_signed) {
  return Promote(hn::LoadU(DB(), p), is_signed);
}
HWY_INLINE VI LoadBytes(PartVector part, const uint8_t* p, int32_t is_signed) {
  HWY_ALIGN uint8_t lanes[kLanes < 16 ? 16 : kLanes] = {};
  std::memcpy(lanes, p, static_cast<size_t>(part.count));
  return Promote(hn::Load(DB(), lanes), is_signed);
}
HWY_INLINE hn::Vec<DB> Truncate(VI values) {
  return hn::TruncateTo(DB(), hn::BitCast(hn::RebindToUnsigned<DI>(), values));
}
HWY_INLINE void StoreBytes(FullVector, VI values, uint8_t* p) { hn::StoreU(Truncate(values), DB(), p); }
HWY_INLINE void StoreBytes(PartVector part, VI values, uint8_t* p) {
  HWY_ALIGN uint8_t lanes[kLanes < 16 ? 16 : kLanes];
  hn::Store(Truncate(values), DB(), lanes);
  std::memcpy(p, lanes, static_cast<size_t>(part.count));
}

// saturate(round(x) + zero), half to even; NaN becomes the lowest.
HWY_INLINE VI Saturate(V x, const ByteScale& to) {
  const D d;
  const V lo = hn::Set(d, static_cast<float>(to.Lo() - to.zero)),
          hi = hn::Set(d, static_cast<float>(to.Hi() - to.zero));
  const V above = hn::IfThenElse(hn::Gt(x, lo), x, lo);
  return hn::Add(hn::NearestInt(hn::Min(above, hi)), hn::Set(DI(), to.zero));
}

void Quantize(const float* src, const ByteScale& to, uint8_t* dst, int64_t n) {
  const V scale = hn::Set(D(), to.scale);
  ForEachVector(
      n, [&](auto part, int64_t i) { StoreBytes(part, Saturate(hn::Div(Load(part, src + i), scale), to), dst + i); });
}

// Elements from i on in vectors of DT, the last of which may overlap the one before. Returns where it stopped.
template <class DT>
HWY_INLINE int64_t InterleaveVectors(DT d, const uint8_t* src, int64_t step, int64_t count, uint8_t* dst, int64_t i,
                                     int64_t n) {
  const auto bytes = static_cast<int64_t>(hn::Lanes(d));
  if (n < bytes) return i;
  for (; i < n; i += bytes) {
    i = i + bytes <= n ? i : n - bytes;
    const auto a = hn::LoadU(d, src + i), b = hn::LoadU(d, src + step + i);
    uint8_t* to = dst + i * count;
    if (count == 2) {
      hn::StoreInterleaved2(a, b, d, to);
    } else if (count == 3) {
      hn::StoreInterleaved3(a, b, hn::LoadU(d, src + 2 * step + i), d, to);
    } else {
      hn::StoreInterleaved4(a, b, hn::LoadU(d, src + 2 * step + i), hn::LoadU(d, src + 3 * step + i), d, to);
    }
  }
  return n;
}

void Interleave(const uint8_t* src, int64_t step, int64_t count, uint8_t* dst, int64_t n) {
  int64_t i = InterleaveVectors(hn::Repartition<uint8_t, D>(), src, step, count, dst, 0, n);
  i = InterleaveVectors(hn::Full128<uint8_t>(), src, step, count, dst, i, n);
  for (; i < n; ++i) {
    for (int64_t k = 0; k < count; ++k) dst[i * count + k] = src[k * step + i];
  }
}

void Dequantize(const uint8_t* src, const ByteScale& from, float* dst, int64_t n) {
  const D d;
  const V scale = hn::Set(d, from.scale);
  const VI zero = hn::Set(DI(), from.zero);
  ForEachVector(n, [&](auto part, int64_t i) {
    const VI value = hn::Sub(LoadBytes(part, src + i, from.is_signed), zero);
    Store(part, hn::Mul(hn::ConvertTo(d, value), scale), dst + i);
  });
}

void AddBytes(const ByteBinary& binary, const uint8_t* a, const uint8_t* b, uint8_t* dst, int64_t n) {
  const D d;
  const VI a_zero = hn::Set(DI(), binary.a.zero), b_zero = hn::Set(DI(), binary.b.zero);
  const V a_scale = hn::Set(d, binary.a.scale), b_scale = hn::Set(d, binary.b.scale);
  ForEachVector(n, [&](auto part, int64_t i) {
    const V x = hn::ConvertTo(d, hn::Sub(LoadBytes(part, a + i, binary.a.is_signed), a_zero));
    const V y = hn::ConvertTo(d, hn::Sub(LoadBytes(part, b + i, binary.b.is_signed), b_zero));
    StoreBytes(part, Saturate(hn::Add(hn::Mul(x, a_scale), hn::Mul(y, b_scale)), binary.dst), dst + i);
  });
}

void MulBytes(const ByteBinary& binary, const uint8_t* a, const uint8_t* b, uint8_t* dst, int64_t n) {
  const D d;
  const VI a_zero = hn::Set(DI(), binary.a.zero), b_zero = hn::Set(DI(), binary.b.zero);
  const V scale = hn::Set(d, binary.a.scale);
  ForEachVector(n, [&](auto part, int64_t i) {
    const VI x = hn::Sub(LoadBytes(part, a + i, binary.a.is_signed), a_zero);
    const VI y = hn::Sub(LoadBytes(part, b + i, binary.b.is_signed), b_zero);
    StoreBytes(part, Saturate(hn::Mul(hn::ConvertTo(d, hn::Mul(x, y)), scale), binary.dst), dst + i);
  });
}

// Calls f(offset) for all taps.
template <class F>
HWY_INLINE void ForEachTap(const Taps& taps, F&& f) {
  for (int64_t i = 0; i < taps.count[0]; ++i) {
    for (int64_t j = 0; j < taps.count[1]; ++j) {
      for (int64_t k = 0; k < taps.count[2]; ++k) f(i * taps.step[0] + j * taps.step[1] + k * taps.step[2]);
    }
  }
}

using DBytes = hn::Repartition<uint8_t, D>;

// As many rows of 16 elements are looked up as the table has. A byte less the first index of its row is less than 16;
// of the others 0x70 more makes indices with the sign bit, which yield 0.
HWY_INLINE hn::Vec<DBytes> LookupVector(const uint8_t* table, hn::Vec<DBytes> index) {
  const DBytes d;
  auto result = hn::Zero(d);
  for (int row = 0; row < 16; ++row) {
    const auto at = hn::SaturatedAdd(index, hn::Set(d, 0x70));
    result = hn::Or(result, hn::TableLookupBytesOr0(hn::LoadDup128(d, table + 16 * row), at));
    index = hn::Sub(index, hn::Set(d, 16));
  }
  return result;
}

void Lookup(const uint8_t* table, const uint8_t* src, uint8_t* dst, int64_t n) {
  int64_t i = 0;
  if constexpr (kLanes >= 8) {  // shorter vectors gain nothing
    const DBytes d;
    for (; i + 4 * kLanes <= n; i += 4 * kLanes) hn::StoreU(LookupVector(table, hn::LoadU(d, src + i)), d, dst + i);
#if HWY_TARGET <= HWY_AVX3
    constexpr int64_t kWorthwhile = 24;
    if (n - i >= kWorthwhile) {
      const auto mask = hn::FirstN(d, static_cast<size_t>(n - i));
      return hn::BlendedStore(LookupVector(table, hn::MaskedLoad(mask, d, src + i)), mask, d, dst + i);
    }
#endif
  }
  for (; i < n; ++i) dst[i] = table[src[i]];
}

// Elements from j on in vectors of DT, the last of which may overlap the one before. Returns where it stopped.
template <class DT>
HWY_INLINE int64_t FoldMaxVectors(DT d, const uint8_t* src, const Taps& taps, uint8_t sign, uint8_t* dst, int64_t j,
                                  int64_t n) {
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  if (n < step) return j;
  const auto flip = hn::Set(d, sign);
  for (; j < n; j += step) {
    j = j + step <= n ? j : n - step;
    auto best = hn::Zero(d);
    ForEachTap(taps, [&](int64_t at) { best = hn::Max(best, hn::Xor(flip, hn::LoadU(d, src + at + j))); });
    hn::StoreU(hn::Xor(flip, best), d, dst + j);
  }
  return n;
}

void FoldMax(const uint8_t* src, const Taps& taps, bool is_signed, uint8_t* dst, int64_t n) {
  const uint8_t sign = is_signed ? 0x80 : 0;
  int64_t j = FoldMaxVectors(hn::Repartition<uint8_t, D>(), src, taps, sign, dst, 0, n);
  j = FoldMaxVectors(hn::Full128<uint8_t>(), src, taps, sign, dst, j, n);
  for (; j < n; ++j) {
    uint8_t best = 0;
    ForEachTap(taps, [&](int64_t at) {
      const auto value = static_cast<uint8_t>(src[at + j] ^ sign);
      best = value > best ? value : best;
    });
    dst[j] = best ^ sign;
  }
}

void FoldAverage(const uint8_t* src, const Taps& taps, bool is_signed, int32_t offset, const ByteScale& to,
                 uint8_t* dst, int64_t n) {
  const D d;
  const V scale = hn::Set(d, to.scale);
  ForEachVector(n, [&](auto part, int64_t j) {
    VI sum = hn::Set(DI(), offset);
    ForEachTap(taps, [&](int64_t at) { sum = hn::Add(sum, LoadBytes(part, src + at + j, is_signed ? 1 : 0)); });
    StoreBytes(part, Saturate(hn::Mul(hn::ConvertTo(d, sum), scale), to), dst + j);
  });
}

bool ColumnScales(const float* src, float a, float y, float* dst, int64_t n) {
  const D d;
  const V factor = hn::Set(d, a), divisor = hn::Set(d, y), one = hn::Set(d, 1.0f);
  bool less = true;
  // Behind the last one zeros are loaded, so a part compares as a whole does.
  ForEachVector(n, [&](auto part, int64_t i) {
    const V scale = hn::Div(hn::Mul(factor, Load(part, src + i)), divisor);
    less = less && hn::AllTrue(d, hn::Lt(hn::Abs(scale), one));
    Store(part, scale, dst + i);
  });
  return less;
}

void ColumnOffsets(const int32_t* sums, const int32_t* bias, int32_t a_zero, int32_t* dst, int64_t n) {
  const D d;
  const DI di;
  const VI zero = hn::Set(di, a_zero);
  const auto load = [&](auto part, const int32_t* p) {
    return hn::BitCast(di, Load(part, reinterpret_cast<const float*>(p)));
  };
  ForEachVector(n, [&](auto part, int64_t i) {
    VI offset = hn::Neg(hn::Mul(zero, load(part, sums + i)));
    if (bias != nullptr) offset = hn::Add(offset, load(part, bias + i));
    Store(part, hn::BitCast(d, offset), reinterpret_cast<float*>(dst + i));
  });
}

void Unpack8(const uint8_t* src, float zero, float scale, float* dst, int64_t n) {
  const D d;
  const V z = hn::Set(d, zero), s = hn::Set(d, scale);
  for (int64_t i = 0; i < n; i += kLanes) {
    const V x = hn::ConvertTo(d, hn::PromoteTo(DI(), hn::LoadU(DB(), src + i)));
    hn::StoreU(hn::Mul(hn::Sub(x, z), s), d, dst + i);
  }
}

// 8 bytes are 16 elements: split into halves and interleaved again they are in order.
void Unpack2(const uint8_t* src, float zero, float scale, float* dst, int64_t n) {
  const hn::Full128<uint8_t> d;
  const hn::Full128<uint16_t> pairs;
  HWY_ALIGN uint8_t bytes[16] = {}, elements[16];
  for (int64_t i = 0; i < n; i += 16) {
    std::memcpy(bytes, src + i / 4, 4);
    const auto all = hn::Load(d, bytes), low = hn::Set(d, 3);
    const auto words = hn::BitCast(pairs, all);
    const auto first = hn::And(all, low), second = hn::And(hn::BitCast(d, hn::ShiftRight<2>(words)), low);
    const auto third = hn::And(hn::BitCast(d, hn::ShiftRight<4>(words)), low);
    const auto fourth = hn::And(hn::BitCast(d, hn::ShiftRight<6>(words)), low);
    const auto lower = hn::BitCast(pairs, hn::InterleaveLower(d, first, second));
    const auto upper = hn::BitCast(pairs, hn::InterleaveLower(d, third, fourth));
    hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, lower, upper)), d, elements);
    Unpack8(elements, zero, scale, dst + i, 16);
  }
}

void Unpack4(const uint8_t* src, float zero, float scale, float* dst, int64_t n) {
  const hn::Full128<uint8_t> d;
  HWY_ALIGN uint8_t bytes[16] = {}, elements[16];
  for (int64_t i = 0; i < n; i += 16) {
    std::memcpy(bytes, src + i / 2, 8);
    const auto both = hn::Load(d, bytes);
    const auto lower = hn::And(both, hn::Set(d, 15));
    const auto upper =
        hn::And(hn::BitCast(d, hn::ShiftRight<4>(hn::BitCast(hn::Full128<uint16_t>(), both))), hn::Set(d, 15));
    hn::Store(hn::InterleaveLower(d, lower, upper), d, elements);
    Unpack8(elements, zero, scale, dst + i, 16);
  }
}

float Dot(const float* a, const float* b, int64_t n) {
  const D d;
  V sums[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    MOKA_UNROLL for (int j = 0; j < 4; ++j) {
      sums[j] = hn::MulAdd(hn::LoadU(d, a + i + j * kLanes), hn::LoadU(d, b + i + j * kLanes), sums[j]);
    }
  }
  ForEachVector(n - i, [&](auto part, int64_t k) {
    sums[0] = hn::MulAdd(Load(part, a + i + k), Load(part, b + i + k), sums[0]);
  });
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]))));
}

void Range(const float* src, int64_t n, float* lowest, float* highest) {
  const D d;
  V lo = hn::Set(d, *lowest), hi = hn::Set(d, *highest);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const V x = hn::LoadU(d, src + i);
    lo = hn::IfThenElse(hn::Lt(x, lo), x, lo);
    hi = hn::IfThenElse(hn::Gt(x, hi), x, hi);
  }
  HWY_ALIGN float lows[kLanes], highs[kLanes];
  hn::Store(lo, d, lows);
  hn::Store(hi, d, highs);
  for (int k = 0; k < kLanes; ++k) {
    *lowest = lows[k] < *lowest ? lows[k] : *lowest;
    *highest = highs[k] > *highest ? highs[k] : *highest;
  }
  for (; i < n; ++i) {
    *lowest = src[i] < *lowest ? src[i] : *lowest;
    *highest = src[i] > *highest ? src[i] : *highest;
  }
}

const ByteVectorTable* GetByteVectorTable() {
  static constexpr ByteVectorTable kTable = {&Quantize, &Interleave, &Dequantize,  &AddBytes,     &MulBytes,
                                             &Lookup,   &FoldMax,    &FoldAverage, &ColumnScales, &ColumnOffsets,
                                             &Unpack2,  &Unpack4,    &Unpack8,     &Dot,          &Range};
  return &kTable;
}

#else
const ByteVectorTable* GetByteVectorTable() { return nullptr; }
#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moka::cpu {
HWY_EXPORT(GetByteVectorTable);
const ByteVectorTable* ChosenByteVectorTable() { return HWY_DYNAMIC_DISPATCH(GetByteVectorTable)(); }
}  // namespace moka::cpu
#endif

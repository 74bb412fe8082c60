// Casts of contiguous lanes, as ConvertElement (ops/element.h) defines them: vectors for what networks cast all the
// time, one lane after the other for the rest.
#if defined(MOKA_CPU_LANE_CASTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_LANE_CASTS_INL_H_
#undef MOKA_CPU_LANE_CASTS_INL_H_
#else
#define MOKA_CPU_LANE_CASTS_INL_H_
#endif

#include <type_traits>

#include "cpu/lanes-inl.h"
#include "ops/element.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// bool as a type of its own: casts to it ask for "not 0".
struct Truth {
  uint8_t value;
};

template <class From, class To>
HWY_INLINE To CastLaneOf(From value) {
  if constexpr (std::is_same_v<From, Truth>) {
    return CastLaneOf<uint8_t, To>(value.value);
  } else if constexpr (std::is_same_v<To, Truth>) {
    if constexpr (kIsNarrowFloat<From>) {
      return Truth{static_cast<uint8_t>(static_cast<float>(value) != 0 ? 1 : 0)};
    } else {
      return Truth{static_cast<uint8_t>(value != From{} ? 1 : 0)};
    }
  } else {
    return ConvertElement<To>(value);
  }
}

template <class From, class To>
void CastScalars(const void* const* src, void* dst, int64_t n) {
  const auto* from = static_cast<const From*>(src[0]);
  auto* to = static_cast<To*>(dst);
  for (int64_t i = 0; i < n; ++i) to[i] = CastLaneOf<From, To>(from[i]);
}

// f(source vector's address) -> f32 vector, and the other way; `Raw` is the integer that holds the other type.
template <class Raw, class F>
HWY_INLINE void CastToFloats(const void* const* src, void* dst, int64_t n, F f) {
  auto* to = static_cast<float*>(dst);
  const auto* from = static_cast<const Raw*>(src[0]);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) hn::StoreU(f(from + i), D(), to + i);
  if (i == n) return;
  HWY_ALIGN Raw part[kLanes] = {};
  std::memcpy(part, from + i, static_cast<size_t>(n - i) * sizeof(Raw));
  StorePart(f(part), to + i, n - i);
}
template <class Raw, class F>
HWY_INLINE void CastFromFloats(const void* const* src, void* dst, int64_t n, F f) {
  const auto* from = static_cast<const float*>(src[0]);
  auto* to = static_cast<Raw*>(dst);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(hn::LoadU(D(), from + i), to + i);
  if (i == n) return;
  HWY_ALIGN Raw part[kLanes];
  f(LoadPart(from + i, n - i), part);
  std::memcpy(to + i, part, static_cast<size_t>(n - i) * sizeof(Raw));
}

inline void BytesToFloats(const void* const* src, void* dst, int64_t n) {
  CastToFloats<uint8_t>(src, dst, n, [](const uint8_t* p) HWY_ATTR {
    const hn::RebindToSigned<D> di;
    return hn::ConvertTo(D(), hn::PromoteTo(di, hn::LoadU(hn::Rebind<uint8_t, D>(), p)));
  });
}
inline void SignedBytesToFloats(const void* const* src, void* dst, int64_t n) {
  CastToFloats<int8_t>(src, dst, n, [](const int8_t* p) HWY_ATTR {
    const hn::RebindToSigned<D> di;
    return hn::ConvertTo(D(), hn::PromoteTo(di, hn::LoadU(hn::Rebind<int8_t, D>(), p)));
  });
}
inline void WordsToFloats(const void* const* src, void* dst, int64_t n) {
  CastToFloats<int32_t>(
      src, dst, n, [](const int32_t* p) HWY_ATTR { return hn::ConvertTo(D(), hn::LoadU(hn::RebindToSigned<D>(), p)); });
}
inline void BFloatsToFloats(const void* const* src, void* dst, int64_t n) {
  CastToFloats<uint16_t>(src, dst, n, [](const uint16_t* p) HWY_ATTR {
    const hn::RebindToUnsigned<D> du;
    return hn::BitCast(D(), hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(hn::Rebind<uint16_t, D>(), p))));
  });
}

// Truncates; beyond the range the nearest integer, 0 for NaN.
inline void FloatsToWords(const void* const* src, void* dst, int64_t n) {
  CastFromFloats<int32_t>(src, dst, n, [](V v, int32_t* p) HWY_ATTR {
    const hn::RebindToSigned<D> di;
    const auto whole = hn::ConvertTo(di, v);
    const auto above = hn::RebindMask(di, hn::Ge(v, hn::Set(D(), 2147483648.0f)));
    const auto nan = hn::RebindMask(di, hn::IsNaN(v));
    const auto clamped = hn::IfThenElse(above, hn::Set(di, INT32_MAX), whole);
    hn::StoreU(hn::IfThenZeroElse(nan, clamped), di, p);
  });
}
inline void FloatsToTruths(const void* const* src, void* dst, int64_t n) {
  CastFromFloats<uint8_t>(src, dst, n, [](V v, uint8_t* p) HWY_ATTR {
    hn::StoreU(TruthBytes<float>(hn::Not(hn::Eq(v, hn::Zero(D())))), hn::Rebind<uint8_t, D>(), p);
  });
}
// The upper half of the bits, rounded to nearest even; NaN stays one.
inline void FloatsToBFloats(const void* const* src, void* dst, int64_t n) {
  CastFromFloats<uint16_t>(src, dst, n, [](V v, uint16_t* p) HWY_ATTR {
    const hn::RebindToUnsigned<D> du;
    const auto bits = hn::BitCast(du, v);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1u));
    const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFFu)));
    const auto quiet = hn::Or(bits, hn::Set(du, 0x400000u));
    const auto upper = hn::ShiftRight<16>(hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(v)), quiet, rounded));
    const hn::Rebind<uint16_t, D> half;
    hn::StoreU(hn::TruncateTo(half, upper), half, p);
  });
}

// Highway's own conversion of halves is exact where the processor has it.
#if HWY_TARGET <= HWY_AVX2 || HWY_ARCH_ARM_A64
inline void HalvesToFloats(const void* const* src, void* dst, int64_t n) {
  CastToFloats<uint16_t>(src, dst, n, [](const uint16_t* p) HWY_ATTR {
    const hn::Rebind<hwy::float16_t, D> half;
    return hn::PromoteTo(D(), hn::BitCast(half, hn::LoadU(hn::Rebind<uint16_t, D>(), p)));
  });
}
inline void FloatsToHalves(const void* const* src, void* dst, int64_t n) {
  CastFromFloats<uint16_t>(src, dst, n, [](V v, uint16_t* p) HWY_ATTR {
    const hn::Rebind<uint16_t, D> bits;
    hn::StoreU(hn::BitCast(bits, hn::DemoteTo(hn::Rebind<hwy::float16_t, D>(), v)), bits, p);
  });
}
#else
inline void HalvesToFloats(const void* const* src, void* dst, int64_t n) { CastScalars<Half, float>(src, dst, n); }
inline void FloatsToHalves(const void* const* src, void* dst, int64_t n) { CastScalars<float, Half>(src, dst, n); }
#endif

template <class From, class To>
constexpr LaneFn PickCast() {
  constexpr auto kIs = []<class A, class B>() { return std::is_same_v<From, A> && std::is_same_v<To, B>; };
  if constexpr (kIs.template operator()<uint8_t, float>() || kIs.template operator()<Truth, float>()) {
    return &BytesToFloats;
  }
  if constexpr (kIs.template operator()<int8_t, float>()) return &SignedBytesToFloats;
  if constexpr (kIs.template operator()<int32_t, float>()) return &WordsToFloats;
  if constexpr (kIs.template operator()<BFloat16, float>()) return &BFloatsToFloats;
  if constexpr (kIs.template operator()<Half, float>()) return &HalvesToFloats;
  if constexpr (kIs.template operator()<float, int32_t>()) return &FloatsToWords;
  if constexpr (kIs.template operator()<float, Truth>()) return &FloatsToTruths;
  if constexpr (kIs.template operator()<float, BFloat16>()) return &FloatsToBFloats;
  if constexpr (kIs.template operator()<float, Half>()) return &FloatsToHalves;
  return &CastScalars<From, To>;
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

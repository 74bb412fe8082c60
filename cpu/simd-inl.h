// What every file of Highway code in cpu/ starts from: the vector type of a target, parts of vectors at the ends of
// rows, minimum and maximum that keep NaN.
#if defined(MOKA_CPU_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_SIMD_INL_H_
#undef MOKA_CPU_SIMD_INL_H_
#else
#define MOKA_CPU_SIMD_INL_H_
#endif

#include <cstdint>
#include <cstring>

#include "hwy/highway.h"

#undef MOKA_SIMD
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
#define MOKA_SIMD 0
#else
#define MOKA_SIMD 1
#endif

#ifndef MOKA_UNROLL
#if defined(__clang__)
#define MOKA_UNROLL _Pragma("clang loop unroll(full)")
#else
#define MOKA_UNROLL _Pragma("GCC unroll 32")
#endif
#endif

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD
namespace hn = hwy::HWY_NAMESPACE;

// A vector of a fixed size: arrays of vectors and tables by lane count need it.
using D = hn::CappedTag<float, HWY_MAX_BYTES / sizeof(float)>;
using V = hn::Vec<D>;
inline constexpr int kLanes = static_cast<int>(HWY_MAX_BYTES / sizeof(float));

// `count` < kLanes floats; the other lanes are 0. Reads nothing beyond them.
HWY_INLINE V LoadPart(const float* p, int64_t count) {
  const D d;
#if HWY_TARGET <= HWY_AVX2
  return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(count)), d, p);
#else
  HWY_ALIGN float lanes[kLanes] = {};
  std::memcpy(lanes, p, static_cast<size_t>(count) * sizeof(float));
  return hn::Load(d, lanes);
#endif
}
HWY_INLINE void StorePart(V v, float* p, int64_t count) {
  const D d;
#if HWY_TARGET <= HWY_AVX2
  hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(count)), d, p);
#else
  HWY_ALIGN float lanes[kLanes];
  hn::Store(v, d, lanes);
  std::memcpy(p, lanes, static_cast<size_t>(count) * sizeof(float));
#endif
}

// min(max(x, lo), hi); NaN in x stays. x86 returns the second operand where one is NaN.
HWY_INLINE V ClipNan(V x, V lo, V hi) { return hn::Min(hi, hn::Max(lo, x)); }
// NaN in any operand is the result. (Ne(a, a) is false for NaN with AVX.)
HWY_INLINE V MaxNan(V a, V b) { return hn::IfThenElse(hn::IsNaN(a), a, hn::Max(a, b)); }
HWY_INLINE V MinNan(V a, V b) { return hn::IfThenElse(hn::IsNaN(a), a, hn::Min(a, b)); }

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

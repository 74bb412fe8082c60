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

// Keeps what was loaded in a register. GCC would rather read memory again for each use, and one load a use is more than
// a core can do beside one multiply-add.
HWY_INLINE V InRegister(V v) {
#if HWY_ARCH_X86 && !HWY_COMPILER_MSVC
  asm("" : "+v"(v.raw));
#endif
  return v;
}

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

// The larger and the smaller of two; NaN in any operand is the result. x86 and WASM return the second operand where one
// is NaN, Highway's functions for NEON the other one. (Ne(a, a) is false for NaN with AVX.)
template <class AnyV>
HWY_INLINE AnyV MaxNan(AnyV a, AnyV b) {
#if HWY_ARCH_ARM_A64
  return AnyV(vmaxq_f32(a.raw, b.raw));
#else
  return hn::IfThenElse(hn::IsNaN(a), a, hn::Max(a, b));
#endif
}
template <class AnyV>
HWY_INLINE AnyV MinNan(AnyV a, AnyV b) {
#if HWY_ARCH_ARM_A64
  return AnyV(vminq_f32(a.raw, b.raw));
#else
  return hn::IfThenElse(hn::IsNaN(a), a, hn::Min(a, b));
#endif
}

// max(x, lo) for a bound that is no NaN; NaN in x stays.
HWY_INLINE V AtLeastNan(V x, V lo) {
#if HWY_ARCH_ARM_A64
  return MaxNan(lo, x);
#else
  return hn::Max(lo, x);
#endif
}

// min(max(x, lo), hi) for bounds that are no NaN; NaN in x stays.
HWY_INLINE V ClipNan(V x, V lo, V hi) {
#if HWY_ARCH_ARM_A64
  return MinNan(hi, MaxNan(lo, x));
#else
  return hn::Min(hi, hn::Max(lo, x));
#endif
}

// Vectors of n floats: all of them, and the `count` first.
struct FullVector {
  static constexpr int64_t count = kLanes;
  static constexpr bool full = true;
};
struct PartVector {
  int64_t count;
  static constexpr bool full = false;
};
HWY_INLINE V Load(FullVector, const float* p) { return hn::LoadU(D(), p); }
HWY_INLINE V Load(PartVector part, const float* p) { return LoadPart(p, part.count); }
HWY_INLINE void Store(FullVector, V v, float* p) { hn::StoreU(v, D(), p); }
HWY_INLINE void Store(PartVector part, V v, float* p) { StorePart(v, p, part.count); }
// The lanes that are not among the `count` first become 0.
HWY_INLINE V KeepLanes(FullVector, V v) { return v; }
HWY_INLINE V KeepLanes(PartVector part, V v) {
  return hn::IfThenElseZero(hn::FirstN(D(), static_cast<size_t>(part.count)), v);
}
// Calls f(FullVector, offset) for each vector of n floats, and f(PartVector, offset) for what is left.
template <class F>
HWY_INLINE void ForEachVector(int64_t n, F&& f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(FullVector(), i);
  if (i < n) f(PartVector{n - i}, i);
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

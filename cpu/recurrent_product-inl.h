// The product of a state with a panel, and steps of another product meanwhile: cpu/recurrent_ahead.h.
#if defined(MOKA_CPU_RECURRENT_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_RECURRENT_PRODUCT_INL_H_
#undef MOKA_CPU_RECURRENT_PRODUCT_INL_H_
#else
#define MOKA_CPU_RECURRENT_PRODUCT_INL_H_
#endif

#include "cpu/recurrent.h"
#include "cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// Narrower vectors are no faster beside each other: with AVX2 a core loads as long as it multiplies, and the LSTM of
// bench/peers took 1.18 times as long.
#if HWY_TARGET <= HWY_AVX3

inline constexpr int kStateVectors = 4;  // of the widest panel (cpu/tile.cc)
inline constexpr int kAheadRows = 16;    // leave registers for states

HWY_INLINE void MultiplyState(float a, const float* b, V (&sums)[kStateVectors]) {
  const V x = hn::Set(D(), a);
  MOKA_UNROLL for (int j = 0; j < kStateVectors; ++j) sums[j] = hn::MulAdd(x, hn::LoadU(D(), b + j * kLanes), sums[j]);
}

void RecurrentStep(const RecurrentProduct& product) {
  const D d;
  constexpr int kWidth = kStateVectors * kLanes;
  V even[kStateVectors], odd[kStateVectors];
  MOKA_UNROLL for (int j = 0; j < kStateVectors; ++j) even[j] = odd[j] = hn::Zero(d);
  const float* a = product.a;
  const float* b = product.b;
  const float* end = a + product.k;
  if (product.steps > 0) {
    V ahead[kAheadRows];
    MOKA_UNROLL for (int i = 0; i < kAheadRows; ++i) ahead[i] = hn::LoadU(d, product.sums + i * kLanes);
    const float* x = product.x;
    const float* w = product.w;
    for (int64_t step = 0; step < product.steps; ++step, x += kAheadRows, w += kWidth) {
      const V weights = hn::LoadU(d, w);
      MOKA_UNROLL for (int i = 0; i < kAheadRows; ++i) ahead[i] = hn::MulAdd(hn::Set(d, x[i]), weights, ahead[i]);
      for (int64_t i = 0; i < product.between; ++i, b += kWidth) MultiplyState(*a++, b, even);
    }
    MOKA_UNROLL for (int i = 0; i < kAheadRows; ++i) hn::StoreU(ahead[i], d, product.sums + i * kLanes);
  }
  for (; a + 2 <= end; a += 2, b += 2 * kWidth) {
    MultiplyState(a[0], b, even);
    MultiplyState(a[1], b + kWidth, odd);
  }
  if (a < end) MultiplyState(*a, b, even);
  MOKA_UNROLL for (int j = 0; j < kStateVectors; ++j) {
    float* dst = product.dst + j * kLanes;
    hn::StoreU(hn::Add(hn::LoadU(d, dst), hn::Add(even[j], odd[j])), d, dst);
  }
}

#endif  // HWY_AVX3
#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

// Searches in rows and columns, running sums and products.
#if defined(MOKA_CPU_SCAN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_SCAN_INL_H_
#undef MOKA_CPU_SCAN_INL_H_
#else
#define MOKA_CPU_SCAN_INL_H_
#endif

#include "cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// Whether x is the element that is looked for.
HWY_INLINE hn::Mask<D> IsBest(V x, V best) { return hn::Or(hn::Eq(x, best), hn::And(hn::IsNaN(x), hn::IsNaN(best))); }
inline bool IsBest(float x, float best) { return x == best || (x != x && best != best); }

int64_t Find(const float* src, int64_t n, float best, bool last) {
  const D d;
  constexpr int64_t N = kLanes;
  const V wanted = hn::Set(d, best);
  if (last) {
    int64_t end = n;
    for (; end >= N && hn::AllFalse(d, IsBest(hn::LoadU(d, src + end - N), wanted)); end -= N) {
    }
    while (end > 0 && !IsBest(src[end - 1], best)) --end;
    return end - 1;
  }
  int64_t i = 0;
  for (; i + N <= n; i += N) {
    const intptr_t at = hn::FindFirstTrue(d, IsBest(hn::LoadU(d, src + i), wanted));
    if (at >= 0) return i + at;
  }
  for (; i < n; ++i) {
    if (IsBest(src[i], best)) return i;
  }
  return -1;
}

// Walks so that the position that counts comes last.
void FindColumns(const float* src, int64_t step, int64_t n, const float* best, bool last, int32_t* positions,
                 int64_t cols) {
  const D d;
  const hn::RebindToSigned<D> di;
  ForEachVector(cols, [&](auto part, int64_t j) HWY_ATTR {
    const V wanted = Load(part, best + j);
    V at = hn::Zero(d);
    for (int64_t k = 0; k < n; ++k) {
      const int64_t i = last ? k : n - 1 - k;
      const V number = hn::BitCast(d, hn::Set(di, static_cast<int32_t>(i)));
      at = hn::IfThenElse(IsBest(Load(part, src + i * step + j), wanted), number, at);
    }
    Store(part, at, reinterpret_cast<float*>(positions + j));
  });
}

int64_t FindBeyond(const float* src, int64_t begin, int64_t n, float limit, bool largest) {
  const D d;
  constexpr int64_t N = kLanes;
  const V bound = hn::Set(d, limit);
  int64_t i = begin;
  for (; i + N <= n; i += N) {
    const V x = hn::LoadU(d, src + i);
    const intptr_t at = hn::FindFirstTrue(d, hn::Not(largest ? hn::Le(x, bound) : hn::Ge(x, bound)));
    if (at >= 0) return i + at;
  }
  for (; i < n; ++i) {
    if (!(largest ? src[i] <= limit : src[i] >= limit)) return i;
  }
  return n;
}

// Four elements at a time, the first in the first lane: x0, x0+x1, x0+x1+x2, x0+x1+x2+x3.
using D4 = hn::CappedTag<float, 4>;
template <bool kProduct>
HWY_INLINE hn::Vec<D4> ScanFour(hn::Vec<D4> x) {
  const D4 d;
  if constexpr (kProduct) {
    const auto ones = hn::Set(d, 1.0f);
    const auto first = hn::FirstN(d, 1), second = hn::FirstN(d, 2);
    x = hn::Mul(x, hn::IfThenElse(first, ones, hn::ShiftLeftLanes<1>(d, x)));
    return hn::Mul(x, hn::IfThenElse(second, ones, hn::ShiftLeftLanes<2>(d, x)));
  } else {
    x = hn::Add(x, hn::ShiftLeftLanes<1>(d, x));
    return hn::Add(x, hn::ShiftLeftLanes<2>(d, x));
  }
}

template <bool kProduct>
HWY_INLINE float Cumulated(float a, float b) {
  return kProduct ? a * b : a + b;
}

template <bool kProduct>
HWY_INLINE void CumulateRow(const float* src, float* dst, int64_t n, bool exclusive, bool reverse) {
  const D4 d;
  float total = kProduct ? 1.0f : 0.0f;
  int64_t k = 0;
  for (; k + 4 <= n; k += 4) {
    const int64_t i = reverse ? n - 4 - k : k;
    auto x = hn::LoadU(d, src + i);
    if (reverse) x = hn::Reverse(d, x);
    const auto before = hn::Set(d, total);
    auto y = ScanFour<kProduct>(x);
    y = kProduct ? hn::Mul(y, before) : hn::Add(y, before);
    alignas(16) float lanes[4];
    hn::Store(y, d, lanes);
    if (exclusive) {
      const float shifted[4] = {total, lanes[0], lanes[1], lanes[2]};
      y = hn::LoadU(d, shifted);
    }
    total = lanes[3];
    hn::StoreU(reverse ? hn::Reverse(d, y) : y, d, dst + i);
  }
  for (; k < n; ++k) {
    const int64_t i = reverse ? n - 1 - k : k;
    const float before = total;
    total = Cumulated<kProduct>(total, src[i]);
    dst[i] = exclusive ? before : total;
  }
}

void Cumulate(const float* src, float* dst, int64_t n, bool product, bool exclusive, bool reverse) {
  product ? CumulateRow<true>(src, dst, n, exclusive, reverse) : CumulateRow<false>(src, dst, n, exclusive, reverse);
}

void CumulateStep(const float* src, float* totals, float* dst, int64_t n, bool product, bool exclusive) {
  ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR {
    const V x = Load(part, src + i), before = Load(part, totals + i);
    const V after = product ? hn::Mul(before, x) : hn::Add(before, x);
    Store(part, after, totals + i);
    Store(part, exclusive ? before : after, dst + i);
  });
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

// Sums about a center, sums of exponentials, and what normalizations do with them.
#if defined(MOKA_CPU_NORMALIZE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_NORMALIZE_INL_H_
#undef MOKA_CPU_NORMALIZE_INL_H_
#else
#define MOKA_CPU_NORMALIZE_INL_H_
#endif

#include <cmath>

#include "cpu/fold-inl.h"
#include "cpu/functions-inl.h"
#include "cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// The sum of f(vector) over a row, in four sums and in blocks, which keeps rounding errors small.
template <class F>
HWY_INLINE float SumOf(const float* src, int64_t n, F&& f) {
  const D d;
  constexpr int64_t N = kLanes, kBlock = 2048;
  V total = hn::Zero(d);
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = n - begin < kBlock ? n : begin + kBlock;
    V s[4];
    MOKA_UNROLL for (int u = 0; u < 4; ++u) s[u] = hn::Zero(d);
    int64_t i = begin;
    for (; i + 4 * N <= end; i += 4 * N) {
      MOKA_UNROLL for (int u = 0; u < 4; ++u) s[u] = f(s[u], hn::LoadU(d, src + i + u * N));
    }
    for (; i + N <= end; i += N) s[0] = f(s[0], hn::LoadU(d, src + i));
    if (i < end) {
      const auto inside = hn::FirstN(d, static_cast<size_t>(end - i));
      s[1] = hn::IfThenElse(inside, f(s[1], LoadPart(src + i, end - i)), s[1]);
    }
    total = hn::Add(total, hn::Add(hn::Add(s[0], s[1]), hn::Add(s[2], s[3])));
  }
  return JoinLanes<Fold::kSum>(total);
}

float SumSquaresAbout(const float* src, float center, int64_t n) {
  const V c = hn::Set(D(), center);
  return SumOf(src, n, [c](V sum, V x) HWY_ATTR {
    const V distance = hn::Sub(x, c);
    return hn::MulAdd(distance, distance, sum);
  });
}

float SumExp(const float* src, float largest, int64_t n) {
  const V less = hn::Set(D(), largest);
  return SumOf(src, n, [less](V sum, V x) HWY_ATTR { return hn::Add(sum, VectorExp(hn::Sub(x, less))); });
}

// dst[j] = sum over all taps of f(src[tap + j], columns[j]).
template <class F>
HWY_INLINE void SumColumnsOf(const float* src, const Taps& taps, const float* columns, float* dst, int64_t cols,
                             F&& f) {
  const D d;
  ForEachVector(cols, [&](auto part, int64_t j) HWY_ATTR {
    const V column = Load(part, columns + j);
    V total = hn::Zero(d);
    for (int64_t k0 = 0; k0 < taps.count[0]; ++k0) {
      for (int64_t k1 = 0; k1 < taps.count[1]; ++k1) {
        const float* p = src + k0 * taps.step[0] + k1 * taps.step[1] + j;
        for (int64_t left = taps.count[2]; left > 0; left -= kShortSum) {
          V row = hn::Zero(d);
          for (int64_t k2 = std::min(left, kShortSum); k2 > 0; --k2, p += taps.step[2]) {
            row = f(row, Load(part, p), column);
          }
          total = hn::Add(total, row);
        }
      }
    }
    Store(part, total, dst + j);
  });
}

void SumSquaresAboutColumns(const float* src, const Taps& taps, const float* centers, float* dst, int64_t cols) {
  SumColumnsOf(src, taps, centers, dst, cols, [](V sum, V x, V center) HWY_ATTR {
    const V distance = hn::Sub(x, center);
    return hn::MulAdd(distance, distance, sum);
  });
}

void SumExpColumns(const float* src, const Taps& taps, const float* largest, float* dst, int64_t cols) {
  SumColumnsOf(src, taps, largest, dst, cols,
               [](V sum, V x, V less) HWY_ATTR { return hn::Add(sum, VectorExp(hn::Sub(x, less))); });
}

void ScaleShift(const float* src, float center, float factor, const float* scale, const float* bias, float* dst,
                int64_t n) {
  const D d;
  const V c = hn::Set(d, center), f = hn::Set(d, factor);
  ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR {
    const V normal = hn::Mul(hn::Sub(Load(part, src + i), c), f);
    const V shift = bias != nullptr ? Load(part, bias + i) : hn::Zero(d);
    Store(part, hn::MulAdd(normal, Load(part, scale + i), shift), dst + i);
  });
}

void Squares(const float* src, float* dst, int64_t n) {
  ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR {
    const V x = Load(part, src + i);
    Store(part, hn::Mul(x, x), dst + i);
  });
}

void SquareRoots(float* x, int64_t n) {
  ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR { Store(part, hn::Sqrt(Load(part, x + i)), x + i); });
}

void Powers(const float* src, float exponent, bool add, float* dst, int64_t n) {
  const V e = hn::Set(D(), exponent);
  ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR {
    const V power = VectorPow(hn::Abs(Load(part, src + i)), e);
    Store(part, add ? hn::Add(Load(part, dst + i), power) : power, dst + i);
  });
}

void Shift(float* x, float by, bool silu, int64_t n) {
  const V b = hn::Set(D(), by);
  ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR {
    const V y = hn::Add(Load(part, x + i), b);
    Store(part, silu ? VectorSilu(y) : y, x + i);
  });
}

// Powers of 3/4, 1/2 and 1, which networks have, are roots; others are computed one by one.
void LocalResponse(const float* src, const float* squares, float bias, float alpha, float beta, float* dst, int64_t n) {
  const D d;
  const V b = hn::Set(d, bias), a = hn::Set(d, alpha);
  if (beta != 0.75f && beta != 0.5f && beta != 1.0f) {
    for (int64_t i = 0; i < n; ++i) dst[i] = src[i] / std::pow(bias + alpha * squares[i], beta);
    return;
  }
  ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR {
    const V base = hn::MulAdd(Load(part, squares + i), a, b);
    V power = base;
    if (beta != 1.0f) power = hn::Sqrt(base);
    if (beta == 0.75f) power = hn::Mul(power, hn::Sqrt(power));
    Store(part, hn::Div(Load(part, src + i), power), dst + i);
  });
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

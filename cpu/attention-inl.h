// Rows of attention: scores, their exponentials, products of a few rows with keys and values.
#if defined(MOKA_CPU_ATTENTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_ATTENTION_INL_H_
#undef MOKA_CPU_ATTENTION_INL_H_
#else
#define MOKA_CPU_ATTENTION_INL_H_
#endif

#include <algorithm>

#include "cpu/fold-inl.h"
#include "cpu/math-inl.h"
#include "cpu/row.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

float ExpInPlace(float* x, float largest, int64_t n) {
  const D d;
  const V less = hn::Set(d, largest);
  V sum = hn::Zero(d);
  ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR {
    const V e = VectorExpFlushed(hn::Sub(Load(part, x + i), less));
    Store(part, e, x + i);
    sum = hn::Add(sum, KeepLanes(part, e));
  });
  return JoinLanes<Fold::kSum>(sum);
}

void ScaleRow(float* x, float factor, int64_t n) {
  const V f = hn::Set(D(), factor);
  ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR { Store(part, hn::Mul(Load(part, x + i), f), x + i); });
}

void ScoreRow(float* x, float factor, float cap, const float* bias, int64_t n) {
  const D d;
  const V f = hn::Set(d, cap > 0 ? factor / cap : factor), c = hn::Set(d, cap);
  ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR {
    V y = hn::Mul(Load(part, x + i), f);
    if (cap > 0) y = hn::Mul(VectorTanh(y), c);
    if (bias != nullptr) y = hn::Add(y, Load(part, bias + i));
    Store(part, y, x + i);
  });
}

void Rotate(const float* x, const float* y, const float* cosines, const float* sines, float* a, float* b, int64_t n) {
  ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR {
    const V real = Load(part, x + i), imaginary = Load(part, y + i);
    const V c = Load(part, cosines + i), s = Load(part, sines + i);
    Store(part, hn::NegMulAdd(s, imaginary, hn::Mul(c, real)), a + i);
    Store(part, hn::MulAdd(s, real, hn::Mul(c, imaginary)), b + i);
  });
}

void RotatePairs(const float* src, const float* cosines, const float* sines, float* dst, int64_t n) {
  const D d;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    V real, imaginary;
    hn::LoadInterleaved2(d, src + 2 * i, real, imaginary);
    const V c = hn::LoadU(d, cosines + i), s = hn::LoadU(d, sines + i);
    hn::StoreInterleaved2(hn::NegMulAdd(s, imaginary, hn::Mul(c, real)), hn::MulAdd(s, real, hn::Mul(c, imaginary)), d,
                          dst + 2 * i);
  }
  for (; i < n; ++i) {
    const float real = src[2 * i], imaginary = src[2 * i + 1];
    dst[2 * i] = cosines[i] * real - sines[i] * imaginary;
    dst[2 * i + 1] = sines[i] * real + cosines[i] * imaginary;
  }
}

// `v` with the lanes of `other` where it has none.
HWY_INLINE V OtherLanes(FullVector, V v, V) { return v; }
HWY_INLINE V OtherLanes(PartVector part, V v, V other) {
  return hn::IfThenElse(hn::FirstN(D(), static_cast<size_t>(part.count)), v, other);
}

// Scores of a row, and the largest of them.
float ScoreAndFold(const AttendRow& row, float factor, float cap) {
  const D d;
  const float* bias = row.bias;
  if (cap > 0) {
    ScoreRow(row.x, factor, cap, bias, row.n);
    factor = 1;
    bias = nullptr;
  }
  const V f = hn::Set(d, factor);
  V most = hn::Set(d, row.largest);
  ForEachVector(row.n, [&](auto part, int64_t i) HWY_ATTR {
    V y = hn::Mul(Load(part, row.x + i), f);
    if (bias != nullptr) y = hn::Add(y, Load(part, bias + i));
    Store(part, y, row.x + i);
    most = MaxNan(most, OtherLanes(part, y, most));
  });
  return JoinLanes<Fold::kMax>(most);
}

// Pass by pass over some rows, so that a core works on several: each row waits for its largest score, then for its sum.
void Attend(AttendRow* rows, int64_t count, float factor, float cap) {
  for (int64_t r = 0; r < count; ++r) rows[r].largest = ScoreAndFold(rows[r], factor, cap);
  for (int64_t r = 0; r < count; ++r) {
    AttendRow& row = rows[r];
    if (row.largest == FoldStart(Fold::kMax)) {  // all are masked
      std::fill_n(row.x, row.n, 0.0f);
      row.sum = 0;
    } else {
      row.sum = ExpInPlace(row.x, row.largest, row.n);
    }
  }
}

// Four rows beside each other hide the latency of the additions.
void Dots(const float* q, const float* k, int64_t step, int64_t rows, int64_t n, float* dst) {
  const D d;
  int64_t j = 0;
  for (; j + 4 <= rows; j += 4) {
    V sum[4];
    MOKA_UNROLL for (int u = 0; u < 4; ++u) sum[u] = hn::Zero(d);
    const float* row = k + j * step;
    ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR {
      const V x = Load(part, q + i);
      MOKA_UNROLL for (int u = 0; u < 4; ++u) sum[u] = hn::MulAdd(x, Load(part, row + u * step + i), sum[u]);
    });
    MOKA_UNROLL for (int u = 0; u < 4; ++u) dst[j + u] = JoinLanes<Fold::kSum>(sum[u]);
  }
  for (; j < rows; ++j) {
    V sum = hn::Zero(d);
    ForEachVector(n, [&](auto part, int64_t i)
                         HWY_ATTR { sum = hn::MulAdd(Load(part, q + i), Load(part, k + j * step + i), sum); });
    dst[j] = JoinLanes<Fold::kSum>(sum);
  }
}

void AddWeighted(const float* weights, const float* v, int64_t step, int64_t rows, int64_t n, float* dst) {
  const D d;
  constexpr int64_t N = kLanes;
  int64_t i = 0;
  for (; i + 4 * N <= n; i += 4 * N) {
    V sum[4];
    MOKA_UNROLL for (int u = 0; u < 4; ++u) sum[u] = hn::LoadU(d, dst + i + u * N);
    for (int64_t j = 0; j < rows; ++j) {
      const V w = hn::Set(d, weights[j]);
      const float* row = v + j * step + i;
      MOKA_UNROLL for (int u = 0; u < 4; ++u) sum[u] = hn::MulAdd(w, hn::LoadU(d, row + u * N), sum[u]);
    }
    MOKA_UNROLL for (int u = 0; u < 4; ++u) hn::StoreU(sum[u], d, dst + i + u * N);
  }
  ForEachVector(n - i, [&](auto part, int64_t at) HWY_ATTR {
    V sum = Load(part, dst + i + at);
    for (int64_t j = 0; j < rows; ++j) {
      sum = hn::MulAdd(hn::Set(d, weights[j]), Load(part, v + j * step + i + at), sum);
    }
    Store(part, sum, dst + i + at);
  });
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

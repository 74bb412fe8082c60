// Softmax of a row and of columns: exp(x - largest), their sum, the division.
#if defined(MOKA_CPU_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_SOFTMAX_INL_H_
#undef MOKA_CPU_SOFTMAX_INL_H_
#else
#define MOKA_CPU_SOFTMAX_INL_H_
#endif

#include <cmath>

#include "cpu/fold-inl.h"
#include "cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// Calls f(offset, count) for each vector of n floats; count < kLanes in the last one only.
template <class F>
HWY_INLINE void ForEachVector(int64_t n, F&& f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(i, int64_t{kLanes});
  if (i < n) f(i, n - i);
}
HWY_INLINE V LoadUpTo(const float* p, int64_t count) {
  return count == kLanes ? hn::LoadU(D(), p) : LoadPart(p, count);
}
HWY_INLINE void StoreUpTo(V v, float* p, int64_t count) {
  if (count == kLanes) {
    hn::StoreU(v, D(), p);
  } else {
    StorePart(v, p, count);
  }
}

void SoftmaxRun(const float* src, float* dst, int64_t n, bool log) {
  const D d;
  const V largest = hn::Set(d, FoldRun<Fold::kMax>(src, n));
  V sums = hn::Zero(d);
  ForEachVector(n, [&](int64_t i, int64_t count) HWY_ATTR {
    V e = VectorExpFlushed(hn::Sub(LoadUpTo(src + i, count), largest));
    if (!log) StoreUpTo(e, dst + i, count);
    if (count < kLanes) e = hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(count)), e);
    sums = hn::Add(sums, e);
  });
  const float sum = JoinLanes<Fold::kSum>(sums);
  const V log_sum = hn::Set(d, log ? std::log(sum) : 0.0f), factor = hn::Set(d, 1.0f / sum);
  ForEachVector(n, [&](int64_t i, int64_t count) HWY_ATTR {
    const V y =
        log ? hn::Sub(hn::Sub(LoadUpTo(src + i, count), largest), log_sum) : hn::Mul(LoadUpTo(dst + i, count), factor);
    StoreUpTo(y, dst + i, count);
  });
}

HWY_INLINE V LogOfLanes(V v) {
  const D d;
  HWY_ALIGN float lanes[kLanes];
  hn::Store(v, d, lanes);
  for (float& lane : lanes) lane = std::log(lane);
  return hn::Load(d, lanes);
}

void SoftmaxColumns(const float* src, int64_t src_step, float* dst, int64_t dst_step, int64_t n, int64_t cols,
                    bool log) {
  const D d;
  ForEachVector(cols, [&](int64_t j, int64_t count) HWY_ATTR {
    const float* from = src + j;
    float* to = dst + j;
    V largest = hn::Set(d, FoldStart(Fold::kMax)), sum = hn::Zero(d);
    for (int64_t i = 0; i < n; ++i) largest = MaxNan(largest, LoadUpTo(from + i * src_step, count));
    for (int64_t i = 0; i < n; ++i) {
      const V e = VectorExpFlushed(hn::Sub(LoadUpTo(from + i * src_step, count), largest));
      sum = hn::Add(sum, e);
      if (!log) StoreUpTo(e, to + i * dst_step, count);
    }
    const V factor = hn::Div(hn::Set(d, 1.0f), sum), log_sum = log ? LogOfLanes(sum) : sum;
    for (int64_t i = 0; i < n; ++i) {
      const V y = log ? hn::Sub(hn::Sub(LoadUpTo(from + i * src_step, count), largest), log_sum)
                      : hn::Mul(LoadUpTo(to + i * dst_step, count), factor);
      StoreUpTo(y, to + i * dst_step, count);
    }
  });
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

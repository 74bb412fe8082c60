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

void SoftmaxRun(const float* src, float* dst, int64_t n, bool log) {
  const D d;
  const V largest = hn::Set(d, FoldRun<Fold::kMax>(src, n));
  V sums = hn::Zero(d);
  ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR {
    const V e = VectorExpFlushed(hn::Sub(Load(part, src + i), largest));
    if (!log) Store(part, e, dst + i);
    sums = hn::Add(sums, KeepLanes(part, e));
  });
  const float sum = JoinLanes<Fold::kSum>(sums);
  if (log) {
    const V log_sum = hn::Set(d, std::log(sum));
    ForEachVector(n, [&](auto part, int64_t i)
                         HWY_ATTR { Store(part, hn::Sub(hn::Sub(Load(part, src + i), largest), log_sum), dst + i); });
    return;
  }
  const V factor = hn::Set(d, 1.0f / sum);
  ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR { Store(part, hn::Mul(Load(part, dst + i), factor), dst + i); });
}

HWY_INLINE V LogOfLanes(V v) {
  const D d;
  HWY_ALIGN float lanes[kLanes];
  hn::Store(v, d, lanes);
  for (float& lane : lanes) lane = std::log(lane);
  return hn::Load(d, lanes);
}

// One vector of columns. They are kept in `kept` ([n] vectors): the rows of src may be so far apart that they push
// each other out of the cache.
template <class Part>
HWY_INLINE void SoftmaxColumnVector(Part part, const float* src, int64_t src_step, float* dst, int64_t dst_step,
                                    int64_t n, bool log, float* kept) {
  const D d;
  V largest = hn::Set(d, FoldStart(Fold::kMax)), sum = hn::Zero(d);
  for (int64_t i = 0; i < n; ++i) {
    const V x = Load(part, src + i * src_step);
    largest = MaxNan(largest, x);
    hn::StoreU(x, d, kept + i * kLanes);
  }
  for (int64_t i = 0; i < n; ++i) {
    const V shifted = hn::Sub(hn::LoadU(d, kept + i * kLanes), largest);
    const V e = VectorExpFlushed(shifted);
    sum = hn::Add(sum, e);
    hn::StoreU(log ? shifted : e, d, kept + i * kLanes);
  }
  const V factor = hn::Div(hn::Set(d, 1.0f), sum), log_sum = log ? LogOfLanes(sum) : sum;
  for (int64_t i = 0; i < n; ++i) {
    const V x = hn::LoadU(d, kept + i * kLanes);
    Store(part, log ? hn::Sub(x, log_sum) : hn::Mul(x, factor), dst + i * dst_step);
  }
}

void SoftmaxColumns(const float* src, int64_t src_step, float* dst, int64_t dst_step, int64_t n, int64_t cols, bool log,
                    float* kept) {
  ForEachVector(cols, [&](auto part, int64_t j)
                          HWY_ATTR { SoftmaxColumnVector(part, src + j, src_step, dst + j, dst_step, n, log, kept); });
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

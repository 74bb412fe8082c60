#include "cpu/vector.h"

#include "cpu/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/vector.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "cpu/fold-inl.h"
#include "cpu/softmax-inl.h"
#include "cpu/transpose-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

HWY_INLINE V Normalize(V x, V mean, V scale, V shift) { return hn::MulAdd(hn::Sub(x, mean), scale, shift); }

void NormalizeRun(const float* src, float mean, float scale, float shift, float* dst, int64_t n) {
  const D d;
  const V m = hn::Set(d, mean), s = hn::Set(d, scale), b = hn::Set(d, shift);
  ForEachVector(n,
                [&](auto part, int64_t i) HWY_ATTR { Store(part, Normalize(Load(part, src + i), m, s, b), dst + i); });
}

void NormalizeColumns(const float* src, const float* mean, const float* scale, const float* shift, float* dst,
                      int64_t n) {
  ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR {
    const V m = Load(part, mean + i), s = Load(part, scale + i), b = Load(part, shift + i);
    Store(part, Normalize(Load(part, src + i), m, s, b), dst + i);
  });
}

void ScaleColumns(const float* factors, float factor, float* dst, int64_t n) {
  const V common = hn::Set(D(), factor);
  ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR {
    const V scale = hn::Mul(Load(part, factors + i), common);
    Store(part, hn::Mul(Load(part, dst + i), scale), dst + i);
  });
}

const VectorTable* GetVectorTable() {
  static constexpr VectorTable kTable = {
      .fold_run = {&FoldRun<Fold::kSum>, &FoldRun<Fold::kMax>, &FoldRun<Fold::kMin>, &FoldRun<Fold::kProduct>,
                   &FoldRun<Fold::kSumSquares>, &FoldRun<Fold::kSumAbsolute>},
      .fold_columns = {&FoldColumns<Fold::kSum>, &FoldColumns<Fold::kMax>, &FoldColumns<Fold::kMin>,
                       &FoldColumns<Fold::kProduct>, &FoldColumns<Fold::kSumSquares>, &FoldColumns<Fold::kSumAbsolute>},
      .fold_pixels = {&FoldPixels<Fold::kSum>, &FoldPixels<Fold::kMax>, &FoldPixels<Fold::kMin>,
                      &FoldPixels<Fold::kProduct>, &FoldPixels<Fold::kSumSquares>, &FoldPixels<Fold::kSumAbsolute>},
      .slide_sum = &SlideRow<Fold::kSum>,
      .slide_max = &SlideRow<Fold::kMax>,
      .softmax_run = &SoftmaxRun,
      .softmax_columns = &SoftmaxColumns,
      .normalize_run = &NormalizeRun,
      .normalize_columns = &NormalizeColumns,
      .scale_columns = &ScaleColumns,
      .transpose = &Transpose,
  };
  return &kTable;
}

#else
const VectorTable* GetVectorTable() { return nullptr; }
#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moka::cpu {

HWY_EXPORT(GetVectorTable);
const VectorTable* ChosenVectorTable() { return HWY_DYNAMIC_DISPATCH(GetVectorTable)(); }

}  // namespace moka::cpu
#endif

// Folds of rows and of columns. Sums are kept short: of parts of a row, then of their sums.
#if defined(MOKA_CPU_FOLD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_FOLD_INL_H_
#undef MOKA_CPU_FOLD_INL_H_
#else
#define MOKA_CPU_FOLD_INL_H_
#endif

#include <algorithm>

#include "base/math.h"
#include "cpu/simd-inl.h"
#include "cpu/vector.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// Of two folds.
template <Fold kFold, class AnyV>
HWY_INLINE AnyV Join(AnyV a, AnyV b) {
  if constexpr (kFold == Fold::kMax) return MaxNan(a, b);
  if constexpr (kFold == Fold::kMin) return MinNan(a, b);
  if constexpr (kFold == Fold::kProduct) return hn::Mul(a, b);
  return hn::Add(a, b);
}
// Of a fold and the next element.
template <Fold kFold>
HWY_INLINE V Step(V fold, V x) {
  if constexpr (kFold == Fold::kSumSquares) return hn::MulAdd(x, x, fold);
  if constexpr (kFold == Fold::kSumAbsolute) return hn::Add(fold, hn::Abs(x));
  return Join<kFold>(x, fold);  // whether x is NaN does not wait for what comes before
}
template <Fold kFold>
inline constexpr bool kIsSum = kFold == Fold::kSum || kFold == Fold::kSumSquares || kFold == Fold::kSumAbsolute;

template <Fold kFold, int kSize = kLanes>
HWY_INLINE float JoinLanes(hn::Vec<hn::CappedTag<float, kSize>> v) {
  if constexpr (kSize == 4) {
    v = Join<kFold>(v, hn::Shuffle1032(v));
    return hn::GetLane(Join<kFold>(v, hn::Shuffle2301(v)));
  } else {
    const hn::CappedTag<float, kSize / 2> half;
    return JoinLanes<kFold, kSize / 2>(Join<kFold>(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

template <Fold kFold>
HWY_INLINE V FoldBlock(const float* src, int64_t n) {
  const D d;
  constexpr int64_t N = kLanes;
  V s[4];
  MOKA_UNROLL for (int u = 0; u < 4; ++u) s[u] = hn::Set(d, FoldStart(kFold));
  int64_t i = 0;
  for (; i + 4 * N <= n; i += 4 * N) {
    MOKA_UNROLL for (int u = 0; u < 4; ++u) s[u] = Step<kFold>(s[u], hn::LoadU(d, src + i + u * N));
  }
  for (; i + N <= n; i += N) s[0] = Step<kFold>(s[0], hn::LoadU(d, src + i));
  if (i < n) {
    const auto inside = hn::FirstN(d, static_cast<size_t>(n - i));
    s[1] = hn::IfThenElse(inside, Step<kFold>(s[1], LoadPart(src + i, n - i)), s[1]);
  }
  return Join<kFold>(Join<kFold>(s[0], s[1]), Join<kFold>(s[2], s[3]));
}

template <Fold kFold>
float FoldRun(const float* src, int64_t n) {
  constexpr int64_t kBlock = 2048;
  V fold = hn::Set(D(), FoldStart(kFold));
  for (int64_t i = 0; i < n; i += kBlock) {
    fold = Join<kFold>(fold, FoldBlock<kFold>(src + i, n - i < kBlock ? n - i : kBlock));
  }
  return JoinLanes<kFold>(fold);
}

// Elements of a column that are summed before their sum is added to those of others.
constexpr int64_t kShortSum = 128;

// `part`: floats of the only vector where it is not full.
template <Fold kFold, int kVectors, bool kPart>
HWY_INLINE void FoldTaps(const float* src, const Taps& taps, float scale, float* dst, int64_t part) {
  const D d;
  constexpr int64_t N = kLanes;
  V fold[kVectors];
  MOKA_UNROLL for (int u = 0; u < kVectors; ++u) fold[u] = hn::Set(d, FoldStart(kFold));
  for (int64_t k0 = 0; k0 < taps.count[0]; ++k0) {
    for (int64_t k1 = 0; k1 < taps.count[1]; ++k1) {
      const float* p = src + k0 * taps.step[0] + k1 * taps.step[1];
      for (int64_t left = taps.count[2]; left > 0; left -= kShortSum) {
        V row[kVectors];
        MOKA_UNROLL for (int u = 0; u < kVectors; ++u) row[u] = kIsSum<kFold> ? hn::Zero(d) : fold[u];
        for (int64_t k2 = std::min(left, kShortSum); k2 > 0; --k2, p += taps.step[2]) {
          MOKA_UNROLL for (int u = 0; u < kVectors; ++u) {
            row[u] = Step<kFold>(row[u], kPart ? LoadPart(p, part) : hn::LoadU(d, p + u * N));
          }
        }
        MOKA_UNROLL for (int u = 0; u < kVectors; ++u) fold[u] = kIsSum<kFold> ? hn::Add(fold[u], row[u]) : row[u];
      }
    }
  }
  const V factor = hn::Set(d, scale);
  MOKA_UNROLL for (int u = 0; u < kVectors; ++u) {
    const V y = hn::Mul(fold[u], factor);
    if (kPart) {
      StorePart(y, dst, part);
    } else {
      hn::StoreU(y, d, dst + u * N);
    }
  }
}

template <Fold kFold>
void FoldColumns(const float* src, const Taps& taps, float scale, float* dst, int64_t cols) {
  constexpr int64_t N = kLanes;
  int64_t j = 0;
  for (; j + 4 * N <= cols; j += 4 * N) FoldTaps<kFold, 4, false>(src + j, taps, scale, dst + j, 0);
  for (; j + N <= cols; j += N) FoldTaps<kFold, 1, false>(src + j, taps, scale, dst + j, 0);
  if (j < cols) FoldTaps<kFold, 1, true>(src + j, taps, scale, dst + j, cols - j);
}

// All taps of kHeight rows of kWidth, of one pixel after the other. The last vector of a pixel overlaps the one before.
template <Fold kFold, int kVectors, int kHeight, int kWidth>
void FoldWindows(const float* src, const Taps& taps, float scale, float* dst, int64_t cols, const Run& run) {
  const D d;
  const V factor = hn::Set(d, scale);
  for (int64_t i = 0; i < run.count; ++i, src += run.src_step, dst += run.dst_step) {
    MOKA_UNROLL for (int u = 0; u < kVectors; ++u) {
      const int64_t at = u + 1 < kVectors ? u * kLanes : cols - kLanes;
      V fold = hn::Set(d, FoldStart(kFold));
      MOKA_UNROLL for (int y = 0; y < kHeight; ++y) {
        V row = kIsSum<kFold> ? hn::Zero(d) : fold;
        MOKA_UNROLL for (int x = 0; x < kWidth; ++x) {
          row = Step<kFold>(row, hn::LoadU(d, src + at + y * taps.step[1] + x * taps.step[2]));
        }
        fold = kIsSum<kFold> ? hn::Add(fold, row) : row;
      }
      hn::StoreU(hn::Mul(fold, factor), d, dst + at);
    }
  }
}

template <Fold kFold, int kHeight, int kWidth>
void FoldSmallWindows(const float* src, const Taps& taps, float scale, float* dst, int64_t cols, const Run& run) {
  switch (CeilDiv(cols, kLanes)) {
    case 1:
      return FoldWindows<kFold, 1, kHeight, kWidth>(src, taps, scale, dst, cols, run);
    case 2:
      return FoldWindows<kFold, 2, kHeight, kWidth>(src, taps, scale, dst, cols, run);
    case 3:
      return FoldWindows<kFold, 3, kHeight, kWidth>(src, taps, scale, dst, cols, run);
    default:
      return FoldWindows<kFold, 4, kHeight, kWidth>(src, taps, scale, dst, cols, run);
  }
}

template <Fold kFold>
void FoldPixels(const float* src, const Taps& taps, float scale, float* dst, int64_t cols, const Run& run) {
  if constexpr (kFold == Fold::kMax || kFold == Fold::kSum) {
    const int64_t height = taps.count[1], width = taps.count[2];
    const bool small = taps.count[0] == 1 && cols >= kLanes && cols <= 4 * kLanes;
    if (small && height == 3 && width == 3) return FoldSmallWindows<kFold, 3, 3>(src, taps, scale, dst, cols, run);
    if (small && height == 2 && width == 2) return FoldSmallWindows<kFold, 2, 2>(src, taps, scale, dst, cols, run);
  }
  for (int64_t i = 0; i < run.count; ++i) {
    FoldColumns<kFold>(src + i * run.src_step, taps, scale, dst + i * run.dst_step, cols);
  }
}

template <Fold kFold>
void SlideRow(const float* src, const Slide& slide, float* dst, int64_t n) {
  const D d;
  constexpr int64_t N = kLanes;
  if (slide.stride > 2) {
    for (int64_t j = 0; j < n; ++j) {
      float fold = FoldStart(kFold);
      const float* p = src + j * slide.stride;
      for (int64_t k = 0; k < slide.kernel; ++k) fold = FoldJoin(kFold, fold, p[k * slide.dilation]);
      dst[j] = fold;
    }
    return;
  }
  for (int64_t j = 0; j < n; j += N) {
    V fold = hn::Set(d, FoldStart(kFold));
    const float* p = src + j * slide.stride;
    for (int64_t k = 0; k < slide.kernel; ++k, p += slide.dilation) {
      V x = hn::LoadU(d, p);
      if (slide.stride == 2) {
        V odd;
        hn::LoadInterleaved2(d, p, x, odd);
      }
      fold = Join<kFold>(fold, x);
    }
    if (n - j >= N) {
      hn::StoreU(fold, d, dst + j);
    } else {
      StorePart(fold, dst + j, n - j);
    }
  }
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

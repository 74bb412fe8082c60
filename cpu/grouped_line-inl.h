// Tiles of a convolution with narrow groups: GroupedLine of cpu/depthwise.h. A lane of a vector of outputs needs the
// k-th input of its own group; a permutation of the vector of inputs puts it there, once for all kernel columns.
#if defined(MOKA_CPU_GROUPED_LINE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_GROUPED_LINE_INL_H_
#undef MOKA_CPU_GROUPED_LINE_INL_H_
#else
#define MOKA_CPU_GROUPED_LINE_INL_H_
#endif

#include <cstdint>

#include "cpu/depthwise.h"
#include "cpu/line_output-inl.h"
#include "cpu/simd-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// kPixels neighbours of kernels that are kWidth wide.
template <int kPixels, int kWidth, int kStride, class Part>
HWY_INLINE void GroupedPixels(const GroupedLine& line, int64_t x, Part part) {
  const D d;
  constexpr int kInputs = (kPixels - 1) * kStride + kWidth;
  V acc[kPixels];
  const V start = StartOfSums(line.out, part, line.channel);
  MOKA_UNROLL for (int p = 0; p < kPixels; ++p) acc[p] = start;
  const float* src = line.src + x * kStride * line.pixel;
  const float* w = line.weight;
  for (int64_t r = 0; r < line.kernel_h; ++r, src += line.dilation_h * line.row) {
    for (int64_t k = 0; k < line.group; ++k, w += kWidth * kLanes) {
      const auto indices = hn::SetTableIndices(d, line.indices + k * kLanes);
      V taps[kWidth];
      MOKA_UNROLL for (int j = 0; j < kWidth; ++j) taps[j] = hn::LoadU(d, w + j * kLanes);
      const float* p_src = src;
      MOKA_UNROLL for (int i = 0; i < kInputs; ++i) {
        const V in = hn::TableLookupLanes(hn::LoadU(d, p_src), indices);
        MOKA_UNROLL for (int p = 0; p < kPixels; ++p) {
          const int j = i - p * kStride;
          if (j >= 0 && j < kWidth) acc[p] = hn::MulAdd(in, taps[j], acc[p]);
        }
        p_src += line.pixel;
      }
    }
  }
  FinishPixels<kPixels>(line.out, 0, x, part, line.channel, acc);
}

// Kernels of any width, stride and dilation.
template <int kPixels, class Part>
HWY_INLINE void AnyGroupedPixels(const GroupedLine& line, int64_t x, Part part) {
  const D d;
  V acc[kPixels];
  const V start = StartOfSums(line.out, part, line.channel);
  MOKA_UNROLL for (int p = 0; p < kPixels; ++p) acc[p] = start;
  const int64_t step = line.stride_w * line.pixel;
  const float* src = line.src + x * step;
  const float* w = line.weight;
  for (int64_t r = 0; r < line.kernel_h; ++r, src += line.dilation_h * line.row) {
    for (int64_t k = 0; k < line.group; ++k) {
      const auto indices = hn::SetTableIndices(d, line.indices + k * kLanes);
      for (int64_t j = 0; j < line.kernel_w; ++j, w += kLanes) {
        const V tap = hn::LoadU(d, w);
        const float* p_src = src + j * line.dilation_w * line.pixel;
        MOKA_UNROLL for (int p = 0; p < kPixels; ++p) {
          acc[p] = hn::MulAdd(hn::TableLookupLanes(hn::LoadU(d, p_src + p * step), indices), tap, acc[p]);
        }
      }
    }
  }
  FinishPixels<kPixels>(line.out, 0, x, part, line.channel, acc);
}

template <int kPixels, int kWidth, int kStride, class Part>
int64_t GroupedTilesFrom(const GroupedLine& line, int64_t x, Part part) {
  for (; x + kPixels <= line.out.width; x += kPixels) {
    if constexpr (kWidth == 0) {
      AnyGroupedPixels<kPixels>(line, x, part);
    } else {
      GroupedPixels<kPixels, kWidth, kStride>(line, x, part);
    }
  }
  return x;
}

// Sums of 14 pixels beside the weights want 32 registers.
template <int kWidth, int kStride, class Part>
void GroupedTilesOf(const GroupedLine& line, Part part) {
  int64_t x = 0;
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
  x = GroupedTilesFrom<14, kWidth, kStride>(line, x, part);
#endif
  x = GroupedTilesFrom<7, kWidth, kStride>(line, x, part);
  x = GroupedTilesFrom<3, kWidth, kStride>(line, x, part);
  GroupedTilesFrom<1, kWidth, kStride>(line, x, part);
}

template <int kWidth, int kStride>
void GroupedTilesOf(const GroupedLine& line) {
  const int64_t left = line.out.channels - line.channel;
  if (left >= kLanes) {
    GroupedTilesOf<kWidth, kStride>(line, FullVector());
  } else {
    GroupedTilesOf<kWidth, kStride>(line, PartVector{left});
  }
}

void GroupedTiles(const GroupedLine& line) {
  const bool three = line.kernel_w == 3 && line.dilation_w == 1;
  if (three && line.stride_w == 1) return GroupedTilesOf<3, 1>(line);
  if (three && line.stride_w == 2) return GroupedTilesOf<3, 2>(line);
  GroupedTilesOf<0, 0>(line);
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

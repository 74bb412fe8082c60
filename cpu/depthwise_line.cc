#include "cpu/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/depthwise_line.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <algorithm>

#include "cpu/depthwise.h"
#include "cpu/grouped_line-inl.h"
#include "cpu/line_output-inl.h"
#include "cpu/simd-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// Any kernel, one pixel: only the points inside.
template <class Part>
HWY_INLINE void AnyPixel(const DepthwiseLine& line, int64_t x, int64_t c, const float* weight, Part part) {
  const D d;
  const int64_t x0 = x * line.stride_w - line.pad_w;
  V acc[1] = {StartOfSums(line.out, part, c)};
  for (int64_t r = line.row_begin; r < line.row_end; ++r) {
    const float* src = line.src + (line.y + (r - line.row_begin) * line.dilation_h) * line.src_row + c;
    for (int64_t k = 0; k < line.kernel_w; ++k) {
      const int64_t in_x = x0 + k * line.dilation_w;
      if (in_x < 0 || in_x >= line.in_w) continue;
      const V w = hn::LoadU(d, weight + (r * line.kernel_w + k) * kLanes);
      acc[0] = hn::MulAdd(Load(part, src + in_x * line.src_pixel), w, acc[0]);
    }
  }
  FinishPixels<1>(line.out, x, part, c, acc);
}

// kPixels neighbours. Each input is loaded once a kernel row; where not kInside, those outside of the image are left
// out.
template <int kPixels, int kWidth, int kStride, bool kInside, class Part>
HWY_INLINE void Pixels(const DepthwiseLine& line, int64_t x, int64_t c, const float* weight, Part part) {
  const D d;
  constexpr int kInputs = (kPixels - 1) * kStride + kWidth;
  const int64_t in_x = x * kStride - line.pad_w;
  V acc[kPixels];
  const V start = StartOfSums(line.out, part, c);
  MOKA_UNROLL for (int p = 0; p < kPixels; ++p) acc[p] = start;
  const float* src = line.src + line.y * line.src_row + in_x * line.src_pixel + c;
  const float* w = weight + line.row_begin * kWidth * kLanes;
  for (int64_t r = line.row_begin; r < line.row_end; ++r) {
    const float* p_src = src;
    V taps[kWidth];
    MOKA_UNROLL for (int k = 0; k < kWidth; ++k) taps[k] = hn::LoadU(d, w + k * kLanes);
    MOKA_UNROLL for (int i = 0; i < kInputs; ++i) {
      if (kInside || (in_x + i >= 0 && in_x + i < line.in_w)) {
        const V in = InRegister(Load(part, p_src));
        MOKA_UNROLL for (int p = 0; p < kPixels; ++p) {
          const int k = i - p * kStride;
          if (k >= 0 && k < kWidth) acc[p] = hn::MulAdd(in, taps[k], acc[p]);
        }
      }
      p_src += line.src_pixel;
    }
    w += kWidth * kLanes;
    src += line.dilation_h * line.src_row;
  }
  FinishPixels<kPixels>(line.out, x, part, c, acc);
}

// Tiles of kPixels from pixel x on, as many as fit. Returns the first pixel that is left.
template <int kPixels, int kWidth, int kStride>
int64_t Tiles(const DepthwiseLine& line, int64_t x, int64_t vector_begin, int64_t vector_end) {
  constexpr int kInputs = (kPixels - 1) * kStride + kWidth;
  const int64_t weight_step = line.kernel_h * kWidth * kLanes;
  const int64_t whole_end = std::min(vector_end, line.out.channels / kLanes);
  for (; x + kPixels <= line.out.width; x += kPixels) {
    const int64_t in_x = x * kStride - line.pad_w;
    int64_t v = vector_begin;
    if (in_x >= 0 && in_x + kInputs <= line.in_w) {
      for (; v < whole_end; ++v) {
        Pixels<kPixels, kWidth, kStride, true>(line, x, v * kLanes, line.weight + v * weight_step, FullVector());
      }
    }
    for (; v < whole_end; ++v) {
      Pixels<kPixels, kWidth, kStride, false>(line, x, v * kLanes, line.weight + v * weight_step, FullVector());
    }
    for (; v < vector_end; ++v) {
      Pixels<kPixels, kWidth, kStride, false>(line, x, v * kLanes, line.weight + v * weight_step,
                                              PartVector{line.out.channels - v * kLanes});
    }
  }
  return x;
}

// 7 divides the widths of most networks' images.
template <int kWidth, int kStride>
void FixedLine(const DepthwiseLine& line, int64_t vector_begin, int64_t vector_end) {
  int64_t x = Tiles<7, kWidth, kStride>(line, 0, vector_begin, vector_end);
  x = Tiles<3, kWidth, kStride>(line, x, vector_begin, vector_end);
  Tiles<1, kWidth, kStride>(line, x, vector_begin, vector_end);
}

void AnyLine(const DepthwiseLine& line, int64_t vector_begin, int64_t vector_end) {
  const int64_t weight_step = line.kernel_h * line.kernel_w * kLanes;
  for (int64_t x = 0; x < line.out.width; ++x) {
    const float* weight = line.weight + vector_begin * weight_step;
    const int64_t begin = vector_begin * kLanes, end = std::min(vector_end * kLanes, line.out.channels);
    ForEachVector(end - begin, [&](auto part, int64_t c)
                                   HWY_ATTR { AnyPixel(line, x, begin + c, weight + c / kLanes * weight_step, part); });
  }
}

void Line(const DepthwiseLine& line, int64_t vector_begin, int64_t vector_end) {
  if (line.dilation_w == 1 && line.kernel_w == 3 && line.stride_w == 1)
    return FixedLine<3, 1>(line, vector_begin, vector_end);
  if (line.dilation_w == 1 && line.kernel_w == 3 && line.stride_w == 2)
    return FixedLine<3, 2>(line, vector_begin, vector_end);
  if (line.dilation_w == 1 && line.kernel_w == 5 && line.stride_w == 1)
    return FixedLine<5, 1>(line, vector_begin, vector_end);
  if (line.dilation_w == 1 && line.kernel_w == 5 && line.stride_w == 2)
    return FixedLine<5, 2>(line, vector_begin, vector_end);
  AnyLine(line, vector_begin, vector_end);
}

const DepthwiseTable* GetDepthwiseTable() {
  static constexpr DepthwiseTable kTable = {kLanes, &Line, &GroupedTiles};
  return &kTable;
}

#else
const DepthwiseTable* GetDepthwiseTable() { return nullptr; }
#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moka::cpu {
HWY_EXPORT(GetDepthwiseTable);
const DepthwiseTable* ChosenDepthwiseTable() { return HWY_DYNAMIC_DISPATCH(GetDepthwiseTable)(); }
}  // namespace moka::cpu
#endif

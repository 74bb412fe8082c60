// With a check at each access, unrolled tiles take minutes to compile.
#if defined(__SANITIZE_ADDRESS__)
#define MOKA_UNROLL
#endif
#include "cpu/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/depthwise_line.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <algorithm>

#include "cpu/depthwise.h"
#include "cpu/few_line-inl.h"
#include "cpu/grouped_line-inl.h"
#include "cpu/line_output-inl.h"
#include "cpu/simd-inl.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// The inputs of the outputs from channel c on: their own ones.
struct OwnInputs {
  int64_t c;
  template <class Part>
  HWY_INLINE V operator()(Part part, const float* p) const {
    return Load(part, p + c);
  }
};

// Each input makes `repeat` neighbouring outputs.
class SharedInputs {
 public:
  SharedInputs(int64_t repeat, int64_t c, int64_t outputs)
      : c_(c / repeat), count_((c + outputs - 1) / repeat - c_ + 1) {
    for (int64_t i = 0; i < kLanes; ++i) lanes_[i] = static_cast<int32_t>(std::min((c + i) / repeat - c_, count_ - 1));
  }
  template <class Part>
  HWY_INLINE V operator()(Part, const float* p) const {
    return hn::TableLookupLanes(LoadPart(p + c_, count_), hn::SetTableIndices(D(), lanes_));
  }

 private:
  int64_t c_, count_;
  int32_t lanes_[kLanes];
};

// Any kernel, kPixels neighbours. Where not kInside, the points outside of the image are left out.
template <int kPixels, bool kInside, class Source, class Part>
HWY_INLINE void AnyPixels(const DepthwiseLines& block, int64_t line, const RowsInside& rows, int64_t x, int64_t c,
                          const Source& inputs, const float* weight, Part part) {
  const D d;
  const int64_t x0 = x * block.stride_w - block.pad_w, step = block.stride_w * block.src_pixel;
  V acc[kPixels];
  const V start = StartOfSums(block.out, part, c);
  MOKA_UNROLL for (int p = 0; p < kPixels; ++p) acc[p] = start;
  const float* row = block.src + rows.y * block.src_row + x0 * block.src_pixel;
  const float* w = weight + rows.begin * block.kernel_w * kLanes;
  for (int64_t r = rows.begin; r < rows.end; ++r, row += block.dilation_h * block.src_row) {
    const float* src = row;
    for (int64_t k = 0; k < block.kernel_w; ++k, src += block.dilation_w * block.src_pixel, w += kLanes) {
      const V tap = InRegister(hn::LoadU(d, w));
      MOKA_UNROLL for (int p = 0; p < kPixels; ++p) {
        const int64_t in_x = x0 + k * block.dilation_w + p * block.stride_w;
        if (kInside || (in_x >= 0 && in_x < block.in_w)) acc[p] = hn::MulAdd(inputs(part, src + p * step), tap, acc[p]);
      }
    }
  }
  FinishPixels<kPixels>(block.out, line, x, part, c, acc);
}

// The kCount neighbours in a row of inputs that a tile meets. Of the kEdge first and last ones some may lie outside of
// the image: they are zeros, so that no tile asks for each input whether it is there.
template <int kCount, int kEdge>
class Neighbours {
 public:
  Neighbours(const DepthwiseLines& block, int64_t in_x) {
    MOKA_UNROLL for (int i = 0; i < kEdge; ++i) {
      before_[i] = in_x + i < 0;
      behind_[i] = in_x + kCount - kEdge + i >= block.in_w;
    }
  }
  // Of neighbour i, which would lie at p.
  HWY_INLINE const float* At(int i, const float* p) const {
    alignas(HWY_MAX_BYTES) static constexpr float kZeros[kLanes] = {};
    if (i < kEdge) return before_[i] ? kZeros : p;
    if (i >= kCount - kEdge) return behind_[i - (kCount - kEdge)] ? kZeros : p;
    return p;
  }

 private:
  bool before_[kEdge], behind_[kEdge];
};

// Kernels that are kWidth wide: kPixels neighbours of one line. Each input is loaded once a kernel row.
template <int kWidth, int kStride>
struct OneLine {
  static constexpr int kLines = 1;
  RowsInside rows;

  OneLine(const DepthwiseLines& block, int64_t line) : rows(block, line) {}

  template <int kPixels, class Part>
  HWY_INLINE void Pixels(const DepthwiseLines& block, int64_t line, int64_t x, int64_t c, const float* weight,
                         Part part) const {
    const D d;
    constexpr int kInputs = (kPixels - 1) * kStride + kWidth;
    const int64_t in_x = x * kStride - block.pad_w, pixel = block.src_pixel;
    const Neighbours<kInputs, kWidth / 2> neighbours(block, in_x);
    V acc[kPixels];
    const V start = StartOfSums(block.out, part, c);
    MOKA_UNROLL for (int p = 0; p < kPixels; ++p) acc[p] = start;
    const float* src = block.src + rows.y * block.src_row + in_x * pixel + c;
    const float* w = weight + rows.begin * kWidth * kLanes;
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      const float* p_src = src;
      V taps[kWidth];
      MOKA_UNROLL for (int k = 0; k < kWidth; ++k) taps[k] = hn::LoadU(d, w + k * kLanes);
      MOKA_UNROLL for (int i = 0; i < kInputs; ++i) {
        const V in = InRegister(Load(part, neighbours.At(i, p_src)));
        MOKA_UNROLL for (int p = 0; p < kPixels; ++p) {
          const int k = i - p * kStride;
          if (k >= 0 && k < kWidth) acc[p] = hn::MulAdd(in, taps[k], acc[p]);
        }
        p_src = NewPointer(p_src + pixel);
      }
      w += kWidth * kLanes;
      src += block.dilation_h * block.src_row;
    }
    FinishPixels<kPixels>(block.out, line, x, part, c, acc);
  }
};

// Two lines of a kernel that is as high as wide; what both of them read is loaded once. A core reads its L2 cache at
// half the speed at which it multiplies: that is what one line at a time is bound by.
template <int kKernel, int kStride>
struct TwoLines {
  static constexpr int kLines = 2;
  static constexpr int kRows = kKernel + kStride;
  int64_t begin, end;  // of the kRows input rows, those inside

  TwoLines(const DepthwiseLines& block, int64_t line) {
    const int64_t y0 = block.y + line * kStride;
    begin = -y0;
    end = block.in_h - y0;
  }

  template <int kPixels, class Part>
  HWY_INLINE void Pixels(const DepthwiseLines& block, int64_t line, int64_t x, int64_t c, const float* weight,
                         Part part) const {
    constexpr int kInputs = (kPixels - 1) * kStride + kKernel;
    const int64_t in_x = x * kStride - block.pad_w, pixel = block.src_pixel;
    const Neighbours<kInputs, kKernel / 2> neighbours(block, in_x);
    V upper[kPixels], lower[kPixels];
    const V start = StartOfSums(block.out, part, c);
    MOKA_UNROLL for (int p = 0; p < kPixels; ++p) upper[p] = lower[p] = start;
    const float* src = block.src + (block.y + line * kStride) * block.src_row + in_x * pixel + c;
    MOKA_UNROLL for (int r = 0; r < kRows; ++r) {
      if (r >= begin && r < end) {
        const bool in_upper = r < kKernel, in_lower = r >= kStride;
        V upper_taps[kKernel], lower_taps[kKernel];
        MOKA_UNROLL for (int k = 0; k < kKernel; ++k) {
          if (in_upper) upper_taps[k] = Tap(weight + (r * kKernel + k) * kLanes);
          if (in_lower) lower_taps[k] = Tap(weight + ((r - kStride) * kKernel + k) * kLanes);
        }
        const float* p_src = src;
        MOKA_UNROLL for (int i = 0; i < kInputs; ++i) {
          const V in = InRegister(Load(part, neighbours.At(i, p_src)));
          // Of the next tile: with strides of 2 there is little to multiply for what is read.
          if (kPixels > 1 && kStride > 1) hwy::Prefetch(p_src + kPixels * kStride * pixel);
          MOKA_UNROLL for (int p = 0; p < kPixels; ++p) {
            const int k = i - p * kStride;
            if (k < 0 || k >= kKernel) continue;
            if (in_upper) upper[p] = hn::MulAdd(in, upper_taps[k], upper[p]);
            if (in_lower) lower[p] = hn::MulAdd(in, lower_taps[k], lower[p]);
          }
          p_src = NewPointer(p_src + pixel);
        }
      }
      src += block.src_row;
    }
    FinishPixels<kPixels>(block.out, line, x, part, c, upper);
    FinishPixels<kPixels>(block.out, line + 1, x, part, c, lower);
  }

  static HWY_INLINE V Tap(const float* weight) { return InRegister(hn::LoadU(D(), weight)); }
};

// Tiles of kPixels from pixel x on, as many as fit. Returns the first pixel that is left.
template <int kPixels, int kWidth, class Lines>
int64_t Tiles(const DepthwiseLines& block, const Lines& lines, int64_t line, int64_t x) {
  const int64_t weight_step = block.kernel_h * kWidth * kLanes;
  const int64_t whole = block.out.channels / kLanes, rest = block.out.channels % kLanes;
  for (; x + kPixels <= block.out.width; x += kPixels) {
    const float* weight = block.weight;
    for (int64_t v = 0; v < whole; ++v, weight += weight_step) {
      lines.template Pixels<kPixels>(block, line, x, v * kLanes, weight, FullVector());
    }
    if (rest != 0) lines.template Pixels<kPixels>(block, line, x, whole * kLanes, weight, PartVector{rest});
  }
  return x;
}

#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64  // 32 registers
inline constexpr bool kManyRegisters = true;
#else
inline constexpr bool kManyRegisters = false;
#endif

// Lines from `line` on, as many as fit. 7 divides the widths of most networks' images; of two lines 16 registers hold
// four pixels. Returns the first that is left.
template <int kWidth, class Lines>
int64_t TilesOfLines(const DepthwiseLines& block, int64_t line) {
  for (; line + Lines::kLines <= block.out.lines; line += Lines::kLines) {
    const Lines lines(block, line);
    constexpr int kMost = Lines::kLines == 2 && !kManyRegisters ? 4 : 7;
    int64_t x = Tiles<kMost, kWidth>(block, lines, line, 0);
    x = Tiles<3, kWidth>(block, lines, line, x);
    Tiles<1, kWidth>(block, lines, line, x);
  }
  return line;
}

template <int kWidth, int kStride>
void FixedLines(const DepthwiseLines& block) {
  int64_t line = 0;
#if HWY_TARGET <= HWY_AVX2 || HWY_ARCH_ARM_A64
  if constexpr (kWidth <= (kManyRegisters ? 5 : 3)) {
    if (block.kernel_h == kWidth && block.stride_h == kStride && block.dilation_h == 1) {
      line = TilesOfLines<kWidth, TwoLines<kWidth, kStride>>(block, line);
    }
  }
#endif
  TilesOfLines<kWidth, OneLine<kWidth, kStride>>(block, line);
}

// Tiles of kPixels from pixel x on, as many as fit. Returns the first pixel that is left.
template <int kPixels>
int64_t AnyTiles(const DepthwiseLines& block, int64_t line, const RowsInside& rows, int64_t x) {
  const int64_t weight_step = block.kernel_h * block.kernel_w * kLanes;
  const int64_t width = (block.kernel_w - 1) * block.dilation_w + (kPixels - 1) * block.stride_w + 1;
  for (; x + kPixels <= block.out.width; x += kPixels) {
    const int64_t in_x = x * block.stride_w - block.pad_w;
    const bool inside = in_x >= 0 && in_x + width <= block.in_w;
    ForEachVector(block.out.channels, [&](auto part, int64_t c) HWY_ATTR {
      const float* weight = block.weight + c / kLanes * weight_step;
      if (block.repeat > 1) {
        const SharedInputs inputs(block.repeat, c, std::min<int64_t>(block.out.channels - c, kLanes));
        AnyPixels<kPixels, false>(block, line, rows, x, c, inputs, weight, part);
      } else if (inside) {
        AnyPixels<kPixels, true>(block, line, rows, x, c, OwnInputs{c}, weight, part);
      } else {
        AnyPixels<kPixels, false>(block, line, rows, x, c, OwnInputs{c}, weight, part);
      }
    });
  }
  return x;
}

void AnyLines(const DepthwiseLines& block) {
  for (int64_t line = 0; line < block.out.lines; ++line) {
    const RowsInside rows(block, line);
    int64_t x = AnyTiles<8>(block, line, rows, 0);
    x = AnyTiles<3>(block, line, rows, x);
    AnyTiles<1>(block, line, rows, x);
  }
}

void Lines(const DepthwiseLines& block) {
  const int64_t width = block.kernel_w, stride = block.stride_w, edge = width / 2;
  const int64_t end = (block.out.width - 1) * stride - block.pad_w + width;
  if (block.dilation_w == 1 && block.repeat == 1 && block.pad_w <= edge && end <= block.in_w + edge) {
    if (width == 3 && stride == 1) return FixedLines<3, 1>(block);
    if (width == 3 && stride == 2) return FixedLines<3, 2>(block);
    if (width == 5 && stride == 1) return FixedLines<5, 1>(block);
    if (width == 5 && stride == 2) return FixedLines<5, 2>(block);
    if (width == 7 && stride == 1) return FixedLines<7, 1>(block);
  }
  AnyLines(block);
}

const DepthwiseTable* GetDepthwiseTable() {
  static constexpr DepthwiseTable kTable = {kLanes, &Lines, &GroupedLines, &FewAny};
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

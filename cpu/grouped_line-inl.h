// Tiles of a convolution with narrow groups: DepthwiseLines of cpu/depthwise.h with more than one channel in a group. A
// vector of outputs reads one vector of inputs, and in step k each lane takes the input whose place in the group is its
// own, k of whose bits are turned: a permutation, once for all kernel columns. Groups as wide as a vector take one
// input for all lanes instead.
#if defined(MOKA_CPU_GROUPED_LINE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_GROUPED_LINE_INL_H_
#undef MOKA_CPU_GROUPED_LINE_INL_H_
#else
#define MOKA_CPU_GROUPED_LINE_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "cpu/depthwise.h"
#include "cpu/line_output-inl.h"
#include "cpu/simd-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// How lanes get the inputs of a step: as they lie, from their own block of four, from all of the vector, one for all.
enum class Inputs { kSame, kPairs, kHalves, kReversed, kAny, kOne };

HWY_INLINE auto GroupIndices(int64_t k) {
  const hn::RebindToSigned<D> d;
  return hn::IndicesFromVec(D(), hn::Xor(hn::Iota(d, 0), hn::Set(d, static_cast<int32_t>(k))));
}

// True where so many inputs, `pixel` floats apart, share too few sets of an L1 cache of 64 sets of 8 lines to stay
// there for all steps of a group.
HWY_INLINE bool SharesSets(int64_t pixel, int64_t inputs) {
  return inputs * std::min<int64_t>((pixel & -pixel) / 16, 64) > 512;
}

template <Inputs kInputs, class Part, class Indices>
HWY_INLINE V GroupInput(Part part, const float* p, int64_t k, Indices indices) {
  if constexpr (kInputs == Inputs::kOne) return InRegister(hn::Set(D(), p[k]));
  const V v = Load(part, p);
  if constexpr (kInputs == Inputs::kSame) return InRegister(v);
  if constexpr (kInputs == Inputs::kPairs) return hn::Shuffle2301(v);
  if constexpr (kInputs == Inputs::kHalves) return hn::Shuffle1032(v);
  if constexpr (kInputs == Inputs::kReversed) return hn::Shuffle0123(v);
  return hn::TableLookupLanes(v, indices);
}

// Adds the products of step k. The inputs of kPixels neighbours are `pixel` apart; the first and the last one lie
// elsewhere.
template <int kPixels, int kWidth, int kStride, Inputs kInputs, class Part>
HWY_INLINE void AddStep(const float* first, const float* src, const float* last, int64_t pixel, int64_t k,
                        const float* w, Part part, V (&acc)[kPixels]) {
  constexpr int kCount = (kPixels - 1) * kStride + kWidth;
  const auto indices = GroupIndices(k);
  V taps[kWidth];
  MOKA_UNROLL for (int j = 0; j < kWidth; ++j) taps[j] = InRegister(hn::LoadU(D(), w + j * kLanes));
  const float* p_src = NewPointer(src);
  MOKA_UNROLL for (int i = 0; i < kCount; ++i) {
    const V in = GroupInput<kInputs>(part, i == 0 ? first : i + 1 == kCount ? last : p_src, k, indices);
    MOKA_UNROLL for (int p = 0; p < kPixels; ++p) {
      const int j = i - p * kStride;
      if (j >= 0 && j < kWidth) acc[p] = hn::MulAdd(in, taps[j], acc[p]);
    }
    p_src += pixel;
  }
}

// All steps of a kernel row. Shuffles within blocks of four lanes cost nothing beside products on Zen 4, others do.
template <int kPixels, int kWidth, int kStride, bool kAlone, class Part>
HWY_INLINE void AddGroupedRow(const float* first, const float* src, const float* last, int64_t pixel, int64_t group,
                              const float* w, Part part, V (&acc)[kPixels]) {
  constexpr int64_t kStep = kWidth * kLanes;
  int64_t k = 0;
  if constexpr (!kAlone) {
    AddStep<kPixels, kWidth, kStride, Inputs::kSame>(first, src, last, pixel, 0, w, part, acc);
    AddStep<kPixels, kWidth, kStride, Inputs::kPairs>(first, src, last, pixel, 1, w + kStep, part, acc);
    if (group == 2) return;
    AddStep<kPixels, kWidth, kStride, Inputs::kHalves>(first, src, last, pixel, 2, w + 2 * kStep, part, acc);
    AddStep<kPixels, kWidth, kStride, Inputs::kReversed>(first, src, last, pixel, 3, w + 3 * kStep, part, acc);
    k = 4;
  }
  constexpr Inputs kRest = kAlone ? Inputs::kOne : Inputs::kAny;
  for (; k < group; ++k) {
    AddStep<kPixels, kWidth, kStride, kRest>(first, src, last, pixel, k, w + k * kStep, part, acc);
  }
}

// Fetches what the next line reads besides, in the columns from in_x on.
template <int kColumns>
HWY_INLINE void FetchNextLine(const DepthwiseLines& block, int64_t line, int64_t in_x, int64_t c) {
  const int64_t next = block.y + line * block.stride_h + (block.kernel_h - 1) * block.dilation_h + 1;
  const int64_t end = std::min(next + block.stride_h, block.in_h);
  for (int64_t y = std::max<int64_t>(next, 0); y < end; ++y) {
    const float* src = block.src + y * block.src_row + in_x * block.src_pixel + c;
    MOKA_UNROLL for (int i = 0; i < kColumns; ++i) __builtin_prefetch(src + i * block.src_pixel, 0, 2);
  }
}

// Kernels that are kWidth wide, of which at most one column lies outside at either end of a line: kPixels neighbours.
template <int kWidth, int kStride>
struct GroupedLine {
  template <int kPixels, bool kAlone, class Part>
  static HWY_INLINE void Pixels(const DepthwiseLines& block, const RowsInside& rows, int64_t line, int64_t x, int64_t c,
                                const float* weight, Part part) {
    constexpr int kInputs = (kPixels - 1) * kStride + kWidth;
    alignas(HWY_MAX_BYTES) static constexpr float kZeros[kLanes] = {};
    V acc[kPixels];
    const V start = StartOfSums(block.out, part, c);
    MOKA_UNROLL for (int p = 0; p < kPixels; ++p) acc[p] = start;
    const int64_t in_x = x * kStride - block.pad_w, pixel = block.src_pixel;
    const bool left = in_x<0, right = in_x + kInputs> block.in_w;
    const bool meet = SharesSets(pixel, kInputs);
    const float* src = block.src + rows.y * block.src_row + in_x * pixel + c;
    const float* w = weight + rows.begin * block.group * kWidth * kLanes;
    if (block.ahead) {
      FetchNextLine<kPixels * kStride>(block, line, in_x, c);
      const float* dst = block.out.dst + line * block.out.line + x * block.out.pixel + c;
      MOKA_UNROLL for (int p = 0; p < kPixels; ++p) __builtin_prefetch(dst + p * block.out.pixel, 1);
    }
    for (int64_t r = rows.begin; r < rows.end; ++r, src += block.dilation_h * block.src_row) {
      const float* first = left ? kZeros : src;
      const float* last = right ? kZeros : src + (kInputs - 1) * pixel;
      if (meet) {
        HWY_ALIGN float copy[kInputs * kLanes];
        for (int i = 0; i < kInputs; ++i) {
          Store(FullVector(),
                Load(part, i == 0             ? first
                           : i + 1 == kInputs ? last
                                              : src + i * pixel),
                copy + i * kLanes);
        }
        AddGroupedRow<kPixels, kWidth, kStride, kAlone>(copy, copy, copy + (kInputs - 1) * kLanes, kLanes, block.group,
                                                        w, FullVector(), acc);
      } else {
        AddGroupedRow<kPixels, kWidth, kStride, kAlone>(first, src, last, pixel, block.group, w, part, acc);
      }
      w += block.group * kWidth * kLanes;
    }
    FinishPixels<kPixels>(block.out, line, x, part, c, acc);
  }
};

// Kernels of any width, stride, dilation and padding; what lies outside is left out.
struct AnyGroupedLine {
  template <int kPixels, bool kAlone, class Part>
  static HWY_INLINE void Pixels(const DepthwiseLines& block, const RowsInside& rows, int64_t line, int64_t x, int64_t c,
                                const float* weight, Part part) {
    const D d;
    constexpr Inputs kInputs = kAlone ? Inputs::kOne : Inputs::kAny;
    V acc[kPixels];
    const V start = StartOfSums(block.out, part, c);
    MOKA_UNROLL for (int p = 0; p < kPixels; ++p) acc[p] = start;
    const int64_t step = block.stride_w * block.src_pixel;
    const float* src = block.src + rows.y * block.src_row + c;
    const float* w = weight + rows.begin * block.group * block.kernel_w * kLanes;
    for (int64_t r = rows.begin; r < rows.end; ++r, src += block.dilation_h * block.src_row) {
      for (int64_t k = 0; k < block.group; ++k) {
        const auto indices = GroupIndices(k);
        for (int64_t j = 0; j < block.kernel_w; ++j, w += kLanes) {
          const int64_t in_x = x * block.stride_w - block.pad_w + j * block.dilation_w;
          const V tap = InRegister(hn::LoadU(d, w));
          const float* p_src = src + in_x * block.src_pixel;
          MOKA_UNROLL for (int p = 0; p < kPixels; ++p) {
            const int64_t at = in_x + p * block.stride_w;
            if (at < 0 || at >= block.in_w) continue;
            acc[p] = hn::MulAdd(GroupInput<kInputs>(part, p_src + p * step, k, indices), tap, acc[p]);
          }
        }
      }
    }
    FinishPixels<kPixels>(block.out, line, x, part, c, acc);
  }
};

// Tiles of kPixels from pixel x on, as many as fit. Returns the first pixel that is left.
template <int kPixels, bool kAlone, class Line>
int64_t GroupedTilesFrom(const DepthwiseLines& block, const RowsInside& rows, int64_t line, int64_t x) {
  const int64_t weight_step = block.kernel_h * block.kernel_w * block.group * kLanes;
  for (; x + kPixels <= block.out.width; x += kPixels) {
    const float* weight = block.weight;
    int64_t c = 0;
    for (; c + kLanes <= block.out.channels; c += kLanes, weight += weight_step) {
      Line::template Pixels<kPixels, kAlone>(block, rows, line, x, c, weight, FullVector());
    }
    if constexpr (!kAlone) {
      const PartVector rest{block.out.channels - c};
      if (rest.count > 0) Line::template Pixels<kPixels, kAlone>(block, rows, line, x, c, weight, rest);
    }
  }
  return x;
}

// Sums of 14 pixels beside the weights want 32 registers.
template <bool kAlone, class Line>
void GroupedTilesOf(const DepthwiseLines& block) {
  for (int64_t line = 0; line < block.out.lines; ++line) {
    const RowsInside rows(block, line);
    int64_t x = 0;
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
    x = GroupedTilesFrom<14, kAlone, Line>(block, rows, line, x);
#endif
    x = GroupedTilesFrom<7, kAlone, Line>(block, rows, line, x);
    x = GroupedTilesFrom<3, kAlone, Line>(block, rows, line, x);
    GroupedTilesFrom<1, kAlone, Line>(block, rows, line, x);
  }
}

template <bool kAlone>
void GroupedTiles(const DepthwiseLines& block) {
  const int64_t end = (block.out.width - 1) * block.stride_w - block.pad_w + block.kernel_w;
  if (block.kernel_w == 3 && block.dilation_w == 1 && block.pad_w <= 1 && end <= block.in_w + 1) {
    if (block.stride_w == 1) return GroupedTilesOf<kAlone, GroupedLine<3, 1>>(block);
    if (block.stride_w == 2) return GroupedTilesOf<kAlone, GroupedLine<3, 2>>(block);
  }
  GroupedTilesOf<kAlone, AnyGroupedLine>(block);
}

void GroupedLines(const DepthwiseLines& block) {
  if (block.group == kLanes) return GroupedTiles<true>(block);
  GroupedTiles<false>(block);
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

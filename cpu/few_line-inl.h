// Tiles of a convolution with few input channels: FewLines of cpu/depthwise.h.
#if defined(MOKA_CPU_FEW_LINE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_FEW_LINE_INL_H_
#undef MOKA_CPU_FEW_LINE_INL_H_
#else
#define MOKA_CPU_FEW_LINE_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "cpu/depthwise.h"
#include "cpu/line_output-inl.h"
#include "cpu/simd-inl.h"
#include "cpu/slab.h"
#include "cpu/tile.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// Sums of two vectors for each pixel of a tile: 28 of 32 registers, 12 of 16. 14 divides the widths of most networks'
// images.
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
inline constexpr int kFewPixels = kMostFewPixels;
#else
inline constexpr int kFewPixels = 6;
#endif

// What one tile reads: kernel row r (of those inside) of plane p from first + r * row + p * plane on.
struct FewSource {
  const float* first;
  int64_t row, plane;
};

// kPixels neighbours, kVectors of outputs from output c on, the last one of which is `part`. kStep: elements between
// the inputs of neighbours.
template <int kPixels, int kVectors, int kStep, class Part>
HWY_INLINE void FewPixels(const FewLines& few, const FewSource& source, const RowsInside& rows, int64_t line, int64_t x,
                          const float* weight, int64_t c, Part part) {
  const D d;
  constexpr int64_t kWidth = kVectors * kLanes;
  V acc[kVectors][kPixels];
  MOKA_UNROLL for (int j = 0; j < kVectors; ++j) {
    const int64_t first = c + j * kLanes;
    const V start = j + 1 < kVectors ? StartOfSums(few.out, FullVector(), first) : StartOfSums(few.out, part, first);
    MOKA_UNROLL for (int p = 0; p < kPixels; ++p) acc[j][p] = start;
  }
  float* dst = few.out.dst + line * few.out.line + x * few.out.pixel + c;
  MOKA_UNROLL for (int p = 0; p < kPixels; ++p) {
    MOKA_UNROLL for (int j = 0; j < kVectors; ++j) hwy::Prefetch(dst + p * few.out.pixel + j * kLanes);
  }
  const int64_t step = few.planes * kWidth;  // of weights, from tap to tap
  const float* row = source.first;
  const float* row_weight = weight + rows.begin * few.taps * step;
  for (int64_t r = rows.begin; r < rows.end; ++r, row += source.row, row_weight += few.taps * step) {
    for (int64_t plane = 0; plane < few.planes; ++plane) {
      const float* src = row + plane * source.plane;
      const float* w = row_weight + plane * kWidth;
      for (int64_t k = 0; k < few.taps; ++k, ++src, w += step) {
        const float* inputs = NewPointer(src);
        V taps[kVectors];
        MOKA_UNROLL for (int j = 0; j < kVectors; ++j) taps[j] = InRegister(hn::LoadU(d, w + j * kLanes));
        MOKA_UNROLL for (int p = 0; p < kPixels; ++p) {
          const V in = InRegister(hn::Set(d, inputs[p * kStep]));
          MOKA_UNROLL for (int j = 0; j < kVectors; ++j) acc[j][p] = hn::MulAdd(in, taps[j], acc[j][p]);
        }
      }
    }
  }
  MOKA_UNROLL for (int j = 0; j < kVectors; ++j) {
    const int64_t first = c + j * kLanes;
    if (j + 1 < kVectors) {
      FinishPixels<kPixels>(few.out, line, x, FullVector(), first, acc[j]);
    } else {
      FinishPixels<kPixels>(few.out, line, x, part, first, acc[j]);
    }
  }
}

// All outputs of one tile, panel by panel.
template <int kPixels, int kStep>
HWY_INLINE void FewTile(const FewLines& few, const FewSource& source, const RowsInside& rows, int64_t line, int64_t x) {
  constexpr PanelWidths kWidths = FewWidths(kLanes);
  const int64_t taps = few.kernel_h * few.taps * few.planes;
  for (int64_t i = 0; i < NumPanels(kWidths, few.out.channels); ++i) {
    const Panel panel = PanelAt(kWidths, few.out.channels, i);
    const float* weight = few.weight + panel.col * taps;
    const int64_t rest = panel.cols % kLanes;
    if (panel.width > kLanes && rest == 0) {
      FewPixels<kPixels, 2, kStep>(few, source, rows, line, x, weight, panel.col, FullVector());
    } else if (panel.width > kLanes) {
      FewPixels<kPixels, 2, kStep>(few, source, rows, line, x, weight, panel.col, PartVector{rest});
    } else if (rest == 0) {
      FewPixels<kPixels, 1, kStep>(few, source, rows, line, x, weight, panel.col, FullVector());
    } else {
      FewPixels<kPixels, 1, kStep>(few, source, rows, line, x, weight, panel.col, PartVector{rest});
    }
  }
}

// The inputs of kPixels pixels from input column x0 on, with zeros for what lies outside.
template <int kPixels>
FewSource FillWindow(const FewLines& few, const RowsInside& rows, int64_t x0) {
  const int64_t width = (kPixels - 1) * few.stride_w + few.kernel_w, plane = width * few.depth;
  float* dst = few.window;
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const float* src = few.src + (rows.y + (r - rows.begin) * few.dilation_h) * few.src_row;
    for (int64_t p = 0; p < few.planes; ++p, dst += plane) {
      const SlabSource source = {src + p * few.src_plane, few.in_w, few.depth, 1, few.depth};
      FillSlabRow(source, x0, width, dst);
    }
  }
  return {few.window, few.planes * plane, plane};
}

template <int kPixels, int kStep>
HWY_INLINE void FewTileAt(const FewLines& few, const RowsInside& rows, int64_t line, int64_t x) {
  const int64_t x0 = x * few.stride_w - few.pad_w;
  const int64_t x1 = x0 + (kPixels - 1) * few.stride_w + few.kernel_w;
  FewSource source = {few.src + rows.y * few.src_row + x0 * few.depth, few.dilation_h * few.src_row, few.src_plane};
  if (x0 < 0 || x1 > few.in_w) source = FillWindow<kPixels>(few, rows, x0);
  FewTile<kPixels, kStep>(few, source, rows, line, x);
}

// Asks for what the tile below reads besides what this one did: the picture comes from afar, a little at a time.
template <int kPixels, int kStep>
HWY_INLINE void FetchBelow(const FewLines& few, const RowsInside& rows, const RowsInside& below, int64_t x) {
  const int64_t first = std::max<int64_t>(x * few.stride_w - few.pad_w, 0) * few.depth;
  const int64_t end = std::min(first + kPixels * kStep, few.in_w * few.depth);
  const int64_t last = rows.y + (rows.end - rows.begin - 1) * few.dilation_h;
  for (int64_t y = below.y; y < below.y + (below.end - below.begin) * few.dilation_h; y += few.dilation_h) {
    if (y <= last) continue;
    for (int64_t plane = 0; plane < few.planes; ++plane) {
      const float* row = few.src + y * few.src_row + plane * few.src_plane;
      for (int64_t i = first; i < end; i += kPrefetchStep) hwy::Prefetch(row + i);
    }
  }
}

// The last tile of a line may overlap the one before, whose pixels it computes once more.
template <int kStep>
void FewTiles(const FewLines& few) {
  const int64_t width = few.out.width;
  for (int64_t line = 0; line < few.out.lines; ++line) {
    const RowsInside rows(few, line), below(few, line + 1);
    int64_t x = 0;
    if (width >= kFewPixels) {
      for (; x < width; x += kFewPixels) {
        FetchBelow<kFewPixels, kStep>(few, rows, below, x);
        FewTileAt<kFewPixels, kStep>(few, rows, line, std::min(x, width - kFewPixels));
      }
    }
    for (; x < width; ++x) FewTileAt<1, kStep>(few, rows, line, x);
  }
}

void FewAny(const FewLines& few) {
  switch (few.stride_w * few.depth) {
    case 1:
      return FewTiles<1>(few);
    case 2:
      return FewTiles<2>(few);
    case 3:
      return FewTiles<3>(few);
    case 4:
      return FewTiles<4>(few);
    case 6:
      return FewTiles<6>(few);
    case 12:
      return FewTiles<12>(few);
  }
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

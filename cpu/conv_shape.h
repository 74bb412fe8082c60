// Convolution as an implicit GEMM: a row of A is one output pixel, its columns are the kernel's points times channels.
//
// Nothing is gathered per pixel. A unit of work (some output lines of one image and group) first copies the inputs it
// reads into a slab [depth][height][width][channels] with the padding filled in; there every output pixel finds its
// inputs at one base pointer plus offsets that are the same for all pixels, and the points of a kernel row are
// contiguous (without dilation). So padding, groups, 1D and 3D, and sources in any layout (the first layer reads the
// caller's row-major picture) need no kernels of their own. Copying costs one load and store per input against
// 2 * kernel * outputs operations. Without padding the slab is left out and the source is read in place.
#ifndef MOKA_CPU_CONV_SHAPE_H_
#define MOKA_CPU_CONV_SHAPE_H_

#include <algorithm>
#include <cstdint>

#include "base/math.h"
#include "cpu/slab.h"
#include "ops/conv.h"

namespace moka::cpu {

inline constexpr int kMaxSegments = 512;

struct Dims3 {
  int64_t d, h, w;
};
struct Range {
  int64_t begin, end;
  bool operator==(const Range&) const = default;
};
// Spatial dims (1 where missing) or strides (0 where missing).
Dims3 Spatial(const TensorDesc& desc, bool strides);

// How large blocks of work are.
struct BlockPolicy {
  int64_t slab;              // elements of one unit's inputs, at most
  int64_t element;           // bytes of a weight
  double unit_flops;         // of a unit, wanted
  int64_t panels;            // of columns
  int64_t small_row_blocks;  // a width may be divided into parts of this many pixels
  int64_t workers;           // that share the units
};

// Plain data: launches hold it.
struct ConvShape {
  int64_t batch, groups, channels, outputs;  // channels and outputs of one group
  Dims3 in, out, kernel, stride, dilation, pad;
  int64_t src_n, src_c;
  Dims3 src;         // strides
  int64_t in_place;  // the source is read where it is
  // A unit: at most `lines` output rows of at most `cols` pixels, one group, some panels.
  int64_t lines, line_blocks, cols, col_blocks, panels, panels_per_unit, panel_blocks;

  int64_t Points() const { return kernel.d * kernel.h * kernel.w; }
  Dims3 SlabDims(int64_t lines_now, int64_t cols_now) const {
    return {(kernel.d - 1) * dilation.d + 1, (lines_now - 1) * stride.h + (kernel.h - 1) * dilation.h + 1,
            (cols_now - 1) * stride.w + (kernel.w - 1) * dilation.w + 1};
  }
  int64_t SlabElements() const {
    if (in_place != 0) return 0;
    const Dims3 slab = SlabDims(lines, cols);
    return kernel.d * slab.h * slab.w * channels;  // only the planes that are read
  }
  // True where the inputs of one kernel row are contiguous for pixels that are `pixel_stride` apart.
  bool RowContiguous(int64_t pixel_stride) const {
    return kernel.w == 1 || (dilation.w == 1 && pixel_stride == channels);
  }
  int64_t NumSegments() const {
    const bool whole_rows = RowContiguous(in_place != 0 ? src.w : channels);
    return kernel.d * kernel.h * (whole_rows ? 1 : kernel.w);
  }
  int64_t Units() const { return batch * out.d * line_blocks * col_blocks * groups * panel_blocks; }
};
// Everything but the blocks; `weights`: their source.
ConvShape MakeConvShape(const OpCall& call, const ConvParams& params, size_t weights);
void ChooseBlocks(const BlockPolicy& policy, ConvShape* shape);

// Where the taps of a trimmed kernel are in the weights.
struct TrimmedTaps {
  Dims3 kernel;  // of the weights
  Dims3 first;   // the tap that is the first one now
};
// Leaves out the first and last planes, rows and columns of the kernel that meet nothing but padding, whatever the
// output: most of a 3x3 kernel where it is dilated beyond the size of its image, two thirds of 3x3x3 on one plane.
TrimmedTaps TrimKernel(ConvShape* shape);

// The outputs along one dimension for which a tap lies inside, whose input is `offset` from the first one.
Range OutputsInside(int64_t offset, int64_t stride, int64_t in, int64_t out);
// How much of the kernel meets the image rather than padding, on the average of all outputs.
double InsideShare(const ConvShape& shape);
// Where that is little: pixels are read where they lie, and none of the padding is multiplied.
bool InsidePays(const ConvShape& shape);

// What of the output one unit computes.
struct ConvUnit {
  int64_t image, plane, line, lines, col, cols, group, panel_begin, panel_end;

  ConvUnit(const ConvShape& shape, int64_t index) {
    panel_begin = index % shape.panel_blocks * shape.panels_per_unit;
    panel_end = std::min(panel_begin + shape.panels_per_unit, shape.panels);
    index /= shape.panel_blocks;
    group = index % shape.groups;
    index /= shape.groups;
    col = index % shape.col_blocks * shape.cols;
    cols = std::min(shape.cols, shape.out.w - col);
    index /= shape.col_blocks;
    const int64_t block = index % shape.line_blocks;
    line = PartBegin(shape.out.h, block, shape.line_blocks);
    lines = PartBegin(shape.out.h, block + 1, shape.line_blocks) - line;
    index /= shape.line_blocks;
    plane = index % shape.out.d;
    image = index / shape.out.d;
  }
  // All panels and columns of one group, where a unit may be as wide as the image.
  ConvUnit(const ConvShape& shape, int64_t image_index, int64_t first_line, int64_t num_lines, int64_t group_index)
      : image(image_index),
        plane(0),
        line(first_line),
        lines(num_lines),
        col(0),
        cols(shape.out.w),
        group(group_index),
        panel_begin(0),
        panel_end(shape.panels) {}
};

// Where the inputs of a unit are: a base for its first pixel, strides between pixels, offsets of the kernel's points.
template <class T>
struct ConvInputs {
  const T* base;
  int64_t line_stride, pixel_stride;
  int64_t segments[kMaxSegments];
  int num_segments;
  int64_t k_len;
};

// The first channel of a unit's group, in its image.
template <class T>
const T* SourceOf(const ConvShape& shape, const ConvUnit& unit, const T* src) {
  return src + unit.image * shape.src_n + unit.group * shape.channels * shape.src_c;
}

// Calls f(source row, its pixel that comes first, which may lie outside) for each row of the slab.
template <class T, class F>
void ForEachSlabRow(const ConvShape& shape, const ConvUnit& unit, const T* src, F&& f) {
  const int64_t rows = shape.SlabDims(unit.lines, unit.cols).h;
  for (int64_t z = 0; z < shape.kernel.d; ++z) {
    const int64_t plane = unit.plane * shape.stride.d - shape.pad.d + z * shape.dilation.d;
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t y = unit.line * shape.stride.h - shape.pad.h + i;
      const bool outside = plane < 0 || plane >= shape.in.d || y < 0 || y >= shape.in.h;
      const T* row = outside ? nullptr : src + plane * shape.src.d + y * shape.src.h;
      f(SlabSourceOf<T>{row, shape.in.w, shape.src.w, shape.src_c, shape.channels},
        unit.col * shape.stride.w - shape.pad.w);
    }
  }
}

// The taps along one dimension that lie inside for one of the outputs [first, first + count), at least.
inline Range TapsInside(int64_t first, int64_t count, int64_t stride, int64_t pad, int64_t kernel, int64_t dilation,
                        int64_t in) {
  const int64_t low = first * stride - pad, high = (first + count - 1) * stride - pad;
  const int64_t begin = std::min(high >= 0 ? 0 : CeilDiv(-high, dilation), kernel);
  return {begin, std::clamp<int64_t>(CeilDiv(in - low, dilation), begin, kernel)};
}

template <class T>
void SetSegments(const ConvShape& shape, int64_t plane, int64_t row, int64_t pixel, ConvInputs<T>* inputs) {
  const bool whole_rows = shape.RowContiguous(pixel);
  inputs->line_stride = shape.stride.h * row;
  inputs->pixel_stride = shape.stride.w * pixel;
  inputs->k_len = shape.channels * (whole_rows ? shape.kernel.w : 1);
  inputs->num_segments = 0;
  for (int64_t z = 0; z < shape.kernel.d; ++z) {
    for (int64_t y = 0; y < shape.kernel.h; ++y) {
      for (int64_t x = 0; x < (whole_rows ? 1 : shape.kernel.w); ++x) {
        inputs->segments[inputs->num_segments++] =
            z * plane + y * shape.dilation.h * row + x * shape.dilation.w * pixel;
      }
    }
  }
}

template <class T>
void FillSlab(const ConvShape& shape, const ConvUnit& unit, const T* src, const Dims3& slab, T padding, T* dst) {
  ForEachSlabRow(shape, unit, src, [&](const SlabSourceOf<T>& source, int64_t x) {
    FillSlabRow(source, x, slab.w, dst, padding);
    dst += slab.w * shape.channels;
  });
}

template <class T>
void PrepareInputs(const ConvShape& shape, const ConvUnit& unit, const T* src, T padding, T* slab_memory,
                   ConvInputs<T>* inputs) {
  src = SourceOf(shape, unit, src);
  if (shape.in_place != 0) {
    SetSegments(shape, shape.dilation.d * shape.src.d, shape.src.h, shape.src.w, inputs);
    inputs->base = src + (unit.plane * shape.stride.d - shape.pad.d) * shape.src.d + unit.line * inputs->line_stride -
                   shape.pad.h * shape.src.h + unit.col * inputs->pixel_stride - shape.pad.w * shape.src.w;
    return;
  }
  const Dims3 slab = shape.SlabDims(unit.lines, unit.cols);
  FillSlab(shape, unit, src, slab, padding, slab_memory);
  const int64_t row = slab.w * shape.channels;
  SetSegments(shape, slab.h * row, row, shape.channels, inputs);
  inputs->base = slab_memory;
}

inline int64_t OutputRow(const ConvShape& shape, const ConvUnit& unit, int64_t line) {
  return ((unit.image * shape.out.d + unit.plane) * shape.out.h + unit.line + line) * shape.out.w + unit.col;
}

}  // namespace moka::cpu

#endif  // MOKA_CPU_CONV_SHAPE_H_

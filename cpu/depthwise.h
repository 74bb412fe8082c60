// Depthwise convolution, and convolution of narrow groups, of lines of output pixels.
#ifndef MOKA_CPU_DEPTHWISE_H_
#define MOKA_CPU_DEPTHWISE_H_

#include <cstdint>

#include "cpu/epilogue.h"
#include "cpu/kernel.h"
#include "cpu/tile.h"

namespace moka::cpu {

// Where the pixels of some lines go, and what happens to them on the way: bias, residual, clip.
struct LineOutput {
  const float* bias;  // or null
  float lo, hi;
  float* dst;  // pixel (y, x) at dst + y * line + x * pixel
  int64_t line, pixel;
  const float* residual;  // or null; pixel (y, x) at residual + y * residual_line + x * residual_pixel
  int64_t residual_line, residual_pixel;
  int64_t lines, width, channels;
};

// `lines` lines of one image, of `width` pixels each. The first pixel is row `row` of the result. `bias`: source 2 is
// there.
LineOutput OutputOfLines(const KernelArgs& args, const Epilogue& epilogue, bool bias, int64_t row, int64_t lines,
                         int64_t width, int64_t channels);

// Channels-last; groups of as many outputs as inputs, one or narrow ones that divide a vector, or of one input and
// `repeat` outputs. Weights are packed
// [channel vector][kernel row][step][kernel column][lanes], zeros beyond the last channel: as many steps as a group has
// channels; of groups that are narrower than a vector lane c has in step k the weight of the input c ^ k.
struct DepthwiseLines {
  const float* src;  // image: pixel (y, x) at src + y * src_row + x * src_pixel
  int64_t src_row, src_pixel;
  int64_t in_h, in_w;
  int64_t y;  // input row of the first line's first kernel row, which may lie outside
  int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_w;
  int64_t group;   // inputs of one
  int64_t repeat;  // outputs of one by its inputs
  bool ahead;      // narrow groups: the inputs may come from memory and are fetched a line ahead
  const float* weight;
  LineOutput out;
};
using DepthwiseFn = void (*)(const DepthwiseLines& lines);

// Few input channels and many outputs: an input meets a vector of outputs. Weights are panels of
// FewWidths(), [kernel row][kernel column][channel][width].
struct FewLines {
  const float* src;  // image: channel c of pixel (y, x) at src + y * src_row + x * depth + c, or + c * src_plane
  int64_t src_row, src_plane;
  int64_t planes, depth;  // 1 and the channels, or the channels and 1
  int64_t in_h, in_w;
  int64_t y;  // input row of the first line's first kernel row, which may lie outside
  int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, pad_w;
  int64_t taps;  // kernel_w * depth
  const float* weight;
  float* window;  // scratch for the inputs of a tile at the border
  LineOutput out;
};
constexpr PanelWidths FewWidths(int lanes) { return {lanes, 2 * lanes}; }
inline constexpr int kMostFewPixels = 14;  // of a tile
using FewFn = void (*)(const FewLines& lines);

struct DepthwiseTable {
  int lanes;
  DepthwiseFn lines;    // of groups of one channel
  DepthwiseFn grouped;  // of others
  FewFn few;            // stride_w * depth is 1, 2, 3, 4, 6 or 12
};
const DepthwiseTable* ChosenDepthwiseTable();

// Convolution with few input channels (cpu/few_conv.cc).
Status ChooseFew(const Kernel& kernel, const OpCall& call, Choice* choice);
void RunFew(const KernelArgs& args, int64_t begin, int64_t end, int worker);
void RunFewLines(const KernelArgs& args, int64_t image, int64_t first, int64_t last, int worker);

}  // namespace moka::cpu

#endif  // MOKA_CPU_DEPTHWISE_H_

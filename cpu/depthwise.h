// Depthwise convolution, and convolution of narrow groups, of one line of output pixels.
#ifndef MOKA_CPU_DEPTHWISE_H_
#define MOKA_CPU_DEPTHWISE_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "cpu/epilogue.h"
#include "cpu/kernel.h"

namespace moka::cpu {

// Where a line's pixels go, and what happens to them on the way: bias, residual, clip.
struct LineOutput {
  const float* bias;  // or null
  float lo, hi;
  float* dst;  // pixel x at dst + x * pixel
  int64_t pixel;
  const float* residual;  // or null; pixel x at residual + x * residual_pixel
  int64_t residual_pixel;
  int64_t width, channels;
};

// The line of `width` pixels whose first one is row `row` of the result. `bias`: source 2 is there.
LineOutput OutputOfLine(const KernelArgs& args, const Epilogue& epilogue, bool bias, int64_t row, int64_t width,
                        int64_t channels);

// Channels-last. Weights are packed [channel vector][kernel row][kernel column][lanes], zeros beyond the last channel.
struct DepthwiseLine {
  const float* src;  // image: pixel (y, x) at src + y * src_row + x * src_pixel
  int64_t src_row, src_pixel;
  int64_t in_w;
  int64_t y;                   // input row of the first kernel row that lies inside
  int64_t row_begin, row_end;  // kernel rows inside
  int64_t kernel_h, kernel_w, stride_w, dilation_h, dilation_w, pad_w;
  const float* weight;
  LineOutput out;
};
using DepthwiseFn = void (*)(const DepthwiseLine& line, int64_t vector_begin, int64_t vector_end);

// Groups of as many outputs as inputs, which divide a vector: one vector of outputs reads one vector of inputs, and all
// of it lies in a slab (cpu/slab.h) whose padding is filled in.
struct GroupedLine {
  const float* src;  // pixel (r, x) of the slab, this vector's channels: src + r * row + x * pixel
  int64_t row, pixel;
  int64_t kernel_h, kernel_w, stride_w, dilation_h, dilation_w;
  int64_t group;           // channels of one
  const int32_t* indices;  // [group][lanes]: the lane of a group's k-th channel, for each lane of the group
  const float* weight;     // [kernel row][k][kernel column][lanes]
  LineOutput out;          // of all channels
  int64_t channel;         // of `out`, the first of this vector
};
using GroupedFn = void (*)(const GroupedLine& line);

struct DepthwiseTable {
  int lanes;
  DepthwiseFn line;   // channel vectors [begin, end)
  GroupedFn grouped;  // one channel vector
};
const DepthwiseTable* ChosenDepthwiseTable();

// Weights of narrow groups (cpu/grouped_conv.cc): [vector of outputs][kernel row][input of a group][kernel column]
// [lanes], zeros beyond the last output.
inline constexpr std::string_view kGroupedWeights = "cpu/grouped.1";
Status ChooseGrouped(const Kernel& kernel, const OpCall& call, Choice* choice);
void RunGrouped(const KernelArgs& args, int64_t begin, int64_t end, int worker);
void RunGroupedRows(const KernelArgs& args, int64_t image, int64_t begin, int64_t end, int worker);
Status PackGrouped(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst);

}  // namespace moka::cpu

#endif  // MOKA_CPU_DEPTHWISE_H_

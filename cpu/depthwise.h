// Depthwise convolution of one line of output pixels.
#ifndef MOKA_CPU_DEPTHWISE_H_
#define MOKA_CPU_DEPTHWISE_H_

#include <cstdint>

namespace moka::cpu {

// Channels-last. Weights are packed [channel vector][kernel row][kernel column][lanes], zeros beyond the last channel.
struct DepthwiseLine {
  const float* src;  // image: pixel (y, x) at src + y * src_row + x * src_pixel
  int64_t src_row, src_pixel;
  int64_t in_w;
  int64_t y;                   // input row of the first kernel row that lies inside
  int64_t row_begin, row_end;  // kernel rows inside
  int64_t kernel_h, kernel_w, stride_w, dilation_h, dilation_w, pad_w;
  const float* weight;
  const float* bias;  // or null
  float lo, hi;
  float* dst;  // pixel x at dst + x * dst_pixel
  int64_t dst_pixel;
  const float* residual;  // or null; pixel x at residual + x * residual_pixel
  int64_t residual_pixel;
  int64_t out_w;
  int64_t channels;
};
using DepthwiseFn = void (*)(const DepthwiseLine& line, int64_t vector_begin, int64_t vector_end);

struct DepthwiseTable {
  int lanes;
  DepthwiseFn line;  // channel vectors [begin, end)
};
const DepthwiseTable* ChosenDepthwiseTable();

}  // namespace moka::cpu

#endif  // MOKA_CPU_DEPTHWISE_H_

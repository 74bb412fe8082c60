// Inputs of a convolution as one block of memory: pixels side by side, their channels contiguous, zeros for padding.
#ifndef MOKA_CPU_SLAB_H_
#define MOKA_CPU_SLAB_H_

#include <cstdint>

namespace moka::cpu {

// A row of `width` pixels, or the lack of one (src null).
struct SlabSource {
  const float* src;
  int64_t width, pixel_stride, channel_stride, channels;
};

// Pixels [x, x + width) of a row; zeros outside of it.
void FillSlabRow(const SlabSource& source, int64_t x, int64_t width, float* dst);

}  // namespace moka::cpu

#endif  // MOKA_CPU_SLAB_H_

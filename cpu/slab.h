// Inputs of a convolution as one block of memory: pixels side by side, their channels contiguous, padding around them.
#ifndef MOKA_CPU_SLAB_H_
#define MOKA_CPU_SLAB_H_

#include <algorithm>
#include <cstdint>

namespace moka::cpu {

// A row of `width` pixels, or the lack of one (src null).
template <class T>
struct SlabSourceOf {
  const T* src;
  int64_t width, pixel_stride, channel_stride, channels;
};
using SlabSource = SlabSourceOf<float>;

// Copies `count` pixels from pixel x on to contiguous memory.
template <class T>
void CopyPixels(const SlabSourceOf<T>& source, int64_t x, int64_t count, T* dst) {
  const int64_t channels = source.channels, pixel_stride = source.pixel_stride;
  const T* src = source.src + x * pixel_stride;
  if (source.channel_stride == 1 && pixel_stride == channels) {
    std::copy_n(src, count * channels, dst);
  } else if (source.channel_stride == 1) {
    for (int64_t i = 0; i < count; ++i) std::copy_n(src + i * pixel_stride, channels, dst + i * channels);
  } else {
    for (int64_t c = 0; c < channels; ++c) {
      const T* from = src + c * source.channel_stride;
      for (int64_t i = 0; i < count; ++i) dst[i * channels + c] = from[i * pixel_stride];
    }
  }
}

// Pixels [x, x + width) of a row; padding outside of it.
template <class T>
void FillSlabRow(const SlabSourceOf<T>& source, int64_t x, int64_t width, T* dst, T padding = T{}) {
  const int64_t channels = source.channels;
  const int64_t begin = std::clamp<int64_t>(-x, 0, width), end = std::clamp<int64_t>(source.width - x, begin, width);
  if (source.src == nullptr || begin == end) {
    std::fill_n(dst, width * channels, padding);
    return;
  }
  std::fill_n(dst, begin * channels, padding);
  CopyPixels(source, x + begin, end - begin, dst + begin * channels);
  std::fill_n(dst + end * channels, (width - end) * channels, padding);
}

}  // namespace moka::cpu

#endif  // MOKA_CPU_SLAB_H_

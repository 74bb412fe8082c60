#include "cpu/slab.h"

#include <algorithm>

namespace moka::cpu {
namespace {

// Copies `count` pixels of `channels` channels to contiguous memory.
void CopyPixels(const float* src, int64_t pixel_stride, int64_t channel_stride, int64_t count, int64_t channels,
                float* dst) {
  if (channel_stride == 1 && pixel_stride == channels) {
    std::copy_n(src, count * channels, dst);
  } else if (channel_stride == 1) {
    for (int64_t i = 0; i < count; ++i) std::copy_n(src + i * pixel_stride, channels, dst + i * channels);
  } else {
    for (int64_t c = 0; c < channels; ++c) {
      const float* from = src + c * channel_stride;
      for (int64_t i = 0; i < count; ++i) dst[i * channels + c] = from[i * pixel_stride];
    }
  }
}

}  // namespace

void FillSlabRow(const SlabSource& source, int64_t x, int64_t width, float* dst) {
  const int64_t channels = source.channels;
  const int64_t begin = std::clamp<int64_t>(-x, 0, width), end = std::clamp<int64_t>(source.width - x, begin, width);
  if (source.src == nullptr || begin == end) {
    std::fill_n(dst, width * channels, 0.0f);
    return;
  }
  std::fill_n(dst, begin * channels, 0.0f);
  CopyPixels(source.src + (x + begin) * source.pixel_stride, source.pixel_stride, source.channel_stride, end - begin,
             channels, dst + begin * channels);
  std::fill_n(dst + end * channels, (width - end) * channels, 0.0f);
}

}  // namespace moka::cpu

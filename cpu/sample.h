// Weighted sums of elements at given places: what resizing and sampling are made of. And pooling of bytes.
#ifndef MOKA_CPU_SAMPLE_H_
#define MOKA_CPU_SAMPLE_H_

#include <cstdint>

namespace moka::cpu {

// `taps` places and weights for each of `count` results: those of result i are [t * stride + i]. A weight of 0 leaves
// its place unread.
struct TapTable {
  const int32_t* places;  // element offsets
  const float* weights;
  int64_t taps, stride;
};

struct SampleTable {
  // dst[i] = sum over taps of weight * src[place].
  void (*gather)(const float* src, const TapTable& table, float* dst, int64_t count);
  // The same for pixels of `channels` neighbouring elements; those of dst are dst_step apart.
  void (*blend_pixels)(const float* src, const TapTable& table, float* dst, int64_t dst_step, int64_t count,
                       int64_t channels);
  // dst[i] = sum over k < rows of weights[k] * src[k][i].
  void (*blend_rows)(const float* const* src, const float* weights, int64_t rows, float* dst, int64_t count);
  // dst[i] = max(dst[i], src[i]) of unsigned and of signed bytes.
  void (*max_u8)(const uint8_t* src, uint8_t* dst, int64_t count);
  void (*max_i8)(const int8_t* src, int8_t* dst, int64_t count);
};
const SampleTable* ChosenSampleTable();  // null where no target was compiled

}  // namespace moka::cpu

#endif  // MOKA_CPU_SAMPLE_H_

// Decoders of picture formats, one file each; what they promise is in ops/image_decoder.h. Those of bmp and pnm are
// whole, the others call a library, and are compiled only where CMake finds it.
#ifndef MOKA_IMAGE_DECODE_H_
#define MOKA_IMAGE_DECODE_H_

#include "ops/image_decoder.h"

namespace moka::image {

using Bytes = std::span<const uint8_t>;

Result<Tensor> DecodeBmp(Bytes bytes);
Result<Tensor> DecodeJpeg(Bytes bytes);
Result<Tensor> DecodeJpeg2000(Bytes bytes);
Result<Tensor> DecodePng(Bytes bytes);
Result<Tensor> DecodePnm(Bytes bytes);
Result<Tensor> DecodeTiff(Bytes bytes);
Result<Tensor> DecodeWebp(Bytes bytes);

// `value` of 0 to `largest` as 0 to 255, rounded.
inline uint8_t ToByte(uint32_t value, uint32_t largest) {
  return static_cast<uint8_t>((uint64_t{value < largest ? value : largest} * 255 + largest / 2) / largest);
}

}  // namespace moka::image

#endif  // MOKA_IMAGE_DECODE_H_

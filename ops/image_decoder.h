// ImageDecoder: src a file's bytes (u8, rank 1); dst its picture [height, width, channels] (u8). What reads the formats
// is not in ops/ but in image/, as far as the build found the libraries for it.
#ifndef MOKA_OPS_IMAGE_DECODER_H_
#define MOKA_OPS_IMAGE_DECODER_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "moka/tensor.h"

namespace moka {

struct ImageFormat {
  std::string_view name;  // "jpeg"
  // [height, width, 1 (grey) or 3 (RGB)], without alpha, from MakePicture. Reports damaged bytes as kInvalidArgument.
  Result<Tensor> (*decode)(std::span<const uint8_t> bytes);
};

// What this build decodes; CMake generates the table.
std::span<const ImageFormat> ImageFormats();

inline constexpr int64_t kMaxPixels = int64_t{1} << 27;

// Refuses sizes below 1 and pictures of more than kMaxPixels.
Status CheckPictureSize(int64_t width, int64_t height);
// Checks the size before anything is allocated.
Result<Tensor> MakePicture(int64_t width, int64_t height, int64_t channels);

}  // namespace moka

#endif  // MOKA_OPS_IMAGE_DECODER_H_

// WebP by libwebp: still pictures, lossy and lossless.
#include <webp/decode.h>

#include "base/status.h"
#include "image/decode.h"

namespace moka::image {

Result<Tensor> DecodeWebp(Bytes bytes) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(bytes.data(), bytes.size(), &features) != VP8_STATUS_OK) return InvalidArgument("damaged header");
  if (features.has_animation != 0) return Unsupported("an animation");
  MOKA_ASSIGN_OR_RETURN(Tensor picture, MakePicture(features.width, features.height, 3));
  const bool read = WebPDecodeRGBInto(bytes.data(), bytes.size(), picture.as<uint8_t>(), picture.bytes(),
                                      features.width * 3) != nullptr;
  if (!read) return InvalidArgument("damaged or cut off");
  return picture;
}

}  // namespace moka::image

// Pictures as input tensors.
#ifndef MOKA_TOOLS_IMAGE_H_
#define MOKA_TOOLS_IMAGE_H_

#include <string>
#include <vector>

#include "moka/model.h"

namespace moka::tools {

struct ImageOptions {
  std::vector<float> mean = {0};            // per channel or one for all, in units of the 0..255 pixel
  std::vector<float> scale = {1 / 255.0f};  // likewise; a tensor element is (pixel - mean) * scale
  int height = 0, width = 0;                // 0: the model's, or the picture's where that is symbolic
};

// Reads a picture (PNG, JPEG, BMP, GIF, PNM ...), converts it to the input's channels (1: grey, 3: RGB), scales it, and
// returns f32 [1, C, H, W] for an input of rank 4.
Result<Tensor> LoadImage(const std::string& path, const ValueInfo& input, const ImageOptions& options);

}  // namespace moka::tools

#endif  // MOKA_TOOLS_IMAGE_H_

#include "tools/image.h"

#include <fmt/core.h>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_RESIZE_IMPLEMENTATION
#include <stb_image.h>
#include <stb_image_resize.h>

#include <memory>

namespace moka::tools {
namespace {

Status CheckInput(const ValueInfo& input, const ImageOptions& options) {
  const bool image_like = input.type == DataType::kF32 && input.dims.size() == 4 &&
                          (input.dims[1] == 1 || input.dims[1] == 3) && (input.dims[0] == 1 || input.dims[0] == -1);
  if (!image_like)
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("input '{}' is {} {}, not a picture f32 [1, 1 or 3, height, width]", input.name,
                              NameOf(input.type), ToString(input.dims)));
  for (const std::vector<float>* list : {&options.mean, &options.scale})
    if (list->size() != 1 && list->size() != static_cast<size_t>(input.dims[1]))
      return Status(StatusCode::kInvalidArgument,
                    fmt::format("--mean and --scale take one number or one for each of {} channels", input.dims[1]));
  return Status();
}

// The size asked for, else the model's, else the picture's own.
int Side(int asked, int64_t model, int own) { return asked > 0 ? asked : model > 0 ? static_cast<int>(model) : own; }

}  // namespace

Result<Tensor> LoadImage(const std::string& path, const ValueInfo& input, const ImageOptions& options) {
  if (Status status = CheckInput(input, options); !status.ok()) return status;
  const int channels = static_cast<int>(input.dims[1]);
  int width = 0, height = 0, own_channels = 0;
  std::unique_ptr<stbi_uc, void (*)(void*)> pixels(stbi_load(path.c_str(), &width, &height, &own_channels, channels),
                                                   stbi_image_free);
  if (!pixels)
    return Status(StatusCode::kInvalidArgument, fmt::format("{}: not a picture: {}", path, stbi_failure_reason()));

  const int h = Side(options.height, input.dims[2], height), w = Side(options.width, input.dims[3], width);
  std::vector<stbi_uc> resized(static_cast<size_t>(h) * w * channels);
  if (!stbir_resize_uint8(pixels.get(), width, height, 0, resized.data(), w, h, 0, channels))
    return Status(StatusCode::kOutOfMemory, fmt::format("{}: cannot resize to {}x{}", path, h, w));

  Result<Tensor> tensor = Tensor::Create(DataType::kF32, {1, channels, h, w});
  if (!tensor.ok()) return tensor;
  const int64_t plane = static_cast<int64_t>(h) * w;
  float* out = tensor->as<float>();
  for (int c = 0; c < channels; c++) {
    const float mean = options.mean[options.mean.size() > 1 ? c : 0];
    const float scale = options.scale[options.scale.size() > 1 ? c : 0];
    for (int64_t i = 0; i < plane; i++) out[c * plane + i] = (resized[i * channels + c] - mean) * scale;
  }
  return tensor;
}

}  // namespace moka::tools

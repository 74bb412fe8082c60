// Models for tests of the public API, as bytes of ONNX files.
#ifndef MOKA_TESTS_API_SMALL_MODELS_H_
#define MOKA_TESTS_API_SMALL_MODELS_H_

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "moka/moka.h"
#include "tests/formats/onnx_writer.h"

namespace moka::test {

inline std::vector<float> RandomFloats(int64_t count, unsigned seed, float scale = 1) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-scale, scale);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = uniform(generator);
  return values;
}

inline Tensor RandomTensor(const Shape& shape, unsigned seed = 1) {
  Tensor tensor = *Tensor::Create(DataType::kF32, shape);
  const std::vector<float> values = RandomFloats(tensor.size(), seed);
  std::copy(values.begin(), values.end(), tensor.as<float>());
  return tensor;
}

// image [batch, 3, height, width] -> stem -> a residual block -> logits [batch, 10]. Values of note: "stem", "sum",
// "pooled", "logits".
inline std::string ConvNetBytes(int channels = 32) {
  ModelBuilder model;
  const auto conv = [&](const std::string& src, const std::string& dst, int in, int stride, unsigned seed) {
    const float scale = 1.7f / std::sqrt(static_cast<float>(in * 9));
    model.AddInitializer(dst + ".w", {channels, in, 3, 3}, RandomFloats(channels * in * 9, seed, scale));
    model.AddInitializer(dst + ".b", {channels}, RandomFloats(channels, seed + 1));
    model.AddNode("Conv", {src, dst + ".w", dst + ".b"}, {dst}, {{"pads", {1, 1, 1, 1}}, {"strides", {stride, stride}}},
                  dst);
  };
  model.AddInput("image", {"batch", 3, "height", "width"});
  conv("image", "stem_conv", 3, 2, 1);
  model.AddNode("Relu", {"stem_conv"}, {"stem"});
  conv("stem", "left_conv", channels, 1, 3);
  model.AddNode("HardSwish", {"left_conv"}, {"left"});
  conv("left", "right_conv", channels, 1, 5);
  model.AddNode("Add", {"right_conv", "stem"}, {"sum"});
  model.AddNode("GlobalAveragePool", {"sum"}, {"pooled"});
  model.AddNode("Flatten", {"pooled"}, {"flat"});
  model.AddInitializer("fc.w", {channels, 10}, RandomFloats(channels * 10, 7));
  model.AddNode("Gemm", {"flat", "fc.w"}, {"logits"});
  model.AddOutput("logits");
  return model.Serialize();
}

}  // namespace moka::test

#endif  // MOKA_TESTS_API_SMALL_MODELS_H_

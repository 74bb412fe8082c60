#include "tests/fuzz/random_model.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "moka/moka.h"
#include "tests/formats/onnx_writer.h"

namespace moka::fuzz {
namespace {

using test::AttributeSpec;
using test::AttributeSpecs;
using test::ModelBuilder;
using test::TensorSpec;

// Bytes as choices; 0 when they are used up.
class Choices {
 public:
  explicit Choices(std::string_view bytes) : bytes_(bytes) {}
  bool empty() const { return at_ >= bytes_.size(); }
  int64_t Byte() { return empty() ? 0 : static_cast<uint8_t>(bytes_[at_++]); }
  int64_t Below(int64_t n) { return (Byte() | Byte() << 8) % n; }
  int64_t Between(int64_t low, int64_t high) { return low + Byte() % (high - low + 1); }
  template <class T, size_t n>
  const T& OneOf(const T (&list)[n]) {
    return list[static_cast<size_t>(Below(static_cast<int64_t>(n)))];
  }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

constexpr const char* kIntAttributes[] = {"axis",
                                          "keepdims",
                                          "group",
                                          "to",
                                          "num_outputs",
                                          "k",
                                          "exclusive",
                                          "reverse",
                                          "ceil_mode",
                                          "count_include_pad",
                                          "transA",
                                          "transB",
                                          "blocksize",
                                          "batch_axis",
                                          "time_axis",
                                          "batch_dims",
                                          "largest",
                                          "sorted",
                                          "select_last_index",
                                          "fmod",
                                          "hidden_size",
                                          "layout",
                                          "upper",
                                          "num_heads",
                                          "is_causal",
                                          "onesided"};
constexpr const char* kIntsAttributes[] = {"axes",         "pads", "strides",        "dilations",
                                           "kernel_shape", "perm", "output_padding", "output_shape"};
constexpr const char* kFloatAttributes[] = {"alpha", "beta", "epsilon", "gamma", "scale", "bias", "spatial_scale"};
constexpr const char* kTextAttributes[] = {"mode",         "auto_pad",   "direction",
                                           "reduction",    "equation",   "coordinate_transformation_mode",
                                           "nearest_mode", "approximate"};
constexpr const char* kTexts[] = {"constant",   "reflect",    "edge",  "wrap",      "linear",    "nearest",
                                  "cubic",      "SAME_UPPER", "VALID", "forward",   "reverse",   "bidirectional",
                                  "add",        "max",        "none",  "ij,jk->ik", "...i->...", "align_corners",
                                  "asymmetric", "LEFT",       "RIGHT", "CRD",       "tanh"};

AttributeSpecs MakeAttributes(Choices& choices) {
  AttributeSpecs attributes;
  std::vector<std::string> used;
  for (int64_t n = choices.Byte() % 5; n > 0; --n) {
    const int64_t kind = choices.Byte() % 8;
    std::string name;
    AttributeSpec::Value value;
    if (kind < 3) {
      name = choices.OneOf(kIntAttributes);
      value = choices.Between(-2, 9);
    } else if (kind < 6) {
      name = choices.OneOf(kIntsAttributes);
      std::vector<int64_t> list(static_cast<size_t>(choices.Between(0, 6)));
      for (int64_t& x : list) x = choices.Between(-1, 3);
      value = list;
    } else if (kind < 7) {
      name = choices.OneOf(kTextAttributes);
      value = std::string(choices.OneOf(kTexts));
    } else {
      name = choices.OneOf(kFloatAttributes);
      value = static_cast<float>(choices.Between(-4, 4)) * 0.5f;
    }
    if (std::find(used.begin(), used.end(), name) != used.end()) continue;
    used.push_back(name);
    attributes.emplace_back(name, value);
  }
  return attributes;
}

TensorSpec MakeTensor(Choices& choices) {
  constexpr DataType kTypes[] = {DataType::kF32, DataType::kF32, DataType::kF32,  DataType::kI64,
                                 DataType::kI64, DataType::kI32, DataType::kBool, DataType::kU8,
                                 DataType::kI8,  DataType::kF16, DataType::kF64,  DataType::kBF16};
  const DataType type = choices.OneOf(kTypes);
  TensorSpec tensor;
  tensor.data_type = onnx::ToOnnx(type);
  int64_t elements = 1;
  for (int64_t rank = choices.Byte() % 5; rank > 0; --rank) {
    tensor.dims.push_back(choices.Between(rank == 1 ? 0 : 1, 4));
    elements *= tensor.dims.back();
  }
  for (int64_t i = 0; i < elements; ++i) {
    std::string bytes(SizeOf(type), '\0');
    const int64_t value = choices.Between(-2, 4);
    if (type == DataType::kF32) {
      const float real = static_cast<float>(value) * 0.5f;
      std::copy_n(reinterpret_cast<const char*>(&real), sizeof(real), bytes.data());
    } else if (type == DataType::kF64) {
      const double real = static_cast<double>(value) * 0.5;
      std::copy_n(reinterpret_cast<const char*>(&real), sizeof(real), bytes.data());
    } else if (type == DataType::kBool) {
      bytes[0] = static_cast<char>(value & 1);
    } else {
      std::copy_n(reinterpret_cast<const char*>(&value), bytes.size(), bytes.data());
    }
    tensor.raw += bytes;
  }
  return tensor;
}

}  // namespace

std::string RandomModel(std::string_view bytes) {
  Choices choices(bytes);
  static const std::vector<OperatorInfo> operators = ListOperators();
  ModelBuilder model(choices.Byte() % 4 == 0 ? choices.Between(1, 28) : 28);
  for (const char* domain : {"com.microsoft", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training"}) {
    model.AddOpset(domain, 1);
  }
  std::vector<std::string> values;
  model.AddInput("x", {2, 3, 4});
  model.AddInput("image", {1, 4, "h", "w"});
  model.AddInput("n", {"count"}, DataType::kI64);
  values = {"x", "image", "n"};
  const int64_t nodes = choices.Between(1, 6);
  for (int64_t n = 0; n < nodes && !choices.empty(); ++n) {
    const OperatorInfo& op = operators[static_cast<size_t>(choices.Below(static_cast<int64_t>(operators.size())))];
    std::vector<std::string> src, dst;
    for (int64_t i = choices.Byte() % 6; i > 0; --i) {
      const int64_t kind = choices.Byte() % 8;
      if (kind == 0) {
        src.emplace_back();
      } else if (kind < 4) {
        const std::string name = "c" + std::to_string(values.size());
        model.AddTensor(name, MakeTensor(choices));
        values.push_back(name);
        src.push_back(name);
      } else {
        src.push_back(values[static_cast<size_t>(choices.Below(static_cast<int64_t>(values.size())))]);
      }
    }
    for (int64_t i = choices.Between(1, 3); i > 0; --i) dst.push_back("v" + std::to_string(values.size() + dst.size()));
    model.AddNode(op.name, src, dst, MakeAttributes(choices), "", op.domain);
    values.insert(values.end(), dst.begin(), dst.end());
  }
  model.AddOutput(values.back());
  return model.Serialize();
}

}  // namespace moka::fuzz

#include "tests/fuzz/damage.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace moka::fuzz {
namespace {

constexpr int64_t kMaxElements = 1 << 12;

constexpr int64_t kInts[] = {0,
                             1,
                             -1,
                             2,
                             3,
                             -2,
                             4,
                             7,
                             8,
                             16,
                             17,
                             -7,
                             100,
                             1 << 10,
                             1 << 16,
                             INT32_MAX,
                             INT32_MIN,
                             1LL << 32,
                             1LL << 40,
                             1LL << 62,
                             INT64_MAX,
                             INT64_MIN,
                             INT64_MAX - 1,
                             INT64_MIN + 1};
constexpr int64_t kSizes[] = {0, 1 << 16, INT32_MAX, 1LL << 40, 1LL << 58};
constexpr float kFloats[] = {0,
                             1,
                             -1,
                             0.5f,
                             2,
                             1e-30f,
                             1e30f,
                             -1e30f,
                             1e-6f,
                             100.0f,
                             1 << 20,
                             std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity(),
                             std::numeric_limits<float>::quiet_NaN()};
constexpr const char* kTexts[] = {"",
                                  "constant",
                                  "reflect",
                                  "edge",
                                  "wrap",
                                  "linear",
                                  "nearest",
                                  "cubic",
                                  "SAME_UPPER",
                                  "SAME_LOWER",
                                  "VALID",
                                  "NOTSET",
                                  "forward",
                                  "reverse",
                                  "bidirectional",
                                  "add",
                                  "mul",
                                  "max",
                                  "min",
                                  "none",
                                  "sum",
                                  "mean",
                                  "ij,jk->ik",
                                  "...i->...",
                                  "ij->ji",
                                  "align_corners",
                                  "asymmetric",
                                  "LEFT",
                                  "RIGHT",
                                  "CRD",
                                  "tanh",
                                  "half_pixel",
                                  "tf_crop_and_resize",
                                  "floor",
                                  "round_prefer_ceil",
                                  "LOWER",
                                  "((a*)*)*",
                                  "(a|aa)+$",
                                  "[^\\n]{1000}",
                                  "L1",
                                  "SOFTMAX",
                                  "PROBIT",
                                  "IDF",
                                  "circular",
                                  "stretch",
                                  "not_smaller",
                                  "Relu",
                                  "\xFF\xC3"};
constexpr const char* kNames[] = {"axis",           "axes",   "pads",      "strides",     "dilations",  "kernel_shape",
                                  "group",          "to",     "k",         "mode",        "keepdims",   "output_shape",
                                  "ceil_mode",      "perm",   "blocksize", "epsilon",     "alpha",      "direction",
                                  "hidden_size",    "layout", "auto_pad",  "num_outputs", "batch_dims", "reduction",
                                  "output_padding", "dtype",  "saturate",  "block_size"};
constexpr DataType kTypes[] = {DataType::kF32, DataType::kI64, DataType::kI32, DataType::kBool,     DataType::kU8,
                               DataType::kI8,  DataType::kF16, DataType::kF64, DataType::kBF16,     DataType::kI16,
                               DataType::kU16, DataType::kU32, DataType::kU64, DataType::kF8E4M3FN, DataType::kString};

int64_t CountOf(const std::vector<int64_t>& dims) {
  if (std::find(dims.begin(), dims.end(), 0) != dims.end()) return 0;
  int64_t count = 1;
  for (const int64_t dim : dims) count = std::min(count * std::min(dim, kMaxElements + 1), kMaxElements + 1);
  return count;
}

// As many elements as the shape has: those there are, over and over.
void Refit(Operand* operand) {
  const auto count = static_cast<size_t>(CountOf(operand->dims));
  if (operand->type == DataType::kString) {
    const size_t given = operand->strings.size();
    operand->strings.resize(count);
    for (size_t i = given; i < count; ++i) operand->strings[i] = given == 0 ? "a" : operand->strings[i % given];
    return;
  }
  const size_t given = operand->raw.size();
  operand->raw.resize(count * SizeOf(operand->type));
  for (size_t i = given; i < operand->raw.size(); ++i) operand->raw[i] = given == 0 ? '\0' : operand->raw[i % given];
  if (operand->type != DataType::kBool) return;
  for (char& byte : operand->raw) byte &= 1;
}

void ChangeShape(Choices& choices, Operand* operand) {
  std::vector<int64_t> dims = operand->dims;
  const int64_t kind = choices.Below(4);
  if (kind == 0 && dims.size() < 9) {
    dims.insert(dims.begin() + static_cast<ptrdiff_t>(choices.IndexOf(dims.size() + 1)), choices.Between(0, 2));
  } else if (kind == 1 && !dims.empty()) {
    dims.erase(dims.begin() + static_cast<ptrdiff_t>(choices.IndexOf(dims.size())));
  } else if (!dims.empty()) {
    dims[choices.IndexOf(dims.size())] = choices.Between(0, 17);
    if (choices.OneIn(4)) dims[choices.IndexOf(dims.size())] = choices.OneOf(kSizes);  // where another one is 0
  }
  if (CountOf(dims) > kMaxElements) return;
  operand->dims = std::move(dims);
  Refit(operand);
}

void ChangeElement(Choices& choices, Operand* operand) {
  const size_t width = SizeOf(operand->type);
  if (operand->type == DataType::kString) {
    if (!operand->strings.empty()) operand->strings[choices.IndexOf(operand->strings.size())] = choices.OneOf(kTexts);
    return;
  }
  if (operand->raw.empty() || width == 0) return;
  char* element = operand->raw.data() + width * (static_cast<size_t>(choices.Word()) % (operand->raw.size() / width));
  if (operand->type == DataType::kF32) {
    const float value = choices.OneOf(kFloats);
    std::memcpy(element, &value, width);
  } else if (operand->type == DataType::kF64) {
    const double value = choices.OneOf(kFloats);
    std::memcpy(element, &value, width);
  } else if (operand->type == DataType::kBool) {
    *element ^= 1;
  } else {
    const int64_t value = choices.OneOf(kInts);
    std::memcpy(element, &value, width);
  }
}

struct ChangeValue {
  Choices& choices;

  void operator()(int64_t& value) const { value = choices.OneOf(kInts); }
  void operator()(float& value) const { value = choices.OneOf(kFloats); }
  void operator()(std::string& value) const {
    if (choices.OneIn(2) && !value.empty()) {
      value[choices.IndexOf(value.size())] = static_cast<char>(choices.Byte());
    } else {
      value = choices.OneOf(kTexts);
    }
  }
  template <class T>
  void operator()(std::vector<T>& list) const {
    const int64_t kind = choices.Below(4);
    if (kind == 0) {
      list.emplace_back();
    } else if (kind == 1 && !list.empty()) {
      list.pop_back();
    } else if (!list.empty()) {
      (*this)(list[choices.IndexOf(list.size())]);
    }
  }
  void operator()(test::TensorSpec& tensor) const {
    if (!tensor.raw.empty()) tensor.raw[choices.IndexOf(tensor.raw.size())] = static_cast<char>(choices.Byte());
  }
  void operator()(std::shared_ptr<test::GraphBuilder>&) const {}
};

void AddAttribute(Choices& choices, Recipe* recipe) {
  const std::string name = choices.OneOf(kNames);
  const auto same = [&](const test::AttributeSpec& attribute) { return attribute.name == name; };
  std::erase_if(recipe->attrs, same);
  switch (choices.Below(4)) {
    case 0:
      recipe->attrs.emplace_back(name, test::AttributeSpec::Value(choices.OneOf(kInts)));
      break;
    case 1:
      recipe->attrs.emplace_back(name, test::AttributeSpec::Value(std::string(choices.OneOf(kTexts))));
      break;
    case 2:
      recipe->attrs.emplace_back(name, test::AttributeSpec::Value(choices.OneOf(kFloats)));
      break;
    default: {
      std::vector<int64_t> list(static_cast<size_t>(choices.Below(5)));
      for (int64_t& value : list) value = choices.Between(-1, 3);
      recipe->attrs.emplace_back(name, test::AttributeSpec::Value(list));
    }
  }
}

}  // namespace

void Damage(Choices& choices, Recipe* recipe) {
  const int64_t kind = choices.Below(16);
  Operand* operand = recipe->src.empty() ? nullptr : &recipe->src[choices.IndexOf(recipe->src.size())];
  test::AttributeSpec* attribute =
      recipe->attrs.empty() ? nullptr : &recipe->attrs[choices.IndexOf(recipe->attrs.size())];
  if (kind < 4) {
    if (operand != nullptr && operand->type != DataType::kNone) ChangeShape(choices, operand);
  } else if (kind < 7) {
    if (operand != nullptr) ChangeElement(choices, operand);
  } else if (kind < 11) {
    if (attribute != nullptr) std::visit(ChangeValue{choices}, attribute->value);
  } else if (kind == 11) {
    AddAttribute(choices, recipe);
  } else if (kind == 12) {
    if (attribute != nullptr) recipe->attrs.erase(recipe->attrs.begin() + (attribute - recipe->attrs.data()));
  } else if (kind == 13) {
    if (operand == nullptr) return;
    operand->type = choices.OneOf(kTypes);
    Refit(operand);
  } else if (kind == 14) {
    const int64_t what = choices.Below(4);
    if (what == 0) recipe->num_dst = static_cast<int>(choices.Between(1, 4));
    if (what == 1 && operand != nullptr) *operand = {};
    if (what == 2 && operand != nullptr) recipe->src.push_back(Operand(*operand));
    if (what == 3 && operand != nullptr) recipe->src.pop_back();
  } else if (operand != nullptr) {
    operand->fed = !operand->fed;
  }
}

}  // namespace moka::fuzz

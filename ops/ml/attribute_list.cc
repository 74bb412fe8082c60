#include "ops/ml/attribute_list.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "ops/element.h"
#include "ops/params.h"

namespace moka {

Result<AttributeList> AttributeList::Find(const Attributes& attrs, std::initializer_list<std::string_view> names) {
  AttributeList list;
  for (const std::string_view name : names) {
    const AttributeValue* found = attrs.Find(name);
    if (found == nullptr) continue;
    if (list.present()) return InvalidModel("attribute '", name, "' stands beside another one of its kind");
    list.value_ = found;
    if (const auto* ints = std::get_if<std::vector<int64_t>>(found)) {
      list.type_ = DataType::kI64;
      list.size_ = static_cast<int64_t>(ints->size());
    } else if (const auto* floats = std::get_if<std::vector<float>>(found)) {
      list.type_ = DataType::kF32;
      list.size_ = static_cast<int64_t>(floats->size());
    } else if (const auto* strings = std::get_if<std::vector<std::string>>(found)) {
      list.type_ = DataType::kString;
      list.size_ = static_cast<int64_t>(strings->size());
    } else if (const auto* tensor = std::get_if<HostTensor>(found)) {
      list.type_ = tensor->desc.type;
      list.size_ = tensor->desc.NumElements();
    } else {
      return InvalidModel("attribute '", name, "' is no list and no tensor");
    }
  }
  return list;
}

double AttributeList::Number(int64_t i) const {
  const auto index = static_cast<size_t>(i);
  if (const auto* ints = std::get_if<std::vector<int64_t>>(value_)) return static_cast<double>((*ints)[index]);
  if (const auto* floats = std::get_if<std::vector<float>>(value_)) return (*floats)[index];
  if (const auto* tensor = std::get_if<HostTensor>(value_)) return Load<double>(tensor->desc, tensor->data, i);
  return 0;
}

int64_t AttributeList::Int(int64_t i) const {
  if (const auto* ints = std::get_if<std::vector<int64_t>>(value_)) return (*ints)[static_cast<size_t>(i)];
  if (const auto* tensor = std::get_if<HostTensor>(value_)) return Load<int64_t>(tensor->desc, tensor->data, i);
  return ConvertElement<int64_t>(Number(i));
}

StringPointer AttributeList::Text(int64_t i) const {
  if (const auto* strings = std::get_if<std::vector<std::string>>(value_)) return &(*strings)[static_cast<size_t>(i)];
  const auto* tensor = std::get_if<HostTensor>(value_);
  return tensor != nullptr && type_ == DataType::kString ? LoadRaw<StringPointer>(tensor->data, i) : nullptr;
}

void AttributeList::StoreTo(void* dst, const TensorDesc& desc, int64_t offset, int64_t i) const {
  if (type_ == DataType::kString) return StoreRaw<StringPointer>(dst, offset, Text(i));
  if (type_ == DataType::kF32 || type_ == DataType::kF64) return Store<double>(desc, dst, offset, Number(i));
  Store<int64_t>(desc, dst, offset, Int(i));
}

std::string NumberKey(double value) {
  if (value == 0) value = 0;  // -0
  if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  std::string key(sizeof(value), '\0');
  std::memcpy(key.data(), &value, sizeof(value));
  return key;
}

std::string IntKey(int64_t value) {
  std::string key(sizeof(value), '\0');
  std::memcpy(key.data(), &value, sizeof(value));
  return key;
}

std::string KeyOf(const AttributeList& list, int64_t i) {
  if (list.type() == DataType::kString) return StringAt(list.Text(i));
  const bool is_float = list.type() == DataType::kF32 || list.type() == DataType::kF64;
  return is_float ? NumberKey(list.Number(i)) : IntKey(list.Int(i));
}

std::string KeyOf(const TensorDesc& desc, const void* data, int64_t offset) {
  if (desc.type == DataType::kString) return StringAt(LoadRaw<StringPointer>(data, offset));
  const bool is_float = desc.type == DataType::kF32 || desc.type == DataType::kF64;
  return is_float ? NumberKey(Load<double>(desc, data, offset)) : IntKey(Load<int64_t>(desc, data, offset));
}

MlRows MlRows::Of(const TensorDesc& desc) {
  if (desc.rank == 1) return {1, desc.dims[0], 0, desc.strides[0]};
  return {desc.dims[0], desc.dims[1], desc.strides[0], desc.strides[1]};
}

Status CheckMlRows(const InferContext& ctx, size_t src) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, src, kMlNumbers));
  return CheckRank(ctx, src, 1, 2);
}

// ---- Transforms of scores -----------------------------------------------------------------------------------------

Status ReadPostTransform(const Attributes& attrs, PostTransform* transform) {
  constexpr std::string_view kNames[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
  std::string_view name;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "post_transform", "NONE", &name));
  const auto found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) return InvalidModel("attribute 'post_transform' is '", name, "'");
  *transform = static_cast<PostTransform>(found - std::begin(kNames));
  return Status();
}

double Logistic(double x) {
  const double v = 1 / (1 + std::exp(-std::abs(x)));
  return x < 0 ? 1 - v : v;
}

// sqrt(2) * erfinv(2 x - 1) with Winitzki's approximation of erfinv, which other runtimes have agreed on.
double Probit(double x) {
  constexpr double kA = 0.147;
  const double y = 2 * x - 1, log = std::log((1 - y) * (1 + y));
  const double v = 2 / (std::numbers::pi * kA) + 0.5 * log;
  return std::numbers::sqrt2 * std::copysign(std::sqrt(std::sqrt(v * v - log / kA) - v), y);
}

void ApplyPostTransform(PostTransform transform, std::span<double> scores) {
  if (scores.empty() || transform == PostTransform::kNone) return;
  if (transform == PostTransform::kLogistic || transform == PostTransform::kProbit) {
    for (double& score : scores) score = transform == PostTransform::kLogistic ? Logistic(score) : Probit(score);
    return;
  }
  // SOFTMAX_ZERO leaves scores of about 0 at 0.
  constexpr double kZero = 1e-7;
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& score : scores) {
    const bool zero = transform == PostTransform::kSoftmaxZero && std::abs(score) <= kZero;
    score = zero ? score * std::exp(-largest) : std::exp(score - largest);
    sum += score;
  }
  for (double& score : scores) score = sum != 0 ? score / sum : score;
}

}  // namespace moka

#include "ops/params.h"

#include <algorithm>
#include <iterator>

#include "ops/element.h"
#include "ops/infer.h"

namespace moka {
namespace {

template <class T>
Status ReadScalar(const Attributes& attrs, std::string_view name, T* value) {
  const AttributeValue* found = attrs.Find(name);
  if (found == nullptr) return Status();
  if (const T* typed = std::get_if<T>(found)) {
    *value = *typed;
    return Status();
  }
  return InvalidModel("attribute '", name, "' has the wrong type");
}

Status Fill(std::span<const int64_t> values, std::string_view name, IntList* list) {
  if (values.size() > list->values.size()) {
    return InvalidModel("'", name, "' has ", values.size(), " elements, at most ", list->values.size(), " make sense");
  }
  std::copy(values.begin(), values.end(), list->values.begin());
  list->size = static_cast<int>(values.size());
  list->present = true;
  return Status();
}

// By the number that the standard gives a type (TensorProto.DataType).
constexpr DataType kTypes[] = {DataType::kNone,       DataType::kF32,      DataType::kU8,         DataType::kI8,
                               DataType::kU16,        DataType::kI16,      DataType::kI32,        DataType::kI64,
                               DataType::kString,     DataType::kBool,     DataType::kF16,        DataType::kF64,
                               DataType::kU32,        DataType::kU64,      DataType::kNone,       DataType::kNone,
                               DataType::kBF16,       DataType::kF8E4M3FN, DataType::kF8E4M3FNUZ, DataType::kF8E5M2,
                               DataType::kF8E5M2FNUZ, DataType::kU4,       DataType::kI4,         DataType::kF4E2M1,
                               DataType::kF8E8M0,     DataType::kU2,       DataType::kI2};

int64_t IntAt(const HostTensor& tensor, int64_t i) { return Load<int64_t>(tensor.desc, tensor.data, i); }

}  // namespace

Status ReadInts(const Attributes& attrs, std::string_view name, IntList* list) {
  const AttributeValue* found = attrs.Find(name);
  if (found == nullptr) return Status();
  const auto* values = std::get_if<std::vector<int64_t>>(found);
  if (values == nullptr) return InvalidModel("attribute '", name, "' is not a list of integers");
  return Fill(*values, name, list);
}

Status ReadInt(const Attributes& attrs, std::string_view name, int64_t fallback, int64_t* value) {
  *value = fallback;
  return ReadScalar(attrs, name, value);
}

Status ReadFlag(const Attributes& attrs, std::string_view name, bool fallback, bool* value) {
  int64_t number = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, name, fallback ? 1 : 0, &number));
  *value = number != 0;
  return Status();
}

Status ReadFloat(const Attributes& attrs, std::string_view name, float fallback, float* value) {
  *value = fallback;
  return ReadScalar(attrs, name, value);
}

Status ReadString(const Attributes& attrs, std::string_view name, std::string_view fallback, std::string_view* value) {
  *value = fallback;
  const AttributeValue* found = attrs.Find(name);
  if (found == nullptr) return Status();
  const auto* text = std::get_if<std::string>(found);
  if (text == nullptr) return InvalidModel("attribute '", name, "' is not a string");
  *value = *text;
  return Status();
}

Status ReadType(const Attributes& attrs, std::string_view name, DataType fallback, DataType* type) {
  *type = fallback;
  if (!attrs.Has(name)) return Status();
  int64_t number = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, name, 0, &number));
  const bool known = number > 0 && number < static_cast<int64_t>(std::size(kTypes));
  *type = known ? kTypes[number] : DataType::kNone;
  if (*type == DataType::kNone) return InvalidModel("attribute '", name, "' is ", number, ", which is no type");
  return Status();
}

Status ReadChoice(const Attributes& attrs, std::string_view name, std::span<const std::string_view> names,
                  int64_t* index) {
  std::string_view text;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, name, names[0], &text));
  for (*index = 0; *index < static_cast<int64_t>(names.size()); ++*index) {
    if (names[static_cast<size_t>(*index)] == text) return Status();
  }
  std::string expected;
  for (const std::string_view known : names) expected += StrCat(expected.empty() ? "" : ", ", known);
  return InvalidModel("attribute '", name, "' is '", text, "', expected one of ", expected);
}

Status ReadFloatType(const Attributes& attrs, std::string_view name, DataType fallback, DataType* type) {
  MOKA_RETURN_IF_ERROR(ReadType(attrs, name, fallback, type));
  const bool is_float = std::find(kFloatTypes.begin(), kFloatTypes.end(), *type) != kFloatTypes.end();
  if (is_float || !attrs.Has(name)) return Status();
  return InvalidModel("attribute '", name, "' is ", NameOf(*type), ", expected a type of floats");
}

Status ReadInts(const OpCall& call, int i, std::string_view operand, IntList* list) {
  if (!call.has_src(i)) return Status();
  const size_t index = static_cast<size_t>(i);
  const HostTensor* tensor = index < call.constants.size() ? call.constants[index] : nullptr;
  if (tensor == nullptr) return Unsupported("src ", i, " (", operand, ") must be known when the plan is made");
  const int64_t count = tensor->desc.NumElements();
  if (tensor->desc.rank > 1 || count > static_cast<int64_t>(list->values.size())) {
    return InvalidModel("src ", i, " (", operand, "): shape ", ToString(tensor->desc.shape()), " is not a short list");
  }
  for (int64_t k = 0; k < count; ++k) list->values[static_cast<size_t>(k)] = IntAt(*tensor, k);
  list->size = static_cast<int>(count);
  list->present = true;
  return Status();
}

Status ReadInts(InferContext& ctx, int i, std::string_view operand, IntList* list) {
  const size_t index = static_cast<size_t>(i);
  if (!ctx.has_src(index)) return Status();
  MOKA_RETURN_IF_ERROR(CheckType(ctx, index, kIndexTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, index, 0, 1));
  MOKA_ASSIGN_OR_RETURN(const std::vector<int64_t> values, ctx.Ints(index));
  return Fill(values, operand, list);
}

Status ResolveAxes(std::span<const int64_t> axes, int rank, std::string_view what, uint32_t* mask) {
  *mask = 0;
  for (const int64_t axis : axes) {
    MOKA_ASSIGN_OR_RETURN(const int resolved, NormalizeAxis(axis, rank, what));
    const uint32_t bit = uint32_t{1} << resolved;
    if ((*mask & bit) != 0) return InvalidModel(what, " name axis ", resolved, " twice");
    *mask |= bit;
  }
  return Status();
}

std::optional<std::vector<Dim>> KnownElements(const SymbolicTensor& tensor) {
  if (tensor.elements) return tensor.elements;
  const HostTensor* constant = tensor.constant;
  if (constant == nullptr || constant->data == nullptr) return std::nullopt;
  if (tensor.type != DataType::kI32 && tensor.type != DataType::kI64 && tensor.type != DataType::kBool) {
    return std::nullopt;
  }
  const int64_t count = constant->desc.NumElements();
  if (count > kMaxTrackedElements) return std::nullopt;
  std::vector<Dim> elements;
  elements.reserve(static_cast<size_t>(count));
  for (int64_t k = 0; k < count; ++k) elements.emplace_back(IntAt(*constant, k));
  return elements;
}

Dim Product(std::span<const Dim> dims) {
  Dim product = 1;
  for (const Dim& dim : dims) product = product * dim;
  return product;
}

}  // namespace moka

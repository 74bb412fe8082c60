// SequenceProto, OptionalProto and MapProto.
#include <algorithm>

#include "formats/onnx/fields.h"
#include "formats/onnx/reader.h"
#include "formats/onnx/tensor_reader.h"
#include "formats/onnx/types.h"
#include "formats/onnx/wire.h"
#include "ops/host.h"
#include "ops/string_tensor.h"

namespace moka {
namespace onnx {
namespace {

constexpr int kMaxDepth = 16;

Result<Datum> ReadDatum(std::string_view bytes, ValueKind kind, int depth, ReadContext& context);

// The elements of a sequence, tensors of one element each, as one list.
Result<Tensor> ListOf(const std::vector<Datum>& elements) {
  const DataType type = elements.empty() ? DataType::kF32 : elements.front().type();
  MOKA_ASSIGN_OR_RETURN(Tensor list, Tensor::Create(type, {static_cast<int64_t>(elements.size())}));
  for (size_t i = 0; i < elements.size(); ++i) {
    if (!elements[i].is_tensor() || elements[i].type() != type || elements[i].tensor().size() != 1) {
      return Unsupported("a map whose value ", i, " is ", ToString(elements[i]), ", not one ", NameOf(type));
    }
    CopyRange(elements[i].tensor(), 0, &list, static_cast<int64_t>(i), 1);
  }
  return list;
}

Result<Tensor> KeysOf(int64_t key_type, const std::vector<int64_t>& numbers, const std::vector<std::string>& texts) {
  const DataType type = FromOnnx(key_type);
  if (type != DataType::kI64 && type != DataType::kString) return Unsupported("a map from ", OnnxTypeName(key_type));
  const size_t count = type == DataType::kI64 ? numbers.size() : texts.size();
  if (count != numbers.size() + texts.size()) return InvalidModel("a map from ", NameOf(type), " has other keys");
  MOKA_ASSIGN_OR_RETURN(Tensor keys, Tensor::Create(type, {static_cast<int64_t>(count)}));
  if (type == DataType::kI64) {
    std::copy(numbers.begin(), numbers.end(), keys.as<int64_t>());
  } else {
    std::copy(texts.begin(), texts.end(), keys.as<std::string>());
  }
  return keys;
}

Result<Datum> ReadMap(std::string_view bytes, int depth, ReadContext& context) {
  int64_t key_type = 0;
  std::vector<int64_t> numbers;
  std::vector<std::string> texts;
  Datum values = Datum::Sequence(DataType::kNone, {});
  for (Fields fields(bytes); fields.Next();) {
    switch (fields.field()) {
      case MapFields::kKeyType:
        key_type = fields.Int();
        break;
      case MapFields::kKeys:
        fields.AppendInts(&numbers);
        break;
      case MapFields::kStringKeys:
        texts.push_back(fields.String());
        break;
      case MapFields::kValues: {
        MOKA_ASSIGN_OR_RETURN(values, ReadDatum(fields.Bytes(), ValueKind::kSequence, depth + 1, context));
        break;
      }
      default:
        fields.Skip();
    }
  }
  MOKA_ASSIGN_OR_RETURN(Tensor keys, KeysOf(key_type, numbers, texts));
  MOKA_ASSIGN_OR_RETURN(Tensor list, ListOf(values.sequence()));
  if (keys.size() != list.size()) return InvalidModel("a map of ", keys.size(), " keys and ", list.size(), " values");
  return Datum::Map(std::move(keys), std::move(list));
}

Result<Datum> ReadDatum(std::string_view bytes, ValueKind kind, int depth, ReadContext& context) {
  if (depth > kMaxDepth) return InvalidModel("sequences and optionals are nested more than ", kMaxDepth, " deep");
  if (kind == ValueKind::kTensor) {
    std::string_view name;
    MOKA_ASSIGN_OR_RETURN(const HostTensor tensor, ReadTensor(bytes, context, &name));
    MOKA_ASSIGN_OR_RETURN(Tensor copy, TensorOf(tensor));
    return Datum(std::move(copy));
  }
  if (kind == ValueKind::kMap) return ReadMap(bytes, depth, context);
  std::vector<Datum> elements;
  for (Fields fields(bytes); fields.Next();) {
    ValueKind inner = ValueKind::kTensor;
    switch (fields.field()) {
      case DatumFields::kTensor:
        break;
      case DatumFields::kSequence:
        inner = ValueKind::kSequence;
        break;
      case DatumFields::kOptional:
        inner = ValueKind::kOptional;
        break;
      case DatumFields::kMap:
        inner = ValueKind::kMap;
        break;
      case DatumFields::kSparseTensor:
        return Unsupported("sparse tensors in sequences");
      default:
        fields.Skip();
        continue;
    }
    MOKA_ASSIGN_OR_RETURN(Datum element, ReadDatum(fields.Bytes(), inner, depth + 1, context));
    elements.push_back(std::move(element));
  }
  if (kind == ValueKind::kSequence) {
    const DataType type = elements.empty() ? DataType::kNone : elements.front().type();
    return Datum::Sequence(type, std::move(elements));
  }
  if (elements.size() > 1) return InvalidModel("an optional has ", elements.size(), " values");
  return elements.empty() ? Datum() : std::move(elements.front());
}

}  // namespace
}  // namespace onnx

Result<Datum> ReadDatumProto(const OnnxSource& source, ValueKind kind, const ModelOptions& options) {
  onnx::ReadContext context(source, options);
  Result<Datum> datum = onnx::Guard([&] { return onnx::ReadDatum(source.bytes, kind, 0, context); });
  return datum.ok() ? datum : datum.status().WithContext(source.path.empty() ? "datum in memory" : source.path);
}

}  // namespace moka

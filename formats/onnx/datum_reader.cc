// SequenceProto and OptionalProto.
#include "formats/onnx/fields.h"
#include "formats/onnx/reader.h"
#include "formats/onnx/tensor_reader.h"
#include "formats/onnx/wire.h"
#include "ops/string_tensor.h"

namespace moka {
namespace onnx {
namespace {

constexpr int kMaxDepth = 16;

Result<Datum> ReadDatum(std::string_view bytes, ValueKind kind, int depth, ReadContext& context) {
  if (depth > kMaxDepth) return InvalidModel("sequences and optionals are nested more than ", kMaxDepth, " deep");
  if (kind == ValueKind::kTensor) {
    std::string_view name;
    MOKA_ASSIGN_OR_RETURN(const HostTensor tensor, ReadTensor(bytes, context, &name));
    MOKA_ASSIGN_OR_RETURN(Tensor copy, TensorOf(tensor));
    return Datum(std::move(copy));
  }
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
      case DatumFields::kSparseTensor:
      case DatumFields::kMap:
        return Unsupported("maps and sparse tensors in sequences");
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

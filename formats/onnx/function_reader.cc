#include "formats/onnx/function_reader.h"

#include "formats/onnx/fields.h"
#include "formats/onnx/versions.h"
#include "formats/onnx/wire.h"

namespace moka::onnx {

Status ReadOpset(std::string_view bytes, Opsets* opsets) {
  std::string domain;
  int64_t version = 0;
  for (Fields fields(bytes); fields.Next();) {
    switch (fields.field()) {
      case OperatorSetFields::kDomain:
        domain = fields.String();
        break;
      case OperatorSetFields::kVersion:
        version = fields.Int();
        break;
      default:
        fields.Skip();
    }
  }
  if (domain == "ai.onnx") domain.clear();
  const std::string shown = domain.empty() ? "ai.onnx" : domain;
  if (version < 1) return InvalidModel("opset_import: version ", version, " of domain ", shown);
  const auto [it, is_new] = opsets->emplace(domain, version);
  if (!is_new && it->second != version) {
    return InvalidModel("opset_import: versions ", it->second, " and ", version, " of domain ", shown);
  }
  if (domain.empty() && version > kNewestOpset) {
    return Unsupported("opset ", version, " of domain ai.onnx; the newest that moka knows is ", kNewestOpset);
  }
  return Status();
}

Status ReadFunction(std::string_view bytes, Function* function) {
  for (Fields fields(bytes); fields.Next();) {
    switch (fields.field()) {
      case FunctionFields::kName:
        function->name = fields.String();
        break;
      case FunctionFields::kInput:
        function->inputs.push_back(fields.Bytes());
        break;
      case FunctionFields::kOutput:
        function->outputs.push_back(fields.Bytes());
        break;
      case FunctionFields::kNode:
        function->nodes.push_back(fields.Bytes());
        break;
      case FunctionFields::kOpsetImport:
        MOKA_RETURN_IF_ERROR(ReadOpset(fields.Bytes(), &function->opsets));
        break;
      case FunctionFields::kDomain:
        function->domain = fields.String();
        break;
      case FunctionFields::kAttributeProto:
        function->defaults.push_back(fields.Bytes());
        break;
      default:
        fields.Skip();
    }
  }
  if (function->domain == "ai.onnx") function->domain.clear();
  return function->name.empty() ? InvalidModel("a function has no name") : Status();
}

}  // namespace moka::onnx

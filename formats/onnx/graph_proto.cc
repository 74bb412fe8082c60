#include "formats/onnx/graph_proto.h"

#include "formats/onnx/fields.h"
#include "formats/onnx/wire.h"

namespace moka::onnx {

Status ParseGraph(std::string_view bytes, GraphProto* proto) {
  for (Fields fields(bytes); fields.Next();) {
    switch (fields.field()) {
      case GraphFields::kNode:
        proto->nodes.push_back(fields.Bytes());
        break;
      case GraphFields::kInitializer:
        proto->initializers.push_back(fields.Bytes());
        break;
      case GraphFields::kInput:
        proto->inputs.push_back(fields.Bytes());
        break;
      case GraphFields::kOutput:
        proto->outputs.push_back(fields.Bytes());
        break;
      case GraphFields::kValueInfo:
        proto->value_infos.push_back(fields.Bytes());
        break;
      case GraphFields::kSparseInitializer:
        proto->sparse_initializers.push_back(fields.Bytes());
        break;
      default:
        fields.Skip();
    }
  }
  return Status();
}

}  // namespace moka::onnx

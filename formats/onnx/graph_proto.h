// The parts of a GraphProto, not read yet.
#ifndef MOKA_FORMATS_ONNX_GRAPH_PROTO_H_
#define MOKA_FORMATS_ONNX_GRAPH_PROTO_H_

#include <string_view>
#include <vector>

#include "base/status.h"

namespace moka::onnx {

struct GraphProto {
  std::vector<std::string_view> nodes, initializers, sparse_initializers, inputs, outputs, value_infos;
};

Status ParseGraph(std::string_view bytes, GraphProto* proto);

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_GRAPH_PROTO_H_

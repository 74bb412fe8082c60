// GraphProto: a model's graph, and the graphs in its attributes.
#ifndef MOKA_FORMATS_ONNX_GRAPH_READER_H_
#define MOKA_FORMATS_ONNX_GRAPH_READER_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/onnx/context.h"
#include "formats/onnx/function_reader.h"
#include "graph/graph.h"

namespace moka::onnx {

inline constexpr int kMaxAttributes = 256;  // of one node

// What all graphs of one model share.
struct ModelContext {
  ModelContext(const OnnxSource& file, const ModelOptions& model_options)
      : read(file, model_options), nodes_left(model_options.max_nodes) {}

  ReadContext read;
  Opsets opsets;
  std::map<std::pair<std::string, std::string>, Function> functions;  // by domain and name
  std::vector<FunctionCall*> calls;                                   // whose nodes are being read, innermost last
  int64_t nodes_left;

  // A sound model may still be one that moka cannot run: reading goes on, so that the message can count.
  struct UnknownNode {
    std::string op, description;
  };
  std::vector<UnknownNode> unknown;
  Status other;  // the first obstacle of another kind

  void Note(Status status) {
    if (other.ok()) other = std::move(status);
  }
};

// Fills *graph, nodes in the file's order and in their newest forms, not sorted. `depth` is 0 for the model's own
// graph.
Status ReadGraph(std::string_view bytes, int depth, ModelContext& model, Graph* graph);

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_GRAPH_READER_H_

#include <algorithm>

#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

namespace moka {

Status MaterializeConstantOutputs(Graph& graph) {
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const ValueId output = graph.outputs[i];
    if (graph.value(output).constant == nullptr) continue;
    const std::string name = graph.value(output).name;
    const ValueId constant = graph.AddConstant(StrCat(name, "/constant"), *graph.value(output).constant);
    graph.value(constant).tensor.elements = graph.value(output).tensor.elements;
    for (Node& node : graph.nodes) std::replace(node.src.begin(), node.src.end(), output, constant);
    graph.value(output).constant = nullptr;
    graph.value(output).tensor.constant = nullptr;
    Node copy;
    copy.op = FindOp("moka", "Copy");
    copy.name = StrCat(name, "/copy");
    copy.src = {constant};
    copy.dst = {output};
    graph.nodes.push_back(std::move(copy));
  }
  return Status();
}

}  // namespace moka

#include <algorithm>

#include "graph/passes/passes.h"

namespace moka {

Status RemoveShapeArithmetic(Graph& graph) {
  std::erase_if(graph.nodes, [&](const Node& node) {
    return std::all_of(node.dst.begin(), node.dst.end(), [&](ValueId id) {
      return id == kNoValue || (IsKnownFromShapes(graph.value(id)) &&
                                std::find(graph.outputs.begin(), graph.outputs.end(), id) == graph.outputs.end());
    });
  });
  return Status();
}

}  // namespace moka

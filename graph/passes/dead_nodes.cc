#include <algorithm>

#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

namespace moka {

Status RemoveDeadNodes(Graph& graph) {
  std::vector<bool> needed(graph.values.size(), false);
  for (const ValueId id : graph.outputs) needed[static_cast<size_t>(id)] = true;
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    Node& node = graph.nodes[n];
    const bool alive = std::any_of(node.dst.begin(), node.dst.end(),
                                   [&](ValueId id) { return id != kNoValue && needed[static_cast<size_t>(id)]; });
    if (!alive) {
      node.op = nullptr;
      continue;
    }
    for (const ValueId id : node.src) {
      if (id != kNoValue) needed[static_cast<size_t>(id)] = true;
    }
  }
  EraseRemoved(graph);
  for (size_t v = 0; v < graph.values.size(); ++v) {
    if (needed[v]) continue;
    graph.values[v].constant = nullptr;  // frees folded intermediates
    graph.values[v].tensor.constant = nullptr;
  }
  return Status();
}

}  // namespace moka

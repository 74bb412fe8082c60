#include <map>
#include <utility>
#include <vector>

#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"
#include "ops/concat.h"

namespace moka {
namespace {

// The axis, or -1 where the node is no concatenation of two or more.
int AxisOf(const Graph& graph, const Node& node) {
  if (!IsOp(node, "Concat") || node.program_begin >= 0 || node.src.size() < 2) return -1;
  const auto params = ConcatParams::From(node.attrs, graph.value(node.src[0]).tensor.rank());
  return params.ok() ? params->axis : -1;
}

}  // namespace

// DenseNet concatenates all results so far before each layer. Where each concatenation is the former one and one more
// part, all of them are parts of the last one, and nothing is copied.
Status NestConcats(Graph& graph) {
  std::map<std::pair<int, std::vector<ValueId>>, ValueId> results;  // axis and original sources: what they become
  for (Node& node : graph.nodes) {
    const int axis = AxisOf(graph, node);
    if (axis < 0) continue;
    const std::vector<ValueId> sources = node.src;
    std::pair<int, std::vector<ValueId>> key = {axis, sources};
    for (key.second.pop_back(); key.second.size() >= 2; key.second.pop_back()) {
      const auto prefix = results.find(key);
      if (prefix == results.end()) continue;
      node.src.assign(1, prefix->second);
      node.src.insert(node.src.end(), sources.begin() + static_cast<ptrdiff_t>(key.second.size()), sources.end());
      break;
    }
    results.emplace(std::pair(axis, sources), node.dst[0]);
  }
  return Status();
}

}  // namespace moka

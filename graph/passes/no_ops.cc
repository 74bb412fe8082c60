#include <algorithm>
#include <string_view>

#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"
#include "ops/pad.h"

namespace moka {
namespace {

bool SameDims(const Graph& graph, const Node& node) {
  return graph.value(node.src[0]).tensor.dims == graph.value(node.dst[0]).tensor.dims;
}

bool SameType(const Graph& graph, const Node& node) {
  return graph.value(node.src[0]).tensor.type == graph.value(node.dst[0]).tensor.type;
}

bool Always(const Graph&, const Node&) { return true; }

bool OneOperand(const Graph&, const Node& node) { return node.src.size() == 1 && node.dst.size() == 1; }

bool OneResult(const Graph&, const Node& node) { return node.dst.size() == 1; }

bool PadsNothing(const Graph& graph, const Node& node) {
  const SymbolicCall call(graph, node);
  const Result<PadParams> params = PadParams::From(call.call());
  const auto zero = [](int64_t pad) { return pad == 0; };
  return params.ok() && std::all_of(params->begin.begin(), params->begin.end(), zero) &&
         std::all_of(params->end.begin(), params->end.end(), zero);
}

struct Rule {
  std::string_view op;
  bool (*is_no_op)(const Graph&, const Node&);
};
constexpr Rule kRules[] = {
    {"Cast", SameType},   {"Concat", OneOperand}, {"Flatten", SameDims},   {"Identity", Always},
    {"Max", OneOperand},  {"Min", OneOperand},    {"Pad", PadsNothing},    {"Reshape", SameDims},
    {"Split", OneResult}, {"Squeeze", SameDims},  {"Unsqueeze", SameDims},
};

}  // namespace

Status RemoveNoOps(Graph& graph) {
  Uses uses(graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    for (const Rule& rule : kRules) {
      if (!IsOp(node, rule.op) || !rule.is_no_op(graph, node)) continue;
      BypassNode(graph, uses, static_cast<int>(n));
      break;
    }
  }
  EraseRemoved(graph);
  return Status();
}

}  // namespace moka

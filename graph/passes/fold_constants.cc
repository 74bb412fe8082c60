#include "graph/constants.h"
#include "graph/passes/passes.h"

namespace moka {
namespace {

constexpr EvaluationBudget kBudget = {64u << 20, 256u << 20, 1e9};

void MakeConstant(Value& value, std::shared_ptr<const HostTensor> contents) {
  value.constant = std::move(contents);
  value.tensor.constant = value.constant.get();
}

// Whether all results are known from shapes alone (tracked elements); makes them constants.
bool FoldTracked(Graph& graph, const Node& node) {
  std::vector<std::shared_ptr<const HostTensor>> contents;
  for (const ValueId id : node.dst) {
    contents.push_back(id == kNoValue ? nullptr : KnownContents(graph.value(id)));
    if (id != kNoValue && contents.back() == nullptr) return false;
  }
  for (size_t i = 0; i < node.dst.size(); ++i) {
    if (contents[i] != nullptr) MakeConstant(graph.value(node.dst[i]), contents[i]);
  }
  return true;
}

bool FoldComputed(Graph& graph, const Node& node, EvaluationBudget* budget) {
  std::vector<std::shared_ptr<const HostTensor>> sources;
  for (const ValueId id : node.src) {
    sources.push_back(id == kNoValue ? nullptr : graph.value(id).constant);
    if (id != kNoValue && sources.back() == nullptr) return false;
  }
  auto results = EvaluateNode(graph, node, sources, budget);
  if (!results.ok()) return false;  // it then fails, or runs, where other nodes do
  for (size_t i = 0; i < node.dst.size(); ++i) {
    if ((*results)[i] != nullptr) MakeConstant(graph.value(node.dst[i]), (*results)[i]);
  }
  return true;
}

}  // namespace

Status FoldConstants(Graph& graph) {
  EvaluationBudget budget = kBudget;
  std::erase_if(graph.nodes,
                [&](const Node& node) { return FoldTracked(graph, node) || FoldComputed(graph, node, &budget); });
  return Status();
}

}  // namespace moka

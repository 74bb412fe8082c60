#include "graph/graph.h"

#include <algorithm>
#include <functional>
#include <queue>

#include "base/status.h"

namespace moka {

ValueId Graph::FindValue(std::string_view name) const {
  const auto it = std::find_if(values.begin(), values.end(), [&](const Value& value) { return value.name == name; });
  return it == values.end() ? kNoValue : static_cast<ValueId>(it - values.begin());
}

ValueId Graph::AddValue(std::string name) {
  values.emplace_back();
  values.back().name = std::move(name);
  return static_cast<ValueId>(values.size() - 1);
}

ValueId Graph::AddConstant(std::string name, HostTensor tensor) {
  const ValueId id = AddValue(std::move(name));
  Value& added = value(id);
  added.constant = std::make_shared<const HostTensor>(std::move(tensor));
  added.tensor = {};
  added.tensor.type = added.constant->desc.type;
  for (int64_t dim : added.constant->desc.shape()) added.tensor.dims.emplace_back(dim);
  added.tensor.constant = added.constant.get();
  added.inferred = true;
  return id;
}

std::vector<std::string> CapturesOf(const Graph& graph) {
  std::vector<bool> made(graph.values.size(), false), used(graph.values.size(), false);
  const auto mark = [](std::vector<bool>& flags, const std::vector<ValueId>& ids) {
    for (const ValueId id : ids) {
      if (id != kNoValue) flags[static_cast<size_t>(id)] = true;
    }
  };
  mark(made, graph.inputs);
  mark(used, graph.outputs);
  for (const Node& node : graph.nodes) {
    mark(made, node.dst);
    mark(used, node.src);
  }
  std::vector<std::string> names;
  for (size_t v = 0; v < graph.values.size(); ++v) {
    if (used[v] && !made[v] && graph.values[v].constant == nullptr) names.push_back(graph.values[v].name);
  }
  return names;
}

std::string Describe(const Graph& graph, const Node& node) {
  return StrCat(graph.source, graph.source.empty() ? "" : ": ", "node '", node.name, "' (", node.op->name, ")");
}

namespace {

Status CheckOperands(const Graph& graph, const Node& node) {
  const OpSchema& op = *node.op;
  const auto own = node.program_begin > 0 ? static_cast<size_t>(node.program_begin) : node.num_own_src();
  const auto check = [&](const char* what, size_t n, int low, int high) -> Status {
    if (n >= static_cast<size_t>(low) && (high < 0 || n <= static_cast<size_t>(high))) return Status();
    return InvalidModel(Describe(graph, node), ": ", n, " ", what, ", expected ", low,
                        high == low ? ""
                        : high < 0  ? " or more"
                                    : StrCat(" to ", high));
  };
  MOKA_RETURN_IF_ERROR(check("inputs", own, op.min_src, op.max_src));
  MOKA_RETURN_IF_ERROR(check("outputs", node.dst.size(), op.min_dst, op.max_dst));
  // Operators of any number of inputs have no optional ones but those that say so (Loop: min_src 0).
  const size_t required = op.max_src < 0 && op.min_src > 0 ? own : static_cast<size_t>(op.min_src);
  for (size_t i = 0; i < required; ++i) {
    if (node.src[i] == kNoValue) {
      return InvalidModel(Describe(graph, node), ": input ", i, " is required");
    }
  }
  return Status();
}

constexpr int kNobody = -1, kGiven = -2;  // kGiven: a graph input or a constant

// Who makes each value: a node's index, kGiven or kNobody.
Result<std::vector<int>> FindProducers(const Graph& graph) {
  std::vector<int> producer(graph.values.size(), kNobody);
  for (size_t v = 0; v < graph.values.size(); ++v) {
    if (graph.values[v].constant != nullptr) producer[v] = kGiven;
  }
  for (const ValueId id : graph.inputs) producer[static_cast<size_t>(id)] = kGiven;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    for (const ValueId id : graph.nodes[n].dst) {
      if (id == kNoValue) continue;
      int& made_by = producer[static_cast<size_t>(id)];
      if (made_by != kNobody) {
        return InvalidModel(Describe(graph, graph.nodes[n]), ": output '", graph.value(id).name, "' is ",
                            made_by == kGiven ? "already an input or initializer" : "made by two nodes");
      }
      made_by = static_cast<int>(n);
    }
  }
  for (size_t v = 0; v < graph.values.size(); ++v) {
    if (producer[v] == kNobody && IsKnownFromShapes(graph.values[v])) producer[v] = kGiven;
  }
  return producer;
}

// Some node of a cycle: following unsorted producers from an unsorted node must come back.
const Node& FindCycle(const Graph& graph, const std::vector<int>& producer, const std::vector<int>& waiting_for) {
  size_t n = 0;
  while (waiting_for[n] == 0) ++n;
  std::vector<bool> seen(graph.nodes.size(), false);
  while (!seen[n]) {
    seen[n] = true;
    for (const ValueId id : graph.nodes[n].src) {
      const int p = id == kNoValue ? kNobody : producer[static_cast<size_t>(id)];
      if (p >= 0 && waiting_for[static_cast<size_t>(p)] > 0) {
        n = static_cast<size_t>(p);
        break;
      }
    }
  }
  return graph.nodes[n];
}

}  // namespace

Status SortAndCheck(Graph& graph) {
  MOKA_ASSIGN_OR_RETURN(const std::vector<int> producer, FindProducers(graph));
  const size_t count = graph.nodes.size();
  std::vector<int> waiting_for(count, 0);
  std::vector<std::vector<int>> readers(count);
  for (size_t n = 0; n < count; ++n) {
    const Node& node = graph.nodes[n];
    MOKA_RETURN_IF_ERROR(CheckOperands(graph, node));
    for (const ValueId id : node.src) {
      if (id == kNoValue) continue;
      const int p = producer[static_cast<size_t>(id)];
      if (p == kNobody) {
        return InvalidModel(Describe(graph, node), ": nothing makes its input '", graph.value(id).name, "'");
      }
      if (p < 0) continue;
      ++waiting_for[n];
      readers[static_cast<size_t>(p)].push_back(static_cast<int>(n));
    }
  }
  for (const ValueId id : graph.outputs) {
    if (producer[static_cast<size_t>(id)] == kNobody) {
      return InvalidModel(graph.source, graph.source.empty() ? "" : ": ", "nothing makes the output '",
                          graph.value(id).name, "'");
    }
  }
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (size_t n = 0; n < count; ++n) {
    if (waiting_for[n] == 0) ready.push(static_cast<int>(n));
  }
  std::vector<int> order;
  while (!ready.empty()) {
    const int n = ready.top();
    ready.pop();
    order.push_back(n);
    for (const int reader : readers[static_cast<size_t>(n)]) {
      if (--waiting_for[static_cast<size_t>(reader)] == 0) ready.push(reader);
    }
  }
  if (order.size() != count) {
    return InvalidModel(Describe(graph, FindCycle(graph, producer, waiting_for)), " depends on its own result");
  }
  if (std::is_sorted(order.begin(), order.end())) return Status();
  std::vector<Node> sorted;
  sorted.reserve(count);
  for (const int n : order) sorted.push_back(std::move(graph.nodes[static_cast<size_t>(n)]));
  graph.nodes = std::move(sorted);
  return Status();
}

}  // namespace moka

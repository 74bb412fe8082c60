#include "graph/passes/rewrite.h"

#include <algorithm>

#include "ops/element.h"

namespace moka {

Uses::Uses(const Graph& graph)
    : producer(graph.values.size(), -1), readers(graph.values.size()), output(graph.values.size(), false) {
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    for (const ValueId id : graph.nodes[n].dst) {
      if (id != kNoValue) producer[static_cast<size_t>(id)] = static_cast<int>(n);
    }
    for (const ValueId id : graph.nodes[n].src) {
      if (id == kNoValue) continue;
      auto& list = readers[static_cast<size_t>(id)];  // grows in order: no search among many readers
      if (list.empty() || list.back() != static_cast<int>(n)) list.push_back(static_cast<int>(n));
    }
  }
  for (const ValueId id : graph.outputs) output[static_cast<size_t>(id)] = true;
}

int Uses::OnlyReader(ValueId id) const {
  const auto i = static_cast<size_t>(id);
  return readers[i].size() == 1 && !output[i] ? readers[i][0] : -1;
}

void Uses::AddReader(ValueId id, int node) {
  if (id == kNoValue) return;
  auto& list = readers[static_cast<size_t>(id)];
  if (std::find(list.begin(), list.end(), node) == list.end()) list.push_back(node);
}

void Uses::RemoveReader(ValueId id, int node) {
  if (id != kNoValue) std::erase(readers[static_cast<size_t>(id)], node);
}

void Uses::Redirect(Graph& graph, ValueId from, ValueId to) {
  const std::vector<int> moved = std::move(readers[static_cast<size_t>(from)]);
  readers[static_cast<size_t>(from)].clear();
  for (const int n : moved) {
    auto& src = graph.nodes[static_cast<size_t>(n)].src;
    std::replace(src.begin(), src.end(), from, to);
    AddReader(to, n);
  }
}

bool IsOp(const Node& node, std::string_view name, std::string_view domain) {
  return node.op != nullptr && node.op->name == name && node.op->domain == domain;
}

void EraseRemoved(Graph& graph) {
  std::erase_if(graph.nodes, [](const Node& node) { return node.op == nullptr; });
}

void AppendNames(Node* into, const Node& from) {
  if (into->fused.empty()) into->fused.push_back(into->name);
  if (from.fused.empty()) {
    into->fused.push_back(from.name);
  } else {
    into->fused.insert(into->fused.end(), from.fused.begin(), from.fused.end());
  }
}

bool BypassNode(Graph& graph, Uses& uses, int index) {
  Node& node = graph.nodes[static_cast<size_t>(index)];
  const ValueId src = node.src[0], dst = node.dst[0];
  if (uses.output[static_cast<size_t>(dst)]) {
    const int producer = uses.Producer(src);
    if (producer < 0 || uses.output[static_cast<size_t>(src)]) return false;
    auto& made = graph.nodes[static_cast<size_t>(producer)].dst;
    std::replace(made.begin(), made.end(), src, dst);
    uses.producer[static_cast<size_t>(dst)] = producer;
    uses.producer[static_cast<size_t>(src)] = -1;
    uses.RemoveReader(src, index);
    uses.Redirect(graph, src, dst);
    graph.value(dst).tensor = graph.value(src).tensor;
  } else {
    uses.producer[static_cast<size_t>(dst)] = -1;
    uses.RemoveReader(src, index);
    uses.Redirect(graph, dst, src);
  }
  for (const ValueId id : node.src) uses.RemoveReader(id, index);
  node.op = nullptr;
  node.src.clear();
  return true;
}

bool IsScalar(const Value& value, float* scalar) {
  if (value.constant == nullptr || value.constant->desc.NumElements() != 1) return false;
  if (value.constant->desc.type == DataType::kString) return false;
  *scalar = static_cast<float>(Load<double>(value.constant->desc, value.constant->data, 0));
  return true;
}

SymbolicCall::SymbolicCall(const Graph& graph, const Node& node) {
  const auto describe = [&](ValueId id) {
    TensorDesc desc;
    if (id == kNoValue) return desc;
    const SymbolicTensor& tensor = graph.value(id).tensor;
    desc.type = tensor.type;
    desc.rank = tensor.rank();
    for (size_t i = 0; i < tensor.dims.size(); ++i) {
      desc.dims[i] = tensor.dims[i].is_constant() ? tensor.dims[i].constant() : -1;
    }
    return desc;
  };
  for (const ValueId id : node.src) {
    src_.push_back(describe(id));
    constants_.push_back(id == kNoValue ? nullptr : graph.value(id).constant.get());
  }
  for (const ValueId id : node.dst) dst_.push_back(describe(id));
  call_.op = node.op;
  call_.attrs = &node.attrs;
  call_.name = node.name;
  call_.program = node.program_begin >= 0 ? &node.program : nullptr;
  call_.program_begin = std::max(node.program_begin, 0);
  call_.src = src_;
  call_.dst = dst_;
  call_.constants = constants_;
}

}  // namespace moka

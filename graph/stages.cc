#include "graph/stages.h"

#include <algorithm>
#include <unordered_map>

#include "base/status.h"

namespace moka {
namespace {

class Divider {
 public:
  Divider(const Graph& graph, const std::vector<bool>& on_host, const std::vector<ValueId>& cuts)
      : graph_(graph),
        on_host_(on_host),
        done_(graph.nodes.size(), false),
        available_(graph.values.size(), false),
        cut_(graph.values.size(), false) {
    for (const ValueId id : cuts) cut_[static_cast<size_t>(id)] = true;
    for (size_t v = 0; v < graph.values.size(); ++v) available_[v] = graph.values[v].constant != nullptr;
    for (const ValueId id : graph.inputs) available_[static_cast<size_t>(id)] = true;
  }

  Result<std::vector<Stage>> Divide() {
    size_t left = graph_.nodes.size();
    while (left > 0) {
      const size_t before = left;
      left -= TakePart();
      left -= TakeHostNodes();
      if (left == before) return Internal(graph_.source, ": nodes that no stage can take");
    }
    FindLastUses();
    return std::move(stages_);
  }

 private:
  bool IsReady(const Node& node) const {
    return std::all_of(node.src.begin(), node.src.end(),
                       [&](ValueId id) { return id == kNoValue || available_[static_cast<size_t>(id)]; });
  }

  void Publish(const Node& node) {
    for (const ValueId id : node.dst) {
      if (id != kNoValue) available_[static_cast<size_t>(id)] = true;
    }
  }

  // All nodes that plans can hold and whose sources are there, in one stage.
  size_t TakePart() {
    std::vector<int> nodes;
    std::vector<ValueId> held_back;
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      if (done_[n] || on_host_[n] || !IsReady(node)) continue;
      done_[n] = true;
      nodes.push_back(static_cast<int>(n));
      for (const ValueId id : node.dst) {
        if (id == kNoValue) continue;
        if (cut_[static_cast<size_t>(id)]) {
          held_back.push_back(id);
        } else {
          available_[static_cast<size_t>(id)] = true;
        }
      }
    }
    for (const ValueId id : held_back) available_[static_cast<size_t>(id)] = true;
    if (!nodes.empty()) stages_.push_back(MakePart(nodes));
    return nodes.size();
  }

  size_t TakeHostNodes() {
    size_t taken = 0;
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      if (done_[n] || !on_host_[n] || !IsReady(node)) continue;
      done_[n] = true;
      ++taken;
      Publish(node);
      Stage& stage = stages_.emplace_back();
      stage.node = static_cast<int>(n);
      stage.inputs = node.src;
      stage.outputs = node.dst;
    }
    return taken;
  }

  // The values that readers outside of `nodes` need are its outputs.
  Stage MakePart(const std::vector<int>& nodes) const {
    Stage stage;
    stage.graph.source = graph_.source;
    std::vector<bool> needed(graph_.values.size(), false), inside(graph_.nodes.size(), false);
    for (const int n : nodes) inside[static_cast<size_t>(n)] = true;
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (inside[n]) continue;
      for (const ValueId id : graph_.nodes[n].src) {
        if (id != kNoValue) needed[static_cast<size_t>(id)] = true;
      }
    }
    for (const ValueId id : graph_.outputs) needed[static_cast<size_t>(id)] = true;

    std::unordered_map<ValueId, ValueId> ids;
    const auto map = [&](ValueId id, bool made_here) {
      if (id == kNoValue) return kNoValue;
      const auto [it, is_new] = ids.try_emplace(id, kNoValue);
      if (!is_new) return it->second;
      const Value& value = graph_.value(id);
      const ValueId copy = stage.graph.AddValue(value.name);
      stage.graph.value(copy).constant = value.constant;
      it->second = copy;
      if (!made_here && value.constant == nullptr) {
        stage.inputs.push_back(id);
        stage.graph.inputs.push_back(copy);
      }
      return copy;
    };
    for (const int n : nodes) {
      Node node = graph_.nodes[static_cast<size_t>(n)];
      for (ValueId& id : node.src) id = map(id, false);
      for (ValueId& id : node.dst) {
        const ValueId whole = id;
        id = map(id, true);
        if (whole == kNoValue || !needed[static_cast<size_t>(whole)]) continue;
        stage.outputs.push_back(whole);
        stage.graph.outputs.push_back(id);
      }
      stage.graph.nodes.push_back(std::move(node));
    }
    return stage;
  }

  void FindLastUses() {
    std::vector<bool> seen(graph_.values.size(), false);
    for (const ValueId id : graph_.outputs) seen[static_cast<size_t>(id)] = true;
    for (size_t s = stages_.size(); s-- > 0;) {
      for (const auto* list : {&stages_[s].inputs, &stages_[s].outputs}) {
        for (const ValueId id : *list) {
          if (id == kNoValue || seen[static_cast<size_t>(id)]) continue;
          seen[static_cast<size_t>(id)] = true;
          stages_[s].last_uses.push_back(id);
        }
      }
    }
  }

  const Graph& graph_;
  const std::vector<bool>& on_host_;
  std::vector<bool> done_;       // per node
  std::vector<bool> available_;  // per value
  std::vector<bool> cut_;        // per value
  std::vector<Stage> stages_;
};

}  // namespace

std::vector<bool> HostNodes(const Graph& graph) {
  std::vector<bool> on_host(graph.nodes.size(), false), not_tensor(graph.values.size(), false);
  for (const ValueId id : graph.inputs) {
    not_tensor[static_cast<size_t>(id)] = graph.value(id).declared_kind != ValueKind::kTensor;
  }
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const bool takes_other = std::any_of(node.src.begin(), node.src.end(), [&](ValueId id) {
      return id != kNoValue && not_tensor[static_cast<size_t>(id)];
    });
    const bool makes_strings = std::any_of(node.dst.begin(), node.dst.end(), [&](ValueId id) {
      return id != kNoValue && graph.value(id).inferred && graph.value(id).tensor.type == DataType::kString;
    });
    on_host[n] = node.op->infer == nullptr || takes_other || (node.op->execute != nullptr && makes_strings);
  }
  return on_host;
}

bool NeedsStages(const Graph& graph, const InferResult& inferred) {
  if (!inferred.cuts.empty()) return true;
  const std::vector<bool> on_host = HostNodes(graph);
  return std::find(on_host.begin(), on_host.end(), true) != on_host.end();
}

Result<std::vector<Stage>> DivideIntoStages(const Graph& graph, const std::vector<bool>& on_host,
                                            const std::vector<ValueId>& cuts) {
  return Divider(graph, on_host, cuts).Divide();
}

}  // namespace moka

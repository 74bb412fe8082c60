#include "graph/inline_if.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "base/status.h"
#include "graph/constants.h"
#include "ops/element.h"

namespace moka {
namespace {

bool IsIf(const Node& node) { return node.op == FindOp("", "If"); }

std::optional<bool> KnownCondition(const Graph& graph, const Node& node) {
  const auto contents = KnownContents(graph.value(node.src[0]));
  if (contents == nullptr || contents->desc.type != DataType::kBool || contents->desc.NumElements() != 1) {
    return std::nullopt;
  }
  return Load<int64_t>(contents->desc, contents->data, 0) != 0;
}

class BranchCopy {
 public:
  BranchCopy(Graph& graph, Node node, const Graph& branch) : graph_(graph), node_(std::move(node)), branch_(branch) {}

  Status Run() {
    if (branch_.outputs.size() != node_.dst.size()) {
      return InvalidModel(Describe(graph_, node_), ": a branch gives ", branch_.outputs.size(), " outputs, expected ",
                          node_.dst.size());
    }
    std::vector<bool> made(branch_.values.size(), false);
    for (const Node& inner : branch_.nodes) {
      for (const ValueId id : inner.dst) {
        if (id != kNoValue) made[static_cast<size_t>(id)] = true;
      }
    }
    std::vector<std::pair<ValueId, ValueId>> passed;  // a value of the branch that is not made for this output
    for (size_t i = 0; i < node_.dst.size(); ++i) {
      const ValueId inside = branch_.outputs[i];
      if (node_.dst[i] == kNoValue) continue;
      const bool fits = made[static_cast<size_t>(inside)] && ids_.try_emplace(inside, node_.dst[i]).second;
      if (!fits) passed.emplace_back(inside, node_.dst[i]);
    }
    for (const Node& inner : branch_.nodes) {
      Node copy = inner;
      copy.name = StrCat(node_.name, "/", inner.name);
      for (ValueId& id : copy.src) id = Map(id);
      for (ValueId& id : copy.dst) id = Map(id);
      graph_.nodes.push_back(std::move(copy));
    }
    for (size_t k = 0; k < passed.size(); ++k) {
      Node identity;
      identity.op = FindOp("", "Identity");
      identity.name = StrCat(node_.name, "/output", k);
      identity.src = {Map(passed[k].first)};
      identity.dst = {passed[k].second};
      graph_.nodes.push_back(std::move(identity));
    }
    return Status();
  }

 private:
  ValueId Map(ValueId id) {
    if (id == kNoValue) return id;
    const auto [it, is_new] = ids_.try_emplace(id, kNoValue);
    if (!is_new) return it->second;
    const Value& value = branch_.value(id);
    const auto captured = std::find(node_.captures.begin(), node_.captures.end(), value.name);
    if (value.constant == nullptr && captured != node_.captures.end()) {
      it->second = node_.src[node_.num_own_src() + static_cast<size_t>(captured - node_.captures.begin())];
    } else {
      it->second = graph_.AddValue(StrCat(node_.name, "/", value.name));
      graph_.value(it->second).constant = value.constant;
    }
    return it->second;
  }

  Graph& graph_;
  const Node node_;
  const Graph& branch_;
  std::unordered_map<ValueId, ValueId> ids_;
};

// Replaces every If whose condition is known; false when there was none.
Result<bool> InlineKnown(Graph& graph) {
  std::vector<Node> chosen;
  std::vector<bool> conditions;
  for (const Node& node : graph.nodes) {
    if (!IsIf(node)) continue;
    const std::optional<bool> condition = KnownCondition(graph, node);
    if (!condition.has_value()) continue;
    chosen.push_back(node);
    conditions.push_back(*condition);
  }
  if (chosen.empty()) return false;
  std::erase_if(graph.nodes, [&](const Node& node) {
    return IsIf(node) && std::any_of(chosen.begin(), chosen.end(), [&](const Node& c) { return c.dst == node.dst; });
  });
  for (size_t k = 0; k < chosen.size(); ++k) {
    const char* name = conditions[k] ? "then_branch" : "else_branch";
    const AttributeValue* value = chosen[k].attrs.Find(name);
    const auto* branch = value == nullptr ? nullptr : std::get_if<std::shared_ptr<const SubgraphAttribute>>(value);
    if (branch == nullptr) return InvalidModel(Describe(graph, chosen[k]), ": attribute '", name, "' is no graph");
    MOKA_RETURN_IF_ERROR(BranchCopy(graph, chosen[k], (*branch)->graph).Run());
  }
  MOKA_RETURN_IF_ERROR(SortAndCheck(graph));
  return true;
}

// The inputs that `id` is computed from; none where one of them is more than a shape.
std::vector<ValueId> ShapeLikeInputs(const Graph& graph, ValueId id, const std::vector<int>& producer) {
  std::vector<bool> seen(graph.values.size(), false);
  std::vector<ValueId> stack = {id}, inputs;
  while (!stack.empty()) {
    const ValueId top = stack.back();
    stack.pop_back();
    if (top == kNoValue || seen[static_cast<size_t>(top)]) continue;
    seen[static_cast<size_t>(top)] = true;
    const Value& value = graph.value(top);
    if (KnownContents(value) != nullptr || IsKnownFromShapes(value)) continue;
    if (const int n = producer[static_cast<size_t>(top)]; n >= 0) {
      const Node& node = graph.nodes[static_cast<size_t>(n)];
      if (node.op->infer == nullptr) return {};
      stack.insert(stack.end(), node.src.begin(), node.src.end());
    } else if (IsShapeLike(value)) {
      inputs.push_back(top);
    } else {
      return {};
    }
  }
  return inputs;
}

}  // namespace

bool HasIf(const Graph& graph) { return std::any_of(graph.nodes.begin(), graph.nodes.end(), IsIf); }

Result<std::vector<ValueId>> InlineIfs(Graph& graph) {
  bool changed = true;
  while (changed) {
    MOKA_RETURN_IF_ERROR(InferShapes(graph).status());
    MOKA_ASSIGN_OR_RETURN(changed, InlineKnown(graph));
  }
  std::vector<int> producer(graph.values.size(), -1);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    for (const ValueId id : graph.nodes[n].dst) {
      if (id != kNoValue) producer[static_cast<size_t>(id)] = static_cast<int>(n);
    }
  }
  std::vector<ValueId> needed;
  for (const Node& node : graph.nodes) {
    if (!IsIf(node)) continue;
    for (const ValueId id : ShapeLikeInputs(graph, node.src[0], producer)) {
      if (std::find(needed.begin(), needed.end(), id) == needed.end()) needed.push_back(id);
    }
  }
  return needed;
}

}  // namespace moka

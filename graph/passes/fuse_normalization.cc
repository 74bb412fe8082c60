// LayerNormalization and RMSNormalization from what exporters write for them:
//   d = x - ReduceMean(x);  d / Sqrt(ReduceMean(d * d) + epsilon) * scale [+ bias]
// and the same with x for d. Squares may be Pow(d, 2), the quotient a product with Reciprocal.
#include <optional>

#include "graph/passes/passes.h"
#include "graph/passes/pattern.h"
#include "graph/passes/rewrite.h"
#include "ops/reduce.h"

namespace moka {
namespace {

struct Normalization {
  ValueId x = kNoValue, scale = kNoValue, bias = kNoValue;
  float epsilon = 0;
  int axis = 0;
  bool centered = false;
};

class Matcher {
 public:
  Matcher(const Graph& graph, const Uses& uses) : graph_(graph), pattern_(graph, uses) {}

  // Of the last node: Add of the bias, or Mul with the scale.
  std::optional<Normalization> Match(const Node& node) const {
    if (node.program_begin >= 0 || node.dst.size() != 1 || !pattern_.IsF32(node.dst[0])) return std::nullopt;
    Normalization found;
    if (IsOp(node, "Mul")) {
      return MatchScaled(node, &found) && AsManyDims(node, found) ? std::optional(found) : std::nullopt;
    }
    if (!IsOp(node, "Add")) return std::nullopt;
    for (const auto& [scaled, bias] : Pattern::Orders(node)) {
      const Node* mul = pattern_.MadeForOne(scaled, "Mul");
      if (mul == nullptr || !MatchScaled(*mul, &found) || !found.centered) continue;
      if (!pattern_.Broadcasts(bias, pattern_.Dims(found.x))) continue;
      found.bias = bias;
      return AsManyDims(node, found) ? std::optional(found) : std::nullopt;
    }
    return std::nullopt;
  }

 private:
  // Scalars on the way may have added some.
  bool AsManyDims(const Node& node, const Normalization& found) const {
    return pattern_.Dims(node.dst[0]).size() == pattern_.Dims(found.x).size();
  }

  bool MatchScaled(const Node& mul, Normalization* found) const {
    for (const auto& [normal, scale] : Pattern::Orders(mul)) {
      if (!MatchNormal(normal, found) || !pattern_.Broadcasts(scale, pattern_.Dims(found->x))) continue;
      found->scale = scale;
      return true;
    }
    return false;
  }

  // d / deviation, or d * Reciprocal(deviation).
  bool MatchNormal(ValueId id, Normalization* found) const {
    if (const Node* div = pattern_.MadeForOne(id, "Div")) return MatchParts(div->src[0], div->src[1], found);
    const Node* mul = pattern_.MadeForOne(id, "Mul");
    if (mul == nullptr) return false;
    for (const auto& [distance, factor] : Pattern::Orders(*mul)) {
      const Node* reciprocal = pattern_.Made(factor, "Reciprocal");
      if (reciprocal != nullptr && MatchParts(distance, reciprocal->src[0], found)) return true;
    }
    return false;
  }

  bool MatchParts(ValueId distance, ValueId deviation, Normalization* found) const {
    const Node* sqrt = pattern_.Made(deviation, "Sqrt");
    const Node* add = sqrt != nullptr ? pattern_.Made(sqrt->src[0], "Add") : nullptr;
    if (add == nullptr) return false;
    for (const auto& [variance, epsilon] : Pattern::Orders(*add)) {
      const Node* mean = pattern_.Made(variance, "ReduceMean");
      if (mean == nullptr || !pattern_.IsScalar(epsilon, &found->epsilon) || !IsSquare(mean->src[0], distance))
        continue;
      const int axis = TrailingAxis(*mean);
      if (axis < 0) continue;
      found->axis = axis;
      found->x = distance;
      found->centered = MatchCenter(distance, axis, &found->x);
      return pattern_.IsF32(found->x);
    }
    return false;
  }

  bool IsSquare(ValueId id, ValueId of) const {
    if (const Node* mul = pattern_.Made(id, "Mul")) return mul->src[0] == of && mul->src[1] == of;
    const Node* pow = pattern_.Made(id, "Pow");
    float exponent = 0;
    return pow != nullptr && pow->src[0] == of && pattern_.IsScalar(pow->src[1], &exponent) && exponent == 2;
  }

  bool MatchCenter(ValueId distance, int axis, ValueId* x) const {
    const Node* sub = pattern_.Made(distance, "Sub");
    const Node* mean = sub != nullptr ? pattern_.Made(sub->src[1], "ReduceMean") : nullptr;
    if (mean == nullptr || mean->src[0] != sub->src[0] || TrailingAxis(*mean) != axis) return false;
    *x = sub->src[0];
    return true;
  }

  // The first of the reduced axes, where they are the last ones and stay as 1; else -1.
  int TrailingAxis(const Node& reduce) const {
    const SymbolicCall call(graph_, reduce);
    const Result<ReduceParams> params = ReduceParams::From(call.call());
    const int rank = call.call().src[0].rank;
    if (!params.ok() || !params->keepdims || params->axes == 0) return -1;
    for (int axis = 0; axis < rank; ++axis) {
      if (params->axes == ((uint32_t{1} << rank) - (uint32_t{1} << axis))) return axis;
    }
    return -1;
  }

  const Graph& graph_;
  Pattern pattern_;
};

void Become(Node& node, const Normalization& found) {
  if (node.fused.empty()) node.fused.push_back(node.name);
  node.op = FindOp("", found.centered ? "LayerNormalization" : "RMSNormalization");
  node.attrs = {};
  node.attrs.Set("axis", static_cast<int64_t>(found.axis));
  node.attrs.Set("epsilon", found.epsilon);
  node.src = {found.x, found.scale};
  if (found.bias != kNoValue) node.src.push_back(found.bias);
}

}  // namespace

Status FuseNormalization(Graph& graph) {
  // What was rewritten still counts as a reader of what it read: too many readers prevent, but never deceive.
  const Uses uses(graph);
  // From the end: the bias is found before the scale alone.
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    if (!IsOp(graph.nodes[n], "Add") && !IsOp(graph.nodes[n], "Mul")) continue;
    const std::optional<Normalization> found = Matcher(graph, uses).Match(graph.nodes[n]);
    if (found) Become(graph.nodes[n], *found);
  }
  return RemoveDeadNodes(graph);
}

}  // namespace moka

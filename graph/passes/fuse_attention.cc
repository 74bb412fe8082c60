// Attention from MatMul(Softmax(MatMul(q, k^T) * scale + mask), v) over [batch, heads, length, size], where shapes
// prove that nothing is broadcast but the mask. Factors of q and of k^T are part of the scale. Windows of an image have
// a second mask, added where their scores are seen as [1, windows, heads, length, length].
#include <numeric>
#include <optional>

#include "graph/constants.h"
#include "graph/passes/passes.h"
#include "graph/passes/pattern.h"
#include "graph/passes/rewrite.h"
#include "ops/softmax.h"

namespace moka {
namespace {

constexpr uint64_t kMostMaskBytes = 16 << 20;  // of two masks in one

struct Found {
  ValueId q = kNoValue, k_transposed = kNoValue, v = kNoValue, mask = kNoValue;
  ValueId window_mask = kNoValue;  // of rank 5, or none
  float scale = 1;
};

class Matcher {
 public:
  Matcher(const Graph& graph, const Uses& uses) : graph_(graph), pattern_(graph, uses) {}

  std::optional<Found> Match(const Node& product) const {
    if (!IsOp(product, "MatMul") || product.program_begin >= 0) return std::nullopt;
    const Node* softmax = pattern_.MadeForOne(product.src[0], "Softmax");
    if (softmax == nullptr || !IsLastAxis(*softmax)) return std::nullopt;
    Found found;
    found.v = product.src[1];
    if (!MatchWindows(softmax->src[0], &found) || !ShapesFit(found)) return std::nullopt;
    return found;
  }

 private:
  bool IsLastAxis(const Node& softmax) const {
    const SymbolicCall call(graph_, softmax);
    const Result<SoftmaxParams> params = SoftmaxParams::From(call.call());
    return params.ok() && params->axis == call.call().src[0].rank - 1;
  }

  // Reshape(Reshape(scores to [1, windows, heads, length, length]) + constant), or scores.
  bool MatchWindows(ValueId id, Found* found) const {
    const Node* join = pattern_.MadeForOne(id, "Reshape");
    const Node* add = join != nullptr ? pattern_.MadeForOne(join->src[0], "Add") : nullptr;
    if (add == nullptr) return MatchScores(id, found);
    std::vector<Dim> windows = pattern_.Dims(id);
    windows.insert(windows.begin(), Dim(1));
    for (const auto& [seen, mask] : Pattern::Orders(*add)) {
      const Node* split = pattern_.MadeForOne(seen, "Reshape");
      if (split == nullptr || pattern_.Dims(seen) != windows || pattern_.Dims(split->src[0]) != pattern_.Dims(id))
        continue;
      if (!IsMask(mask) || pattern_.Dims(mask).size() != 5 || pattern_.Dims(mask)[4] != windows[4] ||
          !pattern_.Broadcasts(mask, windows))
        continue;
      if (!MatchScores(split->src[0], found) || (found->mask != kNoValue && !IsMask(found->mask))) continue;
      found->window_mask = mask;
      return true;
    }
    return false;
  }
  bool IsMask(ValueId id) const { return pattern_.IsF32(id) && graph_.value(id).constant != nullptr; }

  bool MatchScores(ValueId scores, Found* found) const {
    if (const Node* add = pattern_.MadeForOne(scores, "Add")) {
      for (const auto& [product, mask] : Pattern::Orders(*add)) {
        if (!MatchScaled(product, found)) continue;
        found->mask = mask;
        return true;
      }
      return false;
    }
    return MatchScaled(scores, found);
  }

  bool MatchScaled(ValueId scores, Found* found) const {
    if (const Node* div = pattern_.MadeForOne(scores, "Div")) {
      float divisor = 0;
      if (!pattern_.IsScalar(div->src[1], &divisor) || divisor == 0) return false;
      found->scale = 1 / divisor;
      return MatchProduct(div->src[0], found);
    }
    if (const Node* mul = pattern_.MadeForOne(scores, "Mul")) {
      for (const auto& [product, factor] : Pattern::Orders(*mul)) {
        if (pattern_.IsScalar(factor, &found->scale)) return MatchProduct(product, found);
      }
      return false;
    }
    found->scale = 1;
    return MatchProduct(scores, found);
  }

  bool MatchProduct(ValueId id, Found* found) const {
    const Node* product = pattern_.MadeForOne(id, "MatMul");
    if (product == nullptr) return false;
    found->q = WithoutFactor(product->src[0], &found->scale);
    found->k_transposed = WithoutFactor(product->src[1], &found->scale);
    return true;
  }

  ValueId WithoutFactor(ValueId id, float* scale) const {
    const Node* mul = pattern_.Made(id, "Mul");
    if (mul == nullptr) return id;
    for (const auto& [x, factor] : Pattern::Orders(*mul)) {
      float number = 0;
      if (!pattern_.IsScalar(factor, &number) || pattern_.Dims(x) != pattern_.Dims(id)) continue;
      *scale *= number;
      return x;
    }
    return id;
  }

  bool ShapesFit(const Found& found) const {
    for (const ValueId id : {found.q, found.k_transposed, found.v}) {
      if (!pattern_.IsF32(id) || pattern_.Dims(id).size() != 4) return false;
    }
    const std::vector<Dim>&q = pattern_.Dims(found.q), &k = pattern_.Dims(found.k_transposed);
    const std::vector<Dim>& v = pattern_.Dims(found.v);
    for (size_t i = 0; i < 2; ++i) {
      if (q[i] != k[i] || q[i] != v[i]) return false;
    }
    if (q[3] != k[2] || k[3] != v[2]) return false;
    if (found.mask == kNoValue) return true;
    // Attention takes a shorter mask as one that hides keys: its last dimension must be that of the keys.
    const std::vector<Dim>& mask = pattern_.Dims(found.mask);
    return pattern_.IsF32(found.mask) && !mask.empty() && mask.back() == k[3] &&
           pattern_.Broadcasts(found.mask, {q[0], q[1], q[2], k[3]});
  }

  const Graph& graph_;
  Pattern pattern_;
};

// The keys with their elements last: what was transposed, or a Transpose before node `at`, which then moves up.
ValueId KeysOf(Graph& graph, const Uses& uses, ValueId transposed, size_t* at) {
  std::vector<int64_t> perm = {0, 1, 3, 2};
  ValueId from = transposed;
  if (const Node* made = Pattern(graph, uses).Made(transposed, "Transpose")) {
    const Result<std::vector<int64_t>> first = made->attrs.Ints("perm", {3, 2, 1, 0});
    if (first.ok() && first->size() == 4) {
      perm = {(*first)[0], (*first)[1], (*first)[3], (*first)[2]};
      from = made->src[0];
    }
  }
  std::vector<int64_t> identity(4);
  std::iota(identity.begin(), identity.end(), 0);
  if (perm == identity) return from;
  Node transpose;
  transpose.op = FindOp("", "Transpose");
  transpose.name = StrCat(graph.nodes[*at].name, "/keys");
  transpose.attrs.Set("perm", perm);
  transpose.src = {from};
  const ValueId keys = graph.AddValue(transpose.name);
  Value& value = graph.value(keys);
  value.tensor.type = graph.value(from).tensor.type;
  for (const int64_t axis : perm) {
    value.tensor.dims.push_back(graph.value(from).tensor.dims[static_cast<size_t>(axis)]);
  }
  value.inferred = true;
  transpose.dst = {keys};
  graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(*at), std::move(transpose));
  ++*at;
  return keys;
}

// The sum of a mask of windows, without its first dimension, and of another one, or none. kNoValue: too large.
ValueId JoinMasks(Graph& graph, const Node& node, ValueId window_mask, ValueId mask) {
  HostTensor seen = *graph.value(window_mask).constant;
  Shape shape = seen.desc.shape();
  shape.erase(shape.begin());
  seen.desc = MakeDense(seen.desc.type, shape);
  const ValueId windows = graph.AddConstant(StrCat(node.name, "/windows"), seen);
  if (mask == kNoValue) return windows;
  Node add;
  add.op = FindOp("", "Add");
  add.src = {windows, mask};
  add.dst = {graph.AddValue(StrCat(node.name, "/mask"))};
  const std::vector<Dim>&a = graph.value(windows).tensor.dims, &b = graph.value(mask).tensor.dims;
  Value& sum = graph.value(add.dst[0]);
  sum.tensor.type = DataType::kF32;
  sum.tensor.dims = a;
  for (size_t i = 0; i < b.size(); ++i) {
    Dim& dim = sum.tensor.dims[a.size() - b.size() + i];
    if (dim == Dim(1)) dim = b[i];
  }
  EvaluationBudget budget = {kMostMaskBytes, kMostMaskBytes, static_cast<double>(kMostMaskBytes)};
  const std::shared_ptr<const HostTensor> known[] = {graph.value(windows).constant, graph.value(mask).constant};
  const auto folded = EvaluateNode(graph, add, known, &budget);
  return folded.ok() ? graph.AddConstant(StrCat(node.name, "/masks"), *folded->front()) : kNoValue;
}

}  // namespace

Status FuseAttention(Graph& graph) {
  std::optional<Uses> uses_of_graph;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!IsOp(graph.nodes[n], "MatMul")) continue;
    if (!uses_of_graph) uses_of_graph.emplace(graph);
    const Uses& uses = *uses_of_graph;
    std::optional<Found> found = Matcher(graph, uses).Match(graph.nodes[n]);
    if (!found) continue;
    if (found->window_mask != kNoValue) {
      found->mask = JoinMasks(graph, graph.nodes[n], found->window_mask, found->mask);
      if (found->mask == kNoValue) continue;
    }
    const ValueId keys = KeysOf(graph, uses, found->k_transposed, &n);
    Node& node = graph.nodes[n];
    if (node.fused.empty()) node.fused.push_back(node.name);
    node.op = FindOp("", "Attention");
    node.attrs = {};
    node.attrs.Set("scale", found->scale);
    node.src = {found->q, keys, found->v};
    if (found->mask != kNoValue) node.src.push_back(found->mask);
    uses_of_graph.reset();
  }
  return RemoveDeadNodes(graph);
}

}  // namespace moka

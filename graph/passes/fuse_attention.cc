// Attention from MatMul(Softmax(MatMul(q, k^T) * scale + mask), v) over [batch, heads, length, size] or without the
// batch, where shapes prove that nothing is broadcast but the mask. Factors of q and of k^T are part of the scale.
// Windows of an image have a second mask, added where their scores are seen as [1, windows, heads, length, length].
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
    // Scalars on the way may have added some.
    if (pattern_.Dims(product.dst[0]).size() != pattern_.Dims(found.q).size()) return std::nullopt;
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
    float number = 0;
    if (const Node* div = pattern_.Made(id, "Div")) {
      const bool divided = pattern_.IsScalar(div->src[1], &number) && number != 0;
      if (!divided || pattern_.Dims(div->src[0]) != pattern_.Dims(id)) return id;
      *scale /= number;
      return div->src[0];
    }
    const Node* mul = pattern_.Made(id, "Mul");
    if (mul == nullptr) return id;
    for (const auto& [x, factor] : Pattern::Orders(*mul)) {
      if (!pattern_.IsScalar(factor, &number) || pattern_.Dims(x) != pattern_.Dims(id)) continue;
      *scale *= number;
      return x;
    }
    return id;
  }

  bool ShapesFit(const Found& found) const {
    const std::vector<Dim>&q = pattern_.Dims(found.q), &k = pattern_.Dims(found.k_transposed);
    const std::vector<Dim>& v = pattern_.Dims(found.v);
    const size_t rank = q.size();
    if (rank != 3 && rank != 4) return false;
    for (const ValueId id : {found.q, found.k_transposed, found.v}) {
      if (!pattern_.IsF32(id) || pattern_.Dims(id).size() != rank) return false;
    }
    for (size_t i = 0; i + 2 < rank; ++i) {
      if (q[i] != k[i] || q[i] != v[i]) return false;
    }
    if (q[rank - 1] != k[rank - 2] || k[rank - 1] != v[rank - 2]) return false;
    if (found.mask == kNoValue) return true;
    // Attention takes a shorter mask as one that hides keys: its last dimension must be that of the keys.
    const std::vector<Dim>& mask = pattern_.Dims(found.mask);
    std::vector<Dim> scores = q;
    scores.back() = k.back();
    return pattern_.IsF32(found.mask) && !mask.empty() && mask.back() == k.back() &&
           pattern_.Broadcasts(found.mask, scores);
  }

  const Graph& graph_;
  Pattern pattern_;
};

// Inserts a node of one result before node `at`, which then moves up.
ValueId Insert(Graph& graph, size_t* at, Node node, std::vector<Dim> dims) {
  const ValueId id = graph.AddValue(node.name);
  Value& value = graph.value(id);
  value.tensor.type = graph.value(node.src[0]).tensor.type;
  value.tensor.dims = std::move(dims);
  value.inferred = true;
  node.dst = {id};
  graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(*at), std::move(node));
  ++*at;
  return id;
}

// The keys with their elements last: what was transposed, or a Transpose before node `at`, which then moves up.
ValueId KeysOf(Graph& graph, const Uses& uses, ValueId transposed, size_t* at) {
  const size_t rank = graph.value(transposed).tensor.dims.size();
  std::vector<int64_t> identity(rank), perm(rank);
  std::iota(identity.begin(), identity.end(), 0);
  perm = identity;
  std::swap(perm[rank - 2], perm[rank - 1]);
  ValueId from = transposed;
  if (const Node* made = Pattern(graph, uses).Made(transposed, "Transpose")) {
    const std::vector<int64_t> reversed(identity.rbegin(), identity.rend());
    const Result<std::vector<int64_t>> first = made->attrs.Ints("perm", reversed);
    if (first.ok() && first->size() == rank) {
      perm = *first;
      std::swap(perm[rank - 2], perm[rank - 1]);
      from = made->src[0];
    }
  }
  if (perm == identity) return from;
  Node transpose;
  transpose.op = FindOp("", "Transpose");
  transpose.name = StrCat(graph.nodes[*at].name, "/keys");
  transpose.attrs.Set("perm", perm);
  transpose.src = {from};
  std::vector<Dim> dims;
  for (const int64_t axis : perm) dims.push_back(graph.value(from).tensor.dims[static_cast<size_t>(axis)]);
  return Insert(graph, at, std::move(transpose), std::move(dims));
}

ValueId FirstAxis(Graph& graph, std::string name) {
  void* data = nullptr;
  const std::shared_ptr<const HostTensor> axes = AllocateConstant(DataType::kI64, {1}, &data);
  *static_cast<int64_t*>(data) = 0;
  return graph.AddConstant(std::move(name), *axes);
}

// Without a batch, node `at` becomes one that has a batch of 1, and is followed by one that removes it.
void AddBatch(Graph& graph, size_t* at) {
  const std::string name = graph.nodes[*at].name;
  const ValueId axes = FirstAxis(graph, StrCat(name, "/first"));
  for (size_t i = 0; i < 3; ++i) {
    const ValueId id = graph.nodes[*at].src[i];
    std::vector<Dim> dims = graph.value(id).tensor.dims;
    dims.insert(dims.begin(), Dim(1));
    Node node;
    node.op = FindOp("", "Unsqueeze");
    node.name = StrCat(name, "/batch", i);
    node.src = {id, axes};
    const ValueId batch = Insert(graph, at, std::move(node), std::move(dims));
    graph.nodes[*at].src[i] = batch;
  }
  // The node's own result is made behind it, from one with a batch.
  Node squeeze;
  squeeze.op = FindOp("", "Squeeze");
  squeeze.name = StrCat(name, "/result");
  squeeze.dst = graph.nodes[*at].dst;
  std::vector<Dim> dims = graph.value(squeeze.dst[0]).tensor.dims;
  dims.insert(dims.begin(), Dim(1));
  const ValueId result = graph.AddValue(StrCat(name, "/batch"));
  Value& value = graph.value(result);
  value.tensor.type = DataType::kF32;
  value.tensor.dims = std::move(dims);
  value.inferred = true;
  squeeze.src = {result, axes};
  graph.nodes[*at].dst = {result};
  ++*at;
  graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(*at), std::move(squeeze));
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
    if (graph.value(found->q).tensor.dims.size() == 3) AddBatch(graph, &n);
    uses_of_graph.reset();
  }
  return RemoveDeadNodes(graph);
}

}  // namespace moka

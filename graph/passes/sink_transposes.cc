// Transpose, then an elementwise operator, after a product: the operator comes first, so that it becomes the product's
// epilogue. Its other operands are transposed instead: constants now, the others by a Transpose, which often meets
// another one. (ConvNeXt scales and adds in another order of dimensions than that of its products.)
#include <algorithm>
#include <optional>

#include "graph/passes/fuse.h"
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"
#include "ops/transpose.h"

namespace moka {
namespace {

constexpr int kMostSteps = 8;  // elementwise operators between the product and the Transpose

class Sinker {
 public:
  Sinker(Graph& graph, const Uses& uses, size_t n) : graph_(graph), uses_(uses), n_(n) {}

  // Nodes that take the place of node n; none where nothing is to do.
  std::vector<Node> Run() {
    const Node& node = graph_.nodes[n_];
    for (const ValueId id : node.src) {
      if (!FindTranspose(id)) continue;
      std::vector<ValueId> src = node.src;
      std::vector<Node> nodes;
      if (!std::all_of(src.begin(), src.end(), [&](ValueId other) { return other == id || Moves(other); })) continue;
      for (ValueId& other : src) other = other == id ? transpose_->src[0] : Moved(other, &nodes);
      Node last = *transpose_, sunk = node;
      sunk.src = src;
      sunk.dst = {NewValue(StrCat(node.name, "/product"), graph_.value(transpose_->src[0]).tensor.dims)};
      last.name = StrCat(node.name, "/transposed");
      last.src = sunk.dst;
      last.dst = node.dst;
      nodes.push_back(std::move(sunk));
      nodes.push_back(std::move(last));
      return nodes;
    }
    return {};
  }

  int transpose() const { return transpose_at_; }

 private:
  const std::vector<Dim>& Dims(ValueId id) const { return graph_.value(id).tensor.dims; }

  ValueId NewValue(std::string name, std::vector<Dim> dims) {
    const ValueId id = graph_.AddValue(std::move(name));
    graph_.value(id).tensor.type = DataType::kF32;
    graph_.value(id).tensor.dims = std::move(dims);
    graph_.value(id).inferred = true;
    return id;
  }

  bool FindTranspose(ValueId id) {
    transpose_at_ = uses_.Producer(id);
    if (transpose_at_ < 0 || uses_.OnlyReader(id) != static_cast<int>(n_)) return false;
    transpose_ = &graph_.nodes[static_cast<size_t>(transpose_at_)];
    if (!IsOp(*transpose_, "Transpose") || Dims(id) != Dims(graph_.nodes[n_].dst[0])) return false;
    const Result<TransposeParams> params = TransposeParams::From(transpose_->attrs, static_cast<int>(Dims(id).size()));
    if (!params.ok()) return false;
    params_ = *params;
    return EndsProduct(transpose_->src[0], kMostSteps);
  }

  // Whether the value is a product, or what elementwise operators that fusing joins to it make of one.
  bool EndsProduct(ValueId id, int steps) const {
    const int p = uses_.Producer(id);
    if (p < 0 || uses_.OnlyReader(id) < 0) return false;
    const Node& node = graph_.nodes[static_cast<size_t>(p)];
    if (TakesEpilogue(node)) return true;
    return steps > 0 && IsOp(node, "Elementwise", "moka") &&
           std::any_of(node.src.begin(), node.src.end(),
                       [&](ValueId src) { return Dims(src) == Dims(id) && EndsProduct(src, steps - 1); });
  }

  bool Moves(ValueId id) const {
    if (Dims(id) == Dims(graph_.nodes[n_].dst[0])) return graph_.value(id).constant == nullptr;
    const auto is_long = [](const Dim& dim) { return dim != Dim(1); };
    return graph_.value(id).constant != nullptr && std::count_if(Dims(id).begin(), Dims(id).end(), is_long) <= 1;
  }

  // The operand as it broadcasts to the product.
  ValueId Moved(ValueId id, std::vector<Node>* nodes) {
    const auto rank = static_cast<size_t>(params_.rank);
    if (graph_.value(id).constant != nullptr) {
      HostTensor moved = *graph_.value(id).constant;
      const Shape shape = moved.desc.shape();
      Shape to(rank, 1);
      for (size_t i = 0; i < shape.size(); ++i) {
        to[static_cast<size_t>(params_.perm[rank - shape.size() + i])] = shape[i];
      }
      moved.desc = MakeDense(moved.desc.type, to);
      return graph_.AddConstant(StrCat(graph_.value(id).name, "/moved"), moved);
    }
    std::vector<int64_t> perm(rank);
    std::vector<Dim> dims(rank);
    for (size_t i = 0; i < rank; ++i) {
      perm[static_cast<size_t>(params_.perm[i])] = static_cast<int64_t>(i);
      dims[static_cast<size_t>(params_.perm[i])] = Dims(id)[i];
    }
    Node back;
    back.op = transpose_->op;
    back.name = StrCat(graph_.nodes[n_].name, "/operand", nodes->size());
    back.attrs.Set("perm", perm);
    back.src = {id};
    back.dst = {NewValue(back.name, dims)};
    nodes->push_back(std::move(back));
    return nodes->back().dst[0];
  }

  Graph& graph_;
  const Uses& uses_;
  const size_t n_;
  int transpose_at_ = -1;
  const Node* transpose_ = nullptr;
  TransposeParams params_;
};

}  // namespace

Status SinkTransposes(Graph& graph) {
  std::optional<Uses> uses;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!IsOp(graph.nodes[n], "Elementwise", "moka")) continue;
    if (!uses) uses.emplace(graph);
    Sinker sinker(graph, *uses, n);
    std::vector<Node> nodes = sinker.Run();
    if (nodes.empty()) continue;
    graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(n));
    graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(n), std::make_move_iterator(nodes.begin()),
                       std::make_move_iterator(nodes.end()));
    graph.nodes.erase(graph.nodes.begin() + sinker.transpose());
    n += nodes.size() - 2;  // the last one is a Transpose; one before node n went
    uses.reset();
  }
  return MergeTransposes(graph);
}

}  // namespace moka

// Einsum as products of matrices. Operands meet two at a time, from the left. Labels that only one of both has, and
// that nothing needs any more, are summed first. The others are batches (in both and in the result), rows (in the first
// and in the result), columns (in the second and in the result) and sums (in both, not in the result): Transpose brings
// them into this order, Reshape makes one dimension of rows, of columns and of sums. Without sums it is a product of
// elements. Most of the transposes and reshapes are views.
#include <algorithm>
#include <optional>

#include "graph/constants.h"
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"
#include "ops/einsum.h"

namespace moka {
namespace {

using Labels = std::vector<int>;

bool Contains(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

Labels Joined(std::initializer_list<const Labels*> parts) {
  Labels all;
  for (const Labels* part : parts) all.insert(all.end(), part->begin(), part->end());
  return all;
}

struct Term {
  ValueId id = kNoValue;
  Labels labels;  // of its dimensions
};

// The nodes that stand for one Einsum.
class Lowering {
 public:
  Lowering(Graph& graph, const Node& node) : graph_(graph), node_(node) {}

  // None where it has another form.
  std::vector<Node> Run() {
    const size_t values = graph_.values.size();
    if (node_.program_begin < 0 && Start() && Contract() && Finish()) return std::move(nodes_);
    graph_.values.resize(values);
    return {};
  }

 private:
  // No label twice in one operand, and equal sizes, none of them 0, wherever a label appears.
  bool Start() {
    const SymbolicCall call(graph_, node_);
    const Result<EinsumEquation> equation = EinsumEquation::From(call.call());
    if (!equation.ok() || !IsFloat(graph_.value(node_.src[0]).tensor.type)) return false;
    sizes_.resize(static_cast<size_t>(equation->num_labels));
    for (size_t i = 0; i < node_.src.size(); ++i) {
      const Labels& labels = equation->src[i];
      for (size_t d = 0; d < labels.size(); ++d) {
        if (std::count(labels.begin(), labels.end(), labels[d]) > 1) return false;
        std::optional<Dim>& size = sizes_[static_cast<size_t>(labels[d])];
        const Dim& own = graph_.value(node_.src[i]).tensor.dims[d];
        if ((size && *size != own) || own == Dim(0)) return false;
        size = own;
      }
      terms_.push_back({node_.src[i], labels});
    }
    result_ = equation->dst;
    return true;
  }
  static bool IsFloat(DataType type) {
    return type == DataType::kF32 || type == DataType::kF64 || type == DataType::kF16 || type == DataType::kBF16;
  }

  bool Contract() {
    while (terms_.size() > 1) {
      const Term a = terms_[0], b = terms_[1];
      terms_.erase(terms_.begin(), terms_.begin() + 2);
      std::optional<Term> product = Product(a, b);
      if (!product) return false;
      terms_.insert(terms_.begin(), std::move(*product));
    }
    return true;
  }

  // The last node makes the result.
  bool Finish() {
    const Term only = terms_[0];
    terms_.clear();
    const Term last = Permuted(Summed(only, {}), result_);
    if (nodes_.empty()) Emit("Identity", {last.id}, last.labels);
    nodes_.back().dst = node_.dst;
    nodes_.back().name = node_.name;
    return true;
  }

  bool IsNeeded(int label) const {
    return Contains(result_, label) ||
           std::any_of(terms_.begin(), terms_.end(), [&](const Term& term) { return Contains(term.labels, label); });
  }

  const Dim& Size(int label) const { return *sizes_[static_cast<size_t>(label)]; }

  std::optional<Term> Product(Term a, Term b) {
    a = Summed(a, b.labels);
    b = Summed(b, a.labels);
    Labels batch, row, column, sum;
    // In the order of the result, so that it needs no Transpose where that can be.
    for (const int label : Joined({&result_, &a.labels, &b.labels})) {
      const bool in_a = Contains(a.labels, label), in_b = Contains(b.labels, label);
      Labels& group = in_a && in_b ? (IsNeeded(label) ? batch : sum) : in_a ? row : column;
      if ((in_a || in_b) && !Contains(group, label)) group.push_back(label);
    }
    if (batch.size() + row.size() + column.size() > kMaxRank) return std::nullopt;
    if (sum.empty()) return ElementProduct(a, b, batch, row, column);
    a = Permuted(a, Joined({&batch, &row, &sum}));
    b = Permuted(b, Joined({&batch, &sum, &column}));
    const std::optional<ValueId> left = Grouped(a, batch.size(), row, sum),
                                 right = Grouped(b, batch.size(), sum, column);
    if (!left || !right) return std::nullopt;
    std::vector<Dim> dims = Dims(batch);
    dims.push_back(All(row));
    dims.push_back(All(column));
    const ValueId product = Emit("MatMul", {*left, *right}, dims);
    const Labels all = Joined({&batch, &row, &column});
    if (row.size() == 1 && column.size() == 1) return Term{product, all};
    // 0 copies the dimension of the product at the same place.
    std::vector<Dim> shape = Dims(all);
    std::vector<int64_t> target = Shape(shape, batch.size() + (row.size() == 1 ? 1 : 0));
    if (target.empty() && !all.empty()) return std::nullopt;
    return Term{Reshaped(product, target, shape), all};
  }

  Term ElementProduct(Term a, Term b, const Labels& batch, const Labels& row, const Labels& column) {
    a = Permuted(a, Joined({&batch, &row}));
    b = Permuted(b, Joined({&batch, &column}));
    const ValueId left = Unsqueezed(a, batch.size() + row.size(), column.size());
    const ValueId right = Unsqueezed(b, batch.size(), row.size());
    const Labels all = Joined({&batch, &row, &column});
    return {Emit("Mul", {left, right}, all), all};
  }

  // [batch ..., first ..., second ...] with one dimension for `first` and one for `second`; nothing where neither can
  // be written as a shape.
  std::optional<ValueId> Grouped(const Term& term, size_t batch, const Labels& first, const Labels& second) {
    if (first.size() == 1 && second.size() == 1) return term.id;
    std::vector<Dim> dims(graph_.value(term.id).tensor.dims.begin(),
                          graph_.value(term.id).tensor.dims.begin() + static_cast<ptrdiff_t>(batch));
    dims.push_back(All(first));
    dims.push_back(All(second));
    const std::vector<int64_t> target = Shape(dims, batch + (first.size() == 1 ? 1 : 0));
    if (target.empty()) return std::nullopt;
    return Reshaped(term.id, target, dims);
  }

  // What Reshape takes for these dims, of which the first `same` stay; empty where more than one is not known.
  static std::vector<int64_t> Shape(const std::vector<Dim>& dims, size_t same) {
    std::vector<int64_t> shape;
    bool free = true;
    for (size_t i = 0; i < dims.size(); ++i) {
      shape.push_back(i < same ? 0 : dims[i].is_constant() ? dims[i].constant() : -1);
      if (shape.back() >= 0) continue;
      if (!free) return {};
      free = false;
    }
    return shape;
  }

  std::vector<Dim> Dims(const Labels& labels) const {
    std::vector<Dim> dims;
    for (const int label : labels) dims.push_back(Size(label));
    return dims;
  }
  Dim All(const Labels& labels) const {
    Dim product = 1;
    for (const int label : labels) product = product * Size(label);
    return product;
  }

  // ---- Nodes -------------------------------------------------------------------------------------------------------

  ValueId Emit(const char* op, std::vector<ValueId> src, std::vector<Dim> dims, Attributes attrs = {}) {
    Node node;
    node.op = FindOp("", op);
    node.name = StrCat(node_.name, "/", nodes_.size());
    node.attrs = std::move(attrs);
    node.src = std::move(src);
    node.dst = {graph_.AddValue(node.name)};
    Value& value = graph_.value(node.dst[0]);
    value.tensor.type = graph_.value(node_.dst[0]).tensor.type;
    value.tensor.dims = std::move(dims);
    value.inferred = true;
    nodes_.push_back(std::move(node));
    return nodes_.back().dst[0];
  }
  ValueId Emit(const char* op, std::vector<ValueId> src, const Labels& labels, Attributes attrs = {}) {
    return Emit(op, std::move(src), Dims(labels), std::move(attrs));
  }

  ValueId Ints(const std::vector<int64_t>& values) {
    void* data = nullptr;
    const auto tensor = AllocateConstant(DataType::kI64, {static_cast<int64_t>(values.size())}, &data);
    std::copy(values.begin(), values.end(), static_cast<int64_t*>(data));
    return graph_.AddConstant(StrCat(node_.name, "/ints", nodes_.size()), *tensor);
  }

  // Without the labels that neither `other` nor anything later has.
  Term Summed(const Term& term, const Labels& other) {
    Term kept;
    std::vector<int64_t> axes;
    for (size_t d = 0; d < term.labels.size(); ++d) {
      if (Contains(other, term.labels[d]) || IsNeeded(term.labels[d])) {
        kept.labels.push_back(term.labels[d]);
      } else {
        axes.push_back(static_cast<int64_t>(d));
      }
    }
    if (axes.empty()) return term;
    Attributes attrs;
    attrs.Set("keepdims", int64_t{0});
    kept.id = Emit("ReduceSum", {term.id, Ints(axes)}, kept.labels, std::move(attrs));
    return kept;
  }

  Term Permuted(const Term& term, const Labels& wanted) {
    if (term.labels == wanted) return term;
    std::vector<int64_t> perm;
    for (const int label : wanted) {
      perm.push_back(std::find(term.labels.begin(), term.labels.end(), label) - term.labels.begin());
    }
    Attributes attrs;
    attrs.Set("perm", std::move(perm));
    return {Emit("Transpose", {term.id}, wanted, std::move(attrs)), wanted};
  }

  ValueId Reshaped(ValueId from, const std::vector<int64_t>& target, const std::vector<Dim>& dims) {
    return Emit("Reshape", {from, Ints(target)}, dims);
  }

  ValueId Unsqueezed(const Term& term, size_t at, size_t count) {
    if (count == 0) return term.id;
    std::vector<Dim> dims = Dims(term.labels);
    std::vector<int64_t> axes;
    for (size_t i = 0; i < count; ++i) axes.push_back(static_cast<int64_t>(at + i));
    dims.insert(dims.begin() + static_cast<ptrdiff_t>(at), count, Dim(1));
    return Emit("Unsqueeze", {term.id, Ints(axes)}, std::move(dims));
  }

  Graph& graph_;
  const Node& node_;
  std::vector<std::optional<Dim>> sizes_;
  std::vector<Term> terms_;  // that have not met yet
  Labels result_;
  std::vector<Node> nodes_;
};

}  // namespace

Status LowerEinsum(Graph& graph) {
  std::vector<Node> nodes;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    std::vector<Node> lowered;
    if (IsOp(graph.nodes[n], "Einsum")) lowered = Lowering(graph, graph.nodes[n]).Run();
    if (lowered.empty()) lowered.push_back(std::move(graph.nodes[n]));
    std::move(lowered.begin(), lowered.end(), std::back_inserter(nodes));
  }
  graph.nodes = std::move(nodes);
  return Status();
}

}  // namespace moka

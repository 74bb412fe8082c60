// Einsum of two operands as a product of matrices. Its labels are those of batches (in both sources and the result),
// rows (in the first source and the result), columns (in the second and the result) and the sum (in both sources only):
// at most one of each of the latter three, so that Transpose brings the operands into the order of MatMul, and a
// Transpose brings its result into the wanted order. The transposes are views.
#include <algorithm>
#include <optional>

#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"
#include "ops/einsum.h"

namespace moka {
namespace {

struct Product {
  std::vector<int> batch;
  int row = -1, column = -1, sum = -1;
};

bool Contains(const std::vector<int>& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

bool SetOnce(int label, int* place) {
  if (*place >= 0) return false;
  *place = label;
  return true;
}

std::optional<Product> Classify(const EinsumEquation& equation) {
  Product product;
  for (int label = 0; label < equation.num_labels; ++label) {
    const bool a = Contains(equation.src[0], label), b = Contains(equation.src[1], label);
    const bool kept = Contains(equation.dst, label);
    if (a && b && kept) {
      product.batch.push_back(label);
    } else if (!(a && kept   ? SetOnce(label, &product.row)
                 : b && kept ? SetOnce(label, &product.column)
                 : a && b    ? SetOnce(label, &product.sum)
                             : false)) {
      return std::nullopt;
    }
  }
  if (product.row < 0 || product.column < 0 || product.sum < 0) return std::nullopt;
  return product;
}

// No label twice in one operand, and equal sizes wherever a label appears.
bool IsPlain(const Graph& graph, const Node& node, const EinsumEquation& equation) {
  std::vector<std::optional<Dim>> sizes(static_cast<size_t>(equation.num_labels));
  for (size_t i = 0; i < 2; ++i) {
    const std::vector<int>& labels = equation.src[i];
    for (size_t d = 0; d < labels.size(); ++d) {
      if (std::count(labels.begin(), labels.end(), labels[d]) > 1) return false;
      std::optional<Dim>& size = sizes[static_cast<size_t>(labels[d])];
      const Dim& own = graph.value(node.src[i]).tensor.dims[d];
      if (size && *size != own) return false;
      size = own;
    }
  }
  return true;
}

// Where each of `wanted` is in `have`.
std::vector<int64_t> Permutation(const std::vector<int>& have, const std::vector<int>& wanted) {
  std::vector<int64_t> perm;
  for (const int label : wanted) perm.push_back(std::find(have.begin(), have.end(), label) - have.begin());
  return perm;
}

Node MakeTranspose(Graph& graph, const Node& near, const char* suffix, ValueId from, std::vector<int64_t> perm) {
  Node node;
  node.op = FindOp("", "Transpose");
  node.name = StrCat(near.name, suffix);
  node.src = {from};
  node.dst = {graph.AddValue(node.name)};
  Value& value = graph.value(node.dst[0]);
  value.tensor.type = graph.value(from).tensor.type;
  for (const int64_t axis : perm) {
    value.tensor.dims.push_back(graph.value(from).tensor.dims[static_cast<size_t>(axis)]);
  }
  value.inferred = true;
  node.attrs.Set("perm", std::move(perm));
  return node;
}

// The nodes that stand for `node`; none where it has another form.
std::vector<Node> Lower(Graph& graph, const Node& node) {
  if (node.src.size() != 2 || node.program_begin >= 0) return {};
  const SymbolicCall call(graph, node);
  const Result<EinsumEquation> equation = EinsumEquation::From(call.call());
  if (!equation.ok() || !IsPlain(graph, node, *equation)) return {};
  const std::optional<Product> product = Classify(*equation);
  if (!product) return {};
  const auto order = [&](int first, int second) {
    std::vector<int> labels = product->batch;
    labels.push_back(first);
    labels.push_back(second);
    return labels;
  };
  const std::vector<int> result = order(product->row, product->column);
  std::vector<Node> nodes;
  nodes.push_back(
      MakeTranspose(graph, node, "/a", node.src[0], Permutation(equation->src[0], order(product->row, product->sum))));
  nodes.push_back(MakeTranspose(graph, node, "/b", node.src[1],
                                Permutation(equation->src[1], order(product->sum, product->column))));
  Node matmul;
  matmul.op = FindOp("", "MatMul");
  matmul.name = node.name;
  matmul.src = {nodes[0].dst[0], nodes[1].dst[0]};
  matmul.dst = {graph.AddValue(StrCat(node.name, "/product"))};
  Value& value = graph.value(matmul.dst[0]);
  value.tensor.type = graph.value(node.dst[0]).tensor.type;
  for (const int64_t d : Permutation(equation->dst, result)) {
    value.tensor.dims.push_back(graph.value(node.dst[0]).tensor.dims[static_cast<size_t>(d)]);
  }
  value.inferred = true;
  nodes.push_back(std::move(matmul));
  Node back;
  back.op = FindOp("", "Transpose");
  back.name = StrCat(node.name, "/result");
  back.src = nodes[2].dst;
  back.dst = node.dst;
  back.attrs.Set("perm", Permutation(result, equation->dst));
  nodes.push_back(std::move(back));
  return nodes;
}

}  // namespace

Status LowerEinsum(Graph& graph) {
  std::vector<Node> nodes;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    std::vector<Node> lowered;
    if (IsOp(graph.nodes[n], "Einsum")) lowered = Lower(graph, graph.nodes[n]);
    if (lowered.empty()) lowered.push_back(std::move(graph.nodes[n]));
    std::move(lowered.begin(), lowered.end(), std::back_inserter(nodes));
  }
  graph.nodes = std::move(nodes);
  return Status();
}

}  // namespace moka

// Networks that mix tokens transpose, multiply by weights and transpose back. (A^T W)^T = W^T A: with the weights first
// neither has to be. Attention whose heads are mixed (CaiT) does so with more dimensions: the last one stays the last
// one, and those that are neither it nor the heads become batches.
#include <algorithm>
#include <numeric>
#include <vector>

#include "graph/constants.h"
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"
#include "ops/element.h"
#include "ops/transpose.h"

namespace moka {
namespace {

constexpr int kMostSteps = 16;  // nodes between the transposes
constexpr int64_t kMostHeads = 16;

// The permutation of a Transpose that takes its source's last dimension to the one before the last, or back; else
// empty.
std::vector<int64_t> MovesLast(const Graph& graph, const Node& node, bool back) {
  if (!IsOp(node, "Transpose")) return {};
  const int rank = graph.value(node.src[0]).tensor.rank();
  const Result<TransposeParams> params = TransposeParams::From(node.attrs, rank);
  if (rank < 2 || !params.ok()) return {};
  std::vector<int64_t> perm(params->perm.begin(), params->perm.begin() + rank);
  const auto last = static_cast<size_t>(rank - 1);
  return perm[back ? last : last - 1] == rank - (back ? 2 : 1) ? perm : std::vector<int64_t>{};
}

// A product by a constant matrix, to which nothing else was joined.
bool IsByWeights(const Graph& graph, const Node& node) {
  if (!IsOp(node, "MatMul") || node.program_begin >= 0) return false;
  const HostTensor* weights = ConstantF32(graph, node.src[1]);
  return weights != nullptr && weights->desc.rank == 2 && graph.value(node.src[0]).tensor.rank() >= 2;
}

// Whether what is made of the value, by elementwise operators and more such products, is transposed back.
bool ComesBack(const Graph& graph, const Uses& uses, ValueId id) {
  for (int step = 0; step < kMostSteps; ++step) {
    const int reader = uses.OnlyReader(id);
    if (reader < 0) return false;
    const Node& node = graph.nodes[static_cast<size_t>(reader)];
    if (!MovesLast(graph, node, true).empty()) return true;
    const bool elementwise =
        IsOp(node, "Elementwise", "moka") && graph.value(node.dst[0]).tensor.dims == graph.value(id).tensor.dims;
    if (!elementwise && !(IsByWeights(graph, node) && node.src[0] == id)) return false;
    id = node.dst[0];
  }
  return false;
}

ValueId AddTransposed(Graph& graph, ValueId matrix) {
  const std::shared_ptr<const HostTensor> from = graph.value(matrix).constant;
  const int64_t rows = from->desc.dims[0], cols = from->desc.dims[1];
  void* data = nullptr;
  const std::shared_ptr<HostTensor> to = AllocateConstant(DataType::kF32, {cols, rows}, &data);
  if (to == nullptr) return kNoValue;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t k = 0; k < cols; ++k) StoreRaw(data, k * rows + i, LoadRaw<float>(from->data, i * cols + k));
  }
  return graph.AddConstant(StrCat(graph.value(matrix).name, "/transposed"), *to);
}

// Of the same dimensions, the last two of them the other way round.
ValueId AddSwappedValue(Graph& graph, std::string name, ValueId like) {
  const ValueId id = graph.AddValue(std::move(name));
  Value& value = graph.value(id);
  value.tensor.type = DataType::kF32;
  value.tensor.dims = graph.value(like).tensor.dims;
  value.inferred = true;
  std::iter_swap(value.tensor.dims.end() - 1, value.tensor.dims.end() - 2);
  return id;
}

Node MakeTranspose(std::string name, const std::vector<int64_t>& perm, ValueId src, ValueId dst) {
  Node node;
  node.op = FindOp("", "Transpose");
  node.name = std::move(name);
  node.attrs.Set("perm", perm);
  node.src = {src};
  node.dst = {dst};
  return node;
}

// MatMul(Transpose(x), W) becomes Transpose(MatMul(W^T, Transpose(x))), where the first Transpose often does nothing.
bool Swap(Graph& graph, size_t n, ValueId x, std::vector<int64_t> perm) {
  const ValueId weights = AddTransposed(graph, graph.nodes[n].src[1]);
  if (weights == kNoValue) return false;
  const std::string name = graph.nodes[n].name;
  const ValueId result = graph.nodes[n].dst[0];
  const ValueId operand = AddSwappedValue(graph, StrCat(name, "/operand"), graph.nodes[n].src[0]);
  const ValueId product = AddSwappedValue(graph, StrCat(name, "/swapped"), result);
  graph.nodes[n].src = {weights, operand};
  graph.nodes[n].dst = {product};
  std::vector<int64_t> swap(perm.size());
  std::iota(swap.begin(), swap.end(), 0);
  std::iter_swap(swap.end() - 1, swap.end() - 2);
  std::iter_swap(perm.end() - 1, perm.end() - 2);
  const auto at = graph.nodes.begin() + static_cast<std::ptrdiff_t>(n);
  graph.nodes.insert(at + 1, MakeTranspose(StrCat(name, "/transposed"), swap, product, result));
  graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(n),
                     MakeTranspose(StrCat(name, "/operand"), perm, x, operand));
  return true;
}

// Where other dimensions move too, products become many small ones: for weights that fill little of a panel anyway.
bool Pays(const Graph& graph, const Node& product, std::vector<int64_t> perm) {
  std::iter_swap(perm.end() - 1, perm.end() - 2);
  const Shape weights = graph.value(product.src[1]).constant->desc.shape();
  return std::is_sorted(perm.begin(), perm.end()) || std::max(weights[0], weights[1]) <= kMostHeads;
}

}  // namespace

Status SwapProducts(Graph& graph) {
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!IsByWeights(graph, graph.nodes[n])) continue;
    const Uses uses(graph);
    const int before = uses.Producer(graph.nodes[n].src[0]);
    if (before < 0) continue;
    const Node& transpose = graph.nodes[static_cast<size_t>(before)];
    const std::vector<int64_t> perm = MovesLast(graph, transpose, false);
    if (perm.empty() || !Pays(graph, graph.nodes[n], perm)) continue;
    if (!ComesBack(graph, uses, graph.nodes[n].dst[0])) continue;
    if (!Swap(graph, n, transpose.src[0], perm)) continue;
    MOKA_RETURN_IF_ERROR(SinkTransposes(graph));  // to the next product, or to where it meets the other one
    n = 0;
  }
  return Status();
}

}  // namespace moka

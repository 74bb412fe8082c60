// Networks that mix tokens transpose, multiply by weights and transpose back. (A^T W)^T = W^T A: with the weights first
// neither has to be.
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

bool TransposesMatrices(const Graph& graph, const Node& node) {
  if (!IsOp(node, "Transpose")) return false;
  const int rank = graph.value(node.src[0]).tensor.rank();
  const Result<TransposeParams> params = TransposeParams::From(node.attrs, rank);
  if (rank < 2 || !params.ok()) return false;
  std::vector<int> swapped(static_cast<size_t>(rank));
  std::iota(swapped.begin(), swapped.end(), 0);
  std::swap(swapped[swapped.size() - 1], swapped[swapped.size() - 2]);
  return std::equal(swapped.begin(), swapped.end(), params->perm.begin());
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
    if (TransposesMatrices(graph, node)) return true;
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

// MatMul(Transpose(x), W) becomes Transpose(MatMul(W^T, x)).
bool Swap(Graph& graph, size_t n, ValueId x) {
  const ValueId weights = AddTransposed(graph, graph.nodes[n].src[1]);
  if (weights == kNoValue) return false;
  const ValueId product = graph.AddValue(StrCat(graph.nodes[n].name, "/swapped"));
  const ValueId result = graph.nodes[n].dst[0];
  Value& value = graph.value(product);
  value.tensor.type = DataType::kF32;
  value.tensor.dims = graph.value(result).tensor.dims;
  value.inferred = true;
  const size_t rank = value.tensor.dims.size();
  std::swap(value.tensor.dims[rank - 1], value.tensor.dims[rank - 2]);
  std::vector<int64_t> perm(rank);
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[rank - 1], perm[rank - 2]);
  graph.nodes[n].src = {weights, x};
  graph.nodes[n].dst = {product};
  Node back;
  back.op = FindOp("", "Transpose");
  back.name = StrCat(graph.nodes[n].name, "/transposed");
  back.attrs.Set("perm", perm);
  back.src = {product};
  back.dst = {result};
  graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(n) + 1, std::move(back));
  return true;
}

}  // namespace

Status SwapProducts(Graph& graph) {
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!IsByWeights(graph, graph.nodes[n])) continue;
    const Uses uses(graph);
    const int before = uses.Producer(graph.nodes[n].src[0]);
    if (before < 0 || !TransposesMatrices(graph, graph.nodes[static_cast<size_t>(before)])) continue;
    if (!ComesBack(graph, uses, graph.nodes[n].dst[0])) continue;
    if (!Swap(graph, n, graph.nodes[static_cast<size_t>(before)].src[0])) continue;
    MOKA_RETURN_IF_ERROR(SinkTransposes(graph));  // to the next product, or to where it meets the other one
    n = 0;
  }
  return Status();
}

}  // namespace moka

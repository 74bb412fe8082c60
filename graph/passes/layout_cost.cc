#include "graph/passes/layout_cost.h"

#include <algorithm>
#include <array>

#include "graph/passes/rewrite.h"

namespace moka {
namespace {

constexpr int64_t kSymbolSize = 32;
constexpr int64_t kStartCost = 1000;  // of any copy, in elements
constexpr int64_t kMaxCost = int64_t{1} << 40;

Shape SampleShape(const Graph& graph, const SymbolicTensor& tensor) {
  const std::vector<int64_t> values(graph.symbols.size(), kSymbolSize);
  Shape shape;
  for (const Dim& dim : tensor.dims) {
    const Result<int64_t> size = dim.Evaluate(values);
    shape.push_back(size.ok() ? std::clamp<int64_t>(*size, 1, kMaxCost) : 1);
  }
  return shape;
}

int64_t Elements(const Shape& shape) {
  int64_t n = 1;
  for (int64_t dim : shape) {
    if (__builtin_mul_overflow(n, dim, &n) || n > kMaxCost) return kMaxCost;
  }
  return n;
}

// Whether the dimensions nest in memory as in the format, from outer to inner.
bool NestsLike(const TensorDesc& desc, Format format) {
  std::array<int, kMaxRank> order;
  int n = 0;
  const bool last = format == Format::kChannelsLast && desc.rank > 2;
  for (int i = 0; i < desc.rank; ++i) {
    if (!(last && i == 1)) order[static_cast<size_t>(n++)] = i;
  }
  if (last) order[static_cast<size_t>(n++)] = 1;
  int64_t outer = INT64_MAX;
  for (int k = 0; k < n; ++k) {
    const auto i = static_cast<size_t>(order[static_cast<size_t>(k)]);
    if (desc.dims[i] == 1) continue;
    if (desc.strides[i] > outer) return false;
    outer = desc.strides[i];
  }
  return true;
}

constexpr Format kFormats[] = {Format::kRowMajor, Format::kChannelsLast};

// cost[source's format][result's format] of a node whose result may be a view.
using Table = std::array<std::array<int64_t, 2>, 2>;

StridedCost Split(const Table& c) {
  StridedCost cost;
  const int64_t pair = c[0][1] + c[1][0] - c[0][0] - c[1][1];
  if (pair < 0) {  // no cut expresses it: the source's choice decides
    cost.source_row = std::min(c[0][0], c[0][1]);
    cost.source_last = std::min(c[1][0], c[1][1]);
    return cost;
  }
  // c = c00 + (c10 - c00) x + (c11 - c10) y + pair (1 - x) y
  const int64_t source = c[1][0] - c[0][0], result = c[1][1] - c[1][0];
  cost.source_last = std::max<int64_t>(source, 0);
  cost.source_row = std::max<int64_t>(-source, 0);
  cost.result_last = std::max<int64_t>(result, 0);
  cost.result_row = std::max<int64_t>(-result, 0);
  cost.row_to_last = pair;
  return cost;
}

}  // namespace

int64_t CopyCost(const Graph& graph, const SymbolicTensor& tensor) {
  return Elements(SampleShape(graph, tensor)) + kStartCost;
}

StridedCosts::Chain StridedCosts::ChainOf(ValueId id) const {
  if (const auto it = chains_.find(id); it != chains_.end()) return it->second;
  const SymbolicTensor& tensor = graph_.value(id).tensor;
  const Shape shape = SampleShape(graph_, tensor);
  return {id, {MakeDense(tensor.type, shape, kFormats[0]), MakeDense(tensor.type, shape, kFormats[1])}};
}

StridedCost StridedCosts::Add(const Node& node, ValueId src, ValueId dst, ValueId* head) {
  *head = src;
  if (IsOp(node, "Copy", "moka")) return {};
  const SymbolicTensor &from = graph_.value(src).tensor, &to = graph_.value(dst).tensor;
  if (from.type != DataType::kF32 && from.type != DataType::kU8 && from.type != DataType::kI8) return {};
  const int64_t whole = Elements(SampleShape(graph_, to));
  if (node.op->view != nullptr && src == node.src[0]) {
    const auto index = std::find(node.dst.begin(), node.dst.end(), dst) - node.dst.begin();
    // Less than a copy of its own: the node is there anyway.
    return AddView(node, static_cast<int>(index), std::min(Elements(SampleShape(graph_, from)), whole), head);
  }
  // Between different formats it copies element by element, and its sources cannot be written in place (Concat).
  if (from.rank() == to.rank()) return Split({{{0, whole}, {whole, 0}}});
  return {};
}

StridedCost StridedCosts::AddView(const Node& node, int dst_index, int64_t copy, ValueId* head) {
  std::vector<TensorDesc> src, dst;
  std::vector<const HostTensor*> constants;
  for (const ValueId id : node.src) {
    src.push_back(id == kNoValue ? TensorDesc{} : ChainOf(id).views[0]);
    constants.push_back(id == kNoValue ? nullptr : graph_.value(id).constant.get());
  }
  for (const ValueId id : node.dst) dst.push_back(id == kNoValue ? TensorDesc{} : ChainOf(id).views[0]);
  OpCall call;
  call.op = node.op;
  call.attrs = &node.attrs;
  call.name = node.name;
  call.dst = dst;
  call.constants = constants;
  Chain chain = ChainOf(node.src[0]);
  *head = chain.head;
  Table table;
  bool any_view = false;
  for (size_t from = 0; from < 2; ++from) {
    src[0] = chain.views[from];
    call.src = src;
    TensorDesc view;
    int64_t offset = 0;
    const bool is_view = node.op->view(call, dst_index, &view, &offset);
    any_view = any_view || is_view;
    chain.views[from] = is_view ? view : dst[static_cast<size_t>(dst_index)];
    const bool like[] = {is_view && NestsLike(view, kFormats[0]), is_view && NestsLike(view, kFormats[1])};
    for (size_t to = 0; to < 2; ++to) {
      // A view that nests like neither format is as good (its readers take strides) or as bad for both.
      const bool free = is_view && (like[to] || !like[1 - to]);
      table[from][to] = free ? 0 : copy;
    }
  }
  if (any_view) chains_[node.dst[static_cast<size_t>(dst_index)]] = chain;
  return Split(table);
}

}  // namespace moka

// Operators that move or select elements, averages, and functions of one element between DequantizeLinear and
// QuantizeLinear. Where the scales on both sides differ a table follows the operator: it commutes with all of them.
#include <algorithm>
#include <iterator>
#include <string_view>

#include "graph/constants.h"
#include "graph/passes/qdq.h"
#include "ops/element.h"

namespace moka {
namespace {

constexpr std::string_view kMovements[] = {"DepthToSpace", "Expand",    "Flatten",  "Gather",       "Identity",
                                           "MaxPool",      "Reshape",   "Slice",    "SpaceToDepth", "Squeeze",
                                           "Tile",         "Transpose", "Unsqueeze"};

bool IsMovement(const Node& node) {
  return node.op != nullptr && std::string_view(node.op->domain).empty() && node.dst.size() == 1 &&
         std::find(std::begin(kMovements), std::end(kMovements), node.op->name) != std::end(kMovements);
}

// A node from `x` to `dst` that maps bytes as the chain from x to y does.
bool MakeLookup(Qdq& qdq, const QdqTensor& x, const std::vector<int>& chain, const QdqTensor& y, ValueId src,
                ValueId dst, const std::string& name, Node* lookup) {
  const ValueId table = LookupTable(qdq, x, chain, y, name);
  if (table == kNoValue) return false;
  lookup->op = FindOp("moka", "Lookup");
  lookup->name = name;
  lookup->src = {src, table};
  lookup->dst = {dst};
  return true;
}

// Parts of a Concat, all of them in the scale of y.
bool FuseConcat(Qdq& qdq, int n, int p, const QdqTensor& y) {
  const Node concat = qdq.node(p);
  std::vector<ValueId> src;
  std::vector<Node> lookups;
  for (const ValueId id : concat.src) {
    const std::optional<QdqTensor> x = id == kNoValue ? std::nullopt : qdq.Dequantized(id);
    if (!x) return false;
    src.push_back(x->bytes);
    if (qdq.SameScale(*x, y)) continue;
    const std::string name = StrCat(concat.name, "/part", src.size() - 1);
    src.back() = qdq.AddBytes(name, x->bytes, qdq.tensor(y.bytes).type);
    lookups.emplace_back();
    if (!MakeLookup(qdq, *x, {}, y, x->bytes, src.back(), name, &lookups.back())) return false;
  }
  for (Node& lookup : lookups) qdq.InsertBefore(n, std::move(lookup));
  qdq.Become(n, "", "Concat", concat.attrs, std::move(src), {p});
  return true;
}

}  // namespace

bool FuseQdqPool(Qdq& qdq, int n, const QdqTensor& y) {
  const ValueId value = qdq.node(n).src[0];
  const int p = qdq.uses().Producer(value);
  if (p < 0 || qdq.uses().OnlyReader(value) != n) return false;
  const Node pool = qdq.node(p);
  const bool global = IsOp(pool, "GlobalAveragePool");
  if (!global && !IsOp(pool, "AveragePool")) return false;
  const std::optional<QdqTensor> x = qdq.Dequantized(pool.src[0]);
  if (!x) return false;
  qdq.Become(n, "com.microsoft", global ? "QLinearGlobalAveragePool" : "QLinearAveragePool", pool.attrs,
             {x->bytes, x->scale, x->zero, y.scale, y.zero}, {p});
  return true;
}

bool FuseQdqMovement(Qdq& qdq, int n, const QdqTensor& y) {
  const ValueId value = qdq.node(n).src[0];
  const int p = qdq.uses().Producer(value);
  if (p < 0 || qdq.uses().OnlyReader(value) != n) return false;
  if (IsOp(qdq.node(p), "Concat")) return FuseConcat(qdq, n, p, y);
  const Node move = qdq.node(p);
  if (!IsMovement(move)) return false;
  const std::optional<QdqTensor> x = qdq.Dequantized(move.src[0]);
  if (!x) return false;
  std::vector<ValueId> src = move.src;
  src[0] = x->bytes;
  if (qdq.SameScale(*x, y)) {
    qdq.Become(n, "", move.op->name, move.attrs, std::move(src), {p});
    return true;
  }
  const std::string name = StrCat(move.name, "/bytes");
  const ValueId moved = qdq.AddBytes(name, value, qdq.tensor(x->bytes).type);
  const ValueId table = LookupTable(qdq, *x, {}, y, name);
  if (table == kNoValue) return false;
  Node before = move;
  before.name = name;
  before.src = std::move(src);
  before.dst = {moved};
  qdq.InsertBefore(n, std::move(before));
  qdq.Become(n, "moka", "Lookup", {}, {moved, table}, {p});
  return true;
}

bool FuseQdqFunction(Qdq& qdq, int n, const QdqTensor& y) {
  std::vector<int> chain;
  ValueId value = qdq.node(n).src[0];
  std::optional<QdqTensor> x = qdq.Dequantized(value);
  while (!x) {
    const int p = qdq.uses().Producer(value);
    if (p < 0 || qdq.uses().OnlyReader(value) < 0) return false;
    const Node& node = qdq.node(p);
    if (node.op->lower == nullptr || node.program_begin >= 0 || node.dst.size() != 1) return false;
    ValueId operand = kNoValue;
    float scalar = 0;
    for (const ValueId id : node.src) {
      if (id == kNoValue || IsScalar(qdq.graph().value(id), &scalar)) continue;
      if (operand != kNoValue && operand != id) return false;
      operand = id;
    }
    if (operand == kNoValue || qdq.tensor(operand).dims != qdq.tensor(value).dims) return false;
    chain.insert(chain.begin(), p);
    value = operand;
    x = qdq.Dequantized(value);
  }
  const ValueId table = LookupTable(qdq, *x, chain, y, qdq.node(n).name);
  if (table == kNoValue) return false;
  qdq.Become(n, "moka", "Lookup", {}, {x->bytes, table}, chain);
  return true;
}

namespace {

// A constant of one element, without its dimensions, which may be more than those of all bytes.
std::shared_ptr<const HostTensor> AsScalar(const HostTensor& constant) {
  HostTensor scalar = constant;
  scalar.desc = MakeDense(constant.desc.type, {});
  return std::make_shared<const HostTensor>(std::move(scalar));
}

}  // namespace

ValueId LookupTable(Qdq& qdq, const QdqTensor& x, const std::vector<int>& chain, const QdqTensor& y,
                    const std::string& name) {
  // The nodes run on a graph of their own, whose only input are all 256 bytes.
  const DataType type = qdq.tensor(x.bytes).type;
  void* data = nullptr;
  const std::shared_ptr<HostTensor> codes = AllocateConstant(DataType::kF32, {256}, &data);
  if (codes == nullptr) return kNoValue;
  const float scale = qdq.ScaleOf(x);
  const int64_t zero = qdq.ZeroOf(x);
  for (int64_t i = 0; i < 256; ++i) {
    const int64_t code = type == DataType::kI8 && i > 127 ? i - 256 : i;
    StoreRaw(data, i, static_cast<float>(code - zero) * scale);
  }
  std::shared_ptr<const HostTensor> current = codes;
  EvaluationBudget budget = {1u << 20, 1u << 20, 1e9};
  Graph graph;
  for (const int i : chain) {
    Node node = qdq.node(i);
    std::vector<std::shared_ptr<const HostTensor>> sources;
    for (const ValueId id : node.src) {
      const HostTensor* constant = id == kNoValue ? nullptr : qdq.graph().value(id).constant.get();
      sources.push_back(id == kNoValue ? nullptr : constant != nullptr ? AsScalar(*constant) : current);
    }
    node.dst = {graph.AddValue(node.name)};
    graph.value(node.dst[0]).tensor.type = DataType::kF32;
    graph.value(node.dst[0]).tensor.dims = {Dim(256)};
    auto results = EvaluateNode(graph, node, sources, &budget);
    if (!results.ok()) return kNoValue;
    current = (*results)[0];
  }
  const DataType to = qdq.tensor(y.bytes).type;
  const std::shared_ptr<HostTensor> table = AllocateConstant(to, {256}, &data);
  if (table == nullptr) return kNoValue;
  for (int64_t i = 0; i < 256; ++i) {
    const float scaled = LoadRaw<float>(current->data, i) / qdq.ScaleOf(y);
    StoreRaw(data, i, static_cast<uint8_t>(QuantizeScaled(scaled, qdq.ZeroOf(y), QuantRangeOf(to))));
  }
  return qdq.graph().AddConstant(StrCat(name, "/table"), *table);
}

}  // namespace moka

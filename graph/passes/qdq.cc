#include "graph/passes/qdq.h"

#include <algorithm>
#include <limits>

#include "graph/constants.h"
#include "graph/passes/passes.h"
#include "ops/element.h"

namespace moka {
namespace {

bool IsByte(DataType type) { return type == DataType::kU8 || type == DataType::kI8; }

bool IsQuantize(const Node& node) {
  return IsOp(node, "QuantizeLinear") || IsOp(node, "QuantizeLinear", "com.microsoft");
}
bool IsDequantize(const Node& node) {
  return IsOp(node, "DequantizeLinear") || IsOp(node, "DequantizeLinear", "com.microsoft");
}

int64_t NumElements(const Graph& graph, ValueId id) {
  return id == kNoValue ? 1 : graph.value(id).constant->desc.NumElements();
}

bool Blocked(const Node& node) {
  const AttributeValue* block = node.attrs.Find("block_size");
  return block != nullptr && std::holds_alternative<int64_t>(*block) && std::get<int64_t>(*block) != 0;
}

// Operands 1 and 2 of `node` as parameters of `bytes`: f32 constants of one element, or of `count` elements.
std::optional<QdqTensor> Parameters(const Graph& graph, const Node& node, ValueId bytes, int64_t count) {
  QdqTensor t = {bytes, node.src[1], node.src.size() > 2 ? node.src[2] : kNoValue};
  for (const ValueId id : {t.scale, t.zero}) {
    if (id != kNoValue && graph.value(id).constant == nullptr) return std::nullopt;
    const int64_t elements = NumElements(graph, id);
    if (id != kNoValue && elements != 1 && elements != count) return std::nullopt;
  }
  if (graph.value(t.scale).constant->desc.type != DataType::kF32 || Blocked(node)) return std::nullopt;
  return t;
}

}  // namespace

std::optional<QdqTensor> Qdq::Dequantized(ValueId id, int channels) const {
  const int p = uses_.Producer(id);
  if (p < 0) return std::nullopt;
  const Node& node = graph_.nodes[static_cast<size_t>(p)];
  if (!IsDequantize(node) || !IsByte(tensor(node.src[0]).type) || tensor(id).type != DataType::kF32) {
    return std::nullopt;
  }
  int64_t count = 1;
  if (channels >= 0) {
    if (graph_.value(node.src[0]).constant == nullptr) return std::nullopt;
    const TensorDesc& desc = graph_.value(node.src[0]).constant->desc;
    if (channels >= desc.rank) return std::nullopt;
    count = desc.dims[static_cast<size_t>(channels)];
    const AttributeValue* axis = node.attrs.Find("axis");
    const int64_t at = axis != nullptr && std::holds_alternative<int64_t>(*axis) ? std::get<int64_t>(*axis) : 1;
    if ((at < 0 ? at + desc.rank : at) != channels) count = 1;
  }
  return Parameters(graph_, node, node.src[0], count);
}

std::optional<QdqTensor> Qdq::Quantizes(int n) const {
  const Node& node = graph_.nodes[static_cast<size_t>(n)];
  if (!IsQuantize(node) || !IsByte(tensor(node.dst[0]).type) || node.attrs.Has("precision")) return std::nullopt;
  if (tensor(node.src[0]).type != DataType::kF32) return std::nullopt;
  return Parameters(graph_, node, node.dst[0], 1);
}

float Qdq::ScaleOf(const QdqTensor& t) const { return LoadRaw<float>(graph_.value(t.scale).constant->data, 0); }

int64_t Qdq::ZeroOf(const QdqTensor& t) const {
  if (t.zero == kNoValue) return 0;
  const HostTensor& zero = *graph_.value(t.zero).constant;
  return Load<int64_t>(zero.desc, zero.data, 0);
}

bool Qdq::SameScale(const QdqTensor& a, const QdqTensor& b) const {
  return tensor(a.bytes).type == tensor(b.bytes).type && ScaleOf(a) == ScaleOf(b) && ZeroOf(a) == ZeroOf(b);
}

ValueId Qdq::AddBytes(const std::string& name, ValueId like, DataType type) {
  const ValueId id = graph_.AddValue(name);
  Value& value = graph_.value(id);
  value.tensor = graph_.value(like).tensor;
  value.tensor.type = type;
  value.tensor.elements.reset();
  value.tensor.constant = nullptr;
  value.inferred = true;
  return id;
}

void Qdq::Become(int n, const char* domain, const char* op, Attributes attrs, std::vector<ValueId> src,
                 const std::vector<int>& fused) {
  uses_.producer.resize(graph_.values.size(), -1);  // values were added
  uses_.readers.resize(graph_.values.size());
  uses_.output.resize(graph_.values.size(), false);
  Node& target = node(n);
  for (const int i : fused) AppendNames(&target, node(i));
  if (fused.empty() && target.fused.empty()) target.fused.push_back(target.name);
  for (const ValueId id : target.src) uses_.RemoveReader(id, n);
  target.op = FindOp(domain, op);
  target.attrs = std::move(attrs);
  while (!src.empty() && src.back() == kNoValue) src.pop_back();
  target.src = std::move(src);
  for (const ValueId id : target.src) uses_.AddReader(id, n);
}

void Qdq::Commit() {
  if (inserted_.empty()) return;
  std::vector<Node> nodes;
  size_t next = 0;
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    for (; next < inserted_.size() && inserted_[next].first == static_cast<int>(n); ++next) {
      nodes.push_back(std::move(inserted_[next].second));
    }
    nodes.push_back(std::move(graph_.nodes[n]));
  }
  graph_.nodes = std::move(nodes);
}

QdqBounds BoundsAbove(Qdq& qdq, int reader) {
  QdqBounds bounds;
  bounds.value = qdq.node(reader).src[0];
  bounds.lo = -std::numeric_limits<float>::infinity();
  bounds.hi = std::numeric_limits<float>::infinity();
  for (;;) {
    const int p = qdq.uses().Producer(bounds.value);
    if (p < 0 || qdq.uses().OnlyReader(bounds.value) < 0) return bounds;
    const Node& node = qdq.node(p);
    float lo = -std::numeric_limits<float>::infinity(), hi = std::numeric_limits<float>::infinity();
    if (IsOp(node, "Relu")) {
      lo = 0;
    } else if (IsOp(node, "Clip")) {
      if (node.src.size() > 1 && node.src[1] != kNoValue && !IsScalar(qdq.graph().value(node.src[1]), &lo))
        return bounds;
      if (node.src.size() > 2 && node.src[2] != kNoValue && !IsScalar(qdq.graph().value(node.src[2]), &hi))
        return bounds;
    } else {
      return bounds;
    }
    if (!(lo <= hi)) return bounds;
    // What comes later wins: clip(clip(x, lo, hi), bounds).
    bounds.lo = std::clamp(lo, bounds.lo, bounds.hi);
    bounds.hi = std::clamp(hi, bounds.lo, bounds.hi);
    bounds.nodes.push_back(p);
    bounds.value = node.src[0];
  }
}

Status FuseQuantized(Graph& graph) {
  Qdq qdq(graph);
  const int count = static_cast<int>(graph.nodes.size());
  for (int n = 0; n < count; ++n) {
    const std::optional<QdqTensor> y = qdq.Quantizes(n);
    if (!y) {
      if (!LowerQuantized(qdq, n)) FuseQdqFloatResult(qdq, n);
      continue;
    }
    static constexpr bool (*kFusions[])(Qdq&, int, const QdqTensor&) = {FuseQdqConv, FuseQdqMatrix,   FuseQdqBinary,
                                                                        FuseQdqPool, FuseQdqMovement, FuseQdqFunction};
    for (const auto fuse : kFusions) {
      if (fuse(qdq, n, *y)) break;
    }
  }
  qdq.Commit();
  return RemoveDeadNodes(graph);
}

}  // namespace moka

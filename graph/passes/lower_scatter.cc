// Assigning to a slice of a tensor is exported as ScatterND by a table of all places in that slice. Where the table is
// known, the slice is replaced as a whole: what surrounds it and the updates are concatenated.
#include <algorithm>
#include <vector>

#include "graph/constants.h"
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"
#include "ops/element.h"
#include "ops/indexing.h"

namespace moka {
namespace {

// Along each dimension; those that the places do not name belong to it in full.
struct Box {
  std::vector<int64_t> begin, end;
};

// Whether the places, as the updates are ordered, are those of a box.
bool FindBox(const Graph& graph, const Node& node, Box* box) {
  if (!IsOp(node, "ScatterND") || graph.value(node.src[1]).constant == nullptr) return false;
  const Result<ScatterReduction> reduction = ReadScatterReduction(node.attrs);
  if (!reduction.ok() || *reduction != ScatterReduction::kNone) return false;
  const HostTensor& places = *graph.value(node.src[1]).constant;
  const std::vector<Dim>& dims = graph.value(node.src[0]).tensor.dims;
  const int depth = places.desc.rank - 1;
  if (places.desc.type != DataType::kI64 || places.desc.NumElements() == 0) return false;
  if (static_cast<size_t>(depth) > dims.size() || places.desc.dims[static_cast<size_t>(depth)] != depth) return false;
  *box = {};
  for (size_t d = 0; d < dims.size(); ++d) {
    if (!dims[d].is_constant()) return false;
    const bool named = d < static_cast<size_t>(depth);
    const int64_t begin = named ? LoadRaw<int64_t>(places.data, static_cast<int64_t>(d)) : 0;
    const int64_t size = named ? places.desc.dims[d] : dims[d].constant();
    if (begin < 0 || begin > dims[d].constant() - size) return false;
    box->begin.push_back(begin);
    box->end.push_back(begin + size);
  }
  const int64_t count = places.desc.NumElements() / depth;
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i;
    for (int d = depth - 1; d >= 0; --d) {
      const int64_t size = places.desc.dims[static_cast<size_t>(d)];
      if (LoadRaw<int64_t>(places.data, i * depth + d) != box->begin[static_cast<size_t>(d)] + rest % size)
        return false;
      rest /= size;
    }
  }
  return true;
}

class Lowering {
 public:
  Lowering(Graph& graph, const Node& node, const Box& box) : graph_(graph), node_(node), box_(box) {}

  // The nodes that make the result; none where memory is short.
  std::vector<Node> Run() {
    Box part = box_;  // the updates, and then what was put around them
    ValueId inner = node_.src[2];
    for (size_t d = box_.begin.size(); d-- > 0;) {
      const int64_t size = graph_.value(node_.src[0]).tensor.dims[d].constant();
      if (box_.begin[d] == 0 && box_.end[d] == size) continue;
      std::vector<ValueId> parts;
      if (box_.begin[d] > 0) parts.push_back(Slice(part, d, 0, box_.begin[d]));
      parts.push_back(inner);
      if (box_.end[d] < size) parts.push_back(Slice(part, d, box_.end[d], size));
      part.begin[d] = 0;
      part.end[d] = size;
      inner = Add("Concat", std::move(parts), part);
      nodes_.back().attrs.Set("axis", static_cast<int64_t>(d));
    }
    if (nodes_.empty()) Add("Identity", {inner}, part);
    nodes_.back().dst = node_.dst;
    return failed_ ? std::vector<Node>() : std::move(nodes_);
  }

 private:
  ValueId Add(const char* op, std::vector<ValueId> src, const Box& box) {
    Node node;
    node.op = FindOp("", op);
    node.name = StrCat(node_.name, "/", op, nodes_.size());
    node.src = std::move(src);
    node.dst = {graph_.AddValue(node.name)};
    Value& value = graph_.value(node.dst[0]);
    value.tensor.type = graph_.value(node_.src[0]).tensor.type;
    for (size_t d = 0; d < box.begin.size(); ++d) value.tensor.dims.push_back(Dim(box.end[d] - box.begin[d]));
    value.inferred = true;
    nodes_.push_back(std::move(node));
    return nodes_.back().dst[0];
  }

  // Of the data, in the box but for dimension d.
  ValueId Slice(Box box, size_t d, int64_t begin, int64_t end) {
    box.begin[d] = begin;
    box.end[d] = end;
    const ValueId first = Ints(box.begin), last = Ints(box.end);
    return Add("Slice", {node_.src[0], first, last}, box);
  }

  ValueId Ints(const std::vector<int64_t>& values) {
    void* data = nullptr;
    const auto tensor = AllocateConstant(DataType::kI64, {static_cast<int64_t>(values.size())}, &data);
    failed_ = failed_ || tensor == nullptr;
    if (tensor == nullptr) return kNoValue;
    std::copy(values.begin(), values.end(), static_cast<int64_t*>(data));
    return graph_.AddConstant(StrCat(node_.name, "/ints", graph_.values.size()), *tensor);
  }

  Graph& graph_;
  const Node& node_;
  const Box& box_;
  std::vector<Node> nodes_;
  bool failed_ = false;
};

}  // namespace

Status LowerScatter(Graph& graph) {
  std::vector<Node> old = std::move(graph.nodes);
  graph.nodes.clear();
  for (Node& node : old) {
    Box box;
    std::vector<Node> made;
    if (FindBox(graph, node, &box)) made = Lowering(graph, node, box).Run();
    if (made.empty()) graph.nodes.push_back(std::move(node));
    for (Node& next : made) graph.nodes.push_back(std::move(next));
  }
  return Status();
}

}  // namespace moka

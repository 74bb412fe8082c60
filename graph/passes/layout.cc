// Chooses Value::format. Every value of rank 3 and more is a binary choice, every node ties the choices of its operands
// (OpSchema::layout), and a value read in the other format costs one copy, whoever reads it: the cheapest choice is a
// minimum cut. Side 0 is row-major, side 1 channels-last.
#include <algorithm>
#include <unordered_map>

#include "graph/passes/layout_cost.h"
#include "graph/passes/min_cut.h"
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

namespace moka {
namespace {

constexpr int kNone = -1;

// What a node asks of one operand.
struct Wish {
  enum Kind { kAny, kRow, kLast, kLikeNode } kind = kAny;
};

bool IsImage(const OpSchema& op, size_t i, bool is_dst) {
  return is_dst ? i == 0 : i < 32 && (op.image_src >> i & 1) != 0;
}

class Layout {
 public:
  explicit Layout(Graph& graph) : graph_(graph), strided_costs_(graph), vertices_(graph.values.size()) {
    for (const ValueId id : graph.outputs) Mark(&is_output_, id);
    for (const ValueId id : graph.inputs) Mark(&is_input_, id);
    for (const Node& node : graph.nodes) {
      if (node.op->layout == LayoutRule::kChannelsLast && node.dst[0] != kNoValue) Mark(&is_image_, node.dst[0]);
    }
  }

  void Run() {
    AddValues();
    for (const Node& node : graph_.nodes) AddNode(node);
    cut_.Solve();
    AssignFormats();
    InsertCopies();
  }

 private:
  // A value's format, and whether somebody reads it channels-last or row-major in spite of that format.
  struct Vertices {
    int format = kNone, read_last = kNone, read_row = kNone;
  };

  void Mark(std::vector<bool>* set, ValueId id) {
    set->resize(graph_.values.size(), false);
    (*set)[static_cast<size_t>(id)] = true;
  }
  bool IsMarked(const std::vector<bool>& set, ValueId id) const {
    return static_cast<size_t>(id) < set.size() && set[static_cast<size_t>(id)];
  }

  bool HasChoice(ValueId id) const {
    if (id == kNoValue) return false;
    const Value& value = graph_.value(id);
    const DataType type = value.tensor.type;
    const bool image = type == DataType::kF32 || type == DataType::kU8 || type == DataType::kI8 ||
                       (type == DataType::kI32 && IsMarked(is_image_, id));  // sums of products of bytes
    return value.constant == nullptr && image && value.tensor.rank() > 2;
  }

  // ---- The problem -------------------------------------------------------------------------------------------------

  void AddValues() {
    for (size_t v = 0; v < graph_.values.size(); ++v) {
      const auto id = static_cast<ValueId>(v);
      if (!HasChoice(id)) continue;
      Vertices& x = vertices_[v];
      x = {cut_.AddVertex(), cut_.AddVertex(), cut_.AddVertex()};
      const int64_t copy = CopyCost(graph_, graph_.value(id).tensor);
      cut_.AddCost(x.format, x.read_last, copy, 0);
      cut_.AddCost(x.read_row, x.format, copy, 0);
      if (IsMarked(is_input_, id)) cut_.Fix(x.format, false);
      if (IsMarked(is_output_, id)) cut_.Fix(x.read_row, false);
    }
  }

  // Some operators have optional results before others (LSTM); no node is without any.
  static ValueId FirstResult(const Node& node) {
    return *std::find_if(node.dst.begin(), node.dst.end(), [](ValueId id) { return id != kNoValue; });
  }

  Wish WishFor(const Node& node, size_t i, bool is_dst) const {
    const ValueId id = is_dst ? node.dst[i] : node.src[i];
    if (!HasChoice(id)) return {Wish::kAny};
    const bool full = graph_.value(id).tensor.rank() == graph_.value(FirstResult(node)).tensor.rank();
    const bool in_program = !is_dst && node.program_begin >= 0 && i >= static_cast<size_t>(node.program_begin);
    switch (node.op->layout) {
      case LayoutRule::kSame:
        return {full ? Wish::kLikeNode : is_dst ? Wish::kRow : Wish::kAny};
      case LayoutRule::kChannelsLast:
        if (in_program) return {full ? Wish::kLast : Wish::kAny};
        return {IsImage(*node.op, i, is_dst) ? Wish::kLast : Wish::kRow};
      case LayoutRule::kRowMajor:
        return {in_program && !full ? Wish::kAny : Wish::kRow};
      case LayoutRule::kStrided:
        return {Wish::kAny};
    }
    return {};
  }

  void AddNode(const Node& node) {
    const int like_node = cut_.AddVertex();
    node_vertex_.push_back(like_node);
    for (size_t i = 0; i < node.src.size(); ++i) {
      if (!HasChoice(node.src[i])) continue;
      const Vertices& x = vertices_[static_cast<size_t>(node.src[i])];
      const Wish wish = WishFor(node, i, false);
      if (wish.kind == Wish::kLast) cut_.Fix(x.read_last, true);
      if (wish.kind == Wish::kRow) cut_.Fix(x.read_row, false);
      if (wish.kind == Wish::kLikeNode) {
        cut_.AddCost(x.read_last, like_node, MinCut::kNever, 0);
        cut_.AddCost(like_node, x.read_row, MinCut::kNever, 0);
      }
    }
    for (size_t i = 0; i < node.dst.size(); ++i) {
      if (!HasChoice(node.dst[i])) continue;
      const int format = vertices_[static_cast<size_t>(node.dst[i])].format;
      const Wish wish = WishFor(node, i, true);
      if (wish.kind == Wish::kLast) cut_.Fix(format, true);
      if (wish.kind == Wish::kRow) cut_.Fix(format, false);
      if (wish.kind == Wish::kLikeNode) cut_.AddCost(format, like_node, MinCut::kNever, MinCut::kNever);
    }
    if (node.op->layout == LayoutRule::kStrided) AddStridedCosts(node);
  }

  // A strided operator reads and writes any format, but is a view, or a copy of whole rows, only between some.
  void AddStridedCosts(const Node& node) {
    for (const ValueId dst : node.dst) {
      for (const ValueId src : node.src) {
        if (dst == kNoValue || src == kNoValue || graph_.value(src).constant != nullptr) continue;
        ValueId head = kNoValue;
        const StridedCost cost = strided_costs_.Add(node, src, dst, &head);
        const int from = vertices_[static_cast<size_t>(head)].format, to = vertices_[static_cast<size_t>(dst)].format;
        AddChoiceCost(from, cost.source_row, cost.source_last);
        AddChoiceCost(to, cost.result_row, cost.result_last);
        cut_.AddCost(from == kNone ? MinCut::kZero : from, to == kNone ? MinCut::kZero : to, cost.row_to_last, 0);
      }
    }
  }

  void AddChoiceCost(int vertex, int64_t row, int64_t last) {
    if (vertex == kNone) return;
    cut_.AddCost(vertex, MinCut::kOne, row, 0);
    cut_.AddCost(MinCut::kZero, vertex, last, 0);
  }

  // ---- The solution ------------------------------------------------------------------------------------------------

  Format Chosen(ValueId id) const {
    const int vertex = vertices_[static_cast<size_t>(id)].format;
    return vertex != kNone && cut_.SideOf(vertex) ? Format::kChannelsLast : Format::kRowMajor;
  }

  void AssignFormats() {
    for (size_t v = 0; v < vertices_.size(); ++v) {
      if (HasChoice(static_cast<ValueId>(v))) graph_.values[v].format = Chosen(static_cast<ValueId>(v));
    }
  }

  // The format in which node `n` reads its source i; the source's own where it does not matter.
  Format ReadFormat(const Node& node, size_t n, size_t i) const {
    switch (WishFor(node, i, false).kind) {
      case Wish::kRow:
        return Format::kRowMajor;
      case Wish::kLast:
        return Format::kChannelsLast;
      case Wish::kLikeNode:
        return cut_.SideOf(node_vertex_[n]) ? Format::kChannelsLast : Format::kRowMajor;
      case Wish::kAny:
        break;
    }
    return graph_.value(node.src[i]).format;
  }

  void EmitCopy(ValueId src, ValueId dst) {
    Node copy;
    copy.op = FindOp("moka", "Copy");
    copy.name = StrCat(graph_.value(dst).name, "/copy");
    copy.src = {src};
    copy.dst = {dst};
    nodes_.push_back(std::move(copy));
  }

  ValueId Twin(ValueId id, Format format) {
    const ValueId twin = graph_.AddValue(
        StrCat(graph_.value(id).name, format == Format::kChannelsLast ? "/channels_last" : "/row_major"));
    Value& value = graph_.value(twin);
    value.tensor = graph_.value(id).tensor;
    value.inferred = true;
    value.format = format;
    return twin;
  }

  // The value `id` in `format`, made where it is needed first.
  ValueId InFormat(ValueId id, Format format) {
    if (graph_.value(id).format == format) return id;
    auto [it, added] = copies_.emplace(id, kNoValue);
    if (added) {
      it->second = Twin(id, format);
      EmitCopy(id, it->second);
    }
    return it->second;
  }

  void InsertCopies() {
    std::vector<Node> old = std::move(graph_.nodes);
    const std::vector<Node>& nodes = old;
    for (size_t n = 0; n < nodes.size(); ++n) {
      Node node = nodes[n];
      for (size_t i = 0; i < node.src.size(); ++i) {
        const ValueId id = node.src[i];
        if (id == kNoValue) continue;
        if (graph_.value(id).constant != nullptr) {
          node.src[i] = AlignConstant(nodes[n], n, i);
        } else if (HasChoice(id)) {
          node.src[i] = InFormat(id, ReadFormat(nodes[n], n, i));
        }
      }
      WriteOutputs(std::move(node));
    }
    graph_.nodes = std::move(nodes_);
  }

  // Emits the node. An output of the graph that it writes channels-last is written beside it and then copied.
  void WriteOutputs(Node node) {
    std::vector<std::pair<ValueId, ValueId>> copied;
    for (ValueId& id : node.dst) {
      if (!HasChoice(id) || !IsMarked(is_output_, id) || graph_.value(id).format == Format::kRowMajor) continue;
      const ValueId twin = Twin(id, Format::kChannelsLast);
      graph_.value(id).format = Format::kRowMajor;
      copies_[id] = twin;
      copied.emplace_back(twin, id);
      id = twin;
    }
    nodes_.push_back(std::move(node));
    for (const auto& [from, to] : copied) EmitCopy(from, to);
  }

  // A constant that an elementwise program broadcasts gets the rank of the result and its format, so that it lies in
  // memory as the result does.
  ValueId AlignConstant(const Node& node, size_t n, size_t i) {
    const ValueId id = node.src[i];
    const Value& value = graph_.value(id);
    const bool in_program = node.program_begin >= 0 && i >= static_cast<size_t>(node.program_begin);
    const int rank = graph_.value(FirstResult(node)).tensor.rank();
    const bool last = node.op->layout == LayoutRule::kSame ? cut_.SideOf(node_vertex_[n])
                                                           : node.op->layout == LayoutRule::kChannelsLast;
    if (!in_program || !last || rank < 3 || value.constant->desc.type != DataType::kF32) return id;
    const TensorDesc& desc = value.constant->desc;
    const auto long_dims =
        std::count_if(desc.dims.begin(), desc.dims.begin() + desc.rank, [](int64_t d) { return d != 1; });
    if (long_dims < 2 || value.format == Format::kChannelsLast) return id;  // lies the same way in both formats
    auto [it, added] = aligned_.emplace(std::pair(id, rank), kNoValue);
    if (added) {
      HostTensor tensor = *value.constant;
      Shape shape(static_cast<size_t>(rank - desc.rank), 1);
      shape.insert(shape.end(), desc.dims.begin(), desc.dims.begin() + desc.rank);
      tensor.desc = MakeDense(desc.type, shape);
      tensor.owner = value.constant;  // shares the memory
      it->second = graph_.AddConstant(StrCat(value.name, "/channels_last"), std::move(tensor));
      graph_.value(it->second).format = Format::kChannelsLast;
    }
    return it->second;
  }

  struct HashPair {
    size_t operator()(const std::pair<ValueId, int>& key) const {
      return static_cast<size_t>(key.first) * 16 + static_cast<size_t>(key.second);
    }
  };

  Graph& graph_;
  MinCut cut_;
  StridedCosts strided_costs_;
  std::vector<bool> is_input_, is_output_, is_image_;
  std::vector<Vertices> vertices_;
  std::vector<int> node_vertex_;
  std::vector<Node> nodes_;                      // the new list
  std::unordered_map<ValueId, ValueId> copies_;  // the value in the other format
  std::unordered_map<std::pair<ValueId, int>, ValueId, HashPair> aligned_;
};

}  // namespace

Status ChooseLayouts(Graph& graph) {
  Layout(graph).Run();
  return Status();
}

}  // namespace moka

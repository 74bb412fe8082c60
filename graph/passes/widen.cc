// Half-precision floats are for memory: the CPU computes in f32. What an operator of the table reads is widened, what
// it writes is rounded back, and between two such operators neither happens: intermediate results keep the precision of
// f32.
#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "graph/constants.h"
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"
#include "ops/element.h"

namespace moka {
namespace {

enum class Rule {
  kCompute,
  kStep,  // a rounding may change the result by a whole step: reads what the file says that it reads, rounded
  kMove,  // computes nothing: is widened where a source is f32 already
};

struct WidenedOp {
  std::string_view name;
  Rule rule = Rule::kCompute;
};
constexpr WidenedOp kOps[] = {
    {"Abs"},
    {"Acos"},
    {"Acosh"},
    {"Add"},
    {"Asin"},
    {"Asinh"},
    {"Atan"},
    {"Atanh"},
    {"Attention"},
    {"AveragePool"},
    {"BatchNormalization"},
    {"Ceil", Rule::kStep},
    {"Celu"},
    {"Clip"},
    {"Concat", Rule::kMove},
    {"Conv"},
    {"ConvTranspose"},
    {"Cos"},
    {"Cosh"},
    {"CumSum"},
    {"DepthToSpace", Rule::kMove},
    {"Div"},
    {"Einsum"},
    {"Elu"},
    {"Equal", Rule::kStep},
    {"Erf"},
    {"Exp"},
    {"Expand", Rule::kMove},
    {"Flatten", Rule::kMove},
    {"Floor", Rule::kStep},
    {"GRU"},
    {"Gather", Rule::kMove},
    {"Gelu"},
    {"Gemm"},
    {"GlobalAveragePool"},
    {"GlobalLpPool"},
    {"GlobalMaxPool"},
    {"Greater", Rule::kStep},
    {"GreaterOrEqual", Rule::kStep},
    {"GridSample"},
    {"GroupNormalization"},
    {"HardSigmoid"},
    {"HardSwish"},
    {"InstanceNormalization"},
    {"LRN"},
    {"LSTM"},
    {"LayerNormalization"},
    {"LeakyRelu"},
    {"Less", Rule::kStep},
    {"LessOrEqual", Rule::kStep},
    {"LinearAttention"},
    {"Log"},
    {"LogSoftmax"},
    {"LpNormalization"},
    {"LpPool"},
    {"MatMul"},
    {"Max"},
    {"MaxPool"},
    {"Mean"},
    {"MeanVarianceNormalization"},
    {"Min"},
    {"Mish"},
    {"Mul"},
    {"Neg"},
    {"PRelu"},
    {"Pad", Rule::kMove},
    {"Pow"},
    {"RMSNormalization"},
    {"RNN"},
    {"Reciprocal"},
    {"ReduceL1"},
    {"ReduceL2"},
    {"ReduceLogSum"},
    {"ReduceLogSumExp"},
    {"ReduceMax"},
    {"ReduceMean"},
    {"ReduceMin"},
    {"ReduceProd"},
    {"ReduceSum"},
    {"ReduceSumSquare"},
    {"Relu"},
    {"Reshape", Rule::kMove},
    {"Resize"},
    {"RotaryEmbedding"},
    {"Round", Rule::kStep},
    {"Selu"},
    {"Sigmoid"},
    {"Sign", Rule::kStep},
    {"Sin"},
    {"Sinh"},
    {"Slice", Rule::kMove},
    {"Softmax"},
    {"Softplus"},
    {"Softsign"},
    {"SpaceToDepth", Rule::kMove},
    {"Split", Rule::kMove},
    {"Sqrt"},
    {"Squeeze", Rule::kMove},
    {"Sub"},
    {"Sum"},
    {"Swish"},
    {"Tan"},
    {"Tanh"},
    {"ThresholdedRelu", Rule::kStep},
    {"Transpose", Rule::kMove},
    {"Unsqueeze", Rule::kMove},
    {"Where", Rule::kMove},
};

// The value of each code; weights have many more elements than there are codes.
template <class T>
const std::vector<float>& ValuesOf() {
  static const std::vector<float> kValues = [] {
    std::vector<float> values(size_t{1} << 16);
    for (size_t code = 0; code < values.size(); ++code) {
      T element;
      element.bits = static_cast<uint16_t>(code);
      values[code] = static_cast<float>(element);
    }
    return values;
  }();
  return kValues;
}

class Widener {
 public:
  explicit Widener(Graph& graph) : graph_(graph) {}

  void Run() {
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (Node& node : nodes) {
      const WidenedOp* const op = Find(node);
      if (op == nullptr) {
        graph_.nodes.push_back(std::move(node));
      } else {
        Widen(std::move(node), op->rule == Rule::kStep);
      }
    }
  }

 private:
  bool IsHalf(ValueId id) const {
    if (id == kNoValue) return false;
    const DataType type = graph_.value(id).tensor.type;
    return graph_.value(id).inferred && (type == DataType::kF16 || type == DataType::kBF16);
  }

  const WidenedOp* Find(const Node& node) const {
    if (std::string_view(node.op->domain) != "" || node.program_begin >= 0 || !node.captures.empty()) return nullptr;
    const auto by_name = [](const WidenedOp& op, std::string_view name) { return op.name < name; };
    const auto* op = std::lower_bound(std::begin(kOps), std::end(kOps), std::string_view(node.op->name), by_name);
    if (op == std::end(kOps) || op->name != node.op->name) return nullptr;
    const auto is_half = [&](ValueId id) { return IsHalf(id); };
    const auto is_wide = [&](ValueId id) { return computed_.contains(id); };
    const bool known = std::all_of(node.dst.begin(), node.dst.end(),
                                   [&](ValueId id) { return id == kNoValue || graph_.value(id).inferred; });
    const bool wanted = op->rule == Rule::kMove ? std::any_of(node.src.begin(), node.src.end(), is_wide)
                                                : std::any_of(node.src.begin(), node.src.end(), is_half);
    return known && wanted ? op : nullptr;
  }

  // A value like `id`, of another type.
  ValueId AddLike(ValueId id, DataType type, std::string_view suffix) {
    const std::vector<Dim> dims = graph_.value(id).tensor.dims;
    const ValueId like = graph_.AddValue(StrCat(graph_.value(id).name, suffix));
    graph_.value(like).tensor.type = type;
    graph_.value(like).tensor.dims = dims;
    graph_.value(like).inferred = true;
    return like;
  }

  void AddCast(ValueId from, ValueId to) {
    Node cast;
    cast.op = FindOp("", "Cast");
    cast.name = StrCat(graph_.value(to).name, "/cast");
    cast.src = {from};
    cast.dst = {to};
    cast.attrs.Set("to", OnnxType(graph_.value(to).tensor.type));
    graph_.nodes.push_back(std::move(cast));
  }

  static int64_t OnnxType(DataType type) { return type == DataType::kF32 ? 1 : type == DataType::kF16 ? 10 : 16; }

  // kNoValue: `id` is no constant, or there is no memory for another.
  ValueId WideConstant(ValueId id) {
    const std::shared_ptr<const HostTensor> from = graph_.value(id).constant;
    if (from == nullptr) return kNoValue;
    void* data = nullptr;
    const auto to = AllocateConstant(DataType::kF32, from->desc.shape(), &data);
    if (to == nullptr) return kNoValue;
    const std::vector<float>& values = from->desc.type == DataType::kF16 ? ValuesOf<Half>() : ValuesOf<BFloat16>();
    for (int64_t i = 0; i < to->desc.NumElements(); ++i) {
      StoreRaw(data, i, values[LoadRaw<uint16_t>(from->data, i)]);
    }
    return graph_.AddConstant(StrCat(graph_.value(id).name, "/widened"), *to);
  }

  // `rounded`: as `id` is in memory, not as its producer computed it.
  ValueId Wide(ValueId id, bool rounded) {
    if (const auto found = computed_.find(id); !rounded && found != computed_.end()) return found->second;
    if (const auto found = read_.find(id); found != read_.end()) return found->second;
    ValueId wide = WideConstant(id);
    if (wide == kNoValue) {
      wide = AddLike(id, DataType::kF32, "/widened");
      AddCast(id, wide);
    }
    return read_[id] = wide;
  }

  void Widen(Node node, bool rounded) {
    for (ValueId& src : node.src) {
      if (IsHalf(src)) src = Wide(src, rounded);
    }
    std::vector<std::pair<ValueId, ValueId>> results;
    for (ValueId& dst : node.dst) {
      if (!IsHalf(dst)) continue;
      results.emplace_back(AddLike(dst, DataType::kF32, "/f32"), dst);
      dst = results.back().first;
    }
    graph_.nodes.push_back(std::move(node));
    for (const auto& [wide, half] : results) {
      AddCast(wide, half);
      computed_[half] = wide;
    }
  }

  Graph& graph_;
  std::unordered_map<ValueId, ValueId> computed_, read_;  // by half value: f32 from its producer; made from its memory
};

}  // namespace

Status WidenHalves(Graph& graph) {
  Widener(graph).Run();
  return RemoveDeadNodes(graph);
}

}  // namespace moka

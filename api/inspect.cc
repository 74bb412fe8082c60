#include "moka/inspect.h"

#include <type_traits>
#include <variant>

#include "graph/model_impl.h"
#include "graph/session_impl.h"

namespace moka {
namespace {

template <class T>
std::string ListText(const std::vector<T>& list) {
  std::string text = "[";
  for (const T& item : list) text += StrCat(text.size() > 1 ? ", " : "", item);
  return text + "]";
}

std::string AttributeText(const AttributeValue& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, HostTensor>) {
          return ToString(v.desc);
        } else if constexpr (std::is_same_v<T, std::shared_ptr<const SubgraphAttribute>>) {
          return "subgraph";
        } else if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, float> || std::is_same_v<T, std::string>) {
          return StrCat(v);
        } else {
          return ListText(v);
        }
      },
      value);
}

std::string OperandText(uint8_t operand, const MicroProgram& program) {
  if (IsMicroRegister(operand)) return StrCat("r", static_cast<int>(operand));
  if (IsMicroConstant(operand)) return StrCat(program.constants[operand - MicroConstant(0)]);
  return StrCat("s", operand - MicroSource(0));
}

std::string ProgramText(const MicroProgram& program) {
  std::string text;
  for (int i = 0; i < program.num_ops; ++i) {
    const MicroInstruction& op = program.ops[i];
    text += StrCat(text.empty() ? "" : "; ", "r", static_cast<int>(op.dst), " = ", NameOf(op.op), "(");
    const uint8_t operands[] = {op.a, op.b, op.c};
    for (int k = 0; k < Arity(op.op); ++k) text += StrCat(k == 0 ? "" : ", ", OperandText(operands[k], program));
    text += ")";
  }
  return text;
}

std::string ShapeText(const Graph& graph, const Value& value) {
  if (!value.inferred) return "?";
  std::string text = StrCat(NameOf(value.tensor.type), "[");
  bool first = true;
  for (const Dim& dim : value.tensor.dims) {
    text += StrCat(first ? "" : ", ", dim.ToString(graph.symbols));
    first = false;
  }
  return StrCat(text, "]", value.format == Format::kChannelsLast ? " channels last" : "");
}

NodeInfo InfoOf(const Graph& graph, const Node& node) {
  NodeInfo info;
  info.name = node.name;
  info.op = node.op->domain[0] == '\0' ? node.op->name : StrCat(node.op->domain, ".", node.op->name);
  const auto note = [&info](const std::string& text) { info.detail += (info.detail.empty() ? "" : ", ") + text; };
  for (const auto& [name, value] : node.attrs.all()) note(StrCat(name, "=", AttributeText(value)));
  if (node.program_begin >= 0) note(StrCat(node.program_begin > 0 ? "then " : "", ProgramText(node.program)));
  if (!node.fused.empty()) note(StrCat("fused ", ListText(node.fused)));
  for (ValueId v : node.src) info.inputs.push_back(v == kNoValue ? "" : graph.value(v).name);
  for (ValueId v : node.dst) {
    info.outputs.push_back(v == kNoValue ? "" : graph.value(v).name);
    info.shapes.push_back(v == kNoValue ? "" : ShapeText(graph, graph.value(v)));
  }
  return info;
}

GraphInfo InfoOf(const Graph& graph) {
  GraphInfo info;
  for (const Node& node : graph.nodes) info.nodes.push_back(InfoOf(graph, node));
  return info;
}

}  // namespace

GraphInfo Inspect(const Model& model, bool optimized) {
  const ModelImpl& impl = *model.impl();
  if (!optimized) return InfoOf(impl.graph());
  // A model whose shapes depend on contents or on ranks that only a caller knows is shown as far as it was understood.
  const auto key = impl.KeyFor({});
  const auto specialization = key.ok() ? impl.Specialize(*key) : key.status();
  return InfoOf(specialization.ok() ? (*specialization)->graph : impl.graph());
}

Result<PlanInfo> Inspect(const Session& session) { return session.impl()->Inspect(); }

std::vector<OperatorInfo> ListOperators() {
  std::vector<OperatorInfo> operators;
  for (const OpSchema* op : AllOps()) {
    operators.push_back({op->domain, op->name, op->infer == nullptr, op->reference != nullptr});
  }
  return operators;
}

}  // namespace moka

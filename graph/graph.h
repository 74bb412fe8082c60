// A network as plain data. Readers of model files make it, passes rewrite it, the binder plans it.
#ifndef MOKA_GRAPH_GRAPH_H_
#define MOKA_GRAPH_GRAPH_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moka/model.h"
#include "ops/op.h"

namespace moka {

using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;  // an absent optional operand

struct Value {
  std::string name;
  // Type, symbolic dims, tracked elements; filled by InferShapes. A value with elements needs nobody to make it.
  SymbolicTensor tensor;
  bool inferred = false;                       // `tensor` is known
  std::shared_ptr<const HostTensor> constant;  // contents, for weights and folded values (tensor.constant points to it)
  Format format = Format::kRowMajor;           // memory order, set by the layout pass
  // What the file declares for inputs and outputs (value_info elsewhere): type, and dims if `declared_rank`.
  ValueKind declared_kind = ValueKind::kTensor;
  DataType declared_type = DataType::kNone;
  bool declared_rank = false;
  std::vector<Dim> declared_dims;
};

struct Node {
  const OpSchema* op = nullptr;
  std::string name;  // unique; made from the operator and an output's name where the file has none
  Attributes attrs;
  std::vector<ValueId> src, dst;
  MicroProgram program;            // of moka.Elementwise, or the epilogue; empty otherwise
  int program_begin = -1;          // first source of the program; -1: no program
  std::vector<std::string> fused;  // names of the file's nodes that this one stands for, if more than itself
  // Values of this graph that the graphs in the attributes use: the last sources, by the names that they have there.
  std::vector<std::string> captures;

  size_t num_own_src() const { return src.size() - captures.size(); }
};

using Metadata = std::vector<std::pair<std::string, std::string>>;  // names and values

struct Graph {
  std::vector<Node> nodes;  // in a topological order
  std::vector<Value> values;
  std::vector<ValueId> inputs, outputs;  // inputs: what the caller feeds (initializers are not inputs)
  SymbolTable symbols;
  std::string source;  // the file, for messages
  Metadata metadata;   // Model::metadata, until a ModelImpl takes it
  // What InferShapes could not decide without the values of symbols; `what` starts with the node.
  std::vector<DimConstraint> constraints;

  const Value& value(ValueId id) const { return values[static_cast<size_t>(id)]; }
  Value& value(ValueId id) { return values[static_cast<size_t>(id)]; }
  ValueId FindValue(std::string_view name) const;  // kNoValue when absent
  ValueId AddValue(std::string name);
  ValueId AddConstant(std::string name, HostTensor tensor);
};

// A graph in an attribute, kept as read: not sorted, not checked. Values that nothing in it makes come from the graphs
// around it, by name.
struct SubgraphAttribute {
  Graph graph;
};
// The names of those values, each once, in the order of their ids.
std::vector<std::string> CapturesOf(const Graph& graph);

// Its contents are expressions over the symbols (and maybe nobody makes it).
inline bool IsKnownFromShapes(const Value& value) { return value.inferred && value.tensor.elements.has_value(); }

// "node 'conv1' (Conv)" with the file in front: the start of every message about a node.
std::string Describe(const Graph& graph, const Node& node);

// Sorts nodes topologically (in the given order where it is one) and checks numbers of operands and that every source
// is an input, a constant or the result of one earlier node. Names the node in a cycle or the value that nobody makes.
Status SortAndCheck(Graph& graph);

// An input, as inferred, that a plan may be made for again and again: a shape, an axis, a count, a flag.
bool IsShapeLike(const Value& input);

struct InferResult {
  // Graph inputs whose contents shapes depend on; inference stopped there. Empty: everything was inferred.
  std::vector<ValueId> shape_inputs;
  // Values that nodes compute from large or floating-point inputs, and whose contents shapes depend on: they must be
  // computed before the rest can be planned.
  std::vector<ValueId> cuts;
};
// Leaves what comes after nodes without inference unknown. Runs every node's inference in order, declared input dims
// first. Contradictions name the node. Integer nodes whose sources are known are evaluated on the way, so that their
// contents are known, too (Value::tensor.elements).
Result<InferResult> InferShapes(Graph& graph);

// To be called when symbols get values, before a plan is made: symbol_values[id] is the value of symbol id. The Status
// names the node and the dims that do not fit.
Status CheckConstraints(const Graph& graph, const std::vector<int64_t>& symbol_values);

}  // namespace moka

#endif  // MOKA_GRAPH_GRAPH_H_

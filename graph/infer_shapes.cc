#include <algorithm>
#include <deque>
#include <unordered_map>

#include "base/status.h"
#include "graph/constants.h"
#include "graph/graph.h"
#include "ops/element.h"

namespace moka {
namespace {

// For contents that inference does not track: small ones only.
constexpr EvaluationBudget kBudget = {kMaxTrackedElements * sizeof(int64_t), 16u << 20, 1e8};

bool IsTrackedType(DataType type) {
  return type == DataType::kI32 || type == DataType::kI64 || type == DataType::kBool;
}

std::vector<Dim> ElementsOf(const HostTensor& tensor) {
  std::vector<Dim> elements;
  ForEachIndex(tensor.desc, [&](const Index& index) {
    elements.emplace_back(Load<int64_t>(tensor.desc, tensor.data, OffsetOf(tensor.desc, index)));
  });
  return elements;
}

void InferConstant(Value& value) {
  const HostTensor& constant = *value.constant;
  value.tensor = {};
  value.tensor.type = constant.desc.type;
  for (int64_t dim : constant.desc.shape()) value.tensor.dims.emplace_back(dim);
  if (IsTrackedType(constant.desc.type) && constant.desc.NumElements() <= kMaxTrackedElements) {
    value.tensor.elements = ElementsOf(constant);
  }
  value.tensor.constant = &constant;
  value.inferred = true;
}

// Refuses dims that no tensor can have: negative ones, and sizes beyond 63 bits.
Status CheckSize(const SymbolicTensor& tensor) {
  if (tensor.rank() > kMaxRank) return Unsupported("rank ", tensor.rank(), ", supported: ", kMaxRank);
  int64_t bytes = static_cast<int64_t>(std::max<size_t>(1, SizeOf(tensor.type)));
  bool empty = false;
  for (const Dim& dim : tensor.dims) {
    if (!dim.is_constant()) continue;
    if (dim.constant() < 0) return InvalidModel("negative dimension ", dim.constant());
    empty = empty || dim.constant() == 0;
  }
  for (const Dim& dim : tensor.dims) {
    if (!empty && dim.is_constant() && __builtin_mul_overflow(bytes, dim.constant(), &bytes)) {
      return InvalidModel("size overflows 64 bits");
    }
  }
  return Status();
}

Status CheckDeclared(const Value& value) {
  const SymbolicTensor& tensor = value.tensor;
  if (value.declared_type != DataType::kNone && value.declared_type != tensor.type) {
    return InvalidModel("declared as ", NameOf(value.declared_type), ", but it is ", NameOf(tensor.type));
  }
  if (!value.declared_rank) return Status();
  if (value.declared_dims.size() != tensor.dims.size()) {
    return InvalidModel("declared with rank ", value.declared_dims.size(), ", but it has rank ", tensor.dims.size());
  }
  for (size_t i = 0; i < tensor.dims.size(); ++i) {
    const Dim &declared = value.declared_dims[i], &inferred = tensor.dims[i];
    if (declared.is_constant() && inferred.is_constant() && declared != inferred) {
      return InvalidModel("dimension ", i, " is declared as ", declared.constant(), ", but it is ",
                          inferred.constant());
    }
  }
  return Status();
}

class Inference {
 public:
  explicit Inference(Graph& graph) : graph_(graph), producer_(graph.values.size(), -1) {
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      for (const ValueId id : graph.nodes[n].dst) {
        if (id != kNoValue) producer_[static_cast<size_t>(id)] = static_cast<int>(n);
      }
    }
  }

  Result<InferResult> Run() {
    graph_.constraints.clear();
    for (size_t v = 0; v < graph_.values.size(); ++v) {
      Value& value = graph_.values[v];
      value.inferred = producer_[v] < 0 && IsKnownFromShapes(value);
      if (value.constant != nullptr) InferConstant(value);
    }
    for (const ValueId id : graph_.inputs) MOKA_RETURN_IF_ERROR(InferInput(graph_.value(id)));
    for (const Node& node : graph_.nodes) {
      if (Status status = InferNode(node); !status.ok()) return status.WithContext(Describe(graph_, node));
    }
    std::sort(result_.shape_inputs.begin(), result_.shape_inputs.end());
    return std::move(result_);
  }

 private:
  Status InferInput(Value& value) {
    if (value.constant != nullptr || value.declared_kind != ValueKind::kTensor) return Status();
    const std::string context = StrCat(graph_.source, graph_.source.empty() ? "" : ": ", "input '", value.name, "'");
    if (value.declared_type == DataType::kNone) return InvalidModel(context, " has no declared type");
    if (!value.declared_rank) return Unsupported(context, " has no declared rank");
    value.tensor = {};
    value.tensor.type = value.declared_type;
    value.tensor.dims = value.declared_dims;
    value.inferred = true;
    return CheckSize(value.tensor).WithContext(context);
  }

  // Leaves the results unknown where a source is.
  Status InferNode(const Node& node) {
    if (node.op->infer == nullptr) return Status();
    InferContext context;
    std::vector<const SymbolicTensor*> sources;
    std::deque<SymbolicTensor> known_floats;  // copies that have their contents
    const auto own = node.program_begin > 0 ? static_cast<size_t>(node.program_begin) : node.src.size();
    for (size_t i = 0; i < own; ++i) {
      const ValueId id = node.src[i];
      if (id != kNoValue && !graph_.value(id).inferred) return Status();
      sources.push_back(id == kNoValue ? nullptr : &graph_.value(id).tensor);
      if (const auto known = floats_.find(id); known != floats_.end()) {
        known_floats.push_back(graph_.value(id).tensor);
        known_floats.back().constant = known->second.get();
        sources.back() = &known_floats.back();
      }
    }
    context.attrs = &node.attrs;
    context.src = sources;
    context.symbols = &graph_.symbols;
    context.dst.resize(node.dst.size());
    if (Status status = node.op->infer(context); !status.ok()) {
      if (context.needed_source < 0) return status;
      return NeedContents(node.src[static_cast<size_t>(context.needed_source)], status);
    }
    for (DimConstraint& constraint : context.constraints) {
      constraint.what = StrCat(Describe(graph_, node), ": ", constraint.what);
      graph_.constraints.push_back(std::move(constraint));
    }
    for (size_t i = 0; i < node.dst.size(); ++i) {
      if (node.dst[i] == kNoValue) continue;
      Value& value = graph_.value(node.dst[i]);
      value.tensor = std::move(context.dst[i]);
      if (Status status = Accept(value); !status.ok()) return status.WithContext(StrCat("output '", value.name, "'"));
    }
    EvaluateSmall(node);
    return Status();
  }

  Status Accept(Value& value) {
    if (!value.tensor.present()) return Internal("inference gave no type");
    value.tensor.constant = nullptr;
    auto& elements = value.tensor.elements;
    if (elements && (elements->size() > kMaxTrackedElements || !IsTrackedType(value.tensor.type))) elements.reset();
    MOKA_RETURN_IF_ERROR(CheckSize(value.tensor));
    value.inferred = true;
    return CheckDeclared(value);
  }

  // Contents that inference did not track, where running the node tells them: integers, and the floats on the way to
  // them (floor(size * 0.5)).
  void EvaluateSmall(const Node& node) {
    std::vector<std::shared_ptr<const HostTensor>> sources;
    for (const ValueId id : node.dst) {
      if (id == kNoValue) continue;
      const SymbolicTensor& tensor = graph_.value(id).tensor;
      const bool is_float = tensor.type == DataType::kF32 || tensor.type == DataType::kF64;
      if (!is_float && (!IsTrackedType(tensor.type) || tensor.elements)) return;
    }
    for (const ValueId id : node.src) {
      const auto computed = floats_.find(id);
      sources.push_back(id == kNoValue              ? nullptr
                        : computed != floats_.end() ? computed->second
                                                    : KnownContents(graph_.value(id)));
      if (id != kNoValue && sources.back() == nullptr) return;
    }
    const auto results = EvaluateNode(graph_, node, sources, &budget_);
    if (!results.ok()) return;
    for (size_t i = 0; i < node.dst.size(); ++i) {
      const auto& result = (*results)[i];
      if (result == nullptr || result->desc.NumElements() > kMaxTrackedElements) continue;
      if (IsTrackedType(result->desc.type)) {
        graph_.value(node.dst[i]).tensor.elements = ElementsOf(*result);
      } else {
        floats_[node.dst[i]] = result;
      }
    }
  }

  // Shapes depend on the contents of `id`: reports the graph inputs that it is computed from, or, where those are more
  // than shapes, the value itself.
  Status NeedContents(ValueId id, const Status& reason) {
    std::vector<bool> seen(graph_.values.size(), false);
    std::vector<ValueId> stack = {id}, found;
    bool shape_like = true;
    while (!stack.empty()) {
      const ValueId top = stack.back();
      stack.pop_back();
      if (top == kNoValue || seen[static_cast<size_t>(top)]) continue;
      seen[static_cast<size_t>(top)] = true;
      if (const int n = producer_[static_cast<size_t>(top)]; n >= 0) {
        const auto& sources = graph_.nodes[static_cast<size_t>(n)].src;
        stack.insert(stack.end(), sources.begin(), sources.end());
      } else if (graph_.value(top).constant == nullptr) {
        found.push_back(top);
        shape_like = shape_like && IsShapeLike(graph_.value(top));
      }
    }
    if (found.empty()) return reason;
    const bool computed = producer_[static_cast<size_t>(id)] >= 0;
    if (computed && !shape_like) found = {id};
    auto& list = computed && !shape_like ? result_.cuts : result_.shape_inputs;
    for (const ValueId value : found) {
      if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
    }
    return Status();
  }

  Graph& graph_;
  std::vector<int> producer_;
  InferResult result_;
  EvaluationBudget budget_ = kBudget;
  std::unordered_map<ValueId, std::shared_ptr<const HostTensor>> floats_;  // small ones that are known
};

}  // namespace

bool IsShapeLike(const Value& input) { return IsTrackedType(input.tensor.type) && input.tensor.rank() <= 1; }

Result<InferResult> InferShapes(Graph& graph) { return Inference(graph).Run(); }

Status CheckConstraints(const Graph& graph, const std::vector<int64_t>& symbol_values) {
  for (const DimConstraint& constraint : graph.constraints) {
    const Result<int64_t> a = constraint.a.Evaluate(symbol_values);
    if (!a.ok()) return a.status().WithContext(constraint.what);
    const Result<int64_t> b = constraint.b.Evaluate(symbol_values);
    if (!b.ok()) return b.status().WithContext(constraint.what);
    if (*a == *b || (constraint.broadcast && *a == 1)) continue;
    return InvalidArgument(constraint.what, ": ", *a, " (", constraint.a.ToString(graph.symbols), "), expected ", *b,
                           constraint.broadcast ? " or 1" : "");
  }
  return Status();
}

}  // namespace moka

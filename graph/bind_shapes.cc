#include "graph/bind_shapes.h"

#include <cstring>

namespace moka {
namespace {

class ShapeBinder {
 public:
  ShapeBinder(const Graph& graph, std::span<const Shape> inputs)
      : graph_(graph), inputs_(inputs), symbols_(graph.symbols.size(), 0), origins_(graph.symbols.size()) {}

  Result<BoundShapes> Bind() {
    if (inputs_.size() != graph_.inputs.size()) {
      return InvalidArgument(graph_.inputs.size(), " input shapes expected, got ", inputs_.size());
    }
    for (size_t i = 0; i < inputs_.size(); ++i) MOKA_RETURN_IF_ERROR(MatchSymbols(i));
    for (size_t i = 0; i < inputs_.size(); ++i) MOKA_RETURN_IF_ERROR(MatchExpressions(i));
    bound_.descs.resize(graph_.values.size());
    bound_.contents.resize(graph_.values.size());
    for (ValueId id : graph_.inputs) MOKA_RETURN_IF_ERROR(EvaluateValue(id));
    for (const Node& node : graph_.nodes) {
      for (ValueId id : node.src) MOKA_RETURN_IF_ERROR(EvaluateValue(id));
      for (ValueId id : node.dst) MOKA_RETURN_IF_ERROR(EvaluateValue(id));
    }
    for (ValueId id : graph_.outputs) MOKA_RETURN_IF_ERROR(EvaluateValue(id));
    MOKA_RETURN_IF_ERROR(CheckConstraints(graph_, symbols_));
    return std::move(bound_);
  }

 private:
  struct Origin {
    int input = -1, dim = -1;
  };

  const Value& Input(size_t i) const { return graph_.value(graph_.inputs[i]); }

  std::string Where(size_t input, size_t dim, const Dim& declared) const {
    std::string where = StrCat("input '", Input(input).name, "' dimension ", dim);
    if (!declared.is_constant()) where += StrCat(" ('", declared.ToString(graph_.symbols), "')");
    return where;
  }

  // A dimension that is one symbol: Dim has no accessor for it, but its canonical form equals the symbol's.
  static bool IsSymbol(const Dim& dim, SymbolId* id) {
    if (dim.is_constant()) return false;
    std::vector<SymbolId> symbols;
    dim.AppendSymbols(&symbols);
    if (symbols.size() != 1 || dim != Dim::Symbol(symbols[0])) return false;
    *id = symbols[0];
    return true;
  }

  Status MatchSymbols(size_t i) {
    const std::vector<Dim>& dims = Input(i).tensor.dims;
    const Shape& shape = inputs_[i];
    if (shape.size() != dims.size()) {
      return InvalidArgument("input '", Input(i).name, "': rank ", dims.size(), " expected, got shape ",
                             ToString(shape));
    }
    for (size_t d = 0; d < dims.size(); ++d) {
      if (shape[d] < 0) return InvalidArgument(Where(i, d, dims[d]), ": ", shape[d], " is negative");
      SymbolId id;
      if (!IsSymbol(dims[d], &id)) continue;
      Origin& origin = origins_[static_cast<size_t>(id)];
      int64_t& value = symbols_[static_cast<size_t>(id)];
      if (origin.input < 0) {
        origin = {static_cast<int>(i), static_cast<int>(d)};
        value = shape[d];
      } else if (value != shape[d]) {
        return InvalidArgument(Where(i, d, dims[d]), ": ", shape[d], " here but ", value, " in input '",
                               Input(static_cast<size_t>(origin.input)).name, "' dimension ", origin.dim);
      }
    }
    return {};
  }

  Status MatchExpressions(size_t i) {
    const std::vector<Dim>& dims = Input(i).tensor.dims;
    for (size_t d = 0; d < dims.size(); ++d) {
      MOKA_ASSIGN_OR_RETURN(const int64_t expected, Evaluate(dims[d], Input(i)));
      if (expected != inputs_[i][d]) {
        return InvalidArgument(Where(i, d, dims[d]), ": ", expected, " expected, got ", inputs_[i][d], " in shape ",
                               ToString(inputs_[i]));
      }
    }
    return {};
  }

  Result<int64_t> Evaluate(const Dim& dim, const Value& value) const {
    if (dim.is_constant()) return dim.constant();
    std::vector<SymbolId> used;
    dim.AppendSymbols(&used);
    for (SymbolId id : used) {
      if (origins_[static_cast<size_t>(id)].input < 0) {
        return Unsupported("value '", value.name, "': its size '", dim.ToString(graph_.symbols),
                           "' is known only at run time");
      }
    }
    auto result = dim.Evaluate(symbols_);
    if (!result.ok()) return result.status().WithContext(StrCat("value '", value.name, "'"));
    return result;
  }

  Status EvaluateValue(ValueId id) {
    if (id == kNoValue || bound_.descs[static_cast<size_t>(id)].present()) return {};
    const Value& value = graph_.value(id);
    TensorDesc& desc = bound_.descs[static_cast<size_t>(id)];
    if (value.constant != nullptr) {
      desc = value.constant->desc;
      bound_.contents[static_cast<size_t>(id)] = value.constant;
      return {};
    }
    if (!value.inferred) return Internal("value '", value.name, "' was not inferred");
    const std::vector<Dim>& dims = value.tensor.dims;
    if (dims.size() > kMaxRank) {
      return Unsupported("value '", value.name, "': rank ", dims.size(), " is more than ", kMaxRank);
    }
    Shape shape(dims.size());
    // Twice the elements must fit too: rows may be padded, and extents are sums.
    int64_t bytes = 32, nonzero = 32;
    bool overflow = false;
    for (size_t d = 0; d < dims.size(); ++d) {
      MOKA_ASSIGN_OR_RETURN(shape[d], Evaluate(dims[d], value));
      if (shape[d] < 0) {
        return InvalidArgument("value '", value.name, "': dimension ", d, " becomes ", shape[d],
                               " with these input shapes");
      }
      overflow |= __builtin_mul_overflow(bytes, shape[d], &bytes);
      overflow |= __builtin_mul_overflow(nonzero, shape[d] == 0 ? 1 : shape[d], &nonzero);
    }
    if (overflow) return OutOfMemory("value '", value.name, "' of shape ", ToString(shape), " exceeds any memory");
    desc = MakeDense(value.tensor.type, shape);
    return EvaluateContents(id, value);
  }

  Status EvaluateContents(ValueId id, const Value& value) {
    const auto& elements = value.tensor.elements;
    const DataType type = value.tensor.type;
    const bool integer = type == DataType::kI64 || type == DataType::kI32 || type == DataType::kBool;
    if (!elements.has_value() || !integer) return {};
    const size_t element_bytes = SizeOf(type);
    auto data = std::make_shared<std::vector<char>>(elements->size() * element_bytes + 1);
    for (size_t k = 0; k < elements->size(); ++k) {
      const Dim& element = (*elements)[k];
      auto number = Evaluate(element, value);
      if (!number.ok()) return {};  // contents that only a run knows
      const int64_t wide = *number;
      std::memcpy(data->data() + k * element_bytes, &wide, element_bytes);  // little-endian: the low bytes
    }
    auto tensor = std::make_shared<HostTensor>();
    tensor->desc = bound_.descs[static_cast<size_t>(id)];
    tensor->data = data->data();
    tensor->owner = std::move(data);
    bound_.contents[static_cast<size_t>(id)] = std::move(tensor);
    return {};
  }

  const Graph& graph_;
  std::span<const Shape> inputs_;
  std::vector<int64_t> symbols_;
  std::vector<Origin> origins_;
  BoundShapes bound_;
};

}  // namespace

Result<BoundShapes> BindShapes(const Graph& graph, std::span<const Shape> inputs) {
  return ShapeBinder(graph, inputs).Bind();
}

}  // namespace moka

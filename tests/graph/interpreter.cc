#include "tests/graph/interpreter.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "ops/element.h"
#include "ops/reference.h"

namespace moka {
namespace {

struct Stored {
  TensorDesc desc;
  std::vector<std::byte> bytes;
};

class Interpreter {
 public:
  explicit Interpreter(const Graph& graph) : graph_(graph), values_(graph.values.size()) {}

  Result<std::vector<Tensor>> Run(const std::vector<Tensor>& inputs) {
    symbols_.assign(graph_.symbols.size(), 1);
    for (size_t i = 0; i < inputs.size(); ++i) MOKA_RETURN_IF_ERROR(SetInput(graph_.inputs[i], inputs[i]));
    MOKA_RETURN_IF_ERROR(CheckConstraints(graph_, symbols_));
    for (size_t v = 0; v < graph_.values.size(); ++v) {
      const Value& value = graph_.values[v];
      if (value.constant == nullptr) {
        MOKA_RETURN_IF_ERROR(SetKnown(static_cast<ValueId>(v)));
        continue;
      }
      MOKA_RETURN_IF_ERROR(Allocate(static_cast<ValueId>(v)));
      MOKA_RETURN_IF_ERROR(
          CopyElements(value.constant->desc, value.constant->data, values_[v].desc, values_[v].bytes.data()));
    }
    for (const Node& node : graph_.nodes) {
      if (Status status = RunNode(node); !status.ok()) return status.WithContext(Describe(graph_, node));
    }
    std::vector<Tensor> outputs;
    for (const ValueId id : graph_.outputs) {
      const Stored& stored = values_[static_cast<size_t>(id)];
      if (!IsDense(stored.desc)) return Internal("output is not row-major");
      MOKA_ASSIGN_OR_RETURN(Tensor copy, Tensor::CopyOf({stored.desc.type, stored.desc.shape(), stored.bytes.data()}));
      outputs.push_back(copy);
    }
    return outputs;
  }

 private:
  Status SetInput(ValueId id, const Tensor& tensor) {
    const Value& value = graph_.value(id);
    for (size_t i = 0; i < tensor.shape().size(); ++i) {
      for (size_t s = 0; s < symbols_.size(); ++s) {
        if (value.tensor.dims[i] == Dim::Symbol(static_cast<SymbolId>(s))) symbols_[s] = tensor.shape()[i];
      }
    }
    Stored& stored = values_[static_cast<size_t>(id)];
    stored.desc = MakeDense(tensor.type(), tensor.shape());
    const auto* bytes = static_cast<const std::byte*>(tensor.data());
    stored.bytes.assign(bytes, bytes + tensor.bytes());
    return Status();
  }

  // Contents that only shapes determine.
  Status SetKnown(ValueId id) {
    const Value& value = graph_.value(id);
    if (!IsKnownFromShapes(value)) return Status();
    MOKA_RETURN_IF_ERROR(Allocate(id));
    Stored& stored = values_[static_cast<size_t>(id)];
    for (size_t i = 0; i < value.tensor.elements->size(); ++i) {
      MOKA_ASSIGN_OR_RETURN(const int64_t element, (*value.tensor.elements)[i].Evaluate(symbols_));
      Store<int64_t>(stored.desc, stored.bytes.data(), static_cast<int64_t>(i), element);
    }
    return Status();
  }

  Status Allocate(ValueId id) {
    const Value& value = graph_.value(id);
    if (!value.inferred) return Internal("value ", value.name, " is not inferred");
    Shape shape;
    for (const Dim& dim : value.tensor.dims) {
      MOKA_ASSIGN_OR_RETURN(const int64_t size, dim.Evaluate(symbols_));
      shape.push_back(size);
    }
    Stored& stored = values_[static_cast<size_t>(id)];
    stored.desc = MakeDense(value.tensor.type, shape, value.format);
    stored.bytes.assign(stored.desc.ExtentBytes() + 1, std::byte{0x7f});
    return Status();
  }

  Status RunNode(const Node& node) {
    std::vector<TensorDesc> src, dst;
    std::vector<const void*> src_data;
    std::vector<void*> dst_data;
    std::vector<HostTensor> tensors(node.src.size());
    std::vector<const HostTensor*> constants;
    for (size_t i = 0; i < node.src.size(); ++i) {
      const ValueId id = node.src[i];
      const Stored empty;
      const Stored& stored = id == kNoValue ? empty : values_[static_cast<size_t>(id)];
      if (id != kNoValue && !stored.desc.present()) return Internal("source ", i, " was not made before");
      src.push_back(stored.desc);
      src_data.push_back(id == kNoValue ? nullptr : stored.bytes.data());
      tensors[i] = {stored.desc, src_data.back(), nullptr};
      constants.push_back(id == kNoValue || stored.desc.type == DataType::kF32 ? nullptr : &tensors[i]);
    }
    for (const ValueId id : node.dst) {
      if (id != kNoValue) MOKA_RETURN_IF_ERROR(Allocate(id));
      dst.push_back(id == kNoValue ? TensorDesc{} : values_[static_cast<size_t>(id)].desc);
      dst_data.push_back(id == kNoValue ? nullptr : values_[static_cast<size_t>(id)].bytes.data());
    }
    ReferenceCall call;
    call.call.op = node.op;
    call.call.attrs = &node.attrs;
    call.call.name = node.name;
    call.call.program = node.program_begin >= 0 ? &node.program : nullptr;
    call.call.program_begin = std::max(0, node.program_begin);
    call.call.src = src;
    call.call.dst = dst;
    call.call.constants = constants;
    call.src = src_data;
    call.dst = dst_data;
    return RunReference(call, /*oracle=*/true);
  }

  const Graph& graph_;
  std::vector<Stored> values_;
  std::vector<int64_t> symbols_;
};

}  // namespace

Result<std::vector<Tensor>> Interpret(const Graph& graph, const std::vector<Tensor>& inputs) {
  return Interpreter(graph).Run(inputs);
}

std::vector<Tensor> RandomInputs(const Graph& graph, int64_t symbol_size, uint32_t seed) {
  std::mt19937 rng(seed);
  std::uniform_real_distribution<float> number(-2, 2);
  std::vector<Tensor> inputs;
  for (const ValueId id : graph.inputs) {
    Shape shape;
    for (const Dim& dim : graph.value(id).declared_dims) {
      shape.push_back(dim.is_constant() ? dim.constant() : symbol_size);
    }
    Tensor tensor = *Tensor::Create(DataType::kF32, shape);
    for (int64_t i = 0; i < tensor.size(); ++i) tensor.as<float>()[i] = number(rng);
    inputs.push_back(tensor);
  }
  return inputs;
}

}  // namespace moka

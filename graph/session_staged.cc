// Sessions of graphs that no single plan can hold.
#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "base/tensor_size.h"
#include "graph/passes/passes.h"
#include "graph/session_impl.h"
#include "graph/stages.h"

namespace moka {
namespace {

// What a plan would check when it is bound.
Status CheckShape(const ValueInfo& info, const Shape& shape) {
  if (info.ranked && shape.size() != info.dims.size()) {
    return InvalidArgument("input '", info.name, "': rank ", info.dims.size(), " expected, got shape ",
                           ToString(shape));
  }
  for (size_t d = 0; d < shape.size(); ++d) {
    const std::string symbol = info.ranked && !info.symbols[d].empty() ? StrCat(" ('", info.symbols[d], "')") : "";
    const std::string where = StrCat("input '", info.name, "' dimension ", d, symbol, ": ");
    if (shape[d] < 0) return InvalidArgument(where, shape[d], " is negative");
    if (!info.ranked || info.dims[d] < 0 || info.dims[d] == shape[d]) continue;
    return InvalidArgument(where, info.dims[d], " expected, got ", shape[d], " in shape ", ToString(shape));
  }
  return SizeOfTensor(info.type, shape).status().WithContext(StrCat("input '", info.name, "'"));
}

// Of all tensors of the caller, those in sequences and maps too: ranks, sizes and memory.
Status CheckTensors(const Datum& datum) {
  const auto check = [](const Tensor& tensor) -> Status {
    const size_t rank = tensor.shape().size();
    if (rank > kMaxRank) return InvalidArgument("rank ", rank, " is more than ", kMaxRank);
    MOKA_RETURN_IF_ERROR(SizeOfTensor(tensor.type(), tensor.shape()).status());
    return tensor.data() == nullptr && tensor.size() > 0 ? InvalidArgument("data is null") : Status();
  };
  if (datum.is_tensor()) return check(datum.tensor());
  if (datum.is_map()) {
    MOKA_RETURN_IF_ERROR(check(datum.keys()));
    return check(datum.values());
  }
  if (!datum.is_sequence()) return {};
  for (const Datum& element : datum.sequence()) MOKA_RETURN_IF_ERROR(CheckTensors(element));
  return {};
}

Status CheckDatum(const ValueInfo& info, const Datum& datum) {
  const bool kind_fits = info.kind == ValueKind::kTensor     ? datum.is_tensor()
                         : info.kind == ValueKind::kSequence ? datum.is_sequence()
                         : info.kind == ValueKind::kMap      ? datum.is_map()
                                                             : true;
  const bool untyped = datum.type() == DataType::kNone && !datum.is_tensor();
  if (!kind_fits || !(untyped || info.type == DataType::kNone || datum.type() == info.type)) {
    return InvalidArgument("input '", info.name, "': got ", ToString(datum), ", expected ",
                           info.kind == ValueKind::kSequence ? "a sequence of "
                           : info.kind == ValueKind::kMap    ? "a map to "
                                                             : "",
                           NameOf(info.type));
  }
  if (info.kind == ValueKind::kTensor) MOKA_RETURN_IF_ERROR(CheckShape(info, datum.tensor().shape()));
  return CheckTensors(datum).WithContext(StrCat("input '", info.name, "'"));
}

}  // namespace

Status SessionImpl::StartStaged(const std::vector<ValueId>& cuts) {
  context_.devices = devices_;
  context_.options = options_;
  context_.options.outputs.clear();
  context_.options.state.clear();
  context_.transfers = &staged_transfers_;
  context_.options.executor = &HostExecutor();
  Graph graph = model_->graph();
  graph.outputs = key_.outputs;
  MOKA_RETURN_IF_ERROR(RemoveDeadNodes(graph));
  context_.weights = model_->shared_weights();
  context_.model_options = model_->options();
  if (options_.strict && !devices_[0]->limits().host_memory) {
    const std::vector<bool> on_host = HostNodes(graph);
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      if (!on_host[n]) continue;
      return Unsupported(Describe(graph, graph.nodes[n]), ": runs on the host, not on ", devices_[0]->info().name);
    }
  }
  runner_ = std::make_unique<GraphPart>(std::move(graph), context_, cuts);
  return {};
}

Result<std::vector<Datum>> SessionImpl::RunStaged(std::span<const Datum> inputs) {
  const std::vector<ValueInfo>& expected = model_->inputs();
  if (inputs.size() != expected.size()) {
    return InvalidArgument(expected.size(), " inputs expected, got ", inputs.size());
  }
  for (size_t i = 0; i < inputs.size(); ++i) MOKA_RETURN_IF_ERROR(CheckDatum(expected[i], inputs[i]));
  staged_transfers_ = {};
  return runner_->Run(inputs);
}

Result<std::vector<Tensor>> SessionImpl::RunStaged(std::span<const ConstTensorView> inputs) {
  std::vector<Datum> data;
  for (const ConstTensorView& input : inputs) data.emplace_back(Tensor::Borrow(input));
  MOKA_ASSIGN_OR_RETURN(const std::vector<Datum> results, RunStaged(std::span<const Datum>(data)));
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < results.size(); ++i) {
    if (!results[i].is_tensor()) {
      return InvalidArgument("output '", output_names_[i], "' is ", ToString(results[i]), ": use RunData");
    }
    const Tensor& tensor = results[i].tensor();
    if (tensor.owners() == 1) {
      tensors.push_back(tensor);
      continue;
    }
    // The caller's own memory, a constant, or a value that is two outputs.
    MOKA_ASSIGN_OR_RETURN(Tensor copy, Tensor::CopyOf(tensor.view()));
    tensors.push_back(std::move(copy));
  }
  return tensors;
}

Status SessionImpl::RunStagedInto(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs) {
  if (outputs.size() != output_names_.size()) {
    return InvalidArgument(output_names_.size(), " outputs expected, got ", outputs.size());
  }
  MOKA_ASSIGN_OR_RETURN(const std::vector<Tensor> results, RunStaged(inputs));
  for (size_t i = 0; i < results.size(); ++i) {
    const Tensor& result = results[i];
    if (outputs[i].type != result.type() || outputs[i].shape != result.shape()) {
      return InvalidArgument("output '", output_names_[i], "': this run gives ", NameOf(result.type()),
                             ToString(result.shape()), ", the memory is for ", NameOf(outputs[i].type),
                             ToString(outputs[i].shape));
    }
    if (result.size() == 0) continue;
    if (outputs[i].data == nullptr) return InvalidArgument("output '", output_names_[i], "': data is null");
    if (result.type() == DataType::kString) {
      std::copy_n(result.as<std::string>(), result.size(), static_cast<std::string*>(outputs[i].data));
    } else {
      std::memcpy(outputs[i].data, result.data(), result.bytes());
    }
  }
  return {};
}

}  // namespace moka

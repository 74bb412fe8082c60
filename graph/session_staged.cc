// Sessions of graphs that no single plan can hold.
#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "graph/passes/passes.h"
#include "graph/session_impl.h"
#include "graph/stages.h"

namespace moka {

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
  for (size_t i = 0; i < inputs.size(); ++i) {
    const bool kind_fits = expected[i].kind == ValueKind::kTensor     ? inputs[i].is_tensor()
                           : expected[i].kind == ValueKind::kSequence ? inputs[i].is_sequence()
                           : expected[i].kind == ValueKind::kMap      ? inputs[i].is_map()
                                                                      : true;
    const bool type_fits = inputs[i].type() == DataType::kNone || expected[i].type == DataType::kNone ||
                           inputs[i].type() == expected[i].type;
    if (kind_fits && type_fits) continue;
    return InvalidArgument("input '", expected[i].name, "': got ", ToString(inputs[i]), ", expected ",
                           expected[i].kind == ValueKind::kSequence ? "a sequence of "
                           : expected[i].kind == ValueKind::kMap    ? "a map to "
                                                                    : "",
                           NameOf(expected[i].type));
  }
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

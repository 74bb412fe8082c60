// The ways to run a session: into the caller's memory or new tensors, by order or by name, with state or without.
#include "base/status.h"
#include "graph/session_impl.h"

namespace moka {

Status SessionImpl::RunInto(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs) {
  if (!state_.empty()) {
    MOKA_ASSIGN_OR_RETURN(inputs, state_.Fill(inputs));
  }
  MOKA_RETURN_IF_ERROR(SelectFor(inputs));
  if (runner_ != nullptr) {
    if (!state_.empty()) return Unsupported("state of a model whose shapes depend on data: use Run or RunData");
    return RunStagedInto(inputs, outputs);
  }
  if (!state_.empty()) {
    MOKA_ASSIGN_OR_RETURN(outputs, state_.Place(outputs, entries_.front()->output_shapes));
  }
  MOKA_RETURN_IF_ERROR(CheckOutputs(*entries_.front(), outputs));
  MOKA_RETURN_IF_ERROR(Execute(inputs, outputs));
  state_.KeepPlaced(outputs);
  return {};
}

Result<std::vector<Tensor>> SessionImpl::Run(std::span<const ConstTensorView> inputs) {
  if (state_.empty()) return RunOnce(inputs);
  MOKA_ASSIGN_OR_RETURN(const std::span<const ConstTensorView> filled, state_.Fill(inputs));
  MOKA_ASSIGN_OR_RETURN(std::vector<Tensor> outputs, RunOnce(filled));
  state_.Keep(std::span<const Tensor>(outputs));
  return outputs;
}

Result<std::vector<Tensor>> SessionImpl::RunOnce(std::span<const ConstTensorView> inputs) {
  MOKA_RETURN_IF_ERROR(SelectFor(inputs));
  if (runner_ != nullptr) return RunStaged(inputs);
  const Entry& entry = *entries_.front();
  std::vector<Tensor> tensors;
  std::vector<TensorView> views;
  for (size_t i = 0; i < entry.output_shapes.size(); ++i) {
    auto tensor = Tensor::Create(entry.prepared->plan.outputs[i].type, entry.output_shapes[i]);
    if (!tensor.ok()) return tensor.status().WithContext(StrCat("output '", output_names_[i], "'"));
    tensors.push_back(std::move(tensor).value());
    views.push_back(tensors.back().view());
  }
  MOKA_RETURN_IF_ERROR(Execute(inputs, views));
  return tensors;
}

Result<std::vector<Datum>> SessionImpl::RunData(std::span<const Datum> inputs) {
  if (runner_ != nullptr && state_.empty()) return RunStaged(inputs);
  if (runner_ != nullptr) {
    MOKA_ASSIGN_OR_RETURN(const std::vector<Datum> filled, state_.Fill(inputs));
    MOKA_ASSIGN_OR_RETURN(std::vector<Datum> outputs, RunStaged(std::span<const Datum>(filled)));
    state_.Keep(std::span<const Datum>(outputs));
    return outputs;
  }
  std::vector<ConstTensorView> views;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].is_none() && state_.IsStateInput(i)) {
      views.emplace_back();
      continue;
    }
    if (!inputs[i].is_tensor()) return InvalidArgument("input ", i, ": ", ToString(inputs[i]), ", expected a tensor");
    views.push_back(inputs[i].tensor().view());
  }
  MOKA_ASSIGN_OR_RETURN(std::vector<Tensor> tensors, Run(views));
  std::vector<Datum> outputs;
  for (Tensor& tensor : tensors) outputs.emplace_back(std::move(tensor));
  return outputs;
}

Result<std::vector<Tensor>> SessionImpl::Run(const std::vector<std::pair<std::string, ConstTensorView>>& inputs) {
  const std::vector<ValueInfo>& expected = model_->inputs();
  std::vector<ConstTensorView> ordered(expected.size());
  std::vector<bool> given(expected.size(), false);
  for (const auto& [name, view] : inputs) {
    size_t i = 0;
    while (i < expected.size() && expected[i].name != name) ++i;
    if (i == expected.size()) return InvalidArgument("the model has no input '", name, "'");
    if (given[i]) return InvalidArgument("input '", name, "' is given twice");
    given[i] = true;
    ordered[i] = view;
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!given[i] && !state_.IsStateInput(i)) return InvalidArgument("input '", expected[i].name, "' is missing");
  }
  return Run(ordered);
}

}  // namespace moka

#include "graph/session_state.h"

#include <algorithm>

#include "base/status.h"

namespace moka {

Status SessionState::Start(const std::vector<std::pair<std::string, std::string>>& pairs, const ModelImpl& model,
                           const std::vector<std::string>& output_names) {
  for (const auto& pair : pairs) {
    const std::string &output = pair.first, &input = pair.second;
    Link link;
    const auto& inputs = model.inputs();
    const auto at = std::find_if(inputs.begin(), inputs.end(), [&](const ValueInfo& i) { return i.name == input; });
    if (at == inputs.end()) return NotFound("state: the model has no input '", input, "'");
    const auto made = std::find(output_names.begin(), output_names.end(), output);
    if (made == output_names.end()) return NotFound("state: '", output, "' is none of the session's outputs");
    link.input = static_cast<size_t>(at - inputs.begin());
    link.output = static_cast<size_t>(made - output_names.begin());
    link.info = *at;
    if (IsStateInput(link.input)) return InvalidArgument("state: input '", input, "' is there twice");
    links_.push_back(std::move(link));
  }
  return {};
}

void SessionState::Reset() {
  for (Link& link : links_) {
    link.value = Datum();
    link.in_front = false;
  }
}

bool SessionState::IsStateInput(size_t input) const {
  return std::any_of(links_.begin(), links_.end(), [&](const Link& link) { return link.input == input; });
}

// Zeros before the first run.
Status SessionState::Begin(Link& link) {
  if (!link.value.is_none() || link.info.kind == ValueKind::kOptional) return {};
  if (link.info.kind == ValueKind::kSequence) {
    link.value = Datum::Sequence(link.info.type, {});
    return {};
  }
  if (!link.info.ranked || std::count(link.info.dims.begin(), link.info.dims.end(), -1) > 0) {
    return InvalidArgument("input '", link.info.name,
                           "' is state without a value yet, and its shape is not fixed: pass it to the first run");
  }
  MOKA_ASSIGN_OR_RETURN(Tensor zeros, Tensor::Create(link.info.type, link.info.dims));
  link.value = Datum(std::move(zeros));
  return {};
}

Result<std::span<const ConstTensorView>> SessionState::Fill(std::span<const ConstTensorView> inputs) {
  inputs_.assign(inputs.begin(), inputs.end());
  for (Link& link : links_) {
    if (link.input >= inputs_.size() || inputs_[link.input].type != DataType::kNone) continue;
    if (link.in_front) {
      inputs_[link.input] = link.front.view();
      continue;
    }
    MOKA_RETURN_IF_ERROR(Begin(link));
    if (link.value.is_tensor()) inputs_[link.input] = link.value.tensor().view();
  }
  return std::span<const ConstTensorView>(inputs_);
}

Result<std::vector<Datum>> SessionState::Fill(std::span<const Datum> inputs) {
  std::vector<Datum> filled(inputs.begin(), inputs.end());
  for (Link& link : links_) {
    if (link.input >= filled.size() || !filled[link.input].is_none()) continue;
    if (link.in_front) link.value = Datum(link.front);
    MOKA_RETURN_IF_ERROR(Begin(link));
    filled[link.input] = link.value;
  }
  return filled;
}

Result<std::span<const TensorView>> SessionState::Place(std::span<const TensorView> outputs,
                                                        const std::vector<Shape>& shapes) {
  outputs_.assign(outputs.begin(), outputs.end());
  for (Link& link : links_) {
    link.placed = link.output < outputs_.size() && outputs_[link.output].data == nullptr;
    if (!link.placed) continue;
    const Shape& shape = shapes[link.output];
    if (link.back.type() != link.info.type || link.back.shape() != shape) {
      MOKA_ASSIGN_OR_RETURN(link.back, Tensor::Create(link.info.type, shape));
    }
    outputs_[link.output] = link.back.view();
  }
  return std::span<const TensorView>(outputs_);
}

void SessionState::Keep(std::span<const Tensor> outputs) {
  for (Link& link : links_) {
    link.value = Datum(outputs[link.output]);
    link.in_front = false;
  }
}

void SessionState::Keep(std::span<const Datum> outputs) {
  for (Link& link : links_) {
    link.value = outputs[link.output];
    link.in_front = false;
  }
}

void SessionState::KeepPlaced(std::span<const TensorView> outputs) {
  for (Link& link : links_) {
    link.in_front = link.placed;
    if (link.placed) {
      std::swap(link.front, link.back);
    } else {
      link.value = Datum(Tensor::Borrow(outputs[link.output]));
    }
  }
}

}  // namespace moka

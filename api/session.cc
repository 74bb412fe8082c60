#include "moka/session.h"

#include "api/devices.h"
#include "graph/session_impl.h"

namespace moka {

Result<Session> Session::Create(const Model& model, const SessionOptions& options) {
  MOKA_ASSIGN_OR_RETURN(std::vector<Device*> devices, DevicesFor(options.device));
  MOKA_ASSIGN_OR_RETURN(auto impl, SessionImpl::Create(model.impl(), std::move(devices), options));
  return Session(std::move(impl));
}

Session::Session(std::unique_ptr<SessionImpl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

const std::vector<std::string>& Session::output_names() const { return impl_->output_names(); }

Result<std::vector<Shape>> Session::Bind(const std::vector<Shape>& input_shapes) { return impl_->Bind(input_shapes); }

Result<std::vector<Tensor>> Session::Run(const std::vector<ConstTensorView>& inputs) { return impl_->Run(inputs); }

Result<std::vector<Tensor>> Session::Run(const std::vector<std::pair<std::string, ConstTensorView>>& inputs) {
  return impl_->Run(inputs);
}

Result<std::vector<Datum>> Session::RunData(const std::vector<Datum>& inputs) { return impl_->RunData(inputs); }

Status Session::RunInto(const ConstTensorView* inputs, size_t num_inputs, const TensorView* outputs,
                        size_t num_outputs) {
  return impl_->RunInto({inputs, num_inputs}, {outputs, num_outputs});
}

void Session::ResetState() { impl_->ResetState(); }

TransferCounts Session::transfers() const { return impl_->transfers(); }

}  // namespace moka

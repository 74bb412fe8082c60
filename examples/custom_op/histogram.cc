#include "examples/custom_op/histogram.h"

namespace {

using moka::CustomNode;
using moka::DataType;
using moka::Status;
using moka::StatusCode;

class Histogram final : public moka::CustomOp {
 public:
  std::string domain() const override { return "com.example"; }
  std::string name() const override { return "Histogram"; }

  Status Infer(const CustomNode& node, const std::vector<moka::TensorInfo>& inputs,
               std::vector<moka::TensorInfo>* outputs) const override {
    if (inputs[0].type != DataType::kF32) {
      return {StatusCode::kInvalidModel, "input 0 is no f32 tensor"};
    }
    const moka::Result<int64_t> bins = node.Int("bins", 16);
    if (!bins.ok()) return bins.status();
    if (*bins < 1 || *bins > 65536) return {StatusCode::kInvalidModel, "attribute 'bins' is not in [1, 65536]"};
    (*outputs)[0] = {DataType::kI64, {*bins}};
    return {};
  }

  Status Compute(const CustomNode& node, const std::vector<moka::ConstTensorView>& inputs,
                 const std::vector<moka::TensorView>& outputs) const override {
    const moka::Result<float> low = node.Float("low", 0.0f), high = node.Float("high", 1.0f);
    if (!low.ok()) return low.status();
    if (!high.ok()) return high.status();
    const auto* x = static_cast<const float*>(inputs[0].data);
    auto* counts = static_cast<int64_t*>(outputs[0].data);
    const int64_t bins = outputs[0].shape[0];
    int64_t elements = 1;
    for (const int64_t dim : inputs[0].shape) elements *= dim;
    for (int64_t i = 0; i < elements; ++i) {
      const float at = (x[i] - *low) / (*high - *low) * static_cast<float>(bins);
      if (at >= 0 && at < static_cast<float>(bins)) ++counts[static_cast<int64_t>(at)];
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<const moka::CustomOp> MakeHistogram() { return std::make_unique<Histogram>(); }

// Where this file is a shared library of its own, LoadCustomOps finds this.
extern "C" void moka_register_custom_ops(moka::CustomOpRegistry* registry) {
  (void)registry->Register(MakeHistogram());
}

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "ops/op.h"

namespace moka {
namespace {

Tensor Floats(Shape shape, const std::vector<float>& values) {
  Tensor tensor = Tensor::Create(DataType::kF32, std::move(shape)).value();
  std::copy(values.begin(), values.end(), tensor.as<float>());
  return tensor;
}

// A graph of one function over the elements.
class ElementGraph final : public SubgraphRunner {
 public:
  explicit ElementGraph(std::function<float(float)> f, size_t inputs = 1) : f_(std::move(f)), inputs_(inputs) {}
  size_t num_inputs() const override { return inputs_; }
  size_t num_outputs() const override { return 1; }
  const Output& declared_output(size_t) const override { return output_; }
  Result<std::vector<Datum>> Run(std::span<const Datum> inputs) override {
    const Tensor& x = inputs[0].tensor();
    Tensor y = Tensor::Create(x.type(), x.shape()).value();
    std::transform(x.as<float>(), x.as<float>() + x.size(), y.as<float>(), f_);
    return std::vector<Datum>{Datum(std::move(y))};
  }

 private:
  std::function<float(float)> f_;
  size_t inputs_;
  Output output_;
};

struct FlexRun {
  Attributes attrs;
  std::vector<Datum> src;
  SubgraphRunner *score = nullptr, *probability = nullptr;

  Result<std::vector<float>> operator()() const {
    const OpSchema* op = FindOp("ai.onnx.preview", "FlexAttention");
    std::vector<const Datum*> pointers;
    for (const Datum& datum : src) pointers.push_back(&datum);
    std::vector<Datum> dst(1);
    HostCall call;
    call.op = op;
    call.attrs = &attrs;
    call.src = pointers;
    call.dst = dst;
    call.subgraph = [this](std::string_view name) { return name == "score_mod" ? score : probability; };
    if (Status status = op->execute(call); !status.ok()) return status;
    const Tensor& y = dst[0].tensor();
    return std::vector<float>(y.as<float>(), y.as<float>() + y.size());
  }
};

// Two query heads share one head of two keys; scores are 0 and ln(3), so weights 1/4 and 3/4.
FlexRun Example() {
  const float log3 = std::log(3.0f);
  FlexRun run;
  run.attrs.Set("scale", 1.0f);
  run.src = {Datum(Floats({1, 2, 1, 1}, {1, 0})), Datum(Floats({1, 1, 2, 1}, {0, log3})),
             Datum(Floats({1, 1, 2, 1}, {4, 8}))};
  return run;
}

TEST(FlexAttention, SharesKeysAmongHeads) {
  const Result<std::vector<float>> y = Example()();
  ASSERT_TRUE(y.ok()) << y.status().message();
  EXPECT_NEAR((*y)[0], 7, 1e-5);
  EXPECT_NEAR((*y)[1], 6, 1e-5);
}

TEST(FlexAttention, GraphsChangeScoresAndProbabilities) {
  ElementGraph negate([](float x) { return -x; }), half([](float x) { return x / 2; });
  FlexRun run = Example();
  run.score = &negate;
  EXPECT_NEAR((*run())[0], 5, 1e-5);
  run.probability = &half;
  EXPECT_NEAR((*run())[0], 2.5, 1e-5);
}

TEST(FlexAttention, RefusesWhatDoesNotFit) {
  const auto expect = [](const FlexRun& run, const char* part) {
    const Result<std::vector<float>> y = run();
    ASSERT_FALSE(y.ok());
    EXPECT_NE(y.status().message().find(part), std::string::npos) << y.status().message();
  };
  FlexRun run = Example();
  run.src[1] = Datum(Floats({1, 1, 2, 2}, {1, 2, 3, 4}));
  expect(run, "head size of src 1");
  run = Example();
  run.src[0] = Datum(Floats({1, 1, 1}, {1}));
  expect(run, "src 0: rank 3");
  run = Example();
  run.attrs.Set("softmax_precision", int64_t{6});
  expect(run, "'softmax_precision'");
  run = Example();
  ElementGraph two([](float x) { return x; }, 2);
  run.score = &two;
  expect(run, "attribute 'score_mod'");
  run.src.pop_back();
  expect(run, "src 2");
}

}  // namespace
}  // namespace moka

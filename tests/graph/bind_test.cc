#include "graph/bind.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "graph/memory_bound.h"
#include "graph/session_impl.h"
#include "graph/verifier.h"
#include "tests/graph/fake_device.h"
#include "tests/graph/random_graph.h"

namespace moka {
namespace {

struct Scenario {
  FakeBehaviour host, gpu;
  bool with_gpu = false;
  bool optimize = true;
  SessionOptions options;
};

// A model on fake devices.
class Bench {
 public:
  Bench(Graph graph, const Scenario& setup) : host_("cpu", setup.host), gpu_("gpu", AsGpu(setup.gpu)) {
    ModelOptions options;
    options.optimize = setup.optimize;
    auto model = ModelImpl::Create(std::move(graph), "", options);
    status_ = model.status();
    if (!model.ok()) return;
    model_ = *model;
    std::vector<Device*> devices;
    if (setup.with_gpu) devices.push_back(&gpu_);
    devices.push_back(&host_);
    auto session = SessionImpl::Create(model_, devices, setup.options);
    status_ = session.status();
    if (session.ok()) session_ = std::move(session).value();
  }

  Result<std::vector<Tensor>> Run(const std::vector<Tensor>& inputs) {
    if (!status_.ok()) return status_;
    host_.PoisonArenas();
    gpu_.PoisonArenas();
    std::vector<ConstTensorView> views;
    for (const Tensor& input : inputs) views.push_back(input.view());
    return session_->Run(views);
  }
  const Plan& plan() const { return session_->prepared()->plan; }
  SessionImpl& session() { return *session_; }
  const Status& status() const { return status_; }
  FakeDevice& host() { return host_; }
  FakeDevice& gpu() { return gpu_; }
  int Steps(std::string_view op) const {
    int count = 0;
    for (const PlanStep& step : plan().steps) count += op == step.step.call.op->name ? 1 : 0;
    return count;
  }

 private:
  static FakeBehaviour AsGpu(FakeBehaviour behaviour) {
    behaviour.gpu = true;
    return behaviour;
  }
  FakeDevice host_, gpu_;
  std::shared_ptr<const ModelImpl> model_;
  std::unique_ptr<SessionImpl> session_;
  Status status_;
};

Tensor Random(const Shape& shape, unsigned seed = 1) {
  Tensor tensor = *Tensor::Create(DataType::kF32, shape);
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (int64_t i = 0; i < tensor.size(); ++i) tensor.as<float>()[i] = uniform(generator);
  return tensor;
}

void ExpectClose(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.shape(), b.shape());
  ASSERT_EQ(a.type(), b.type());
  if (a.type() != DataType::kF32) {
    EXPECT_EQ(std::memcmp(a.data(), b.data(), a.bytes()), 0);
    return;
  }
  for (int64_t i = 0; i < a.size(); ++i) {
    ASSERT_NEAR(a.as<float>()[i], b.as<float>()[i], 1e-4f * (1 + std::fabs(b.as<float>()[i]))) << "element " << i;
  }
}

// Runs the graph as stated, without passes and by references only, and in every way that a Scenario can be; all agree.
void ExpectSameEverywhere(const Graph& graph, const std::vector<Tensor>& inputs) {
  Scenario plain;
  plain.optimize = false;
  plain.host.in_place = plain.host.pack_weights = false;
  Bench reference{Graph(graph), plain};
  const auto expected = reference.Run(inputs);
  ASSERT_TRUE(expected.ok()) << expected.status().message();
  for (const bool with_gpu : {false, true}) {
    for (const bool optimize : {false, true}) {
      for (const std::set<std::string>& dense :
           {std::set<std::string>{}, {"Conv", "Relu", "Elementwise", "MaxPool", "Concat", "Gemm", "Softmax"}}) {
        Scenario setup;
        setup.with_gpu = with_gpu;
        setup.optimize = optimize;
        setup.host.dense_only = setup.gpu.dense_only = dense;
        setup.host.scratch = setup.gpu.scratch = 192;
        Bench bench{Graph(graph), setup};
        for (int repeat = 0; repeat < 2; ++repeat) {
          const auto got = bench.Run(inputs);
          ASSERT_TRUE(got.ok()) << got.status().message() << " gpu " << with_gpu << " optimize " << optimize;
          ASSERT_EQ(got->size(), expected->size());
          for (size_t i = 0; i < got->size(); ++i) {
            SCOPED_TRACE(testing::Message() << "output " << i << " gpu " << with_gpu << " optimize " << optimize);
            ExpectClose((*got)[i], (*expected)[i]);
          }
        }
        if (!with_gpu) continue;
        if (graph.outputs[0] != graph.inputs[0] && graph.outputs.back() != graph.inputs[0]) {
          EXPECT_EQ(bench.session().transfers().uploads, static_cast<int64_t>(inputs.size()));
          EXPECT_EQ(bench.session().transfers().downloads, static_cast<int64_t>(expected->size()));
        }
        EXPECT_LE(bench.session().Inspect()->barriers, bench.session().Inspect()->depth);
      }
    }
  }
}

Graph ConvNet(int channels) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {b.Symbol("batch"), 3, b.Symbol("height"), b.Symbol("width")});
  ValueId y = b.Node("Relu", {b.Conv(x, 3, channels, 3, 2)});
  const ValueId left = b.Node("Relu", {b.Conv(y, channels, channels, 3)});
  y = b.Node("Relu", {b.Node("Add", {b.Conv(left, channels, channels, 3), y})});
  const ValueId pooled = b.Node("GlobalAveragePool", {y});
  const ValueId flat = b.Node("Flatten", {pooled});
  return b.Finish({b.Node("Gemm", {flat, b.Weights({channels, 10}), b.Weights({10})})});
}

TEST(Bind, ConvNetAgreesEverywhere) {
  for (int channels : {4, 6}) ExpectSameEverywhere(ConvNet(channels), {Random({2, 3, 9, 7})});
}

TEST(Bind, InceptionConcatIsNothingButParts) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 8, 6, 6});
  const ValueId one = b.Node("Relu", {b.Conv(x, 8, 4, 1)});
  const ValueId two = b.Node("Relu", {b.Conv(x, 8, 8, 3)});
  const ValueId both = b.Node("Concat", {one, two}, {{"axis", int64_t{1}}});
  const Graph graph = b.Finish({b.Node("Relu", {b.Conv(both, 12, 4, 3)})});
  ExpectSameEverywhere(graph, {Random({1, 8, 6, 6})});
  for (const bool with_gpu : {false, true}) {
    Scenario setup;
    setup.with_gpu = with_gpu;
    Bench bench{Graph(graph), setup};
    ASSERT_TRUE(bench.Run({Random({1, 8, 6, 6})}).ok());
    EXPECT_EQ(bench.Steps("Concat"), 0);
    EXPECT_EQ(bench.Steps("Copy"), with_gpu ? 2 : 2) << "the input to channels last, the output back";
  }
}

TEST(Bind, ConcatAtOddChannelsAgrees) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 6, 4, 5});
  const ValueId one = b.Node("Relu", {b.Conv(x, 6, 3, 1)});
  const ValueId inner = b.Node("Concat", {one, b.Node("Sigmoid", {one})}, {{"axis", int64_t{1}}});
  const ValueId outer = b.Node("Concat", {inner, b.Node("Relu", {x}), one}, {{"axis", int64_t{1}}});
  const ValueId rows = b.Node("Concat", {outer, outer}, {{"axis", int64_t{2}}});
  ExpectSameEverywhere(b.Finish({rows, inner}), {Random({2, 6, 4, 5})});
}

TEST(Bind, RandomGraphsAgreeEverywhere) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    ExpectSameEverywhere(RandomGraph(seed).Make(), {Random({2, 8, 4, 5}, seed)});
    if (HasFailure()) return;
  }
}

TEST(Bind, ChannelShuffleIsOneCopy) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {b.Symbol("batch"), 8, 5, 5});
  ValueId y = b.Node("Relu", {b.Conv(x, 8, 8, 1)});
  y = b.Node("Reshape", {y, b.Ints({-1, 2, 4, 5, 5})});
  y = b.Node("Transpose", {y}, {{"perm", std::vector<int64_t>{0, 2, 1, 3, 4}}});
  y = b.Node("Reshape", {y, b.Ints({-1, 8, 5, 5})});
  const Graph graph = b.Finish({b.Node("Relu", {b.Conv(y, 8, 8, 1)})});
  ExpectSameEverywhere(graph, {Random({3, 8, 5, 5})});
  Scenario setup;
  Bench bench{Graph(graph), setup};
  ASSERT_TRUE(bench.Run({Random({3, 8, 5, 5})}).ok());
  EXPECT_EQ(bench.Steps("Copy"), 3) << "in, shuffle, out";
  EXPECT_EQ(bench.Steps("Reshape") + bench.Steps("Transpose"), 0);
}

// Patches of a picture back in their places: no view of channels-last pixels has the shape that they come from.
TEST(Bind, UnfoldedPatchesBecomeChannelsLast) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 8, 4, 6});
  ValueId y = b.Node("Reshape", {b.Node("Relu", {x}), b.Ints({16, 2, 3, 2})});
  y = b.Node("Transpose", {y}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  y = b.Node("Reshape", {y, b.Ints({1, 8, 6, 4})});
  y = b.Node("Softmax", {b.Node("Transpose", {y}, {{"perm", std::vector<int64_t>{0, 3, 2, 1}}})});
  y = b.Node("Transpose", {y}, {{"perm", std::vector<int64_t>{0, 3, 2, 1}}});
  y = b.Node("Reshape", {y, b.Ints({16, 3, 2, 2})});
  y = b.Node("Transpose", {y}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  y = b.Node("Reshape", {y, b.Ints({1, 8, 4, 6})});
  ExpectSameEverywhere(b.Finish({b.Node("Relu", {b.Conv(y, 8, 8, 3)})}), {Random({1, 8, 4, 6})});
}

TEST(Bind, ViewsOfViewsAgree) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {4, 6, 5});
  const ValueId t = b.Node("Transpose", {x}, {{"perm", std::vector<int64_t>{2, 0, 1}}});
  const ValueId s = b.Node("Slice", {t, b.Ints({1, 1}), b.Ints({4, 6}), b.Ints({0, 2})});
  const ValueId u = b.Node("Unsqueeze", {s, b.Ints({1})});
  const ValueId flat = b.Node("Flatten", {u});
  const std::vector<ValueId> parts = b.Nodes("Split", {flat, b.Ints({8, 12})}, {{"axis", int64_t{1}}}, 2);
  const ValueId sum = b.Node("Relu", {parts[1]});
  const ValueId one = b.Node("Gather", {t, b.Constant(DataType::kI64, {}, {-2})}, {{"axis", int64_t{1}}});
  const ValueId relu = b.Node("Relu", {b.Node("Transpose", {one}, {{"perm", std::vector<int64_t>{1, 0}}})});
  ExpectSameEverywhere(b.Finish({sum, parts[0], t, u, relu}), {Random({4, 6, 5})});
}

// One row of packed elements looks padded to a device with whole vectors, whatever it is a part of.
TEST(Bind, ReshapesToAndFromOneRowAgree) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {3, 5});
  const ValueId row = b.Node("Flatten", {b.Node("Relu", {x})}, {{"axis", int64_t{0}}});
  const ValueId rows = b.Node("Reshape", {b.Node("Relu", {row}), b.Ints({3, 5})});
  const ValueId column = b.Node("Reshape", {b.Node("Relu", {x}), b.Ints({15, 1})});
  ExpectSameEverywhere(b.Finish({b.Node("Relu", {rows}), b.Node("Relu", {row}), b.Node("Relu", {column})}),
                       {Random({3, 5})});
}

TEST(Bind, GatherOfOneKnownIndexIsAView) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 5, 3, 4});
  const ValueId heads = b.Node("Relu", {b.Node("Transpose", {x}, {{"perm", std::vector<int64_t>{2, 0, 1, 3}}})});
  std::vector<ValueId> outputs;
  for (const double i : {0, 1, -1}) {
    outputs.push_back(b.Node("Exp", {b.Node("Gather", {heads, b.Constant(DataType::kI32, {}, {i})})}));
  }
  Bench bench{b.Finish(outputs), {}};
  ASSERT_TRUE(bench.Run({Random({2, 5, 3, 4})}).ok());
  EXPECT_EQ(bench.Steps("Gather"), 0);
}

TEST(Bind, OutputsThatNoKernelWrites) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {b.Symbol("n"), 7});
  const ValueId y = b.Node("Relu", {x});
  const ValueId shape = b.Node("Shape", {x});
  const ValueId constant = b.Weights({3, 5});
  const ValueId view = b.Node("Reshape", {y, b.Ints({7, -1})});
  Scenario setup;
  setup.optimize = false;
  Bench plain{b.Finish({y, y, x, shape, constant, view}), setup};
  const Tensor input = Random({3, 7});
  const auto got = plain.Run({input});
  ASSERT_TRUE(got.ok()) << got.status().message();
  ExpectClose((*got)[0], (*got)[1]);
  ExpectClose((*got)[2], input);
  EXPECT_EQ((*got)[3].as<int64_t>()[0], 3);
  EXPECT_EQ((*got)[3].as<int64_t>()[1], 7);
  EXPECT_EQ((*got)[4].shape(), (Shape{3, 5}));
  EXPECT_EQ((*got)[5].shape(), (Shape{7, 3}));
  EXPECT_EQ(std::memcmp((*got)[5].data(), (*got)[0].data(), (*got)[0].bytes()), 0);
}

TEST(Bind, ResultsGoStraightToTheCaller) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 8});
  const ValueId y = b.Node("Gemm", {x, b.Weights({8, 6})});
  Scenario setup;
  Bench bench{b.Finish({b.Node("Reshape", {y, b.Ints({3, 4})})}), setup};
  ASSERT_TRUE(bench.Run({Random({2, 8})}).ok());
  EXPECT_EQ(bench.plan().steps.size(), 1u);
  EXPECT_EQ(bench.plan().arena_bytes[0], 0u);
}

TEST(Bind, ElementwiseRunsInPlace) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {64, 64});
  ValueId y = b.Node("Gemm", {x, b.Weights({64, 64})});
  y = b.Node("Softmax", {b.Node("Sigmoid", {y})});
  Scenario setup;
  setup.host.refused = {};
  Graph graph = b.Finish({b.Node("Softmax", {y})});
  setup.optimize = true;
  Bench bench{std::move(graph), setup};
  ASSERT_TRUE(bench.Run({Random({64, 64})}).ok()) << bench.status().message();
  for (const PlanStep& step : bench.plan().steps) {
    if (step.in_place == 0) continue;
    EXPECT_EQ(bench.plan().values[static_cast<size_t>(step.writes[0])].relation, PlanValue::kInPlace);
  }
}

TEST(Bind, MixedGraphCrossesAsLittleAsPossible) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 8, 6, 6});
  ValueId y = b.Conv(x, 8, 8, 3);
  y = b.Node("Sigmoid", {y});
  const ValueId z = b.Node("Softmax", {y}, {{"axis", int64_t{1}}});
  const ValueId sum = b.Node("Add", {b.Node("Relu", {z}), z});
  const Graph graph = b.Finish({b.Conv(sum, 8, 6, 3)});
  Scenario plain;
  plain.optimize = false;
  Bench reference{Graph(graph), plain};
  const Tensor input = Random({1, 8, 6, 6});
  const auto expected = reference.Run({input});
  ASSERT_TRUE(expected.ok());
  for (const bool optimize : {false, true}) {
    Scenario setup;
    setup.with_gpu = true;
    setup.optimize = optimize;
    setup.gpu.refused = {"Softmax"};
    Bench bench{Graph(graph), setup};
    const auto got = bench.Run({input});
    ASSERT_TRUE(got.ok()) << got.status().message();
    ExpectClose((*got)[0], (*expected)[0]);
    EXPECT_EQ(bench.plan().crossings, 2);
    EXPECT_EQ(bench.plan().segments.size(), 3u);
    const PlanInfo info = *bench.session().Inspect();
    const auto softmax =
        std::find_if(info.steps.begin(), info.steps.end(), [](const StepInfo& step) { return step.op == "Softmax"; });
    ASSERT_NE(softmax, info.steps.end());
    EXPECT_EQ(softmax->device, "cpu");
    EXPECT_NE(softmax->why_fallback.find("refused by the test"), std::string::npos);
  }
}

TEST(Bind, MixedConvNetAgrees) {
  const Tensor input = Random({2, 3, 9, 7});
  Scenario plain;
  plain.optimize = false;
  Bench reference{ConvNet(6), plain};
  const auto expected = reference.Run({input});
  for (const char* refused : {"Conv", "Elementwise", "GlobalAveragePool", "Gemm", "Copy", "Flatten"}) {
    SCOPED_TRACE(refused);
    Scenario setup;
    setup.with_gpu = true;
    setup.gpu.refused = {refused};
    Bench bench{ConvNet(6), setup};
    const auto got = bench.Run({input});
    ASSERT_TRUE(got.ok()) << got.status().message();
    ExpectClose((*got)[0], (*expected)[0]);
  }
}

TEST(Bind, StrictListsEveryNodeThatFallsBack) {
  for (const bool with_gpu : {false, true}) {
    Scenario setup;
    setup.with_gpu = with_gpu;
    setup.options.strict = true;
    (with_gpu ? setup.gpu : setup.host).refused = {"Gemm", "GlobalAveragePool"};
    Bench bench{ConvNet(4), setup};
    const auto got = bench.Run({Random({1, 3, 8, 8})});
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(got.status().code(), StatusCode::kUnsupported);
    EXPECT_NE(got.status().message().find("(Gemm)"), std::string::npos) << got.status().message();
    EXPECT_NE(got.status().message().find("(GlobalAveragePool)"), std::string::npos);
    EXPECT_NE(got.status().message().find("refused by the test"), std::string::npos);
    EXPECT_EQ(got.status().message().find("(Conv)"), std::string::npos);
  }
}

TEST(Bind, SymbolsMustAgreeBetweenInputs) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 3, b.Symbol("height")});
  const ValueId y = b.Input("y", {b.Symbol("height"), 3, 1});
  Bench bench{b.Finish({b.Node("Relu", {x}), b.Node("Relu", {y})}), {}};
  const auto contradiction = bench.Run({Random({1, 3, 224}), Random({200, 3, 1})});
  ASSERT_FALSE(contradiction.ok());
  EXPECT_EQ(contradiction.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(contradiction.status().message(),
            "input 'y' dimension 0 ('height'): 200 here but 224 in input 'x' dimension 2");
  const auto fixed = bench.Run({Random({1, 4, 224}), Random({224, 3, 1})});
  ASSERT_FALSE(fixed.ok());
  EXPECT_EQ(fixed.status().message(), "input 'x' dimension 1: 3 expected, got 4 in shape [1, 4, 224]");
  const auto rank = bench.Run({Random({1, 224}), Random({224, 3, 1})});
  ASSERT_FALSE(rank.ok());
  EXPECT_EQ(rank.status().message(), "input 'x': rank 3 expected, got shape [1, 224]");
}

TEST(Bind, EmptyTensorsRun) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {b.Symbol("batch"), 4});
  const ValueId y = b.Node("Gemm", {b.Node("Relu", {x}), b.Weights({4, 6})});
  const ValueId all = b.Node("Concat", {y, b.Weights({2, 6})}, {{"axis", int64_t{0}}});
  const Graph graph = b.Finish({y, all});
  for (const bool with_gpu : {false, true}) {
    Scenario setup;
    setup.with_gpu = with_gpu;
    Bench bench{Graph(graph), setup};
    const auto got = bench.Run({*Tensor::Create(DataType::kF32, {0, 4})});
    ASSERT_TRUE(got.ok()) << got.status().message();
    EXPECT_EQ((*got)[0].shape(), (Shape{0, 6}));
    EXPECT_EQ((*got)[1].shape(), (Shape{2, 6}));
    EXPECT_EQ((*got)[1].as<float>()[0], (*bench.Run({*Tensor::Create(DataType::kF32, {0, 4})}))[1].as<float>()[0]);
  }
}

TEST(Bind, ConstantsComputedFromShapesNeedNoSteps) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {b.Symbol("batch"), 6, b.Symbol("length")});
  const ValueId shape = b.Node("Shape", {x});
  const ValueId batch = b.Node("Gather", {shape, b.Ints({0})});
  const ValueId target = b.Node("Concat", {batch, b.Ints({-1})}, {{"axis", int64_t{0}}});
  const ValueId y = b.Node("Reshape", {b.Node("Relu", {x}), target});
  const Graph graph = b.Finish({b.Node("Sigmoid", {y}), target});
  for (const bool optimize : {false, true}) {
    Scenario setup;
    setup.optimize = optimize;
    Bench bench{Graph(graph), setup};
    const auto got = bench.Run({Random({3, 6, 5})});
    ASSERT_TRUE(got.ok()) << got.status().message();
    EXPECT_EQ((*got)[0].shape(), (Shape{3, 30}));
    EXPECT_EQ((*got)[1].as<int64_t>()[0], 3);
    EXPECT_EQ(bench.Steps("Shape") + bench.Steps("Gather") + bench.Steps("Reshape"), 0);
  }
}

}  // namespace
}  // namespace moka

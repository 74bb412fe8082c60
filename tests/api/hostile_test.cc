// Models that fuzzing found or that are like them: sizes that nothing bounds, shapes that only a run shows to be wrong,
// operands of the wrong kind. Each gets a Status, and soon.
#include <gtest/gtest.h>

#include <limits>
#include <list>

#include "tests/api/small_models.h"

namespace moka {
namespace {

using test::AttributeSpec;
using test::AttributeSpecs;
using test::GraphBuilder;
using test::ModelBuilder;

Tensor Zeros(const Shape& shape, DataType type = DataType::kF32) { return *Tensor::Create(type, shape); }

struct Run {
  std::string op;
  std::vector<Tensor> inputs;
  AttributeSpecs attrs;
  std::string domain;
  int num_dst = 1;
};

// The one node, whose sources are inputs of shapes that only the run knows.
Status RunSymbolic(const Run& run, const SessionOptions& options = {}) {
  ModelBuilder model(23);
  model.AddOpset("com.microsoft", 1);
  model.AddOpset("ai.onnx.ml", 1);
  std::vector<std::string> src, dst;
  std::vector<ConstTensorView> views;
  for (const Tensor& input : run.inputs) {
    if (input.type() == DataType::kNone) {
      src.emplace_back();
      continue;
    }
    src.push_back("x" + std::to_string(src.size()));
    test::DimSpecs dims;
    for (size_t d = 0; d < input.shape().size(); ++d) dims.emplace_back((src.back() + "_" + std::to_string(d)).c_str());
    model.AddInput(src.back(), dims, input.type());
    views.push_back(input.view());
  }
  for (int i = 0; i < run.num_dst; ++i) dst.push_back("y" + std::to_string(i));
  model.AddNode(run.op, src, dst, run.attrs, "node", run.domain);
  for (const std::string& name : dst) model.AddOutput(name, DataType::kNone);
  const std::string bytes = model.Serialize();
  const auto loaded = Model::FromMemory(bytes);
  if (!loaded.ok()) return loaded.status();
  auto session = Session::Create(*loaded, options);
  if (!session.ok()) return session.status();
  return session->Run(views).status();
}

void ExpectRefused(const Run& run, const std::string& expected, const SessionOptions& options = {}) {
  SCOPED_TRACE(run.op + ": " + expected);
  const Status status = RunSymbolic(run, options);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find(expected), std::string::npos) << status.message();
}

TEST(Hostile, ShapesThatTheRunShowsToBeWrong) {
  const Tensor angles = Zeros({1, 2, 3});
  ExpectRefused({"RotaryEmbedding", {Zeros({1, 2, 2, 4}), angles, angles}, {{"rotary_embedding_dim", 6}}, ""},
                "'rotary_embedding_dim'");
  ExpectRefused({"Conv", {Zeros({1, 4, 3, 3}), Zeros({7, 2, 1, 1})}, {{"group", 2}, {"kernel_shape", {1, 1}}}, ""},
                "output channels");
  ExpectRefused(
      {"ConvTranspose", {Zeros({1, 5, 3, 3}), Zeros({5, 2, 1, 1})}, {{"group", 2}, {"kernel_shape", {1, 1}}}, ""},
      "input channels in src 1");
  Tensor length = Zeros({1}, DataType::kI32), total = Zeros({1}, DataType::kI32);
  length.as<int32_t>()[0] = 2;
  total.as<int32_t>()[0] = 3;
  ExpectRefused({"GroupQueryAttention",
                 {Zeros({1, 1, 8}), Zeros({1, 1, 4}), Zeros({1, 1, 4}), Zeros({1, 1, 2, 4}), Zeros({1, 1, 2, 4}),
                  length, total, Tensor(), Tensor(), Tensor(), Zeros({1, 3, 1, 3})},
                 {{"num_heads", 2}, {"kv_num_heads", 1}},
                 "com.microsoft"},
                "src 10");
  Tensor k = Zeros({1}, DataType::kI64);
  k.as<int64_t>()[0] = 4;
  ExpectRefused({"TopK", {Zeros({3}), k}, {}, "", 2}, "src 1 (K)");
  Tensor pads = Zeros({2}, DataType::kI64);
  pads.as<int64_t>()[0] = 2;
  ExpectRefused({"Pad", {Zeros({0}), pads}, {{"mode", "edge"}}, ""}, "empty");
}

TEST(Hostile, ResultsBeyondTheLimit) {
  SessionOptions options;
  options.max_tensor_bytes = 1 << 20;
  Tensor size = Zeros({}, DataType::kI64), shape = Zeros({2}, DataType::kI64);
  size.as<int64_t>()[0] = int64_t{1} << 31;
  shape.as<int64_t>()[0] = shape.as<int64_t>()[1] = 1000;
  ExpectRefused({"HammingWindow", {size}, {}, ""}, "limit of 1048576", options);
  ExpectRefused({"Expand", {Zeros({1, 1}), shape}, {}, ""}, "limit of 1048576", options);
  ExpectRefused({"StringConcat", {Zeros({100, 1}, DataType::kString), Zeros({1, 1000}, DataType::kString)}, {}, ""},
                "limit of 1048576", options);
  Tensor text = Zeros({1}, DataType::kString);
  text.as<std::string>()[0] = std::string(600000, 'a');
  ExpectRefused({"StringConcat", {text, text}, {}, ""}, "the limit is 1048576", options);
  Tensor two = Zeros({1}, DataType::kI64);
  two.as<int64_t>()[0] = 2;
  ExpectRefused({"Expand", {text, two}, {}, ""}, "the limit is 1048576", options);
  EXPECT_TRUE(RunSymbolic({"Expand", {text, two}, {}, ""}).ok());
}

TEST(Hostile, MemoryForStringsThatNoMachineHas) {
  const auto strings = Tensor::Create(DataType::kString, {int64_t{1} << 52});
  EXPECT_EQ(strings.status().code(), StatusCode::kOutOfMemory);
}

// Nothing counts or allocates along a dimension beside one of 0.
TEST(Hostile, EmptyTensorsWithVastDimensions) {
  const int64_t vast = int64_t{1} << 50;
  for (const char* op : {"Multinomial", "Softmax", "Relu", "CumSum", "ArgMax", "LayerNormalization", "Transpose"}) {
    SCOPED_TRACE(op);
    for (const Shape& shape : {Shape{0, vast}, Shape{vast, 0}}) {
      std::vector<Tensor> inputs = {Zeros(shape)};
      AttributeSpecs attrs;
      if (op == std::string("CumSum")) inputs.push_back(Zeros({}, DataType::kI64));
      if (op == std::string("LayerNormalization")) inputs.push_back(Zeros({1}));
      if (op == std::string("ArgMax")) attrs = {{"axis", shape[0] == 0 ? 1 : 0}};
      (void)RunSymbolic({op, inputs, attrs, ""});
    }
  }
  ExpectRefused({"Unique", {Zeros({0, vast})}, {{"axis", 1}}, ""}, "src 0 is an empty tensor");
  EXPECT_TRUE(RunSymbolic({"NonMaxSuppression", {Zeros({1, 0, 4}), Zeros({1, vast, 0})}, {}, ""}).ok());
  EXPECT_TRUE(RunSymbolic({"Compress", {Zeros({vast, 0}), Zeros({1}, DataType::kBool)}, {{"axis", 1}}, ""}).ok());
}

TEST(Hostile, AttributesThatMakeLongLoops) {
  const Tensor x = Zeros({1, 2, 3, 3});
  EXPECT_TRUE(
      RunSymbolic({"ConvTranspose", {x, Zeros({2, 2, 2, 2})}, {{"strides", {20000, 1}}, {"kernel_shape", {2, 2}}}, ""})
          .ok());
  ExpectRefused({"RoiAlign", {x, Zeros({1, 4}), Zeros({1}, DataType::kI64)}, {{"sampling_ratio", 65536}}, ""},
                "'sampling_ratio' is 65536");
  const AttributeSpecs wide = {{"inputdimensions", {3, int64_t{1} << 32}}};
  ModelBuilder model(23);
  model.AddOpset("ai.onnx.ml", 1);
  model.AddInput("x", {1, 3});
  model.AddInput("z", {1, 1});
  model.AddInitializer<float>("half", {}, {0.5f});
  model.AddNode("FeatureVectorizer", {"x", "z"}, {"wide"}, wide, "", "ai.onnx.ml");
  model.AddNode("Mul", {"wide", "half"}, {"y"});
  model.AddOutput("y");
  const std::string bytes = model.Serialize();
  SessionOptions options;
  options.max_tensor_bytes = 1 << 20;
  const auto loaded = Model::FromMemory(bytes);
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(Session::Create(*loaded, options).status().code(), StatusCode::kOutOfMemory);
}

TEST(Hostile, ImagesAndRegionsThatAreNone) {
  ExpectRefused({"GridSample", {Zeros({1, 1, 0, 3}), Zeros({1, 2, 16, 2})}, {{"padding_mode", "border"}}, ""},
                "no elements to sample");
  Tensor region = Zeros({1, 4});
  region.as<float>()[2] = std::numeric_limits<float>::quiet_NaN();
  ExpectRefused({"RoiAlign", {Zeros({1, 1, 4, 4}), region, Zeros({1}, DataType::kI64)}, {}, ""}, "src 1 (rois)");
}

// A single score is given with its opposite, so a single class has two columns of scores.
TEST(Hostile, AClassifierOfOneClass) {
  const AttributeSpecs attrs = {{"classlabels_ints", {7}},
                                {"coefficients", std::vector<float>{1, 2}},
                                {"rho", std::vector<float>{0}},
                                {"kernel_type", "LINEAR"}};
  const Status status = RunSymbolic({"SVMClassifier", {Zeros({3, 2})}, attrs, "ai.onnx.ml", 2});
  EXPECT_TRUE(status.ok()) << status.message();
}

// A sequence reaches an operator of plans, first from a node, then as the value that a loop passes on.
TEST(Hostile, SequencesWhereTensorsAreExpected) {
  ModelBuilder model(23);
  model.AddInput("x", {"n"});
  model.AddNode("SequenceConstruct", {"x", "x"}, {"pair"});
  model.AddNode("Relu", {"pair"}, {"y"}, {}, "relu");
  model.AddOutput("y");
  const std::string bytes = model.Serialize();
  const auto loaded = Model::FromMemory(bytes);
  ASSERT_TRUE(loaded.ok());
  auto session = Session::Create(*loaded);
  ASSERT_TRUE(session.ok());
  const Tensor x = Zeros({2});
  const auto result = session->Run({x.view()});
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.status().message().find("relu"), std::string::npos) << result.status().message();
  EXPECT_NE(result.status().message().find("takes tensors only"), std::string::npos) << result.status().message();
}

TEST(Hostile, ALoopPassesASequenceOn) {
  auto body = std::make_shared<GraphBuilder>();
  body->AddInput("trip", {}, DataType::kI64);
  body->AddInput("go_on", {}, DataType::kBool);
  body->AddInput("state", {});
  body->AddNode("Identity", {"go_on"}, {"still"});
  body->AddOutput("still", DataType::kBool);
  body->AddOutput("state", DataType::kNone);
  ModelBuilder model(23);
  model.AddInput("x", {"n"});
  model.AddInput("trips", {}, DataType::kI64);
  model.AddNode("SequenceConstruct", {"x", "x"}, {"pair"});
  model.AddNode("Loop", {"trips", "", "pair"}, {"last"}, {{"body", AttributeSpec::Value(body)}});
  model.AddNode("SequenceLength", {"last"}, {"y"});
  model.AddOutput("y", DataType::kI64);
  const std::string bytes = model.Serialize();
  const auto loaded = Model::FromMemory(bytes);
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  auto session = Session::Create(*loaded);
  ASSERT_TRUE(session.ok()) << session.status().message();
  Tensor trips = Zeros({}, DataType::kI64);
  trips.as<int64_t>()[0] = 3;
  const Tensor x = Zeros({2});
  const auto result = session->Run({x.view(), trips.view()});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ((*result)[0].as<int64_t>()[0], 2);
}

}  // namespace
}  // namespace moka

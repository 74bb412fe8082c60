// What callers pass that does not fit the model: each gets a Status that names it, whatever way the session runs.
#include <gtest/gtest.h>

#include <list>

#include "tests/api/small_models.h"

namespace moka {
namespace {

using test::ModelBuilder;

// The bytes must outlive the model.
Session Open(std::string bytes, const SessionOptions& options = {}) {
  static std::list<std::string> kept;
  const auto model = Model::FromMemory(kept.emplace_back(std::move(bytes)));
  EXPECT_TRUE(model.ok()) << model.status().message();
  auto session = Session::Create(*model, options);
  EXPECT_TRUE(session.ok()) << session.status().message();
  return std::move(session).value();
}

void ExpectError(const Status& status, const std::string& message) {
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), message);
}

// How many elements are not 0 only a run knows, so no plan can hold the whole.
std::string StagedBytes() {
  ModelBuilder model;
  model.AddInput("x", {"n", 3});
  model.AddNode("NonZero", {"x"}, {"where"});
  model.AddOutput("where", DataType::kI64);
  return model.Serialize();
}

TEST(Callers, InputsOfStagedModelsFitTheirDeclaration) {
  Session session = Open(StagedBytes());
  const std::vector<float> x = {1, 0, 2, 0, 0, 3};
  const auto run = [&](const Shape& shape, const float* data) {
    return session.Run({ConstTensorView(DataType::kF32, shape, data)}).status();
  };
  ExpectError(run({-1, 3}, x.data()), "input 'x' dimension 0 ('n'): -1 is negative");
  ExpectError(run({6}, x.data()), "input 'x': rank 2 expected, got shape [6]");
  ExpectError(run({3, 2}, x.data()), "input 'x' dimension 1: 3 expected, got 2 in shape [3, 2]");
  ExpectError(run({int64_t{1} << 62, 3}, x.data()),
              "input 'x': shape [4611686018427387904, 3] has more elements than fit 63 bits");
  ExpectError(run({2, 3}, nullptr), "input 'x': data is null");
  EXPECT_TRUE(run({0, 3}, nullptr).ok());
  EXPECT_TRUE(run({2, 3}, x.data()).ok()) << "the session goes on";
}

TEST(Callers, DataOfStagedModelsAreTensorsWithMemory) {
  Session session = Open(StagedBytes());
  ExpectError(session.RunData({Datum(Tensor::Borrow({DataType::kF32, {2, 3}, nullptr}))}).status(),
              "input 'x': data is null");
  ExpectError(session.RunData({Datum(Tensor())}).status(), "input 'x': got none[], expected f32");
  ExpectError(session.RunData({Datum()}).status(), "input 'x': got nothing, expected f32");
}

// A ValueInfoProto of a sequence of f32 tensors.
std::string SequenceInfo(const char* name) {
  std::string tensor, element, sequence, type, info;
  protozero::pbf_writer(tensor).add_int32(onnx::TensorTypeFields::kElementType, onnx::ToOnnx(DataType::kF32));
  protozero::pbf_writer(element).add_message(onnx::TypeFields::kTensor, tensor);
  protozero::pbf_writer(sequence).add_message(onnx::ContainerFields::kElementType, element);
  protozero::pbf_writer(type).add_message(onnx::TypeFields::kSequence, sequence);
  protozero::pbf_writer writer(info);
  writer.add_string(onnx::ValueInfoFields::kName, name);
  writer.add_message(onnx::ValueInfoFields::kType, type);
  return info;
}

// The elements of what comes as one operand are looked at as well.
TEST(Callers, TensorsInSequencesAreChecked) {
  ModelBuilder model;
  model.AddField(onnx::GraphFields::kInput, SequenceInfo("seen"));
  model.AddInitializer<int64_t>("first", {}, {0});
  model.AddNode("SequenceAt", {"seen", "first"}, {"x"});
  model.AddNode("Relu", {"x"}, {"y"});
  model.AddOutput("y");
  Session session = Open(model.Serialize());
  const std::vector<float> x = {-1, 2};
  const auto run = [&](const Shape& shape, const float* data) {
    const Tensor tensor = Tensor::Borrow({DataType::kF32, shape, data});
    return session.RunData({Datum::Sequence(DataType::kF32, {tensor})}).status();
  };
  ExpectError(run({2}, nullptr), "input 'seen': data is null");
  ExpectError(run({2, -1}, x.data()), "input 'seen': shape [2, -1] has a negative dimension");
  ExpectError(run(Shape(9, 1), x.data()), "input 'seen': rank 9 is more than 8");
  EXPECT_TRUE(run({2}, x.data()).ok());
}

TEST(Callers, StateThatIsASequenceIsRunAsData) {
  ModelBuilder model;
  model.AddInput("x", {2});
  model.AddField(onnx::GraphFields::kInput, SequenceInfo("seen"));
  model.AddNode("SequenceInsert", {"seen", "x"}, {"more"});
  model.AddNode("SequenceLength", {"more"}, {"count"});
  model.AddField(onnx::GraphFields::kOutput, SequenceInfo("more"));
  model.AddOutput("count", DataType::kI64);
  SessionOptions options;
  options.state = {{"more", "seen"}};
  Session session = Open(model.Serialize(), options);
  const Tensor x = test::RandomTensor({2});
  ExpectError(session.Run({x.view(), ConstTensorView()}).status(), "input 'seen' may be no tensor: use RunData");
  for (int64_t run = 1; run <= 3; ++run) {
    const auto out = session.RunData({Datum(x), Datum()});
    ASSERT_TRUE(out.ok()) << out.status().message();
    EXPECT_EQ((*out)[1].tensor().as<int64_t>()[0], run);
  }
}

// A shape of no elements makes a single number. Its contents are known without memory.
TEST(Callers, AnEmptyShapeNeedsNoMemory) {
  ModelBuilder model;
  model.AddInput("x", {"n"});
  model.AddInput("shape", {0}, DataType::kI64);
  model.AddNode("Reshape", {"x", "shape"}, {"z"});
  model.AddNode("Sigmoid", {"z"}, {"out"});
  model.AddOutput("out");
  Session session = Open(model.Serialize());
  const float x = 0;
  for (int run = 0; run < 2; ++run) {
    const auto got = session.Run({{DataType::kF32, {1}, &x}, {DataType::kI64, {0}, nullptr}});
    ASSERT_TRUE(got.ok()) << got.status().message();
    EXPECT_EQ((*got)[0].shape(), Shape{});
    EXPECT_NEAR((*got)[0].as<float>()[0], 0.5f, 1e-6f);
  }
}

}  // namespace
}  // namespace moka

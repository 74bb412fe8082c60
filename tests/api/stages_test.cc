// Models that no single plan can hold: graphs in attributes, sizes that depend on data, state.
#include <gtest/gtest.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <list>

#include "tests/api/small_models.h"

namespace moka {
namespace {

using test::FunctionBuilder;
using test::GraphBuilder;
using test::ModelBuilder;

// The bytes must outlive the model.
Model Load(std::string bytes) {
  static std::list<std::string> kept;
  auto model = Model::FromMemory(kept.emplace_back(std::move(bytes)));
  EXPECT_TRUE(model.ok()) << model.status().message();
  return std::move(model).value();
}

Session Open(const Model& model, const SessionOptions& options = {}) {
  auto session = Session::Create(model, options);
  EXPECT_TRUE(session.ok()) << session.status().message();
  return std::move(session).value();
}

template <class T>
Tensor Of(DataType type, const Shape& shape, const std::vector<T>& values) {
  Tensor tensor = *Tensor::Create(type, shape);
  std::copy(values.begin(), values.end(), tensor.as<T>());
  return tensor;
}
Tensor Floats(const std::vector<float>& values) {
  return Of(DataType::kF32, {static_cast<int64_t>(values.size())}, values);
}
std::vector<float> FloatsOf(const Tensor& tensor) { return {tensor.as<float>(), tensor.as<float>() + tensor.size()}; }

// Bytes that the program holds from malloc; 0 where nothing says it.
int64_t LiveBytes() {
#ifdef __GLIBC__
  return static_cast<int64_t>(mallinfo2().uordblks + mallinfo2().hblkhd);
#else
  return 0;
#endif
}

std::shared_ptr<GraphBuilder> Branch(const std::string& op) {
  auto graph = std::make_shared<GraphBuilder>();
  graph->AddNode(op, {"doubled", "offset"}, {op + "_out"});
  graph->AddOutput(op + "_out");
  return graph;
}

// y = cond ? 2x + offset : 2x * offset; both branches use a value and a constant from around them.
std::string IfBytes() {
  ModelBuilder model;
  model.AddInput("x", {"n"});
  model.AddInput("cond", {}, DataType::kBool);
  model.AddInitializer<float>("offset", {}, {3});
  model.AddNode("Add", {"x", "x"}, {"doubled"});
  model.AddNode("If", {"cond"}, {"chosen"},
                {{"then_branch", test::AttributeSpec::Value(Branch("Add"))},
                 {"else_branch", test::AttributeSpec::Value(Branch("Mul"))}},
                "choice");
  model.AddNode("Relu", {"chosen"}, {"y"});
  model.AddOutput("y");
  return model.Serialize();
}

TEST(Stages, IfRunsTheChosenBranchOnValuesFromAround) {
  Session session = Open(Load(IfBytes()));
  for (const bool condition : {true, false, true}) {
    const Tensor x = Floats({1, -5, 2}), cond = Of<uint8_t>(DataType::kBool, {}, {condition});
    const auto y = session.Run({x.view(), cond.view()});
    ASSERT_TRUE(y.ok()) << y.status().message();
    EXPECT_EQ(FloatsOf((*y)[0]), condition ? (std::vector<float>{5, 0, 7}) : (std::vector<float>{6, 0, 12}));
  }
}

TEST(Stages, ABranchThatAnInputChoosesIsPartOfOnePlan) {
  Session session = Open(Load(IfBytes()));
  const Tensor x = Floats({1}), cond = Of<uint8_t>(DataType::kBool, {}, {1});
  ASSERT_TRUE(session.Run({x.view(), cond.view()}).ok());
  const auto info = Inspect(session);
  ASSERT_TRUE(info.ok());
  ASSERT_EQ(info->steps.size(), 1u) << "two additions and a Relu are one chain";
  EXPECT_EQ(info->steps[0].op, "moka.Elementwise");
}

TEST(Stages, InspectNamesHostNodesAndTheStepsAround) {
  ModelBuilder model;
  model.AddInput("x", {"n"});
  model.AddNode("Exp", {"x"}, {"large"});
  model.AddNode("NonZero", {"large"}, {"where"}, {}, "find");
  model.AddNode("Cast", {"where"}, {"y"}, {{"to", 1}});
  model.AddOutput("y");
  Session session = Open(Load(model.Serialize()));
  ASSERT_TRUE(session.Run({Floats({1, 2}).view()}).ok());
  const auto info = Inspect(session);
  ASSERT_TRUE(info.ok());
  ASSERT_EQ(info->steps.size(), 3u);
  EXPECT_EQ(info->steps[1].kernel, "host/NonZero");
  EXPECT_EQ(info->steps[1].node, "find");
}

// A condition that only the run knows: the branch runs on the host's side, once for each value.
TEST(Stages, IfDecidesAtRunTimeWhereDataDoes) {
  ModelBuilder model;
  model.AddInput("x", {"n"});
  model.AddInitializer<float>("offset", {}, {3});
  model.AddNode("Add", {"x", "x"}, {"doubled"});
  model.AddNode("ReduceMax", {"x"}, {"largest"}, {{"keepdims", 0}});
  model.AddNode("Greater", {"largest", "offset"}, {"cond"});
  model.AddNode("If", {"cond"}, {"y"},
                {{"then_branch", test::AttributeSpec::Value(Branch("Add"))},
                 {"else_branch", test::AttributeSpec::Value(Branch("Mul"))}});
  model.AddOutput("y");
  Session session = Open(Load(model.Serialize()));
  for (const float top : {5.0f, 1.0f, 7.0f}) {
    const auto y = session.Run({Floats({top, -5}).view()});
    ASSERT_TRUE(y.ok()) << y.status().message();
    EXPECT_EQ(FloatsOf((*y)[0]), top > 3 ? (std::vector<float>{2 * top + 3, -7}) : (std::vector<float>{6 * top, -30}));
  }
}

TEST(Stages, BindSaysThatOnlyARunKnowsTheShapes) {
  Session session = Open(Load(IfBytes()));
  EXPECT_EQ(session.Bind({{3}, {}}).status().code(), StatusCode::kUnsupported);
}

// A loop that doubles `value` until the trip count, and gives what each trip saw.
std::string LoopBytes() {
  auto body = std::make_shared<GraphBuilder>();
  body->AddInput("trip", {}, DataType::kI64);
  body->AddInput("go", {}, DataType::kBool);
  body->AddInput("value", {"n"});
  body->AddNode("Identity", {"go"}, {"go_on"});
  body->AddNode("Add", {"value", "value"}, {"next"});
  body->AddNode("Mul", {"value", "scale"}, {"seen"});
  body->AddOutput("go_on", DataType::kBool);
  body->AddOutput("next", DataType::kF32, {"n"});
  body->AddOutput("seen", DataType::kF32, {2});
  ModelBuilder model;
  model.AddInput("trips", {}, DataType::kI64);
  model.AddInput("start", {"n"});
  model.AddInput("scale", {});
  model.AddNode("Loop", {"trips", "", "start"}, {"last", "all"}, {{"body", test::AttributeSpec::Value(body)}}, "loop");
  model.AddOutput("last");
  model.AddOutput("all");
  return model.Serialize();
}

TEST(Stages, LoopCarriesValuesAndStacksWhatTripsGive) {
  Session session = Open(Load(LoopBytes()));
  const Tensor start = Floats({1, 3}), scale = Of<float>(DataType::kF32, {}, {10});
  for (const int64_t trips : {3, 0, 1}) {
    const Tensor count = Of<int64_t>(DataType::kI64, {}, {trips});
    const auto out = session.Run({count.view(), start.view(), scale.view()});
    ASSERT_TRUE(out.ok()) << out.status().message();
    const float last = static_cast<float>(1 << trips);
    EXPECT_EQ(FloatsOf((*out)[0]), (std::vector<float>{last, 3 * last}));
    EXPECT_EQ((*out)[1].shape(), (Shape{trips, 2}));
    const std::vector<float> seen = {10, 30, 20, 60, 40, 120};
    EXPECT_EQ(FloatsOf((*out)[1]), std::vector<float>(seen.begin(), seen.begin() + 2 * trips));
  }
}

TEST(Stages, LoopsEndAtTheLimitOfTrips) {
  SessionOptions options;
  options.max_loop_trips = 5;
  Session session = Open(Load(LoopBytes()), options);
  const Tensor start = Floats({1, 3}), scale = Of<float>(DataType::kF32, {}, {10});
  const Tensor count = Of<int64_t>(DataType::kI64, {}, {6});
  const auto out = session.Run({count.view(), start.view(), scale.view()});
  ASSERT_FALSE(out.ok());
  EXPECT_EQ(out.status().message(), "model in memory: node 'loop' (Loop): more trips than the limit of 5");
}

// What Range gives depends on the sum of a float input: its size is computed before the rest is planned.
std::string ComputedSizeBytes() {
  ModelBuilder model;
  model.AddInput("x", {"n"});
  model.AddInitializer<int64_t>("zero", {}, {0});
  model.AddInitializer<int64_t>("one", {}, {1});
  model.AddNode("ReduceSum", {"x"}, {"sum"}, {{"keepdims", 0}});
  model.AddNode("Cast", {"sum"}, {"count"}, {{"to", 7}});
  model.AddNode("Range", {"zero", "count", "one"}, {"range"});
  model.AddNode("Cast", {"range"}, {"floats"}, {{"to", 1}});
  model.AddNode("Exp", {"floats"}, {"y"});
  model.AddOutput("y");
  return model.Serialize();
}

TEST(Stages, SizesComputedFromDataAreKnownInTheNextStage) {
  Session session = Open(Load(ComputedSizeBytes()));
  for (const float n : {2.0f, 5.0f, 0.0f, 2.0f}) {
    const Tensor x = Floats({n, 0.25f});
    const auto y = session.Run({x.view()});
    ASSERT_TRUE(y.ok()) << y.status().message();
    ASSERT_EQ((*y)[0].shape(), (Shape{static_cast<int64_t>(n)}));
    for (int64_t i = 0; i < (*y)[0].size(); ++i) {
      EXPECT_NEAR((*y)[0].as<float>()[i], std::exp(static_cast<float>(i)), 1e-4f * std::exp(static_cast<float>(i)));
    }
  }
}

TEST(Stages, AThousandShapesDoNotGrowMemory) {
  const Model model = Load(ComputedSizeBytes());
  Session session = Open(model);
  const auto run = [&](int i) {
    const Tensor x = Floats(std::vector<float>(1 + static_cast<size_t>(i % 83), 1.0f));
    const auto y = session.Run({x.view()});
    ASSERT_TRUE(y.ok()) << y.status().message();
    ASSERT_EQ((*y)[0].size(), 1 + i % 83);
  };
  for (int i = 0; i < 100; ++i) run(i);
  const int64_t before = LiveBytes();
  for (int i = 0; i < 1000; ++i) run(i);
  run(99);
  EXPECT_LE(LiveBytes(), before + 64 * 1024);
}

TEST(Stages, FunctionsAreReplacedByTheirNodes) {
  ModelBuilder model;
  model.AddOpset("local", 1);
  model.AddInput("x", {"n"});
  FunctionBuilder inner({"a"}, {"b"}, 17);
  inner.AddDefault({"slope", 0.5f});
  inner.AddNode("LeakyRelu", {"a"}, {"b"}, {}, {{"alpha", "slope"}});
  FunctionBuilder outer({"p", "q"}, {"r", "p"}, 17);
  outer.AddImport("local");
  outer.AddNode("Add", {"p", "q"}, {"t"});
  outer.AddNode("Leaky", {"t"}, {"r"}, {}, {}, "local");
  model.AddFunction("local", "Leaky", inner.bytes());
  model.AddFunction("local", "AddLeaky", outer.bytes());
  model.AddNode("AddLeaky", {"x", "x"}, {"y", "same"}, {}, "call", "local");
  model.AddNode("Leaky", {"y"}, {"z"}, {{"slope", 0.25f}}, "again", "local");
  model.AddOutput("z");
  model.AddOutput("same");
  Session session = Open(Load(model.Serialize()));
  const auto out = session.Run({Floats({3, -4}).view()});
  ASSERT_TRUE(out.ok()) << out.status().message();
  EXPECT_EQ(FloatsOf((*out)[0]), (std::vector<float>{6, -1}));
  EXPECT_EQ(FloatsOf((*out)[1]), (std::vector<float>{3, -4}));
}

TEST(Stages, AFunctionThatCallsItselfIsRefused) {
  ModelBuilder model;
  model.AddOpset("local", 1);
  model.AddInput("x", {"n"});
  FunctionBuilder endless({"a"}, {"b"}, 17);
  endless.AddImport("local");
  endless.AddNode("Endless", {"a"}, {"b"}, {}, {}, "local");
  model.AddFunction("local", "Endless", endless.bytes());
  model.AddNode("Endless", {"x"}, {"y"}, {}, "call", "local");
  model.AddOutput("y");
  const std::string bytes = model.Serialize();
  const auto loaded = Model::FromMemory(bytes);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.status().code(), StatusCode::kInvalidModel);
  EXPECT_NE(loaded.status().message().find("functions call each other more than 24 deep"), std::string::npos);
}

// total' = total + x
std::string SumBytes() {
  ModelBuilder model;
  model.AddInput("x", {2});
  model.AddInput("total", {2});
  model.AddNode("Add", {"total", "x"}, {"next"});
  model.AddOutput("next");
  return model.Serialize();
}

TEST(State, AnOutputIsTheNextRunsInput) {
  SessionOptions options;
  options.state = {{"next", "total"}};
  Session session = Open(Load(SumBytes()), options);
  const Tensor x = Floats({1, 2});
  for (int run = 1; run <= 3; ++run) {
    const auto out = session.Run({{"x", x.view()}});
    ASSERT_TRUE(out.ok()) << out.status().message();
    EXPECT_EQ(FloatsOf((*out)[0]), (std::vector<float>{1.0f * run, 2.0f * run}));
  }
  const Tensor start = Floats({100, 100});
  auto out = session.Run({x.view(), start.view()});
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(FloatsOf((*out)[0]), (std::vector<float>{101, 102}));
  session.ResetState();
  out = session.Run({x.view(), ConstTensorView()});
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(FloatsOf((*out)[0]), (std::vector<float>{1, 2}));
}

TEST(State, RunIntoKeepsTheStateInMemoryOfTheSession) {
  SessionOptions options;
  options.state = {{"next", "total"}};
  options.outputs = {"next", "next"};
  Session session = Open(Load(SumBytes()), options);
  const Tensor x = Floats({1, 2});
  Tensor copy = Floats({0, 0});
  const ConstTensorView inputs[] = {x.view(), ConstTensorView()};
  TensorView outputs[] = {{DataType::kF32, {2}, nullptr}, copy.view()};
  for (int run = 1; run <= 4; ++run) {
    const Status status = session.RunInto(inputs, 2, outputs, 2);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(FloatsOf(copy), (std::vector<float>{1.0f * run, 2.0f * run}));
  }
}

TEST(State, WrongNamesAndShapesAreRefused) {
  SessionOptions options;
  options.state = {{"next", "sum"}};
  EXPECT_EQ(Session::Create(Load(SumBytes()), options).status().message(), "state: the model has no input 'sum'");
  options.state = {{"x", "total"}};
  EXPECT_EQ(Session::Create(Load(SumBytes()), options).status().message(),
            "state: 'x' is none of the session's outputs");
}

TEST(Strings, CopyingOperatorsPassThem) {
  ModelBuilder model;
  model.AddInput("words", {"n"}, DataType::kString);
  model.AddInitializer<int64_t>("picks", {3}, {1, 0, 1});
  model.AddNode("Gather", {"words", "picks"}, {"picked"});
  model.AddOutput("picked", DataType::kString);
  Session session = Open(Load(model.Serialize()));
  const Tensor words = Of<std::string>(DataType::kString, {2}, {"a word longer than any small buffer", ""});
  const auto out = session.Run({words.view()});
  ASSERT_TRUE(out.ok()) << out.status().message();
  const auto* got = (*out)[0].as<std::string>();
  EXPECT_EQ(std::vector<std::string>(got, got + 3),
            (std::vector<std::string>{"", "a word longer than any small buffer", ""}));
}

}  // namespace
}  // namespace moka

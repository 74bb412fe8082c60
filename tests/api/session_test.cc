#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "graph/session_impl.h"
#include "tests/api/small_models.h"

namespace moka {
namespace {

using test::ConvNetBytes;
using test::ModelBuilder;
using test::RandomTensor;

Model Load(const std::string& bytes) {
  auto model = Model::FromMemory(bytes);
  EXPECT_TRUE(model.ok()) << model.status().message();
  return std::move(model).value();
}

Session Open(const Model& model, const SessionOptions& options = {}) {
  auto session = Session::Create(model, options);
  EXPECT_TRUE(session.ok()) << session.status().message();
  return std::move(session).value();
}

void ExpectEqual(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.shape(), b.shape());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.bytes()), 0);
}

void ExpectError(const Status& status, StatusCode code, const std::string& message) {
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.code(), code);
  EXPECT_EQ(status.message(), message);
}

TEST(Session, RunsByIndexAndByName) {
  const std::string bytes = ConvNetBytes();
  Session session = Open(Load(bytes));
  const Tensor image = RandomTensor({2, 3, 17, 12});
  const auto by_index = session.Run({image.view()});
  ASSERT_TRUE(by_index.ok()) << by_index.status().message();
  const auto by_name = session.Run({{"image", image.view()}});
  ASSERT_TRUE(by_name.ok());
  ExpectEqual((*by_index)[0], (*by_name)[0]);
  EXPECT_EQ((*by_index)[0].shape(), (Shape{2, 10}));
  EXPECT_EQ(session.output_names(), std::vector<std::string>{"logits"});
}

TEST(Session, AnyValueCanBeAnOutput) {
  const std::string bytes = ConvNetBytes();
  const Model model = Load(bytes);
  Session whole = Open(model);
  SessionOptions options;
  options.outputs = {"pooled", "stem", "logits", "stem", "image"};
  Session session = Open(model, options);
  EXPECT_EQ(session.output_names(), options.outputs);
  const Tensor image = RandomTensor({1, 3, 9, 9});
  const auto got = session.Run({image.view()});
  ASSERT_TRUE(got.ok()) << got.status().message();
  EXPECT_EQ((*got)[0].shape(), (Shape{1, 32, 1, 1}));
  EXPECT_EQ((*got)[1].shape(), (Shape{1, 32, 5, 5}));
  ExpectEqual((*got)[1], (*got)[3]);
  ExpectEqual((*got)[4], image);
  const auto logits = whole.Run({image.view()});
  for (int i = 0; i < 10; ++i) EXPECT_NEAR((*got)[2].as<float>()[i], (*logits)[0].as<float>()[i], 1e-4f);
  options.outputs = {"stem"};
  Session part = Open(model, options);
  const auto stem = part.Run({image.view()});
  ExpectEqual((*stem)[0], (*got)[1]);
  EXPECT_LT(Inspect(part)->steps.size(), Inspect(session)->steps.size()) << "only ancestors are computed";
  options.outputs = {"nothing"};
  ExpectError(Session::Create(model, options).status(), StatusCode::kNotFound, "the graph has no value 'nothing'");
}

TEST(Session, WrongInputsAreNamed) {
  const std::string bytes = ConvNetBytes();
  Session session = Open(Load(bytes));
  const Tensor image = RandomTensor({1, 3, 8, 8});
  const Tensor gray = RandomTensor({1, 1, 8, 8});
  const Tensor flat = RandomTensor({3, 8, 8});
  const Tensor wrong_type = *Tensor::Create(DataType::kF64, {1, 3, 8, 8});
  using Views = std::vector<ConstTensorView>;
  using Named = std::vector<std::pair<std::string, ConstTensorView>>;
  const auto invalid = StatusCode::kInvalidArgument;
  ExpectError(session.Run(Views{}).status(), invalid, "1 inputs expected, got 0");
  ExpectError(session.Run(Views{gray.view()}).status(), invalid,
              "input 'image' dimension 1: 3 expected, got 1 in shape [1, 1, 8, 8]");
  ExpectError(session.Run(Views{flat.view()}).status(), invalid, "input 'image': rank 4 expected, got shape [3, 8, 8]");
  ExpectError(session.Run(Views{wrong_type.view()}).status(), invalid, "input 'image': f32 expected, got f64");
  ExpectError(session.Run(Views{{DataType::kF32, {1, 3, 8, 8}, nullptr}}).status(), invalid,
              "input 'image': data is null");
  ExpectError(session.Run(Views{{DataType::kF32, {1, 3, -8, 8}, image.data()}}).status(), invalid,
              "input 'image' dimension 2 ('height'): -8 is negative");
  ExpectError(session.Run(Named{{"picture", image.view()}}).status(), invalid, "the model has no input 'picture'");
  ExpectError(session.Run(Named{}).status(), invalid, "input 'image' is missing");
  ExpectError(session.Run(Named{{"image", image.view()}, {"image", image.view()}}).status(), invalid,
              "input 'image' is given twice");
  Tensor logits = *Tensor::Create(DataType::kF32, {1, 11});
  ConstTensorView in = image.view();
  TensorView out = logits.view();
  ExpectError(session.RunInto(&in, 1, &out, 1), invalid, "output 'logits': shape [1, 10] expected, got [1, 11]");
  EXPECT_TRUE(session.Run({image.view()}).ok()) << "the session goes on";
}

TEST(Session, OptionsAreChecked) {
  const std::string bytes = ConvNetBytes();
  const Model model = Load(bytes);
  SessionOptions options;
  for (int threads : {-1, 1025, 1000000}) {
    options.threads = threads;
    EXPECT_EQ(Session::Create(model, options).status().code(), StatusCode::kInvalidArgument) << threads;
  }
  options = {};
  options.max_plans = 0;
  EXPECT_EQ(Session::Create(model, options).status().code(), StatusCode::kInvalidArgument);
  options = {};
  options.device = "abacus";
  const Status status = Session::Create(model, options).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_NE(status.message().find("no device 'abacus'; there are: cpu"), std::string::npos) << status.message();
}

TEST(Session, WorksInTheCallersMemory) {
  const std::string bytes = ConvNetBytes();
  Session session = Open(Load(bytes));
  const Tensor image = RandomTensor({1, 3, 16, 16});
  const auto expected = session.Run({image.view()});
  ASSERT_TRUE(expected.ok());
  Tensor logits = *Tensor::Create(DataType::kF32, {1, 10});
  const ConstTensorView in = image.view();
  const TensorView out = logits.view();
  ASSERT_TRUE(session.RunInto(&in, 1, &out, 1).ok());
  ExpectEqual(logits, (*expected)[0]);
  EXPECT_EQ(session.transfers().uploads + session.transfers().downloads, 0);
  // Not aligned to the element: through copies, with the same result.
  std::vector<char> raw_in(image.bytes() + 8), raw_out(logits.bytes() + 8);
  std::memcpy(raw_in.data() + 1, image.data(), image.bytes());
  const ConstTensorView odd_in(DataType::kF32, image.shape(), raw_in.data() + 1);
  const TensorView odd_out{DataType::kF32, logits.shape(), raw_out.data() + 3};
  ASSERT_TRUE(session.RunInto(&odd_in, 1, &odd_out, 1).ok());
  EXPECT_EQ(std::memcmp(raw_out.data() + 3, logits.data(), logits.bytes()), 0);
}

TEST(Session, EmptyBatchRuns) {
  const std::string bytes = ConvNetBytes();
  Session session = Open(Load(bytes));
  const auto got = session.Run({ConstTensorView(DataType::kF32, {0, 3, 8, 8}, nullptr)});
  ASSERT_TRUE(got.ok()) << got.status().message();
  EXPECT_EQ((*got)[0].shape(), (Shape{0, 10}));
}

TEST(Session, BindTellsOutputShapes) {
  const std::string bytes = ConvNetBytes();
  SessionOptions options;
  options.outputs = {"stem", "logits"};
  Session session = Open(Load(bytes), options);
  const auto shapes = session.Bind({{3, 3, 20, 31}});
  ASSERT_TRUE(shapes.ok()) << shapes.status().message();
  EXPECT_EQ(*shapes, (std::vector<Shape>{{3, 32, 10, 16}, {3, 10}}));
  EXPECT_FALSE(session.Bind({}).ok());
  EXPECT_FALSE(session.Bind({{3, 4, 20, 31}}).ok());
}

TEST(Session, ShapesMayDependOnContents) {
  ModelBuilder model;
  model.AddInput("x", {"n"});
  model.AddInput("shape", {2}, DataType::kI64);
  model.AddNode("Relu", {"x"}, {"y"});
  model.AddNode("Reshape", {"y", "shape"}, {"z"});
  model.AddNode("Sigmoid", {"z"}, {"out"});
  model.AddOutput("out");
  const std::string bytes = model.Serialize();
  Session session = Open(Load(bytes));
  const Tensor x = RandomTensor({12});
  EXPECT_EQ(session.Bind({{12}, {2}}).status().code(), StatusCode::kInvalidArgument) << "contents are not known";
  for (const std::vector<int64_t>& target : {std::vector<int64_t>{3, 4}, {2, -1}, {3, 4}, {12, 1}}) {
    const auto got = session.Run({x.view(), ConstTensorView(DataType::kI64, {2}, target.data())});
    ASSERT_TRUE(got.ok()) << got.status().message();
    EXPECT_EQ((*got)[0].shape(), (Shape{target[0], 12 / target[0]}));
    EXPECT_NEAR((*got)[0].as<float>()[0], 1 / (1 + std::exp(-std::max(0.f, x.as<float>()[0]))), 1e-5f);
  }
  EXPECT_EQ(*session.Bind({{12}, {2}}), (std::vector<Shape>{{12, 1}})) << "with the contents of the last run";
  const std::vector<int64_t> wrong = {5, 5};
  EXPECT_FALSE(session.Run({x.view(), ConstTensorView(DataType::kI64, {2}, wrong.data())}).ok());
}

TEST(Session, FiftyShapesBackAndForthKeepMemory) {
  const std::string bytes = ConvNetBytes(8);
  const Model model = Load(bytes);
  Session session = Open(model);
  uint64_t largest = 0;
  int64_t weights = 0;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 50; ++i) {
      const int size = 8 + (round == 1 ? 49 - i : i);
      const auto got = session.Run({RandomTensor({1, 3, size, 70 - size}).view()});
      ASSERT_TRUE(got.ok()) << got.status().message();
    }
    const WeightStore::Counts counts = session.impl()->model().weights().counts();
    if (round == 0) {
      largest = session.impl()->arena_bytes();
      weights = counts.alive;
    }
    EXPECT_EQ(session.impl()->arena_bytes(), largest);
    EXPECT_EQ(counts.alive, weights);
  }
  EXPECT_GT(largest, 0u);
}

// A new model each time, as in a new process.
TEST(Session, StartsFromPacksOfEarlierStarts) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("moka_session_test_" + std::to_string(::getpid()));
  const std::string bytes = ConvNetBytes(96);
  const Tensor image = RandomTensor({1, 3, 20, 20});
  const auto run = [&](const std::string& cache) {
    SessionOptions options;
    options.pack_cache = cache;
    Session session = Open(Load(bytes), options);
    auto got = session.Run({image.view()});
    EXPECT_TRUE(got.ok()) << got.status().message();
    return std::move((*got)[0]);
  };
  const Tensor want = run("");
  ExpectEqual(run(folder.string()), want);
  ASSERT_TRUE(fs::exists(folder));
  ASSERT_FALSE(fs::is_empty(folder));
  ExpectEqual(run(folder.string()), want);
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-100, std::ios::end);
    file.write("damage", 6);
  }
  ExpectEqual(run(folder.string()), want);
  fs::remove_all(folder);
}

TEST(Session, MeasuredChoicesAreThoseOfLaterStarts) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("moka_session_measure_" + std::to_string(::getpid()));
  const std::string bytes = ConvNetBytes(32);
  const Tensor image = RandomTensor({1, 3, 40, 40});
  SessionOptions options;
  options.threads = 2;
  Session fixed = Open(Load(bytes), options);
  const auto want = fixed.Run({image.view()});
  EXPECT_EQ(fixed.impl()->model().choices().counts().measured, 0) << "off by default";
  options.measure = true;
  options.pack_cache = folder.string();
  std::vector<std::string> kernels;
  int64_t measured = 0;
  for (int start = 0; start < 2; ++start) {
    Session session = Open(Load(bytes), options);
    const auto got = session.Run({image.view()});
    ASSERT_TRUE(got.ok()) << got.status().message();
    for (int64_t i = 0; i < 10; ++i) EXPECT_NEAR((*got)[0].as<float>()[i], (*want)[0].as<float>()[i], 1e-3f);
    std::vector<std::string> chosen;
    const Result<PlanInfo> plan = Inspect(session);
    for (const StepInfo& step : plan->steps) chosen.push_back(step.kernel);
    const ChoiceStore::Counts counts = session.impl()->model().choices().counts();
    if (start == 0) {
      kernels = chosen;
      measured = counts.measured;
      EXPECT_GE(measured, 2) << "the stem, and the convolutions in the block";
    } else {
      EXPECT_EQ(chosen, kernels);
      EXPECT_EQ(counts.measured, 0);
      EXPECT_EQ(counts.recalled, measured);
    }
  }
  fs::remove_all(folder);
}

TEST(Session, KeepsAsManyPlansAsAsked) {
  const std::string bytes = ConvNetBytes(8);
  SessionOptions options;
  options.max_plans = 2;
  Session session = Open(Load(bytes), options);
  const PreparedPlan* plans[3];
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(session.Bind({{1, 3, 8 + i, 8}}).ok());
    plans[i] = session.impl()->prepared();
  }
  ASSERT_TRUE(session.Bind({{1, 3, 9, 8}}).ok());
  EXPECT_EQ(session.impl()->prepared(), plans[1]) << "kept";
  ASSERT_TRUE(session.Bind({{1, 3, 10, 8}}).ok());
  EXPECT_EQ(session.impl()->prepared(), plans[2]) << "kept";
}

TEST(Session, MemoryLimitIsKept) {
  const std::string bytes = ConvNetBytes();
  const Model model = Load(bytes);
  const Tensor small = RandomTensor({1, 3, 16, 16}), large = RandomTensor({1, 3, 128, 128});
  uint64_t needed = 0;
  {
    Session free = Open(model);
    ASSERT_TRUE(free.Run({small.view()}).ok());
    needed = Inspect(free)->memory.total();
  }
  SessionOptions options;
  options.memory_limit = needed + needed / 8;
  Session session = Open(model, options);
  const auto first = session.Run({small.view()});
  ASSERT_TRUE(first.ok()) << first.status().message();
  const Status status = session.Run({large.view()}).status();
  EXPECT_EQ(status.code(), StatusCode::kOutOfMemory);
  EXPECT_NE(status.message().find(std::to_string(options.memory_limit)), std::string::npos) << status.message();
  const auto again = session.Run({small.view()});
  ASSERT_TRUE(again.ok()) << "the session goes on";
  ExpectEqual((*first)[0], (*again)[0]);
  // Different shapes, one after the other, each of which fits: older plans make room.
  for (int size : {14, 15, 16, 13, 16}) {
    const auto got = session.Run({RandomTensor({1, 3, size, 16}).view()});
    EXPECT_TRUE(got.ok()) << got.status().message();
    EXPECT_LE(session.impl()->arena_bytes(), options.memory_limit);
  }
}

std::string KernelsOf(const Session& session) {
  const auto plan = Inspect(session);
  std::string names;
  for (const StepInfo& step : plan->steps) names += step.kernel + " ";
  return names;
}

TEST(Session, MemoryLimitTurnsLargePacksOff) {
  const std::string bytes = ConvNetBytes(64);
  const Model model = Load(bytes);
  const Tensor image = RandomTensor({1, 3, 64, 64});
  Session free = Open(model);
  const auto want = free.Run({image.view()});
  ASSERT_TRUE(want.ok()) << want.status().message();
  ASSERT_NE(KernelsOf(free).find("conv_winograd"), std::string::npos) << KernelsOf(free);
  SessionOptions options;
  options.memory_limit = Inspect(free)->memory.total() * 2 / 3;
  Session limited = Open(model, options);
  const auto got = limited.Run({image.view()});
  ASSERT_TRUE(got.ok()) << got.status().message();
  EXPECT_EQ(KernelsOf(limited).find("conv_winograd"), std::string::npos) << KernelsOf(limited);
  EXPECT_LE(Inspect(limited)->memory.total(), options.memory_limit);
  for (int64_t i = 0; i < want->front().size(); ++i) {
    EXPECT_NEAR((*got)[0].as<float>()[i], (*want)[0].as<float>()[i], 1e-3);
  }
}

TEST(Session, PrecisionIsTheSessionsOwn) {
  const std::string bytes = ConvNetBytes(8);  // too few channels for Winograd's algorithm, which stays in f32
  const Model model = Load(bytes);
  const Tensor image = RandomTensor({2, 3, 20, 28});
  SessionOptions options;
  options.precision = Precision::kBF16;
  Session narrow = Open(model, options), wide = Open(model);
  const auto got = narrow.Run({image.view()}), want = wide.Run({image.view()});
  ASSERT_TRUE(got.ok() && want.ok()) << got.status().message() << want.status().message();
  for (const char* kernel : {"conv_bf16", "gemm_bf16"}) {
    EXPECT_NE(KernelsOf(narrow).find(kernel), std::string::npos) << KernelsOf(narrow);
  }
  EXPECT_EQ(KernelsOf(wide).find("bf16"), std::string::npos) << KernelsOf(wide);
  EXPECT_LT(Inspect(narrow)->memory.packs, Inspect(wide)->memory.packs);
  double largest = 0, error = 0;
  for (int64_t i = 0; i < want->front().size(); ++i) {
    const double x = (*want)[0].as<float>()[i];
    largest = std::max(largest, std::abs(x));
    error = std::max(error, std::abs((*got)[0].as<float>()[i] - x));
  }
  EXPECT_GT(error, 1e-6 * largest);
  EXPECT_LT(error, 2e-2 * largest);
}

TEST(Session, StrictNamesWhatFallsBack) {
  ModelBuilder model;
  model.AddInput("x", {"n", "n"});
  model.AddNode("Det", {"x"}, {"y"}, {}, "determinant");
  model.AddOutput("y");
  const std::string bytes = model.Serialize();
  const Model loaded = Load(bytes);
  const std::vector<float> x = {3, 1, 2, -4};
  const ConstTensorView view(DataType::kF32, {2, 2}, x.data());
  Session session = Open(loaded);
  const auto got = session.Run({view});
  ASSERT_TRUE(got.ok()) << got.status().message();
  EXPECT_EQ((*got)[0].as<float>()[0], -14);
  EXPECT_FALSE(Inspect(session)->steps[0].own_kernel);
  EXPECT_EQ(Inspect(session)->steps[0].why_fallback, "no kernel has the operator");
  SessionOptions options;
  options.strict = true;
  Session strict = Open(loaded, options);
  const Status status = strict.Run({view}).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("'determinant' (Det)"), std::string::npos) << status.message();
}

TEST(Session, ProfilesSteps) {
  const std::string bytes = ConvNetBytes();
  SessionOptions options;
  options.profile = true;
  Session session = Open(Load(bytes), options);
  EXPECT_FALSE(Inspect(session).ok()) << "nothing is bound";
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(session.Run({RandomTensor({1, 3, 32, 32}).view()}).ok());
  const auto info = Inspect(session);
  ASSERT_TRUE(info.ok());
  double total = 0;
  for (const StepInfo& step : info->steps) total += step.us;
  EXPECT_GT(total, 0);
  EXPECT_EQ(info->steps.size(), static_cast<size_t>(info->depth)) << "one chain";
}

TEST(Session, MovesWithItsState) {
  const std::string bytes = ConvNetBytes(8);
  Session first = Open(Load(bytes));
  const Tensor image = RandomTensor({1, 3, 8, 8});
  const auto expected = first.Run({image.view()});
  Session second = std::move(first);
  first = Open(Load(bytes));
  ExpectEqual((*second.Run({image.view()}))[0], (*expected)[0]);
  ExpectEqual((*first.Run({image.view()}))[0], (*expected)[0]);
}

TEST(Model, TellsWhatItTakes) {
  const std::string bytes = ConvNetBytes();
  const Model model = Load(bytes);
  ASSERT_EQ(model.inputs().size(), 1u);
  EXPECT_EQ(model.inputs()[0].name, "image");
  EXPECT_EQ(model.inputs()[0].dims, (Shape{-1, 3, -1, -1}));
  EXPECT_EQ(model.inputs()[0].symbols, (std::vector<std::string>{"batch", "", "height", "width"}));
  ASSERT_EQ(model.outputs().size(), 1u);
  EXPECT_EQ(model.outputs()[0].dims, (Shape{-1, 10}));
  EXPECT_EQ(model.outputs()[0].symbols[0], "batch");
  EXPECT_EQ(model.parameters(), 32 * 27 + 32 + 2 * (32 * 32 * 9 + 32) + 320);
}

TEST(Model, TellsTheFilesMetadata) {
  ModelBuilder model;
  model.AddMetadata("names", "{0: 'cup', 1: 'saucer'}");
  model.AddInput("x", {"n"});
  model.AddNode("Relu", {"x"}, {"y"});
  model.AddOutput("y");
  model.AddMetadata("author", "");
  model.AddMetadata("names", "again");
  const std::string bytes = model.Serialize();
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(Load(bytes).metadata(), (Pairs{{"names", "{0: 'cup', 1: 'saucer'}"}, {"author", ""}, {"names", "again"}}));
  EXPECT_EQ(Load(ConvNetBytes()).metadata(), Pairs{});
}

TEST(Model, ShippedModelIsThere) {
  auto model = Model::Load(MOKA_SOURCE_DIR "/models/fashion_mnist.onnx");
  ASSERT_TRUE(model.ok()) << model.status().message();
  Session session = Open(*model);
  Shape shape = model->inputs()[0].dims;
  for (int64_t& dim : shape) dim = dim < 0 ? 4 : dim;
  const auto got = session.Run({RandomTensor(shape).view()});
  ASSERT_TRUE(got.ok()) << got.status().message();
  const PlanInfo info = *Inspect(session);
  EXPECT_LE(static_cast<double>(info.memory.total()), 1.05 * static_cast<double>(info.memory_lower_bound));
  EXPECT_FALSE(Model::Load(MOKA_SOURCE_DIR "/models/nothing.onnx").ok());
  EXPECT_FALSE(Model::Load(MOKA_SOURCE_DIR "/README.md").ok());
}

}  // namespace
}  // namespace moka

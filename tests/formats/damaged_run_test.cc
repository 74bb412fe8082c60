// Damaged models through the whole of loading, planning and running: each ends in a Status or in a result.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/platform.h"
#include "moka/moka.h"
#include "tests/formats/mutator.h"

namespace moka {
namespace {

// Small numbers of both signs, so that inputs which determine shapes are sometimes right.
void Fill(Tensor* tensor, std::mt19937* random) {
  for (int64_t i = 0; i < tensor->size(); ++i) {
    const int value = static_cast<int>((*random)() % 8) - 2;
    if (tensor->type() == DataType::kF32) {
      tensor->as<float>()[i] = static_cast<float>(value);
    } else if (tensor->type() == DataType::kI64) {
      tensor->as<int64_t>()[i] = value;
    } else if (tensor->type() == DataType::kI32) {
      tensor->as<int32_t>()[i] = value;
    } else if (tensor->type() == DataType::kBool) {
      tensor->as<uint8_t>()[i] = value > 0;
    }
  }
}

// Symbolic dimensions become 1. Sizes that a damaged file invented are refused before memory is asked for.
Result<std::vector<Tensor>> MakeInputs(const Model& model, std::mt19937* random) {
  std::vector<Tensor> inputs;
  for (const ValueInfo& info : model.inputs()) {
    Shape shape = info.dims;
    int64_t elements = 1;
    for (int64_t& dim : shape) {
      if (dim < 0) dim = 1;
      if (dim > 0 && elements > (1 << 16) / dim) return Status(StatusCode::kOutOfMemory, "not in this test");
      elements *= dim;
    }
    Result<Tensor> tensor = Tensor::Create(info.type, shape);
    if (!tensor.ok()) return tensor.status();
    Fill(&*tensor, random);
    inputs.push_back(*tensor);
  }
  return inputs;
}

Status LoadAndRun(std::string_view bytes) {
  std::mt19937 random(1);
  Result<Model> model = Model::FromMemory(bytes);
  if (!model.ok()) return model.status();
  SessionOptions options;
  options.threads = 1;
  options.memory_limit = 16 << 20;
  Result<Session> session = Session::Create(*model, options);
  if (!session.ok()) return session.status();
  Result<std::vector<Tensor>> inputs = MakeInputs(*model, &random);
  if (!inputs.ok()) return inputs.status();
  std::vector<ConstTensorView> views;
  for (const Tensor& input : *inputs) views.push_back(input.view());
  return session->Run(views).status();
}

std::string Shipped() { return *ReadFile(MOKA_SOURCE_DIR "/models/fashion_mnist.onnx"); }

TEST(DamagedRun, TheShippedModelRuns) {
  const Status status = LoadAndRun(Shipped());
  EXPECT_TRUE(status.ok()) << status.message();
}

// Structure, names, shapes and attributes: the head of the file, where no weights are.
TEST(DamagedRun, AnyByteOfTheHead) {
  std::string bytes = Shipped();
  int ran = 0, refused = 0;
  for (size_t i = 0; i < std::min<size_t>(bytes.size(), 4096); ++i) {
    const char right = bytes[i];
    for (const char wrong : {'\0', '\x7f', '\xff'}) {
      bytes[i] = wrong;
      const Status status = LoadAndRun(bytes);
      ++(status.ok() ? ran : refused);
      EXPECT_NE(status.code(), StatusCode::kInternal) << i << ": " << status.message();
    }
    bytes[i] = right;
  }
  EXPECT_GT(ran, 0);
  EXPECT_GT(refused, 0);
  RecordProperty("ran", ran);
  RecordProperty("refused", refused);
}

// Every small test model of Debian's that moka reads, damaged with its messages' lengths kept right, so that the damage
// reaches attributes, shapes and operands. MOKA_TEST_MUTATIONS: how many variants of each model (4).
TEST(DamagedRun, MutatedTestModels) {
  const std::string folder = "/usr/share/libonnx-testdata/data/node";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "libonnx-testdata is not installed";
  const char* wanted = std::getenv("MOKA_TEST_MUTATIONS");
  const int mutations = wanted == nullptr ? 4 : std::atoi(wanted);
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    paths.push_back((entry.path() / "model.onnx").string());
  }
  std::sort(paths.begin(), paths.end());
  int models = 0, ran = 0, refused = 0;
  for (size_t i = 0; i < paths.size(); ++i) {
    const std::string bytes = *ReadFile(paths[i]);
    if (!Model::FromMemory(bytes).ok()) continue;
    ++models;
    test::Mutator mutator(bytes, static_cast<uint32_t>(i));
    for (int m = 0; m < mutations; ++m) {
      SCOPED_TRACE(paths[i] + " mutation " + std::to_string(m));
      const Status status = LoadAndRun(mutator.Mutate());
      ++(status.ok() ? ran : refused);
      EXPECT_NE(status.code(), StatusCode::kInternal) << status.message();
    }
  }
  EXPECT_GE(models, 200);
  EXPECT_GT(ran, 0);
  EXPECT_GT(refused, 0);
  RecordProperty("ran", ran);
  RecordProperty("refused", refused);
}

}  // namespace
}  // namespace moka

// Sparse tensors of files, which become dense ones.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "formats/onnx/reader.h"
#include "tests/formats/onnx_writer.h"

namespace moka {
namespace {

using onnx::SparseTensorFields;
using test::ModelBuilder;
using test::TensorSpec;

std::string Encode(const TensorSpec& values, const TensorSpec& indices, const std::vector<int64_t>& dims) {
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  writer.add_message(SparseTensorFields::kValues, values.Encode("w"));
  writer.add_message(SparseTensorFields::kIndices, indices.Encode(""));
  writer.add_packed_int64(SparseTensorFields::kDims, dims.begin(), dims.end());
  return bytes;
}

TensorSpec Values(const std::vector<float>& values) {
  return TensorSpec::Of<float>({static_cast<int64_t>(values.size())}, values);
}

Result<Graph> Read(const ModelBuilder& model, const ModelOptions& options = {}) {
  return ReadOnnx({model.Serialize(), "", nullptr}, options);
}

// A model that adds the sparse initializer 'w' to its input.
ModelBuilder Model(const std::string& sparse) {
  ModelBuilder model;
  model.AddInput("x", {2, 3});
  model.AddField(onnx::GraphFields::kSparseInitializer, sparse);
  model.AddNode("Add", {"x", "w"}, {"y"});
  model.AddOutput("y");
  return model;
}

std::vector<float> Weights(const Graph& graph, const char* name) {
  const HostTensor& tensor = *graph.value(graph.FindValue(name)).constant;
  std::vector<float> values(static_cast<size_t>(tensor.desc.NumElements()));
  if (!values.empty()) std::memcpy(values.data(), tensor.data, values.size() * sizeof(float));
  return values;
}

TEST(SparseTensor, InitializersBecomeDense) {
  const TensorSpec indices[] = {TensorSpec::Of<int64_t>({2}, {1, 5}), TensorSpec::Of<int64_t>({2, 2}, {0, 1, 1, 2})};
  for (const TensorSpec& at : indices) {
    const Result<Graph> graph = Read(Model(Encode(Values({3, 7}), at, {2, 3})));
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    EXPECT_EQ(graph->value(graph->FindValue("w")).constant->desc.shape(), (Shape{2, 3}));
    EXPECT_EQ(Weights(*graph, "w"), (std::vector<float>{0, 3, 0, 0, 0, 7}));
  }
  const Result<Graph> zeros = Read(Model(Encode(Values({}), TensorSpec::Of<int64_t>({0}, {}), {2, 3})));
  ASSERT_TRUE(zeros.ok()) << zeros.status().message();
  EXPECT_EQ(Weights(*zeros, "w"), std::vector<float>(6));
}

TEST(SparseTensor, ConstantsBecomeDense) {
  std::string attribute;
  protozero::pbf_writer writer(attribute);
  writer.add_string(onnx::AttributeFields::kName, "sparse_value");
  writer.add_message(onnx::AttributeFields::kSparseTensor, Encode(Values({4}), TensorSpec::Of<int64_t>({1}, {2}), {3}));
  writer.add_int32(onnx::AttributeFields::kType, static_cast<int32_t>(onnx::AttributeKind::kSparseTensor));
  std::string node = ModelBuilder::EncodeNode("Constant", {}, {"c"}, {}, "", "");
  protozero::pbf_writer(node).add_message(onnx::NodeFields::kAttribute, attribute);
  ModelBuilder model;
  model.AddInput("x", {2, 3});
  model.AddField(onnx::GraphFields::kNode, node);
  model.AddNode("Add", {"x", "c"}, {"y"});
  model.AddOutput("y");
  const Result<Graph> graph = Read(model);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(Weights(*graph, "c"), (std::vector<float>{0, 0, 4}));
}

TEST(SparseTensor, RefusesWhatContradictsItself) {
  struct Row {
    const char* expected;
    std::string sparse;
  };
  const TensorSpec one = Values({1}), first = TensorSpec::Of<int64_t>({1}, {0});
  const Row rows[] = {
      {"outside", Encode(one, TensorSpec::Of<int64_t>({1}, {6}), {2, 3})},
      {"outside", Encode(one, TensorSpec::Of<int64_t>({1}, {-1}), {2, 3})},
      {"outside", Encode(one, TensorSpec::Of<int64_t>({1, 2}, {0, 3}), {2, 3})},
      {"not behind", Encode(Values({1, 2}), TensorSpec::Of<int64_t>({2}, {4, 4}), {2, 3})},
      {"not behind", Encode(Values({1, 2}), TensorSpec::Of<int64_t>({2, 2}, {1, 0, 0, 2}), {2, 3})},
      {"expected i64[1]", Encode(one, TensorSpec::Of<int64_t>({2}, {0, 1}), {2, 3})},
      {"expected i64[1]", Encode(one, TensorSpec::Of<int64_t>({1, 3}, {0, 1, 0}), {2, 3})},
      {"expected i64[1]", Encode(one, TensorSpec::Of<int32_t>({1}, {0}), {2, 3})},
      {"rank 2, expected 1", Encode(TensorSpec::Of<float>({1, 1}, {1}), first, {2, 3})},
      {"negative", Encode(one, first, {2, -3})},
      {"rank 12", Encode(one, first, std::vector<int64_t>(12, 1))},
      {"bytes with its zeros", Encode(one, first, {1 << 20, 1 << 20})},
      {"without values or indices", ""},
  };
  for (const Row& row : rows) {
    const Result<Graph> graph = Read(Model(row.sparse));
    ASSERT_FALSE(graph.ok()) << row.expected;
    EXPECT_NE(graph.status().message().find(row.expected), std::string::npos) << graph.status().message();
    EXPECT_NE(graph.status().message().find("initializer"), std::string::npos) << graph.status().message();
  }
}

}  // namespace
}  // namespace moka

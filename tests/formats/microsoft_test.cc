#include "formats/onnx/microsoft.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "formats/onnx/reader.h"
#include "tests/formats/onnx_writer.h"

namespace moka {
namespace {

using test::AttributeSpecs;
using test::DimSpecs;
using test::ModelBuilder;
using Names = std::vector<std::string>;

// A model of one node of com.microsoft that reads "x", "y" and the initializers "w" and "b".
struct OneNode {
  std::string op;
  Names src;
  AttributeSpecs attributes = {};
  Names dst = {"r"};
  DimSpecs dims = {1, 3, 4, 4};
};

Result<Graph> Read(const OneNode& node) {
  ModelBuilder model(20);
  model.AddOpset("com.microsoft", 1);
  model.AddInput("x", node.dims);
  model.AddInput("y", node.dims);
  model.AddInitializer<float>("w", {2, 3, 1, 1}, {1, 2, 3, 4, 5, 6});
  model.AddInitializer<float>("b", {4}, {1, 2, 3, 4});
  model.AddNode(node.op, node.src, node.dst, node.attributes, "n", "com.microsoft");
  for (const std::string& result : node.dst) {
    if (!result.empty()) model.AddOutput(result);
  }
  auto bytes = std::make_shared<const std::string>(model.Serialize());
  return ReadOnnx({*bytes, "", bytes}, {});
}

Names OpsOf(const Graph& graph) {
  Names names;
  for (const Node& node : graph.nodes) names.push_back(node.op->name);
  return names;
}

void ExpectOps(const OneNode& node, const Names& expected) {
  const Result<Graph> graph = Read(node);
  ASSERT_TRUE(graph.ok()) << node.op << ": " << graph.status().message();
  EXPECT_EQ(OpsOf(*graph), expected) << node.op;
  // The file's results keep their values.
  for (size_t i = 0, named = 0; i < node.dst.size(); ++i) {
    if (node.dst[i].empty()) continue;
    EXPECT_EQ(graph->value(graph->outputs.at(named++)).name, node.dst[i]);
  }
}

TEST(Microsoft, IsReadAsNodesOfTheStandard) {
  ExpectOps({"FusedConv", {"x", "w"}, {{"activation", "Relu"}}}, {"Conv", "Relu"});
  ExpectOps({"FusedConv", {"x", "w"}}, {"Conv"});
  ExpectOps({"FusedConv", {"x", "w", "", "y"}}, {"Conv", "Add"});
  ExpectOps({"FusedConv", {"x", "w", "", "y"}, {{"activation", "LeakyRelu"}}}, {"Conv", "Add", "LeakyRelu"});
  ExpectOps({"FusedMatMul", {"x", "y"}}, {"MatMul"});
  ExpectOps({"FusedMatMul", {"x", "y"}, {{"transB", 1}, {"alpha", 0.5f}}}, {"Transpose", "MatMul", "Mul"});
  ExpectOps({"QuickGelu", {"x"}, {{"alpha", 1.0f}}}, {"Sigmoid", "Mul"});
  ExpectOps({"BiasAdd", {"x", "b", "y"}}, {"Add", "Add"});
  ExpectOps({"FastGelu", {"x", "b"}}, {"Add", "Gelu"});
}

TEST(Microsoft, RefusesWhatItCannotSay) {
  const struct {
    OneNode node;
    const char* expected;
  } kCases[] = {
      {{"FusedConv", {"x"}}, "src 1 is missing"},
      {{"FusedConv", {"x", "w"}, {{"activation", "Mystery"}}}, "attribute 'activation' is 'Mystery'"},
      {{"FusedConv", {"x", "w"}, {{"activation", "Clip"}}}, "'activation_params' has 0 elements, expected 2"},
      {{"FusedMatMul", {"x", ""}}, "src 1 is missing"},
      {{"BiasGelu", {}}, "src 0 is missing"},
      {{"SkipLayerNormalization", {"x", "y"}}, "src 2 is missing"},
      {{"SkipLayerNormalization", {"x", "y", "b"}, {}, {"r", "mean"}}, "result 1 is used"},
      {{"EmbedLayerNormalization", {"x", "", "w"}}, "src 3 is missing"},
      {{"Attention", {"x"}, {{"num_heads", 2}}}, "src 0 or 1 is missing"},
      {{"Attention", {"x", "w"}}, "attribute 'num_heads' is 0"},
      {{"Attention", {"x", "w"}, {{"num_heads", 2}, {"do_rotary", 1}}}, "attribute 'do_rotary'"},
      {{"Attention", {"x", "w"}, {{"num_heads", 2}, {"qkv_hidden_sizes", {1, 2}}}}, "has 2 elements, expected 3"},
      {{"Attention", {"x", "w", "b", "y"}, {{"num_heads", 2}}}, "a mask of rank 4"},
      {{"MultiHeadAttention", {"x"}, {{"num_heads", 2}}}, "src 1 is missing"},
      {{"MultiHeadAttention", {"x", "y", "y"}, {{"num_heads", -2}}}, "attribute 'num_heads' is -2"},
      {{"RotaryEmbedding", {"x", "y"}}, "2 sources, expected 4"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.node.op + ": " + c.expected);
    const Result<Graph> graph = Read(c.node);
    ASSERT_FALSE(graph.ok());
    EXPECT_NE(graph.status().message().find(c.expected), std::string::npos) << graph.status().message();
    EXPECT_NE(graph.status().message().find("node 'n'"), std::string::npos) << graph.status().message();
  }
}

TEST(Microsoft, BelongsToItsDomain) {
  EXPECT_EQ(onnx::FindRewrite("", "FusedConv"), nullptr);
  EXPECT_EQ(onnx::FindRewrite("com.example", "FusedConv"), nullptr);
  EXPECT_NE(onnx::FindRewrite("com.microsoft", "FusedConv"), nullptr);
  EXPECT_NE(onnx::FindRewrite("", "SimplifiedLayerNormalization"), nullptr);
  EXPECT_EQ(onnx::FindRewrite("", "Attention"), nullptr);
}

}  // namespace
}  // namespace moka

#include "formats/onnx/versions.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <set>
#include <string>

#include "formats/onnx/reader.h"
#include "tests/formats/onnx_writer.h"

namespace moka {
namespace {

using test::AttributeSpecs;
using test::DimSpecs;
using test::ModelBuilder;
using test::TensorSpec;

// A model of one node that reads "x" and the initializers "b" and "zero" (if the node names them).
struct OneNode {
  int64_t opset;
  std::string op;
  std::vector<std::string> src = {"x"};
  AttributeSpecs attributes = {};
  std::vector<std::string> dst = {"y"};
  DimSpecs dims = {2, 3, 4, 5};
};

Result<Graph> Read(const OneNode& node) {
  ModelBuilder model(node.opset);
  model.SetIrVersion(3);
  model.AddInput("x", node.dims);
  model.AddInitializer<float>("b", {3}, {1, 2, 3});
  model.AddInitializer<float>("zero", {}, {0});
  model.AddNode(node.op, node.src, node.dst, node.attributes, "n");
  for (const std::string& result : node.dst) {
    if (!result.empty() && result != "unused") model.AddOutput(result);
  }
  auto bytes = std::make_shared<const std::string>(model.Serialize());
  return ReadOnnx({*bytes, "", bytes}, {});
}

std::vector<std::string> OpsOf(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.op->name);
  return names;
}

std::vector<int64_t> IntsOf(const Graph& graph, const Node& node, size_t src) {
  if (src >= node.src.size() || node.src[src] == kNoValue) return {-999};
  const HostTensor& tensor = *graph.value(node.src[src]).constant;
  EXPECT_EQ(tensor.desc.type, DataType::kI64);
  EXPECT_EQ(tensor.desc.rank, 1);
  std::vector<int64_t> out(static_cast<size_t>(tensor.desc.NumElements()));
  std::memcpy(out.data(), tensor.data, out.size() * sizeof(int64_t));
  return out;
}

float ScalarOf(const Graph& graph, const Node& node, size_t src) {
  const HostTensor& tensor = *graph.value(node.src.at(src)).constant;
  EXPECT_EQ(tensor.desc.rank, 0);
  float value = 0;
  std::memcpy(&value, tensor.data, sizeof(value));
  return value;
}

using Ints = std::vector<int64_t>;

TEST(OnnxVersions, AxesBecomeAnInput) {
  const struct {
    const char* op;
    int64_t opset;
  } kCases[] = {{"Squeeze", 1}, {"Squeeze", 11}, {"Unsqueeze", 11}, {"ReduceMean", 1}, {"ReduceMean", 17}};
  for (const auto& c : kCases) {
    Result<Graph> graph = Read({c.opset, c.op, {"x"}, {{"axes", {0}}}, {"y"}, {1, 3, 4, 5}});
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    const Node& node = graph->nodes.at(0);
    EXPECT_EQ(IntsOf(*graph, node, 1), Ints{0}) << c.op << c.opset;
    EXPECT_FALSE(node.attrs.Has("axes"));
  }
  Result<Graph> newest = Read({18, "ReduceMean"});
  ASSERT_TRUE(newest.ok());
  EXPECT_EQ(newest->nodes.at(0).src.size(), 1u);
}

TEST(OnnxVersions, SliceRangesBecomeInputs) {
  Result<Graph> graph = Read({9, "Slice", {"x"}, {{"starts", {1, 0}}, {"ends", {2, 3}}, {"axes", {1, 3}}}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  const Node& node = graph->nodes.at(0);
  EXPECT_EQ(IntsOf(*graph, node, 1), (Ints{1, 0}));
  EXPECT_EQ(IntsOf(*graph, node, 2), (Ints{2, 3}));
  EXPECT_EQ(IntsOf(*graph, node, 3), (Ints{1, 3}));
}

TEST(OnnxVersions, PadWidthsAndValueBecomeInputs) {
  const Ints pads = {0, 0, 1, 1, 0, 0, 1, 1};
  for (const bool first : {true, false}) {
    Result<Graph> graph = Read(
        {first ? 1 : 2, "Pad", {"x"}, {{first ? "paddings" : "pads", pads}, {"value", 1.5f}, {"mode", "constant"}}});
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    const Node& node = graph->nodes.at(0);
    EXPECT_EQ(IntsOf(*graph, node, 1), pads);
    EXPECT_EQ(ScalarOf(*graph, node, 2), 1.5f);
    EXPECT_EQ(*node.attrs.String("mode", ""), "constant");
  }
}

TEST(OnnxVersions, ReshapeShapeBecomesAnInput) {
  Result<Graph> graph = Read({1, "Reshape", {"x"}, {{"shape", {6, 20}}, {"consumed_inputs", {0, 0}}}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(IntsOf(*graph, graph->nodes.at(0), 1), (Ints{6, 20}));
  EXPECT_FALSE(graph->nodes[0].attrs.Has("consumed_inputs"));
}

TEST(OnnxVersions, SplitSizesBecomeAnInputAndEqualPartsACount) {
  Result<Graph> sizes = Read({11, "Split", {"x"}, {{"axis", 1}, {"split", {1, 2}}}, {"y", "z"}});
  ASSERT_TRUE(sizes.ok()) << sizes.status().message();
  EXPECT_EQ(IntsOf(*sizes, sizes->nodes.at(0), 1), (Ints{1, 2}));
  EXPECT_FALSE(sizes->nodes[0].attrs.Has("num_outputs"));
  for (const int64_t opset : {2, 13}) {
    Result<Graph> equal = Read({opset, "Split", {"x"}, {{"axis", 0}}, {"y", "z"}});
    ASSERT_TRUE(equal.ok()) << equal.status().message();
    EXPECT_EQ(*equal->nodes.at(0).attrs.Int("num_outputs", 0), 2);
  }
}

TEST(OnnxVersions, ConcatHasAnAxis) {
  Result<Graph> graph = Read({3, "Concat", {"x", "x"}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(*graph->nodes.at(0).attrs.Int("axis", -7), 1);
}

TEST(OnnxVersions, DropoutIsIdentityUnlessItsMaskIsUsed) {
  using Names = std::vector<std::string>;
  for (const int64_t opset : {1, 7, 10, 12, 22}) {
    Result<Graph> graph = Read({opset, "Dropout", {"x"}, {}, {"y", "unused"}});
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    EXPECT_EQ(OpsOf(*graph), Names{"Identity"}) << opset;
    EXPECT_EQ(graph->nodes[0].dst.size(), 1u);
    // Before opset 10 the mask has the type of the data.
    graph = Read({opset, "Dropout", {"x"}, {}, {"y", "mask"}});
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    EXPECT_EQ(OpsOf(*graph), opset < 10 ? (Names{"Dropout", "Cast"}) : Names{"Dropout"}) << opset;
  }
  Result<Graph> ratio = Read({7, "Dropout", {"x"}, {{"ratio", 0.25f}}, {"y", "mask"}});
  ASSERT_TRUE(ratio.ok());
  EXPECT_FALSE(ratio->nodes[0].attrs.Has("ratio"));
  Result<Graph> fed = Read({12, "Dropout", {"x", "b", "x"}});
  ASSERT_TRUE(fed.ok());
  EXPECT_EQ(OpsOf(*fed), Names{"Dropout"}) << "training_mode is fed";
  Result<Graph> nothing = Read({12, "Dropout", {"x", "zero", "x"}});
  ASSERT_TRUE(nothing.ok());
  EXPECT_EQ(OpsOf(*nothing), Names{"Identity"}) << "drops nothing in training either";
}

TEST(OnnxVersions, TopKCountBecomesAnInput) {
  Result<Graph> graph = Read({9, "TopK", {"x"}, {{"k", 2}}, {"y", "indices"}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(IntsOf(*graph, graph->nodes.at(0), 1), Ints{2});
  EXPECT_FALSE(graph->nodes[0].attrs.Has("k"));
  EXPECT_EQ(Read({9, "TopK", {"x"}, {}, {"y", "indices"}}).status().code(), StatusCode::kInvalidModel);
}

TEST(OnnxVersions, GroupNormalizationHadScalesOfGroups) {
  for (const int64_t opset : {18, 21}) {
    Result<Graph> graph = Read({opset, "GroupNormalization", {"x", "b", "b"}, {{"num_groups", 3}}});
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    EXPECT_EQ(graph->nodes.at(0).attrs.Has("scale_per_group"), opset == 18);
  }
}

TEST(OnnxVersions, LpPoolPowerBecomesAnInteger) {
  Result<Graph> graph = Read({1, "GlobalLpPool", {"x"}, {{"p", 3.f}}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(*graph->nodes.at(0).attrs.Int("p", 0), 3);
  EXPECT_EQ(Read({1, "GlobalLpPool", {"x"}, {{"p", 1.5f}}}).status().code(), StatusCode::kUnsupported);
}

TEST(OnnxVersions, SoftmaxOverTheLastAxisStaysOneNode) {
  const struct {
    int64_t opset, axis;
    DimSpecs dims;
  } kCases[] = {{11, 3, {2, 3, 4, 5}}, {1, 1, {2, 3}}, {11, -1, {2, 3, 4}}};
  for (const auto& c : kCases) {
    Result<Graph> graph = Read({c.opset, "Softmax", {"x"}, {{"axis", c.axis}}, {"y"}, c.dims});
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    EXPECT_EQ(OpsOf(*graph), std::vector<std::string>{"Softmax"});
    EXPECT_EQ(*graph->nodes[0].attrs.Int("axis", 9), -1);
  }
}

TEST(OnnxVersions, SoftmaxOverAMatrixIsFlattenedAndShapedBack) {
  Result<Graph> graph = Read({11, "Softmax"});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(OpsOf(*graph), (std::vector<std::string>{"Shape", "Flatten", "Softmax", "Reshape"}));
  EXPECT_EQ(*graph->nodes[1].attrs.Int("axis", 9), 1);
  EXPECT_EQ(*graph->nodes[2].attrs.Int("axis", 9), -1);
  EXPECT_EQ(graph->value(graph->outputs[0]).name, "y");
  Result<Graph> newest = Read({13, "Softmax"});
  ASSERT_TRUE(newest.ok());
  EXPECT_EQ(OpsOf(*newest), std::vector<std::string>{"Softmax"});
}

// The names of the nodes around it may be taken.
TEST(OnnxVersions, AddedNodesAndValuesHaveUniqueNames) {
  ModelBuilder model(11);
  model.AddInput("x", {2, 3, 4});
  model.AddNode("Identity", {"x"}, {"n.Flatten"}, {}, "n.Flatten");
  model.AddNode("Softmax", {"n.Flatten"}, {"y"}, {}, "n");
  model.AddOutput("y");
  auto bytes = std::make_shared<const std::string>(model.Serialize());
  Result<Graph> graph = ReadOnnx({*bytes, "", bytes}, {});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  ASSERT_EQ(graph->nodes.size(), 5u);
  std::set<std::string> nodes, values;
  for (const Node& node : graph->nodes) EXPECT_TRUE(nodes.insert(node.name).second) << node.name;
  for (const Value& value : graph->values) EXPECT_TRUE(values.insert(value.name).second) << value.name;
}

TEST(OnnxVersions, BatchNormalizationDropsWhatTrainingNeeds) {
  const std::vector<std::string> src = {"x", "b", "b", "b", "b"};
  Result<Graph> graph = Read({6, "BatchNormalization", src, {{"is_test", 1}, {"spatial", 1}}, {"y", "unused"}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->nodes.at(0).dst.size(), 1u);
  EXPECT_FALSE(graph->nodes[0].attrs.Has("is_test"));
  EXPECT_EQ(Read({9, "BatchNormalization", src, {}, {"y", "mean"}}).status().code(), StatusCode::kUnsupported);
}

TEST(OnnxVersions, BatchNormalizationPerElementIsArithmetic) {
  if (FindOp("", "Sqrt") == nullptr) GTEST_SKIP();
  Result<Graph> graph = Read({7, "BatchNormalization", {"x", "b", "b", "b", "b"}, {{"spatial", 0}}, {"y"}, {2, 3}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(OpsOf(*graph), (std::vector<std::string>{"Add", "Sqrt", "Div", "Sub", "Mul", "Add"}));
}

// Operators that another area of the library lands may be missing here: these tests state the form when they are there.
bool Has(const char* op) { return FindOp("", op) != nullptr; }

TEST(OnnxVersions, ClipBoundsBecomeInputs) {
  if (!Has("Clip")) GTEST_SKIP();
  Result<Graph> graph = Read({6, "Clip", {"x"}, {{"max", 6.f}}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  const Node& node = graph->nodes.at(0);
  ASSERT_EQ(node.src.size(), 3u);
  EXPECT_EQ(node.src[1], kNoValue) << "no lower bound";
  EXPECT_EQ(ScalarOf(*graph, node, 2), 6.f);
}

TEST(OnnxVersions, CastNamesBecomeNumbers) {
  if (!Has("Cast")) GTEST_SKIP();
  Result<Graph> graph = Read({5, "Cast", {"x"}, {{"to", "INT64"}}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(*graph->nodes.at(0).attrs.Int("to", 0), 7);
  EXPECT_EQ(Read({5, "Cast", {"x"}, {{"to", "INT65"}}}).status().code(), StatusCode::kInvalidModel);
}

TEST(OnnxVersions, BroadcastAxisUnsqueezesTheSecondOperand) {
  if (!Has("Add")) GTEST_SKIP();
  Result<Graph> graph = Read({6, "Add", {"x", "b"}, {{"broadcast", 1}, {"axis", 1}}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(OpsOf(*graph), (std::vector<std::string>{"Unsqueeze", "Add"}));
  EXPECT_EQ(IntsOf(*graph, graph->nodes[0], 1), (Ints{1, 2}));
  EXPECT_FALSE(graph->nodes[1].attrs.Has("axis"));

  Result<Graph> suffix = Read({6, "Add", {"x", "b"}, {{"broadcast", 1}}, {"y"}, {2, 3}});
  ASSERT_TRUE(suffix.ok()) << suffix.status().message();
  EXPECT_EQ(OpsOf(*suffix), std::vector<std::string>{"Add"});
  EXPECT_EQ(Read({6, "Add", {"x", "b"}, {{"broadcast", 1}, {"axis", 4}}}).status().code(), StatusCode::kInvalidModel);
}

TEST(OnnxVersions, SlopesPerChannelGetTheDimensionsBehind) {
  Result<Graph> graph = Read({6, "PRelu", {"x", "b"}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(OpsOf(*graph), (std::vector<std::string>{"Unsqueeze", "PRelu"}));
  EXPECT_EQ(IntsOf(*graph, graph->nodes[0], 1), (Ints{1, 2}));
  Result<Graph> matrix = Read({6, "PRelu", {"x", "b"}, {}, {"y"}, {2, 3}});
  ASSERT_TRUE(matrix.ok()) << matrix.status().message();
  EXPECT_EQ(OpsOf(*matrix), std::vector<std::string>{"PRelu"});
  Result<Graph> newest = Read({7, "PRelu", {"x", "b"}});
  ASSERT_TRUE(newest.ok()) << newest.status().message();
  EXPECT_EQ(OpsOf(*newest), std::vector<std::string>{"PRelu"});
}

TEST(OnnxVersions, SeluHadShorterDefaults) {
  Result<Graph> graph = Read({1, "Selu", {"x"}, {{"alpha", 2.f}}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(*graph->nodes.at(0).attrs.Float("gamma", 0), 1.0507f);
  EXPECT_EQ(*graph->nodes.at(0).attrs.Float("alpha", 0), 2.f);
  Result<Graph> newer = Read({6, "Selu", {"x"}});
  ASSERT_TRUE(newer.ok()) << newer.status().message();
  EXPECT_FALSE(newer->nodes.at(0).attrs.Has("gamma"));
}

// The rank that `axis` needs is known through operators that keep it.
TEST(OnnxVersions, RanksAreTrackedThroughTheGraph) {
  if (!Has("Mul")) GTEST_SKIP();
  ModelBuilder model(6);
  model.AddInput("x", {1, 3, 8, 8});
  model.AddInitializer<float>("w", {3, 3, 1, 1}, std::vector<float>(9));
  model.AddInitializer<float>("b", {3}, {1, 2, 3});
  model.AddNode("Conv", {"x", "w"}, {"c"});
  model.AddNode("Mul", {"c", "b"}, {"y"}, {{"broadcast", 1}, {"axis", 1}});
  model.AddOutput("y");
  auto bytes = std::make_shared<const std::string>(model.Serialize());
  Result<Graph> graph = ReadOnnx({*bytes, "", bytes}, {});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(OpsOf(*graph), (std::vector<std::string>{"Conv", "Unsqueeze", "Mul"}));
}

TEST(OnnxVersions, UpsampleBecomesAnAsymmetricResize) {
  Result<Graph> attribute = Read({7, "Upsample", {"x"}, {{"scales", std::vector<float>{1, 1, 2, 3}}}});
  Result<Graph> source = Read({9, "Upsample", {"x", "b"}, {{"mode", "linear"}}});
  Result<Graph> resize = Read({10, "Resize", {"x", "b"}, {{"mode", "linear"}}});
  for (const Result<Graph>* graph : {&attribute, &source, &resize}) {
    ASSERT_TRUE(graph->ok()) << graph->status().message();
    const Node& node = (*graph)->nodes.at(0);
    EXPECT_STREQ(node.op->name, "Resize");
    ASSERT_EQ(node.src.size(), 3u);
    EXPECT_EQ(node.src[1], kNoValue);
    EXPECT_EQ(*node.attrs.String("coordinate_transformation_mode", ""), "asymmetric");
    EXPECT_EQ(*node.attrs.String("nearest_mode", ""), "floor");
    EXPECT_FALSE(node.attrs.Has("scales"));
  }
  const HostTensor& scales = *attribute->value(attribute->nodes[0].src[2]).constant;
  EXPECT_EQ(scales.desc.type, DataType::kF32);
  EXPECT_EQ(scales.desc.NumElements(), 4);
  EXPECT_EQ(Read({11, "Resize", {"x", "b", "b"}})->nodes.at(0).attrs.Has("nearest_mode"), false);
}

TEST(OnnxVersions, ModesOfSamplingGotOtherNames) {
  Result<Graph> grid = Read({16, "GridSample", {"x", "b"}, {{"mode", "bicubic"}}});
  ASSERT_TRUE(grid.ok()) << grid.status().message();
  EXPECT_EQ(*grid->nodes.at(0).attrs.String("mode", ""), "cubic");
  Result<Graph> roi = Read({10, "RoiAlign", {"x", "b", "b"}});
  ASSERT_TRUE(roi.ok()) << roi.status().message();
  EXPECT_EQ(*roi->nodes.at(0).attrs.String("coordinate_transformation_mode", ""), "output_half_pixel");
  EXPECT_FALSE(Read({16, "RoiAlign", {"x", "b", "b"}})->nodes.at(0).attrs.Has("coordinate_transformation_mode"));
}

TEST(OnnxVersions, ScatterBecomesScatterElements) {
  Result<Graph> graph = Read({9, "Scatter", {"x", "b", "b"}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(OpsOf(*graph), std::vector<std::string>{"ScatterElements"});
}

TEST(OnnxVersions, AxisOfTheTransformBecomesAnInput) {
  Result<Graph> graph = Read({17, "DFT", {"x"}, {{"axis", 2}}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  const Node& node = graph->nodes.at(0);
  ASSERT_EQ(node.src.size(), 3u);
  const HostTensor& axis = *graph->value(node.src[2]).constant;
  EXPECT_EQ(axis.desc.rank, 0);
  EXPECT_EQ(*static_cast<const int64_t*>(axis.data), 2);
  EXPECT_FALSE(node.attrs.Has("axis"));
}

TEST(OnnxVersions, PowerOfTheNormBecomesAnInteger) {
  Result<Graph> graph = Read({1, "LpPool", {"x"}, {{"p", 3.0f}, {"kernel_shape", {2, 2}}}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(*graph->nodes.at(0).attrs.Int("p", 0), 3);
  EXPECT_FALSE(Read({1, "LpPool", {"x"}, {{"p", 2.5f}, {"kernel_shape", {2, 2}}}}).ok());
}

}  // namespace
}  // namespace moka

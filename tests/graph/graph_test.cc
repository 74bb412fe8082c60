#include "graph/graph.h"

#include <gtest/gtest.h>

#include "tests/graph/graph_builder.h"

namespace moka {
namespace {

Node MakeNode(const char* op, const char* name, std::vector<ValueId> src, std::vector<ValueId> dst) {
  Node node;
  node.op = FindOp("", op);
  node.name = name;
  node.src = std::move(src);
  node.dst = std::move(dst);
  return node;
}

Graph WithInput() {
  Graph graph;
  graph.source = "net.onnx";
  const ValueId x = graph.AddValue("x");
  graph.inputs = {x};
  Value& value = graph.value(x);
  value.declared_type = DataType::kF32;
  value.declared_rank = true;
  value.declared_dims = {2, 3};
  return graph;
}

TEST(Graph, FindsValuesAndDescribesNodes) {
  Graph graph = WithInput();
  EXPECT_EQ(graph.FindValue("x"), 0);
  EXPECT_EQ(graph.FindValue("y"), kNoValue);
  EXPECT_EQ(Describe(graph, MakeNode("Relu", "r", {0}, {})), "net.onnx: node 'r' (Relu)");
}

TEST(SortAndCheck, SortsAndKeepsTheOrderOfTheFileWhereItCan) {
  Graph graph = WithInput();
  const ValueId a = graph.AddValue("a"), b = graph.AddValue("b"), c = graph.AddValue("c");
  graph.nodes = {MakeNode("Add", "last", {a, b}, {c}), MakeNode("Relu", "first", {0}, {a}),
                 MakeNode("Relu", "second", {0}, {b})};
  graph.outputs = {c};
  ASSERT_TRUE(SortAndCheck(graph).ok());
  EXPECT_EQ(graph.nodes[0].name, "first");
  EXPECT_EQ(graph.nodes[1].name, "second");
  EXPECT_EQ(graph.nodes[2].name, "last");
}

TEST(SortAndCheck, NamesWhatIsWrong) {
  const auto message = [](std::vector<Node> nodes, std::vector<ValueId> outputs) {
    Graph graph = WithInput();
    for (const char* name : {"a", "b", "c"}) graph.AddValue(name);
    graph.nodes = std::move(nodes);
    graph.outputs = std::move(outputs);
    const Status status = SortAndCheck(graph);
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(status.code(), StatusCode::kInvalidModel);
    return status.message();
  };
  EXPECT_EQ(message({MakeNode("Relu", "r", {1}, {2})}, {2}), "net.onnx: node 'r' (Relu): nothing makes its input 'a'");
  EXPECT_EQ(message({MakeNode("Relu", "r", {0}, {1})}, {3}), "net.onnx: nothing makes the output 'c'");
  EXPECT_EQ(message({MakeNode("Relu", "r", {0}, {1}), MakeNode("Relu", "s", {0}, {1})}, {1}),
            "net.onnx: node 's' (Relu): output 'a' is made by two nodes");
  EXPECT_EQ(message({MakeNode("Relu", "r", {0}, {0})}, {0}),
            "net.onnx: node 'r' (Relu): output 'x' is already an input or initializer");
  EXPECT_EQ(message({MakeNode("Add", "p", {0}, {1})}, {1}), "net.onnx: node 'p' (Add): 1 inputs, expected 2");
  EXPECT_EQ(message({MakeNode("Add", "p", {0, kNoValue}, {1})}, {1}), "net.onnx: node 'p' (Add): input 1 is required");
  EXPECT_EQ(
      message({MakeNode("Relu", "r", {3}, {1}), MakeNode("Add", "p", {0, 3}, {2}), MakeNode("Relu", "q", {2}, {3})},
              {1}),
      "net.onnx: node 'q' (Relu) depends on its own result");
}

TEST(InferShapes, RefusesContradictionsNamingTheNode) {
  Graph graph = WithInput();
  const ValueId y = graph.AddValue("y");
  graph.nodes = {MakeNode("Relu", "r", {0}, {y})};
  graph.outputs = {y};
  graph.value(y).declared_rank = true;
  graph.value(y).declared_dims = {2, 4};
  const Result<InferResult> result = InferShapes(graph);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().message(),
            "net.onnx: node 'r' (Relu): output 'y': dimension 1 is declared as 4, but it is 3");
  graph.value(y).declared_dims = {2, Dim::Symbol(graph.symbols.Intern("anything"))};
  EXPECT_TRUE(InferShapes(graph).ok());
  graph.value(y).declared_type = DataType::kI64;
  EXPECT_FALSE(InferShapes(graph).ok());
}

TEST(InferShapes, RefusesSizesThatNoTensorHas) {
  for (const std::vector<Dim>& dims : {std::vector<Dim>{-1, 3}, std::vector<Dim>{int64_t{1} << 40, int64_t{1} << 40}}) {
    Graph graph = WithInput();
    graph.value(0).declared_dims = dims;
    EXPECT_FALSE(InferShapes(graph).ok());
  }
}

TEST(InferShapes, ReportsInputsThatDetermineShapes) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 6});
  const ValueId target = b.Input("target", {2}, DataType::kI64);
  const ValueId doubled = b.Node("Mul", {target, b.Ints({1, 1})});
  const ValueId y = b.Node("Relu", {b.Node("Reshape", {x, doubled})});
  const ValueId z = b.Node("Tanh", {x});
  Graph graph = b.Unchecked({y, z});
  ASSERT_TRUE(SortAndCheck(graph).ok());
  Result<InferResult> result = InferShapes(graph);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->shape_inputs, (std::vector<ValueId>{target}));
  EXPECT_FALSE(graph.value(y).inferred);
  EXPECT_TRUE(graph.value(z).inferred);

  // The session's answer: the input becomes a constant.
  const int64_t contents[] = {3, 4};
  auto shape = std::make_shared<HostTensor>();
  shape->desc = MakeDense(DataType::kI64, {2});
  shape->data = contents;
  graph.value(target).constant = shape;
  result = InferShapes(graph);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_TRUE(result->shape_inputs.empty());
  EXPECT_EQ(graph.value(y).tensor.dims, (std::vector<Dim>{3, 4}));
}

TEST(InferShapes, LeavesUndecidedBroadcastsToBind) {
  GraphBuilder b;
  const Dim n = b.Symbol("n"), m = b.Symbol("m");
  const ValueId x = b.Input("x", {n, 3}), y = b.Input("y", {m, 3}), z = b.Input("z", {4, 3});
  const Graph graph = b.Finish({b.Node("Add", {x, y}), b.Node("Mul", {x, z})});
  EXPECT_EQ(graph.value(graph.outputs[1]).tensor.dims[0], Dim(4));
  EXPECT_TRUE(CheckConstraints(graph, {4, 4}).ok());
  EXPECT_TRUE(CheckConstraints(graph, {1, 7}).ok());
  EXPECT_TRUE(CheckConstraints(graph, {4, 1}).ok());
  const Status sums = CheckConstraints(graph, {4, 7});
  ASSERT_FALSE(sums.ok());
  EXPECT_NE(sums.message().find("(Add): broadcast of dim 0: 4 (n), expected 7"), std::string::npos) << sums.message();
  const Status products = CheckConstraints(graph, {2, 2});
  ASSERT_FALSE(products.ok());
  EXPECT_NE(products.message().find("(Mul)"), std::string::npos);
}

TEST(InferShapes, TracksIntegersThroughArithmetic) {
  GraphBuilder b;
  const Dim h = b.Symbol("h");
  const ValueId x = b.Input("x", {1, 3, h, 5});
  const ValueId shape = b.Node("Shape", {x});
  const ValueId half = b.Node("Div", {b.Node("Add", {shape, b.Ints({3})}), b.Ints({2})});
  const ValueId wide = b.Node("Cast", {b.Node("Cast", {half}, {{"to", int64_t{6}}})}, {{"to", int64_t{7}}});
  const Graph graph = b.Finish({wide});
  ASSERT_TRUE(graph.value(wide).tensor.elements);
  EXPECT_EQ(*graph.value(wide).tensor.elements, (std::vector<Dim>{2, 3, Dim::FloorDiv(h + 3, 2), 4}));
}

// Upsampling by a factor: sizes to floats, scaled, rounded, back to integers.
TEST(InferShapes, KnowsIntegersThatWereFloatsOnTheWay) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {7, 5});
  const ValueId shape = b.Node("Cast", {b.Node("Shape", {x})}, {{"to", int64_t{1}}});
  const ValueId scaled = b.Node("Floor", {b.Node("Mul", {shape, b.Scalar(1.5f)})});
  const ValueId sizes = b.Node("Cast", {scaled}, {{"to", int64_t{7}}});
  const Graph graph = b.Finish({b.Node("Expand", {b.Scalar(1), sizes})});
  ASSERT_TRUE(graph.value(sizes).tensor.elements);
  EXPECT_EQ(*graph.value(sizes).tensor.elements, (std::vector<Dim>{10, 7}));
  EXPECT_EQ(graph.value(graph.outputs[0]).tensor.dims, (std::vector<Dim>{10, 7}));
}

}  // namespace
}  // namespace moka

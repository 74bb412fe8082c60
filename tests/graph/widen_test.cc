// f16 and bf16 computed in f32.
#include <gtest/gtest.h>

#include "graph/passes/rewrite.h"
#include "tests/graph/check_passes.h"

namespace moka {
namespace {

Graph Widened(const Graph& original) {
  Graph graph = original;
  EXPECT_TRUE(WidenHalves(graph).ok());
  const Status valid = SortAndCheck(graph);
  EXPECT_TRUE(valid.ok()) << valid.message();
  const size_t nodes = graph.nodes.size();
  EXPECT_TRUE(WidenHalves(graph).ok());
  EXPECT_EQ(graph.nodes.size(), nodes) << "not idempotent";
  for (const ValueId id : original.outputs) {
    EXPECT_EQ(graph.value(id).tensor.type, original.value(id).tensor.type);
  }
  return graph;
}

Tensor Halves(DataType type, const Shape& shape, const std::vector<double>& values) {
  Tensor tensor = *Tensor::Create(type, shape);
  for (size_t i = 0; i < values.size(); ++i) {
    Store<double>(MakeDense(type, shape), tensor.data(), static_cast<int64_t>(i), values[i]);
  }
  return tensor;
}

std::vector<double> RunOn(const Graph& graph, const std::vector<Tensor>& inputs) {
  const Result<std::vector<Tensor>> got = Interpret(graph, inputs);
  EXPECT_TRUE(got.ok()) << got.status().message();
  std::vector<double> values;
  for (int64_t i = 0; got.ok() && i < (*got)[0].size(); ++i) values.push_back((*got)[0].NumberAt(i));
  return values;
}

TEST(WidenHalves, CastsAtTheBordersOnly) {
  for (const DataType type : {DataType::kF16, DataType::kBF16}) {
    GraphBuilder b;
    const ValueId x = b.Input("x", {b.Symbol("n"), 4}, type);
    const ValueId w = b.Constant(type, {4, 4}, std::vector<double>(16, 0.25));
    const ValueId y = b.Node("Softmax", {b.Node("Add", {b.Node("MatMul", {x, w}), b.Constant(type, {}, {1})})});
    const Graph graph = Widened(b.Finish({b.Node("Relu", {b.Node("Reshape", {y, b.Ints({4, -1})})})}));
    EXPECT_EQ(CountOps(graph, "Cast"), 2) << "one in, one out; weights are constants of f32";
    for (const Node& node : graph.nodes) {
      if (IsOp(node, "Cast")) continue;
      EXPECT_EQ(graph.value(node.src[0]).tensor.type, DataType::kF32) << node.name;
    }
  }
}

// 2049 and 2051 are no numbers of f16: rounded after each sum, 2048 + 1 + 1 + 1 stays 2048.
TEST(WidenHalves, KeepsWhatRoundingWouldLose) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1}, DataType::kF16), one = b.Constant(DataType::kF16, {}, {1});
  const Graph graph = b.Finish({b.Node("Add", {b.Node("Add", {b.Node("Add", {x, one}), one}), one})});
  const std::vector<Tensor> inputs = {Halves(DataType::kF16, {1}, {2048})};
  EXPECT_EQ(RunOn(graph, inputs), std::vector<double>{2048});
  EXPECT_EQ(RunOn(Widened(graph), inputs), std::vector<double>{2052});
}

// 2048 + 1 rounds to 2048, which is what a comparison, or the caller who asks for it, sees.
TEST(WidenHalves, StepsAndOutputsSeeRoundedValues) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1}, DataType::kF16), one = b.Constant(DataType::kF16, {}, {1});
  const ValueId sum = b.Node("Add", {x, one});
  const ValueId same = b.Node("Equal", {sum, x});
  const Graph graph = Widened(b.Finish({same, sum}));
  const Result<std::vector<Tensor>> got = Interpret(graph, {Halves(DataType::kF16, {1}, {2048})});
  ASSERT_TRUE(got.ok()) << got.status().message();
  EXPECT_EQ((*got)[0].NumberAt(0), 1);
  EXPECT_EQ((*got)[1].NumberAt(0), 2048);
  EXPECT_EQ((*got)[1].type(), DataType::kF16);
}

TEST(WidenHalves, LeavesMovesAndOtherTypesAlone) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 3}, DataType::kF16), y = b.Input("y", {2, 3});
  const ValueId moved = b.Node("Reshape", {b.Node("Transpose", {x}), b.Ints({6})});
  const Graph graph = Widened(b.Finish({moved, b.Node("Relu", {y}), b.Node("Cast", {x}, {{"to", int64_t{11}}})}));
  EXPECT_EQ(CountOps(graph, "Cast"), 1) << "that of the file";
  EXPECT_EQ(graph.nodes.size(), 4u);
}

// A value that is moved and computed with is widened once, in front of the computation.
TEST(WidenHalves, WidensEachValueOnce) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 3}, DataType::kF16);
  const ValueId y = b.Node("Add", {b.Node("Sigmoid", {x}), b.Node("Tanh", {x})});
  const Graph graph = Widened(b.Finish({y, b.Node("Transpose", {x})}));
  EXPECT_EQ(CountOps(graph, "Cast"), 2);
  EXPECT_EQ(graph.nodes.size(), 6u);
}

TEST(WidenHalves, AllPassesKeepAGraphOfHalvesValid) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 3, 4, 4}, DataType::kF16);
  const ValueId w = b.Constant(DataType::kF16, {4, 3, 3, 3}, std::vector<double>(108, 0.125));
  const ValueId y = b.Node("Relu", {b.Node("Conv", {x, w})});
  Graph graph = b.Finish({b.Node("GlobalAveragePool", {b.Node("Mul", {y, b.Node("Sigmoid", {y})})})});
  const Graph original = graph;
  ASSERT_TRUE(Optimize(graph).ok());
  std::vector<double> values(96);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 0.01 * static_cast<double>(i);
  const std::vector<Tensor> inputs = {Halves(DataType::kF16, {2, 3, 4, 4}, values)};
  const std::vector<double> want = RunOn(original, inputs), got = RunOn(graph, inputs);
  ASSERT_EQ(want.size(), got.size());
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 4e-3 * (1 + std::fabs(want[i])));
}

}  // namespace
}  // namespace moka

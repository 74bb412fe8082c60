#include "graph/passes/rewrite.h"
#include "tests/graph/check_passes.h"

namespace moka {
namespace {

ValueId Swapped(GraphBuilder& b, ValueId x) {
  return b.Node("Transpose", {x}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
}

ValueId Linear(GraphBuilder& b, ValueId x, int64_t in, int64_t out) {
  return b.Node("Add", {b.Node("MatMul", {x, b.Weights({in, out})}), b.Weights({out})});
}

TEST(SwapProducts, MixedTokensAreNotTransposed) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {b.Symbol("n"), 6, 10});
  const ValueId hidden = Linear(b, Swapped(b, b.Node("Softmax", {x})), 6, 7);
  const ValueId erf = b.Node("Erf", {b.Node("Div", {hidden, b.Scalar(1.41421356f)})});
  const ValueId gelu = b.Node("Mul", {b.Node("Mul", {hidden, b.Node("Add", {erf, b.Scalar(1)})}), b.Scalar(0.5f)});
  const ValueId mixed = Swapped(b, Linear(b, gelu, 7, 6));
  const Graph graph = Optimized(b.Finish({b.Node("Softmax", {b.Node("Add", {x, mixed})})}));
  EXPECT_EQ(CountOps(graph, "Transpose"), 0);
  EXPECT_EQ(CountOps(graph, "MatMul"), 2);
  EXPECT_EQ(CountOps(graph, "Elementwise"), 0);
}

TEST(SwapProducts, GatesOfTokensAreNotTransposed) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 6, 10});
  const std::vector<ValueId> halves = b.Nodes("Split", {x, b.Ints({5, 5})}, {{"axis", int64_t{2}}}, 2);
  const ValueId gate = Swapped(b, Linear(b, Swapped(b, b.Node("Softmax", {halves[1]})), 6, 6));
  const Graph graph = Optimized(b.Finish({Linear(b, b.Node("Mul", {halves[0], gate}), 5, 3)}));
  EXPECT_EQ(CountOps(graph, "Transpose"), 0);
}

// Layers over the second dimension of four mix heads, as in CaiT. Returns which axis each Transpose makes the last one.
std::vector<int64_t> LastAxesOfMixedHeads(int64_t heads) {
  const auto mixed = [&](GraphBuilder& b, ValueId x) {
    const ValueId last = b.Node("Transpose", {x}, {{"perm", std::vector<int64_t>{0, 2, 3, 1}}});
    return b.Node("Transpose", {Linear(b, last, heads, heads)}, {{"perm", std::vector<int64_t>{0, 3, 1, 2}}});
  };
  GraphBuilder b;
  const ValueId x = b.Input("x", {b.Symbol("n"), heads, 3, 5});
  const ValueId rows = b.Node("Softmax", {mixed(b, b.Node("Softmax", {x}))});
  const Graph graph = Optimized(b.Finish({b.Node("Softmax", {mixed(b, rows)})}));
  std::vector<int64_t> axes;
  for (const Node& node : graph.nodes) {
    if (IsOp(node, "Transpose")) axes.push_back(node.attrs.Ints("perm", {})->back());
  }
  return axes;
}

TEST(SwapProducts, MixedHeadsLeaveTheLastDimension) {
  EXPECT_EQ(LastAxesOfMixedHeads(4), std::vector<int64_t>(4, 3));
  EXPECT_EQ(LastAxesOfMixedHeads(17), (std::vector<int64_t>{1, 2, 1, 2})) << "many: their panels are full";
}

TEST(SwapProducts, OthersStay) {
  GraphBuilder b;
  const ValueId x = b.Node("Softmax", {b.Input("x", {2, 6, 10})});
  const ValueId t = Swapped(b, x);
  const ValueId one_way = b.Node("Softmax", {Linear(b, t, 6, 4)});
  const ValueId read_twice = Linear(b, t, 6, 4);
  const ValueId other_axes = b.Node("Transpose", {Linear(b, t, 6, 4)}, {{"perm", std::vector<int64_t>{1, 0, 2}}});
  const ValueId by_values = Swapped(b, b.Node("MatMul", {t, b.Node("Softmax", {b.Input("w", {2, 6, 3})})}));
  const Graph graph =
      Optimized(b.Finish({one_way, b.Node("Softmax", {read_twice}), Swapped(b, read_twice), other_axes, by_values}));
  for (const Node& node : graph.nodes) {
    if (node.op->name == std::string("MatMul")) {
      EXPECT_EQ(graph.value(node.src[0]).constant, nullptr);
    }
  }
}

}  // namespace
}  // namespace moka

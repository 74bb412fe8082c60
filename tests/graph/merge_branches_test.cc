#include "tests/graph/check_passes.h"

namespace moka {
namespace {

struct Kernel {
  std::vector<int64_t> size, pads, dilations{1, 1};
  int64_t stride = 1, group = 1;
};

ValueId ConvOf(GraphBuilder& b, ValueId x, const Kernel& kernel, int64_t in, int64_t out) {
  Shape shape = {out, in / kernel.group};
  for (const int64_t k : kernel.size) shape.push_back(k);
  const std::vector<int64_t> strides(kernel.size.size(), kernel.stride);
  return b.Node(
      "Conv", {x, b.Weights(shape, -0.3f, 0.3f), b.Weights({out})},
      {{"group", kernel.group}, {"strides", strides}, {"pads", kernel.pads}, {"dilations", kernel.dilations}});
}

// Of networks that are trained with branches and would be folded by hand before they are shipped.
TEST(MergeBranches, SumsOfBranchesAreOneConvolution) {
  for (const int64_t group : {1, 2, 8}) {
    GraphBuilder b;
    const ValueId x = b.Node("Relu", {b.Input("x", {b.Symbol("n"), 8, 5, 6})});
    ValueId y = b.Node("Add", {b.BatchNorm(b.Conv(x, 8, 8, 1, 1, group), 8), b.BatchNorm(x, 8)});
    for (int i = 0; i < 2; ++i) y = b.Node("Add", {y, b.BatchNorm(b.Conv(x, 8, 8, 3, 1, group), 8)});
    const Graph graph = Optimized(b.Finish({b.Node("Relu", {b.Node("Add", {b.Conv(x, 8, 8, 5, 1, group), y})})}));
    EXPECT_EQ(CountOps(graph, "Conv"), 1) << group;
    EXPECT_EQ(CountOps(graph, "BatchNormalization") + CountOps(graph, "Elementwise"), 1) << group;  // the first Relu
  }
}

TEST(MergeBranches, DifferencesTakeTheScaleThatFollows) {
  GraphBuilder b;
  const ValueId x = b.Node("Relu", {b.Input("x", {2, 6, 5, 5})});
  const ValueId y = b.Node("Sub", {b.BatchNorm(x, 6), b.Conv(x, 6, 6, 3, 1, 6)});
  const Graph graph = Optimized(b.Finish({b.Node("Add", {x, b.Node("Mul", {y, b.Weights({6, 1, 1})})})}));
  EXPECT_EQ(CountOps(graph, "Conv"), 1);
  EXPECT_EQ(CountOps(graph, "BatchNormalization"), 0);
  for (const Node& node : graph.nodes) {
    if (node.op->name == std::string("Conv")) {
      EXPECT_EQ(node.program.num_ops, 1);
    }
  }
}

TEST(MergeBranches, WindowsOfAnyShapeInsideOfOthers) {
  const Kernel wide{{3, 5}, {2, 2, 2, 2}, {2, 1}};
  for (const Kernel& small : {Kernel{{1, 1}, {0, 0, 0, 0}}, Kernel{{2, 3}, {0, 1, 2, 1}, {2, 1}},
                              Kernel{{2, 1}, {2, 0, 0, 0}, {2, 9}}, wide}) {
    GraphBuilder b;
    const ValueId x = b.Input("x", {1, 4, 7, 7});
    const Graph graph = Optimized(b.Finish({b.Node("Add", {ConvOf(b, x, small, 4, 6), ConvOf(b, x, wide, 4, 6)})}));
    EXPECT_EQ(CountOps(graph, "Conv"), 1);
  }
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 4, 9});
  const ValueId inner = ConvOf(b, x, {{3}, {1, 1}, {1}, 2}, 4, 6), outer = ConvOf(b, x, {{7}, {3, 3}, {1}, 2}, 4, 6);
  EXPECT_EQ(CountOps(Optimized(b.Finish({b.Node("Add", {inner, outer})})), "Conv"), 1);
}

TEST(MergeBranches, OthersStay) {
  const Kernel plain{{3, 3}, {1, 1, 1, 1}};
  for (const Kernel& other :
       {Kernel{{1, 3}, {0, 0, 0, 0}}, Kernel{{3, 3}, {2, 2, 2, 2}, {2, 2}}, Kernel{{3, 3}, {1, 1, 1, 1}, {1, 1}, 1, 2},
        Kernel{{5, 5}, {1, 1, 1, 1}}, Kernel{{3, 3}, {2, 0, 0, 2}}, Kernel{{3, 3}, {1, 1, 1, 1}, {1, 1}, 3}}) {
    GraphBuilder b;
    const ValueId x = b.Input("x", {1, 4, 3, 3});
    const ValueId right = ConvOf(b, x, other, 4, 4);
    const Graph graph = Optimized(b.Finish({b.Node("Relu", {b.Node("Add", {ConvOf(b, x, plain, 4, 4), right})})}));
    EXPECT_EQ(CountOps(graph, "Conv"), 2);
  }
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 4, 6, 6}), y = b.Input("y", {1, 4, 6, 6});
  const ValueId of_x = ConvOf(b, x, plain, 4, 4), read_twice = ConvOf(b, x, plain, 4, 4);
  const ValueId other_input = b.Node("Add", {of_x, ConvOf(b, y, plain, 4, 4)});
  const ValueId output = b.Node("Add", {read_twice, ConvOf(b, x, plain, 4, 4)});
  EXPECT_EQ(CountOps(Optimized(b.Finish({other_input, output, read_twice})), "Conv"), 4);
}

}  // namespace
}  // namespace moka

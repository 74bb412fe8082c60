#include "graph/passes/passes.h"

#include <gtest/gtest.h>

#include <random>

#include "base/str_cat.h"
#include "tests/graph/check_passes.h"

namespace moka {
namespace {

const Node& OnlyNode(const Graph& graph) {
  EXPECT_EQ(graph.nodes.size(), 1u);
  return graph.nodes[0];
}

TEST(Passes, FoldsConstantSubgraphs) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 3});
  const ValueId scale = b.Node("Exp", {b.Node("Add", {b.Weights({3}), b.Weights({3})})});
  Graph graph = b.Finish({b.Node("Mul", {x, scale})});
  ASSERT_TRUE(FoldConstants(graph).ok());
  EXPECT_EQ(OnlyNode(graph).op->name, std::string("Mul"));
}

TEST(Passes, ShapeArithmeticDisappearsWithSymbolicDims) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {b.Symbol("n"), 6, 4});
  const ValueId n = b.Node("Gather", {b.Node("Shape", {x}), b.Ints({0})}, {{"axis", int64_t{0}}});
  const ValueId shape = b.Node("Concat", {n, b.Ints({-1})}, {{"axis", int64_t{0}}});
  const Graph graph = b.Finish({b.Node("Relu", {b.Node("Reshape", {x, shape})})});
  const Value& result = graph.value(graph.outputs[0]);
  EXPECT_EQ(result.tensor.dims[0], Dim::Symbol(0));
  EXPECT_EQ(result.tensor.dims[1], Dim(24));
  EXPECT_EQ(Optimized(graph).nodes.size(), 2u);
}

// The places of a box, in the order of the updates.
ValueId Places(GraphBuilder& b, const std::vector<int64_t>& begin, const Shape& size) {
  Shape shape = size;
  shape.push_back(static_cast<int64_t>(size.size()));
  std::vector<double> places;
  int64_t count = 1;
  for (const int64_t n : size) count *= n;
  for (int64_t i = 0; i < count; ++i) {
    int64_t below = count;
    for (size_t d = 0; d < size.size(); ++d) {
      below /= size[d];
      places.push_back(static_cast<double>(begin[d] + i / below % size[d]));
    }
  }
  return b.Constant(DataType::kI64, shape, places);
}

TEST(Passes, ScatteredBoxesAreConcatenated) {
  struct Case {
    std::vector<int64_t> begin;
    Shape size;
    int slices, concats;
  };
  for (const Case& c : {Case{{0, 0, 0}, {3, 4, 5}, 0, 0}, Case{{0, 1, 2}, {3, 3, 2}, 3, 2},
                        Case{{1, 0, 4}, {1, 4, 1}, 3, 2}, Case{{2}, {1}, 1, 1}, Case{{0, 0}, {3, 2}, 1, 1}}) {
    GraphBuilder b;
    const ValueId x = b.Input("x", {3, 4, 5}), data = b.Node("Neg", {x});
    std::vector<Dim> updates;
    for (size_t d = 0; d < 3; ++d)
      updates.push_back(Dim(d < c.size.size() ? c.size[d] : int64_t{3} + static_cast<int64_t>(d)));
    const ValueId y = b.Input("y", updates);
    const Graph graph =
        Optimized(b.Finish({b.Node("Exp", {b.Node("ScatterND", {data, Places(b, c.begin, c.size), y})})}));
    EXPECT_EQ(CountOps(graph, "ScatterND"), 0);
    EXPECT_EQ(CountOps(graph, "Slice"), c.slices);
    EXPECT_EQ(CountOps(graph, "Concat"), c.concats);
  }
}

TEST(Passes, OtherPlacesAreScattered) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {3, 4}), y = b.Input("y", {2, 4});
  const ValueId swapped = b.Constant(DataType::kI64, {2, 1}, {1, 0}),
                last = b.Constant(DataType::kI64, {2, 1}, {-2, -1});
  const ValueId added = b.Node("ScatterND", {x, Places(b, {0}, {2}), y}, {{"reduction", std::string("add")}});
  Graph graph = b.Finish({b.Node("ScatterND", {x, swapped, y}), b.Node("ScatterND", {x, last, y}), added});
  EXPECT_EQ(CountOps(Optimized(graph), "ScatterND"), 3);
}

TEST(Passes, ConstantOutputsBecomeCopies) {
  GraphBuilder b;
  b.Input("x", {2, 3});
  const ValueId y = b.Node("Add", {b.Weights({4}), b.Weights({4})});
  const Graph graph = Optimized(b.Finish({y, b.Node("Shape", {0})}));
  EXPECT_EQ(CountOps(graph, "Copy"), 2);
  EXPECT_EQ(graph.nodes.size(), 2u);
  for (const ValueId id : graph.outputs) EXPECT_EQ(graph.value(id).constant, nullptr);
}

TEST(Passes, NoOpsGoButOutputsStay) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 3});
  const ValueId y = b.Node("Identity", {b.Node("Reshape", {b.Node("Relu", {x}), b.Ints({2, 3})})});
  const ValueId z = b.Node("Identity", {x});
  const Graph graph = Optimized(b.Finish({y, z}));
  EXPECT_EQ(CountOps(graph, "Reshape"), 0);
  EXPECT_EQ(CountOps(graph, "Identity"), 1);  // of an input: the output needs somebody to write it
  EXPECT_EQ(graph.outputs[0], y);
}

TEST(Passes, ConcatenationsThatBeginAlikeNest) {
  GraphBuilder b;
  std::vector<ValueId> parts;
  for (int i = 0; i < 4; ++i) parts.push_back(b.Node("Relu", {b.Input(StrCat("x", i), {2, 3 + i, 5})}));
  const auto concat = [&](size_t count, int64_t axis) {
    return b.Node("Concat", {parts.begin(), parts.begin() + static_cast<ptrdiff_t>(count)}, {{"axis", axis}});
  };
  const ValueId two = concat(2, 1), three = concat(3, -2), four = concat(4, 1);
  const ValueId other = b.Node("Concat", {parts[1], parts[0], parts[2]}, {{"axis", int64_t{1}}});
  Graph graph = b.Finish({two, three, four, other});
  ASSERT_TRUE(NestConcats(graph).ok());
  std::vector<std::vector<ValueId>> sources;
  for (const Node& node : graph.nodes) {
    if (node.op->name == std::string("Concat")) sources.push_back(node.src);
  }
  const std::vector<std::vector<ValueId>> nested = {
      {parts[0], parts[1]}, {two, parts[2]}, {three, parts[3]}, {parts[1], parts[0], parts[2]}};
  EXPECT_EQ(sources, nested);
}

TEST(Passes, CommonNodesMergeOnlyWhenAttributesAgree) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 3});
  const ValueId a = b.Node("LeakyRelu", {x}, {{"alpha", 0.1f}}), c = b.Node("LeakyRelu", {x}, {{"alpha", 0.1f}});
  const ValueId d = b.Node("LeakyRelu", {x}, {{"alpha", 0.2f}});
  Graph graph = b.Finish({b.Node("Softmax", {b.Node("Add", {b.Node("Add", {a, c}), d})})});
  ASSERT_TRUE(MergeCommonNodes(graph).ok());
  EXPECT_EQ(CountOps(graph, "LeakyRelu"), 2);
}

TEST(Passes, TransposesMergeAndCancel) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 3, 4});
  const auto transpose = [&](ValueId v, std::vector<int64_t> perm) {
    return b.Node("Transpose", {v}, {{"perm", std::move(perm)}});
  };
  const ValueId back = transpose(transpose(x, {1, 2, 0}), {2, 0, 1});
  const ValueId merged = transpose(transpose(x, {1, 0, 2}), {0, 2, 1});
  const Graph graph = Optimized(b.Finish({b.Node("Relu", {back}), b.Node("Softmax", {merged})}));
  EXPECT_EQ(CountOps(graph, "Transpose"), 1);
}

TEST(Passes, ConvTakesPadBatchNormReluAndResidual) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {b.Symbol("n"), 4, 6, 6});
  const ValueId padded = b.Node("Pad", {x, b.Ints({0, 0, 1, 0, 0, 0, 1, 2})});
  const ValueId y = b.BatchNorm(b.Conv(padded, 4, 4, 3, 1, 1, true), 4);
  const ValueId skip = b.Node("Softmax", {x}, {{"axis", int64_t{1}}});
  const ValueId wide = b.Node("Pad", {skip, b.Ints({0, 0, 1, 0, 0, 0, 1, 2})});
  const Graph graph = Optimized(b.Finish({b.Node("Relu", {b.Node("Add", {y, wide})})}));
  ASSERT_EQ(CountOps(graph, "Conv"), 1);
  EXPECT_EQ(CountOps(graph, "Pad"), 1);
  EXPECT_EQ(CountOps(graph, "BatchNormalization"), 0);
  EXPECT_EQ(CountOps(graph, "Elementwise"), 0);
  for (const Node& node : graph.nodes) {
    if (node.op->name != std::string("Conv")) continue;
    EXPECT_EQ(node.program.num_ops, 2);
    EXPECT_EQ(node.program_begin, 3);
    EXPECT_EQ(node.src.size(), 4u);
    EXPECT_EQ(node.fused.size(), 5u);
    EXPECT_EQ(*node.attrs.Ints("pads", {}), (std::vector<int64_t>{2, 1, 2, 3}));
  }
}

TEST(Passes, ConvTakesScalesAndShiftsOfItsChannels) {
  GraphBuilder b;
  ValueId y = b.Conv(b.Input("x", {2, 3, 5, 5}), 3, 4, 3);
  y = b.Node("Add", {b.Weights({4, 1, 1}), y});
  y = b.Node("Div", {y, b.Scalar(2)});
  y = b.Node("Sub", {b.Weights({1, 4, 1, 1}), y});
  y = b.BatchNorm(b.Node("Mul", {y, b.Weights({1})}), 4);
  const Graph graph = Optimized(b.Finish({b.Node("Softmax", {b.Node("Add", {y, b.Weights({5})})})}));
  ASSERT_EQ(CountOps(graph, "Conv"), 1);
  EXPECT_EQ(graph.nodes[1].program.num_ops, 1);  // a row of numbers is not one number per channel
  EXPECT_EQ(CountOps(graph, "Elementwise"), 0);
}

TEST(Passes, ConvTransposeTakesBatchNormAndRelu) {
  for (const int64_t group : {1, 2}) {
    GraphBuilder b;
    const ValueId x = b.Input("x", {2, 4, 5, 5});
    const ValueId y = b.Node("ConvTranspose", {x, b.Weights({4, 3, 2, 2}), b.Weights({3 * group})},
                             {{"strides", std::vector<int64_t>{2, 2}}, {"group", group}});
    const Graph graph = Optimized(b.Finish({b.Node("Relu", {b.BatchNorm(y, 3 * group)})}));
    EXPECT_EQ(CountOps(graph, "BatchNormalization") + CountOps(graph, "Elementwise"), 0);
    for (const Node& node : graph.nodes) {
      if (node.op->name != std::string("ConvTranspose")) continue;
      EXPECT_EQ(node.program.num_ops, 1);
    }
  }
}

TEST(Passes, FoldingKeepsToItsBudget) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1});
  const ValueId large = b.Node("MatMul", {b.Weights({2000, 1000}), b.Weights({1000, 2000})});  // 8e9 operations
  Graph graph = b.Finish({b.Node("Add", {x, large})});
  ASSERT_TRUE(FoldConstants(graph).ok());
  EXPECT_EQ(graph.nodes.size(), 2u);
}

TEST(Passes, BatchNormAloneIsOneMulAdd) {
  GraphBuilder b;
  const Graph graph = Optimized(b.Finish({b.Node("Relu", {b.BatchNorm(b.Input("x", {2, 3, 4, 4}), 3)})}));
  const Node& node = OnlyNode(graph);
  ASSERT_EQ(node.program.num_ops, 2);
  EXPECT_EQ(node.program.ops[0].op, MicroOp::kMulAdd);
}

TEST(Passes, ActivationsOfSeveralReadsFuseIntoTheConv) {
  for (const char* gate : {"Sigmoid", "HardSigmoid"}) {
    GraphBuilder b;
    const ValueId y = b.Conv(b.Input("x", {1, 3, 5, 5}), 3, 8, 3);
    const ValueId gated = b.Node("Mul", {b.Node(gate, {y}), y});
    const Graph graph = Optimized(b.Finish({gated}));
    EXPECT_EQ(CountOps(graph, "Conv"), 1);
    EXPECT_EQ(CountOps(graph, "Elementwise"), 0) << gate;
  }
}

TEST(Passes, GeluAfterMatMulIsOneOperation) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {b.Symbol("n"), 5, 8});
  const ValueId y = b.Node("Add", {b.Node("MatMul", {x, b.Weights({8, 16})}), b.Weights({16})});
  const ValueId erf = b.Node("Erf", {b.Node("Div", {y, b.Scalar(1.41421356f)})});
  const ValueId gelu = b.Node("Mul", {b.Node("Mul", {y, b.Node("Add", {erf, b.Scalar(1)})}), b.Scalar(0.5f)});
  const Graph graph = Optimized(b.Finish({gelu}));
  // y is read twice, so adding the bias and the activation are two programs; both are epilogues or one is alone.
  EXPECT_LE(graph.nodes.size(), 2u);
  int gelus = 0;
  for (const Node& node : graph.nodes) {
    for (int i = 0; i < node.program.num_ops; ++i) gelus += node.program.ops[i].op == MicroOp::kGelu ? 1 : 0;
  }
  EXPECT_EQ(gelus, 1);
}

TEST(Passes, ValuesThatAreOutputsStay) {
  GraphBuilder b;
  const ValueId conv = b.Conv(b.Input("x", {1, 3, 5, 5}), 3, 8, 3);
  const ValueId relu = b.Node("Relu", {conv});
  const ValueId tanh = b.Node("Tanh", {relu});
  const Graph graph = Optimized(b.Finish({tanh, conv, relu}));
  EXPECT_EQ(CountOps(graph, "Elementwise"), 2);
}

TEST(Passes, IntegerExponentsBecomeFloats) {
  GraphBuilder b;
  const ValueId x = b.Node("Exp", {b.Input("x", {2, 5})});
  const ValueId three = b.Constant(DataType::kI64, {}, {3});
  const ValueId each = b.Node("Cast", {b.Input("n", {5})}, {{"to", int64_t{6}}});
  const Graph graph = Optimized(b.Finish({b.Node("Pow", {b.Node("Pow", {x, three}), each})}));
  EXPECT_EQ(CountOps(graph, "Pow"), 0);
  EXPECT_EQ(CountOps(graph, "Elementwise"), 1);
}

TEST(Passes, IntegerElementwiseStaysAnOperator) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {4});
  const ValueId i = b.Node("Cast", {x}, {{"to", int64_t{7}}});
  const Graph graph = Optimized(b.Finish({b.Node("Div", {i, b.Node("Sub", {i, i})})}));
  EXPECT_EQ(CountOps(graph, "Div"), 1);
  EXPECT_EQ(CountOps(graph, "Elementwise"), 0);
}

TEST(Layout, ResidualNetworkCopiesItsInputOnly) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {b.Symbol("n"), 3, b.Symbol("h"), b.Symbol("w")});
  ValueId y = b.ConvBnRelu(x, 3, 8, 3, 2);
  y = b.Node("MaxPool", {y},
             {{"kernel_shape", std::vector<int64_t>{3, 3}},
              {"strides", std::vector<int64_t>{2, 2}},
              {"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  for (int block = 0; block < 3; ++block) {
    const int64_t in = block == 2 ? 8 : 8, out = block == 2 ? 16 : 8, stride = block == 2 ? 2 : 1;
    const ValueId inner = b.BatchNorm(b.Conv(b.ConvBnRelu(y, in, out, 3, stride), out, out, 3), out);
    const ValueId skip = block == 2 ? b.BatchNorm(b.Conv(y, in, out, 1, stride), out) : y;
    y = b.Node("Relu", {b.Node("Add", {inner, skip})});
  }
  y = b.Node("Flatten", {b.Node("GlobalAveragePool", {y})}, {{"axis", int64_t{1}}});
  y = b.Node("Gemm", {y, b.Weights({10, 16}), b.Weights({10})}, {{"transB", int64_t{1}}});
  const Graph original = b.Finish({y});
  Graph graph = original;
  ASSERT_TRUE(Optimize(graph).ok());
  ExpectSameResults(original, graph, "resnet");
  EXPECT_EQ(CountOps(graph, "Copy"), 1);
  EXPECT_EQ(CountOps(graph, "Elementwise"), 0);
  EXPECT_EQ(CountOps(graph, "BatchNormalization"), 0);
  EXPECT_EQ(CountOps(graph, "Conv"), 8);
}

TEST(Layout, InvertedResidualsAndSqueezeExciteCopyTheInputOnly) {
  GraphBuilder b;
  ValueId y = b.ConvBnRelu(b.Input("x", {1, 3, 12, 12}), 3, 8, 3, 2);
  for (int block = 0; block < 2; ++block) {
    ValueId inner = b.BatchNorm(b.Conv(y, 8, 24, 1), 24);
    inner = b.Node("Clip", {inner, b.Scalar(0), b.Scalar(6)});
    inner = b.BatchNorm(b.Conv(inner, 24, 24, 3, 1, 24), 24);
    inner = b.Node("HardSwish", {inner});
    ValueId squeeze = b.Node("Relu", {b.Conv(b.Node("GlobalAveragePool", {inner}), 24, 6, 1, 1, 1, true)});
    squeeze = b.Node("HardSigmoid", {b.Conv(squeeze, 6, 24, 1, 1, 1, true)});
    inner = b.Node("Mul", {inner, squeeze});
    y = b.Node("Add", {y, b.BatchNorm(b.Conv(inner, 24, 8, 1), 8)});
  }
  const Graph original = b.Finish({b.Node("Flatten", {b.Node("GlobalAveragePool", {y})})});
  const Graph graph = Optimized(original);
  EXPECT_EQ(CountOps(graph, "Copy"), 1);
  EXPECT_EQ(CountOps(graph, "Elementwise"), 2);  // the products with the gates
}

TEST(Layout, DecodersThatResizeCopyTheInputOnly) {
  GraphBuilder b;
  const ValueId top = b.ConvBnRelu(b.Input("x", {1, 3, 8, 8}), 3, 8, 3);
  ValueId y = b.ConvBnRelu(top, 8, 16, 3, 2);
  y = b.Node("Resize", {y, kNoValue, kNoValue, b.Ints({1, 16, 8, 8})}, {{"mode", std::string("linear")}});
  y = b.ConvBnRelu(b.Node("Concat", {y, top}, {{"axis", int64_t{1}}}), 24, 16, 3, 2);
  y = b.Node("Relu",
             {b.Node("ConvTranspose", {y, b.Weights({16, 8, 2, 2})}, {{"strides", std::vector<int64_t>{2, 2}}})});
  y = b.ConvBnRelu(b.Node("DepthToSpace", {y}, {{"blocksize", int64_t{2}}}), 2, 4, 3);
  const Graph original = b.Finish({b.Node("Flatten", {b.Node("GlobalAveragePool", {y})})});
  const Graph graph = Optimized(original);
  EXPECT_EQ(CountOps(graph, "Copy"), 1);
  EXPECT_EQ(CountOps(graph, "Elementwise"), 0);
}

TEST(Layout, TokensOfAPatchEmbeddingNeedNoCopy) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {b.Symbol("n"), 3, 8, 8});
  ValueId y = b.Node("Conv", {x, b.Weights({16, 3, 4, 4})}, {{"strides", std::vector<int64_t>{4, 4}}});
  y = b.Node("Transpose", {b.Node("Reshape", {y, b.Ints({0, 16, -1})})}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
  y = b.Node("Add", {y, b.Weights({1, 4, 16})});
  for (int block = 0; block < 2; ++block) {
    const auto heads = [&](std::vector<int64_t> perm) {
      const ValueId projected = b.Node("MatMul", {y, b.Weights({16, 16}, -0.3f, 0.3f)});
      return b.Node("Transpose", {b.Node("Reshape", {projected, b.Ints({0, 0, 4, 4})})}, {{"perm", std::move(perm)}});
    };
    const ValueId q = heads({0, 2, 1, 3}), k = heads({0, 2, 3, 1}), v = heads({0, 2, 1, 3});
    const ValueId scores = b.Node("Mul", {b.Node("MatMul", {q, k}), b.Scalar(0.5f)});
    ValueId mixed = b.Node("MatMul", {b.Node("Softmax", {scores}, {{"axis", int64_t{-1}}}), v});
    mixed = b.Node("Transpose", {mixed}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
    mixed = b.Node("Reshape", {mixed, b.Ints({0, 0, 16})});
    y = b.Node("Add", {y, b.Node("MatMul", {mixed, b.Weights({16, 16}, -0.3f, 0.3f)})});
  }
  const Graph original = b.Finish({y});
  Graph graph = original;
  ASSERT_TRUE(Optimize(graph).ok());
  ExpectSameResults(original, graph, "vit");
  EXPECT_EQ(CountOps(graph, "Copy"), 1);  // of the image
}

TEST(Layout, ChannelShuffleNeedsNoCopyNodes) {
  GraphBuilder b;
  ValueId y = b.ConvBnRelu(b.Input("x", {1, 3, 8, 8}), 3, 16, 3);
  for (int block = 0; block < 2; ++block) {
    const std::vector<ValueId> halves = b.Nodes("Split", {y, b.Ints({8, 8})}, {{"axis", int64_t{1}}}, 2);
    const ValueId right = b.ConvBnRelu(halves[1], 8, 8, 1);
    y = b.Node("Concat", {halves[0], right}, {{"axis", int64_t{1}}});
    y = b.Node("Reshape", {y, b.Ints({1, 2, 8, 8, 8})});
    y = b.Node("Transpose", {y}, {{"perm", std::vector<int64_t>{0, 2, 1, 3, 4}}});
    y = b.Node("Reshape", {y, b.Ints({1, 16, 8, 8})});
  }
  y = b.ConvBnRelu(y, 16, 16, 1);
  const Graph original = b.Finish({b.Node("GlobalAveragePool", {y})});
  const Graph graph = Optimized(original);
  EXPECT_EQ(CountOps(graph, "Copy"), 2);  // the image and the output of rank 4
}

// Dynamic quantization: the sums stay where the convolution leaves them until they are floats.
TEST(Layout, SumsOfBytesAreImagesToo) {
  GraphBuilder b;
  const ValueId x = b.Node("Cast", {b.Input("x", {1, 4, 6, 6})}, {{"to", int64_t{2}}});
  const ValueId w = b.Constant(DataType::kI8, {8, 4, 1, 1}, std::vector<double>(32, 1));
  const ValueId sums = b.Node("ConvInteger", {x, w});
  const ValueId floats = b.Node("Relu", {b.Node("Cast", {sums}, {{"to", int64_t{1}}})});
  const Graph graph = Optimized(b.Finish({b.Conv(floats, 8, 8, 3)}));
  EXPECT_EQ(graph.value(sums).format, Format::kChannelsLast);
  EXPECT_EQ(CountOps(graph, "Copy"), 2);  // of the input and of the output
}

TEST(Layout, ImageOutputsAndSharedReadersGetOneCopyEach) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 3, 8, 8});
  const ValueId y = b.ConvBnRelu(x, 3, 4, 3), z = b.ConvBnRelu(x, 3, 4, 3);
  const ValueId product = b.Node("MatMul", {y, z});
  const ValueId sum = b.Node("Add", {b.Node("MatMul", {y, y}), product});
  const Graph original = b.Finish({sum, b.Conv(y, 4, 2, 1), y});
  const Graph graph = Optimized(original);
  // x once for two readers; y (output and products share it) and z to row-major; the other output.
  EXPECT_EQ(CountOps(graph, "Copy"), 4);
}

TEST(Layout, BroadcastImageConstantsLieLikeTheResult) {
  GraphBuilder b;
  const ValueId y = b.Node("Softmax", {b.Conv(b.Input("x", {2, 3, 6, 5}), 3, 4, 3)}, {{"axis", int64_t{1}}});
  const ValueId z = b.Node("Mul", {y, b.Weights({4, 6, 5})});
  const Graph graph = Optimized(b.Finish({b.Node("GlobalAveragePool", {z})}));
  int aligned = 0;
  for (const Value& value : graph.values) {
    aligned += value.constant != nullptr && value.format == Format::kChannelsLast ? 1 : 0;
  }
  EXPECT_EQ(aligned, 1);
}

// Random graphs of convolutions, elementwise operators, pooling, transposes, reshapes and concatenation.
Graph RandomGraph(uint32_t seed) {
  std::mt19937 rng(seed);
  const auto pick = [&](size_t n) { return rng() % n; };
  GraphBuilder b;
  const Dim n = b.Symbol("n");
  std::vector<ValueId> images = {b.Input("x", {n, 4, 6, 6}), b.Input("y", {n, 4, 6, 6})};  // all of this shape
  std::vector<ValueId> tokens;                                                             // [n, 36, 4]
  for (int i = 0; i < 14; ++i) {
    const ValueId a = images[images.size() - 1 - pick(std::min<size_t>(3, images.size()))];
    const ValueId c = images[pick(images.size())];
    constexpr const char* kUnary[] = {"Relu", "Sigmoid", "Tanh", "HardSwish", "LeakyRelu", "HardSigmoid"};
    constexpr const char* kBinary[] = {"Add", "Sub", "Mul", "Max", "Min"};
    switch (pick(11)) {
      case 0:
        images.push_back(b.Conv(a, 4, 4, 3, 1, pick(2) ? 1 : 4, pick(2) == 0));
        break;
      case 1:
        images.push_back(b.BatchNorm(pick(2) ? b.Conv(a, 4, 4, 1) : a, 4));
        break;
      case 2:
      case 3:
        images.push_back(b.Node(kUnary[pick(6)], {a}));
        break;
      case 4:
      case 5:
        images.push_back(b.Node(kBinary[pick(5)], {a, c}));
        break;
      case 6:
        images.push_back(b.Node("Clip", {a, b.Scalar(-0.5f), b.Scalar(1)}));
        break;
      case 7:
        images.push_back(b.Node("Mul", {a, b.Node("Sigmoid", {b.Node("GlobalAveragePool", {c})})}));
        break;
      case 8:
        images.push_back(b.Node("Add", {a, b.Weights(pick(2) ? Shape{4, 6, 6} : Shape{4, 1, 1})}));
        break;
      case 9: {
        const ValueId t = b.Node("Transpose", {b.Node("Reshape", {a, b.Ints({0, 4, 36})})},
                                 {{"perm", std::vector<int64_t>{0, 2, 1}}});
        tokens.push_back(b.Node("MatMul", {t, b.Weights({4, 4})}));
        break;
      }
      default: {
        if (tokens.empty()) break;
        const ValueId t = b.Node("Transpose", {tokens.back()}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
        images.push_back(b.Node("Reshape", {t, b.Ints({0, 4, 6, 6})}));
      }
    }
  }
  std::vector<ValueId> outputs = {images.back()};
  if (!tokens.empty()) outputs.push_back(tokens.back());
  const ValueId middle = images[images.size() / 2];
  if (middle != outputs[0] && middle > 1) outputs.push_back(middle);
  return b.Finish(outputs);
}

TEST(Passes, RandomGraphsComputeTheSameAfterEveryPass) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Optimized(RandomGraph(seed));
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace moka

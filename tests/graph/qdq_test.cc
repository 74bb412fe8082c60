// Graphs in QDQ form become operators on bytes that compute the same, within a step of the last quantization.
#include <gtest/gtest.h>

#include <cstdlib>

#include "graph/passes/passes.h"
#include "tests/graph/graph_builder.h"
#include "tests/graph/interpreter.h"

namespace moka {
namespace {

constexpr DataType kU8 = DataType::kU8, kI8 = DataType::kI8;

// A graph builder that quantizes.
class Builder : public GraphBuilder {
 public:
  explicit Builder(DataType type) : type_(type), zero_(type == kU8 ? 128 : 0) {}

  ValueId Quantize(ValueId x, float scale, double shift = 0) {
    return Node("QuantizeLinear", {x, Scalar(scale), Constant(type_, {}, {zero_ + shift})});
  }
  ValueId Dequantize(ValueId x, float scale, double shift = 0) {
    return Node("DequantizeLinear", {x, Scalar(scale), Constant(type_, {}, {zero_ + shift})});
  }
  ValueId Through(ValueId x, float scale, double shift = 0) {
    return Dequantize(Quantize(x, scale, shift), scale, shift);
  }

  // Weights in i8 with a scale for each output.
  ValueId ByteWeights(const Shape& shape) {
    int64_t count = 1;
    for (const int64_t dim : shape) count *= dim;
    std::vector<double> values, scales, zeros;
    for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<double>((i * 37 + 11) % 255 - 127));
    for (int64_t i = 0; i < shape[0]; ++i) {
      scales.push_back(0.002 + 0.0003 * static_cast<double>(i % 5));
      zeros.push_back(0);
    }
    return Node(
        "DequantizeLinear",
        {Constant(kI8, shape, values), Constant(DataType::kF32, {shape[0]}, scales), Constant(kI8, {shape[0]}, zeros)},
        {{"axis", int64_t{0}}});
  }
  ValueId ByteConv(ValueId x, int64_t in, int64_t out, int64_t kernel, int64_t group = 1, ValueId bias = kNoValue) {
    const int64_t pad = kernel / 2;
    return Node("Conv", {x, ByteWeights({out, in / group, kernel, kernel}), bias},
                {{"group", group}, {"pads", std::vector<int64_t>{pad, pad, pad, pad}}});
  }

 private:
  DataType type_;
  double zero_;
};

class QdqTest : public testing::TestWithParam<DataType> {
 protected:
  // Runs both; results may differ by `steps` of size `step`. Returns the fused graph.
  static Graph Fused(const Graph& original, float step, int steps = 1) {
    Graph graph = original;
    const Status status = FuseQuantized(graph);
    EXPECT_TRUE(status.ok()) << status.message();
    const Status valid = SortAndCheck(graph);
    EXPECT_TRUE(valid.ok()) << valid.message();
    const std::vector<Tensor> inputs = RandomInputs(original, 5, 3);
    const auto want = Interpret(original, inputs), got = Interpret(graph, inputs);
    EXPECT_TRUE(want.ok() && got.ok()) << want.status().message() << got.status().message();
    if (!want.ok() || !got.ok()) return graph;
    float spread = 0;
    for (int64_t i = 0; i < (*want)[0].size(); ++i) {
      const float a = (*want)[0].as<float>()[i], b = (*got)[0].as<float>()[i];
      EXPECT_LE(std::abs(a - b), 1.001f * step * static_cast<float>(steps)) << "element " << i;
      spread = std::max(spread, std::abs(a - (*want)[0].as<float>()[0]));
    }
    EXPECT_GT(spread, 3 * step) << "a result that says nothing";
    return graph;
  }
  static bool IsDequantize(const Node& node) { return node.op->name == std::string_view("DequantizeLinear"); }
  // Nothing but the first and the last operator works on floats.
  static void ExpectOnlyBytesInside(const Graph& graph) {
    EXPECT_EQ(CountOps(graph, "QuantizeLinear"), 1);
    EXPECT_EQ(CountOps(graph, "DequantizeLinear"), 1);
    for (const Node& node : graph.nodes) {
      const DataType type = graph.value(node.dst[0]).tensor.type;
      EXPECT_TRUE(type == kU8 || type == kI8 || IsDequantize(node)) << node.name;
    }
  }
};

TEST_P(QdqTest, ConvolutionsWithBiasAndBounds) {
  Builder b(GetParam());
  const ValueId x = b.Through(b.Input("x", {2, 6, 7, 5}), 0.02f, 5);
  const ValueId bias = b.Weights({9});
  const ValueId y = b.Through(b.Node("Relu", {b.ByteConv(x, 6, 9, 3, 1, bias)}), 0.03f, -20);
  const ValueId z = b.Through(b.Node("Clip", {b.ByteConv(y, 9, 9, 3, 9), b.Scalar(-0.5f), b.Scalar(0.4f)}), 0.01f);
  const Graph graph = Fused(b.Finish({z}), 0.01f);
  EXPECT_EQ(CountOps(graph, "QLinearConv"), 2);
  EXPECT_EQ(CountOps(graph, "Relu") + CountOps(graph, "Clip"), 0);
  ExpectOnlyBytesInside(graph);
}

TEST_P(QdqTest, ResidualBlocks) {
  Builder b(GetParam());
  ValueId x = b.Through(b.Input("x", {1, 8, 6, 6}), 0.02f);
  for (int i = 0; i < 2; ++i) {
    const ValueId left = b.Through(b.ByteConv(x, 8, 8, 3), 0.03f, 2), right = b.Through(b.ByteConv(x, 8, 8, 1), 0.02f);
    x = b.Through(b.Node("Relu", {b.Node("Add", {i == 0 ? left : x, i == 0 ? x : right})}), 0.03f);
  }
  const Graph graph = Fused(b.Finish({x}), 0.03f, 2);
  EXPECT_EQ(CountOps(graph, "QLinearAdd"), 0) << "a sum of its own";
  EXPECT_EQ(CountOps(graph, "QLinearConv"), 2);
  ExpectOnlyBytesInside(graph);
}

TEST_P(QdqTest, ProductsSumsAndPools) {
  Builder b(GetParam());
  const ValueId x = b.Through(b.Input("x", {2, 6, 8, 8}), 0.02f);
  const ValueId pooled = b.Through(b.Node("MaxPool", {x}, {{"kernel_shape", std::vector<int64_t>{2, 2}}}), 0.02f);
  const ValueId sum = b.Through(b.Node("Add", {pooled, b.Through(b.Node("Sigmoid", {pooled}), 0.008f)}), 0.025f);
  const ValueId gate = b.Through(b.Node("GlobalAveragePool", {sum}), 0.01f, 4);
  const ValueId scaled = b.Through(b.Node("Mul", {sum, gate}), 0.01f);
  const ValueId joined = b.Through(b.Node("Concat", {scaled, sum}, {{"axis", int64_t{1}}}), 0.02f);
  const Graph graph = Fused(b.Finish({joined}), 0.02f, 2);
  EXPECT_EQ(CountOps(graph, "QLinearAdd"), 1);
  EXPECT_EQ(CountOps(graph, "QLinearMul"), 1);
  EXPECT_EQ(CountOps(graph, "QLinearGlobalAveragePool"), 1);
  EXPECT_EQ(CountOps(graph, "Lookup"), 3);  // Sigmoid, and both parts of the Concat
  ExpectOnlyBytesInside(graph);
}

TEST_P(QdqTest, MatricesAndTheirFloatResults) {
  Builder b(GetParam());
  const ValueId x = b.Through(b.Input("x", {3, 2, 11}), 0.02f);
  const ValueId flat = b.Through(b.Node("Flatten", {x}), 0.02f);
  const ValueId hidden =
      b.Through(b.Node("Gemm", {flat, b.ByteWeights({10, 22}), b.Weights({10})}, {{"transB", int64_t{1}}}), 0.03f);
  const ValueId bent = b.Through(b.Node("LeakyRelu", {hidden}, {{"alpha", 0.2f}}), 0.03f);
  const ValueId y = b.Node("Gemm", {bent, b.ByteWeights({4, 10})}, {{"transB", int64_t{1}}});
  const Graph graph = Fused(b.Finish({y}), 0.01f, 2);
  EXPECT_EQ(CountOps(graph, "QGemm"), 2);
  EXPECT_EQ(CountOps(graph, "Lookup"), 1);
  EXPECT_EQ(CountOps(graph, "Gemm") + CountOps(graph, "DequantizeLinear"), 0);
}

// As many rows as columns: only the shape says which of them has a bias of its own.
TEST_P(QdqTest, ABiasOfRowsIsNoneOfColumns) {
  for (const bool rows : {false, true}) {
    Builder b(GetParam());
    const ValueId x = b.Through(b.Input("x", {4, 6}), 0.02f);
    const ValueId bias = b.Weights(rows ? Shape{4, 1} : Shape{1, 4});
    const ValueId y = b.Through(b.Node("Gemm", {x, b.ByteWeights({4, 6}), bias}, {{"transB", int64_t{1}}}), 0.02f);
    const Graph graph = Fused(b.Finish({y}), 0.02f);
    EXPECT_EQ(CountOps(graph, "QGemm"), rows ? 0 : 1);
  }
}

// A factor of [1, 1, 1, 1] maps elements as a number does.
TEST_P(QdqTest, ScalarsMayHaveDimensions) {
  for (const size_t rank : {0, 1, 4}) {
    Builder b(GetParam());
    const ValueId x = b.Through(b.Input("x", {1, 3, 4, 4}), 0.02f);
    const ValueId y = b.Through(b.Node("Mul", {x, b.Constant(DataType::kF32, Shape(rank, 1), {0.5})}), 0.01f);
    const Graph graph = Fused(b.Finish({y}), 0.01f);
    EXPECT_EQ(CountOps(graph, "Lookup"), 1);
    EXPECT_EQ(CountOps(graph, "Mul"), 0);
  }
}

TEST_P(QdqTest, KeepsWhatOthersRead) {
  Builder b(GetParam());
  const ValueId x = b.Through(b.Input("x", {1, 6, 5, 5}), 0.02f);
  const ValueId conv = b.ByteConv(x, 6, 7, 3);
  const Graph graph = Fused(b.Finish({b.Through(conv, 0.03f), conv}), 0.03f);
  EXPECT_EQ(CountOps(graph, "Conv"), 1);
}

INSTANTIATE_TEST_SUITE_P(Types, QdqTest, testing::Values(kU8, kI8),
                         [](const auto& info) { return std::string(NameOf(info.param)); });

}  // namespace
}  // namespace moka

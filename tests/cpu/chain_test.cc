// Chains on the CPU: strip by strip through rings gives the bits of layer by layer, on every target, for any number of
// workers.
#include <gtest/gtest.h>

#include <algorithm>

#include "graph/passes/passes.h"
#include "tests/cpu/chain_runner.h"
#include "tests/graph/graph_builder.h"

namespace moka {
namespace {

std::vector<float> RandomInput(const Graph& graph) {
  int64_t count = 1;
  for (const Dim& dim : graph.value(graph.inputs[0]).declared_dims) count *= dim.constant();
  std::mt19937 rng(5);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = normal(rng);
  return values;
}

// Every target, 1, 2, 3 and 7 workers. With one worker there must be a chain that runs kernels of these families, one
// after the other.
void ExpectSameBits(const Graph& graph, uint64_t cache, const std::vector<std::string>& families) {
  const std::vector<float> input = RandomInput(graph);
  auto specialization = std::make_shared<Specialization>();
  specialization->graph = graph;
  ASSERT_TRUE(Optimize(specialization->graph).ok());
  for (const std::string& target : cpu::SimdTargets()) {
    const auto whole = test::RunChains(specialization, input, {target, 0, 1});
    ASSERT_TRUE(whole.ok()) << whole.status().message();
    ASSERT_TRUE(whole->chains.empty());
    for (const int workers : {1, 2, 3, 7}) {
      const auto strips = test::RunChains(specialization, input, {target, cache, workers});
      ASSERT_TRUE(strips.ok()) << strips.status().message();
      if (workers == 1) {
        const auto of_family = [](const std::string& kernel, const std::string& family) {
          return kernel.find(family) != std::string::npos;
        };
        EXPECT_TRUE(std::any_of(strips->chains.begin(), strips->chains.end(), [&](const auto& kernels) {
          return std::search(kernels.begin(), kernels.end(), families.begin(), families.end(), of_family) !=
                 kernels.end();
        })) << target;
      }
      ASSERT_EQ(whole->outputs.size(), strips->outputs.size());
      for (size_t i = 0; i < whole->outputs.size(); ++i) {
        EXPECT_TRUE(test::SameBits(whole->outputs[i], strips->outputs[i]))
            << target << ", " << workers << " workers, output " << i;
      }
    }
  }
}

// Pointwise to `hidden`, depthwise, pointwise back, a residual where it fits.
ValueId InvertedResidual(GraphBuilder& b, ValueId x, int64_t in, int64_t hidden, int64_t out, int64_t kernel,
                         int64_t stride, const char* activation) {
  const ValueId wide = b.Node(activation, {b.Conv(x, in, hidden, 1, 1, 1, true)});
  const ValueId filtered = b.Node(activation, {b.Conv(wide, hidden, hidden, kernel, stride, hidden, true)});
  const ValueId narrow = b.Conv(filtered, hidden, out, 1, 1, 1, true);
  return in == out && stride == 1 ? b.Node("Add", {narrow, x}) : narrow;
}

const std::vector<std::string> kBlock = {"conv_igemm", "depthwise", "conv_igemm"};

TEST(Chain, InvertedResiduals) {
  for (const int64_t width : {14, 15, 29}) {
    for (const int64_t stride : {1, 2}) {
      GraphBuilder b;
      const ValueId x = b.Input("x", {2, 3, 33, width * stride});
      const ValueId first = b.Node("Relu", {b.Conv(x, 3, 5, 3)});
      const ValueId y = InvertedResidual(b, first, 5, 35, 5, 3, stride, "Relu");
      ExpectSameBits(b.Finish({b.Node("GlobalAveragePool", {y})}), (width > 15 ? 72 : 56) << 10, kBlock);
    }
  }
}

TEST(Chain, EpiloguesThatArePrograms) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 8, 31, 30});
  const ValueId y = InvertedResidual(b, b.Node("Relu", {b.Conv(x, 8, 16, 3)}), 16, 40, 16, 5, 1, "HardSwish");
  ExpectSameBits(b.Finish({b.Node("Sigmoid", {y})}), 128 << 10, kBlock);
}

TEST(Chain, AcrossBlocksWithGroupsDilationAndNoPadding) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 3, 75, 61});
  const ValueId stem = b.Node("Relu", {b.Conv(x, 3, 24, 3, 2)});
  const ValueId grouped = b.Conv(stem, 24, 24, 5, 1, 2, true);
  const ValueId dilated = b.Node(
      "Conv", {grouped, b.Weights({24, 1, 3, 3})},
      {{"group", int64_t{24}}, {"dilations", std::vector<int64_t>{2, 2}}, {"pads", std::vector<int64_t>{2, 2, 2, 2}}});
  const ValueId valid = b.Node("Conv", {dilated, b.Weights({9, 24, 2, 1})});
  ExpectSameBits(b.Finish({b.Node("Sigmoid", {valid})}), 200 << 10,
                 {"conv_few", "conv_igemm", "depthwise", "conv_igemm"});
}

TEST(Chain, KernelsMostlyOutside) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 8, 37, 31});
  const ValueId wide = b.Node("Relu", {b.Conv(x, 8, 64, 1, 1, 1, true)});
  const ValueId dilated =
      b.Node("Conv", {wide, b.Weights({64, 64, 3, 3})},
             {{"dilations", std::vector<int64_t>{9, 19}}, {"pads", std::vector<int64_t>{9, 19, 9, 19}}});
  ExpectSameBits(b.Finish({b.Conv(b.Node("Relu", {dilated}), 64, 24, 1)}), 512 << 10, {"conv_igemm", "conv_inside"});
}

// The copy to channels-last, the scale of squeeze-and-excite, and the copy back to the caller's order.
TEST(Chain, CopiesAndProgramsOfTheirOwn) {
  for (const int64_t images : {1, 2}) {
    GraphBuilder b;
    const ValueId x = b.Input("x", {images, 5, 41, 31});
    const ValueId stem = b.Node("Relu", {b.Conv(x, 5, 16, 5, 1, 1, true)});
    const ValueId filtered = b.Node("HardSwish", {b.Conv(stem, 16, 16, 5, 1, 16, true)});
    const ValueId gate = b.Node("Sigmoid", {b.Conv(b.Node("GlobalAveragePool", {filtered}), 16, 16, 1)});
    const ValueId narrow = b.Conv(b.Node("Mul", {filtered, gate}), 16, 8, 1, 1, 1, true);
    const Graph graph = b.Finish({b.Node("Tanh", {narrow})});
    ExpectSameBits(graph, 24 << 10, {"copy", "conv_igemm"});
    ExpectSameBits(graph, 64 << 10, {"micro", "conv_igemm"});
    ExpectSameBits(graph, 64 << 10, {"conv_igemm", "copy"});
  }
}

TEST(Chain, ToFewOutputs) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 8, 45, 30});
  const ValueId wide = b.Node("Relu", {b.Conv(x, 8, 64, 1, 1, 1, true)});
  ExpectSameBits(b.Finish({b.Conv(wide, 64, 3, 3)}), 128 << 10, {"conv_igemm", "conv_dot"});
}

// Pictures of few channels are read as they lie.
TEST(Chain, FirstLayersReadPlanes) {
  for (const int64_t dilation : {1, 2}) {
    GraphBuilder b;
    const ValueId x = b.Input("x", {1, 3, 20, 21});
    const ValueId y = b.Node("Conv", {x, b.Weights({8, 3, 3, 3})}, {{"dilations", std::vector<int64_t>{1, dilation}}});
    auto specialization = std::make_shared<Specialization>();
    specialization->graph = b.Finish({b.Node("GlobalAveragePool", {y})});
    ASSERT_TRUE(Optimize(specialization->graph).ok());
    for (const std::string& target : cpu::SimdTargets()) {
      const auto run = test::RunChains(specialization, RandomInput(specialization->graph), {target, 0, 1});
      ASSERT_TRUE(run.ok()) << run.status().message();
      const std::string& first = run->kernels.front();
      EXPECT_NE(first.find(dilation == 1 ? "conv_few" : "conv_igemm"), std::string::npos) << first;
    }
  }
}

TEST(Chain, NarrowGroups) {
  for (const int64_t stride : {1, 2}) {
    GraphBuilder b;
    const ValueId x = b.Input("x", {2, 8, 37, 30});
    const ValueId wide = b.Node("Relu", {b.Conv(x, 8, 72, 1, 1, 1, true)});
    const ValueId grouped = b.Node("Relu", {b.Conv(wide, 72, 72, 3, stride, 18, true)});
    ExpectSameBits(b.Finish({b.Conv(grouped, 72, 24, 1)}), 128 << 10, {"conv_igemm", "conv_grouped"});
  }
}

}  // namespace
}  // namespace moka

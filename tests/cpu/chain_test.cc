// Chains on the CPU: strip by strip through rings gives the bits of layer by layer, on every target, for any number of
// workers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "cpu/device.h"
#include "graph/model_impl.h"
#include "graph/passes/passes.h"
#include "graph/prepared_plan.h"
#include "tests/base/round_robin.h"
#include "tests/graph/graph_builder.h"

namespace moka {
namespace {

// The CPU with a cache as small as the test needs.
class SmallCacheCpu final : public Device {
 public:
  SmallCacheCpu(const std::string& target, uint64_t cache) : cpu_(cpu::OpenForTarget(target)), limits_(cpu_->limits()) {
    limits_.chain_cache = cache;
  }
  const DeviceInfo& info() const override { return cpu_->info(); }
  const Limits& limits() const override { return limits_; }
  Offer Choose(const OpCall& call, const ChoosePolicy& policy) const override { return cpu_->Choose(call, policy); }
  Status Pack(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) const override {
    return cpu_->Pack(spec, src, dst);
  }
  Result<std::unique_ptr<Buffer>> Allocate(uint64_t bytes, MemoryKind kind) override {
    return cpu_->Allocate(bytes, kind);
  }
  Result<std::unique_ptr<Buffer>> Import(const void* data, uint64_t bytes) override {
    return cpu_->Import(data, bytes);
  }
  Status Write(Buffer& buffer, uint64_t offset, std::span<const std::byte> bytes) override {
    return cpu_->Write(buffer, offset, bytes);
  }
  Result<std::unique_ptr<Queue>> MakeQueue(const QueueOptions& options) override { return cpu_->MakeQueue(options); }
  Result<std::shared_ptr<const Program>> Link(const LinkRequest& request) override { return cpu_->Link(request); }

 private:
  std::unique_ptr<Device> cpu_;
  Limits limits_;
};

struct Ran {
  std::vector<std::vector<float>> outputs;
  std::vector<std::vector<std::string>> chains;  // the kernels of each
};

std::vector<std::vector<std::string>> ChainsOf(const Plan& plan) {
  std::vector<std::vector<std::string>> chains;
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    if (plan.steps[s].step.chain.steps == 0) continue;
    std::vector<std::string>& kernels = chains.emplace_back();
    for (int i = 0; i < plan.steps[s].step.chain.steps; ++i) {
      kernels.emplace_back(plan.steps[s + static_cast<size_t>(i)].step.kernel);
    }
  }
  return chains;
}

// Optimises, plans, verifies and runs a graph of one input.
void RunGraph(const Graph& graph, const std::vector<float>& input, const std::string& target, uint64_t cache,
              int workers, Ran* ran) {
  auto specialization = std::make_shared<Specialization>();
  specialization->graph = graph;
  ASSERT_TRUE(Optimize(specialization->graph).ok());
  SmallCacheCpu device(target, cache);
  PlanRequest request;
  request.specialization = specialization;
  Shape shape;
  for (const Dim& dim : graph.value(graph.inputs[0]).declared_dims) shape.push_back(dim.constant());
  request.inputs = {shape};
  request.devices = {&device};
  request.workers = {workers};
  WeightStore weights;
  const auto prepared = PreparePlan(request, weights);
  ASSERT_TRUE(prepared.ok()) << prepared.status().message();
  const Plan& plan = (*prepared)->plan;
  ran->chains = ChainsOf(plan);
  test::RoundRobin executor(workers);
  QueueOptions options;
  options.executor = &executor;
  const std::unique_ptr<Queue> queue = std::move(device.MakeQueue(options)).value();
  const std::unique_ptr<Replay> replay = std::move((*prepared)->programs[0]->Instantiate(*queue)).value();
  std::vector<std::unique_ptr<Buffer>> arenas;
  ran->outputs.clear();
  for (const TensorDesc& output : plan.outputs) ran->outputs.emplace_back(static_cast<size_t>(output.NumElements()));
  for (uint32_t s = 0; s < plan.slots.size(); ++s) {
    const PlanSlot& slot = plan.slots[s];
    if (slot.kind == PlanSlot::kWeight) {
      ASSERT_TRUE(replay->Bind(s, (*prepared)->weights[s]->buffer.get(), 0).ok());
    } else if (slot.kind == PlanSlot::kArena) {
      arenas.push_back(std::move(device.Allocate(slot.bytes + 64, MemoryKind::kArena)).value());
      std::memset(arenas.back()->host(), 0xff, slot.bytes + 64);
      ASSERT_TRUE(replay->Bind(s, arenas.back().get(), 0).ok());
    } else if (slot.kind == PlanSlot::kInput) {
      replay->BindHost(s, const_cast<float*>(input.data()));
    } else {
      replay->BindHost(s, ran->outputs[static_cast<size_t>(slot.index)].data());
    }
  }
  const Status status = replay->Run(*queue, {}, {});
  ASSERT_TRUE(status.ok()) << status.message();
}

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
  for (const std::string& target : cpu::SimdTargets()) {
    Ran whole, strips;
    RunGraph(graph, input, target, 0, 1, &whole);
    ASSERT_TRUE(whole.chains.empty());
    for (const int workers : {1, 2, 3, 7}) {
      RunGraph(graph, input, target, cache, workers, &strips);
      if (workers == 1) {
        const auto of_family = [](const std::string& kernel, const std::string& family) {
          return kernel.find(family) != std::string::npos;
        };
        EXPECT_TRUE(std::any_of(strips.chains.begin(), strips.chains.end(), [&](const auto& kernels) {
          return std::search(kernels.begin(), kernels.end(), families.begin(), families.end(), of_family) !=
                 kernels.end();
        })) << target;
      }
      ASSERT_EQ(whole.outputs.size(), strips.outputs.size());
      for (size_t i = 0; i < whole.outputs.size(); ++i) {
        const std::vector<float>&want = whole.outputs[i], &got = strips.outputs[i];
        EXPECT_EQ(std::memcmp(want.data(), got.data(), want.size() * sizeof(float)), 0)
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
                 {"conv_igemm", "conv_igemm", "depthwise", "conv_igemm"});
}

}  // namespace
}  // namespace moka

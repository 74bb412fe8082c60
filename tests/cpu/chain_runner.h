// Runs a graph on the CPU with a cache as small as the test needs, so that small images make chains.
#ifndef MOKA_TESTS_CPU_CHAIN_RUNNER_H_
#define MOKA_TESTS_CPU_CHAIN_RUNNER_H_

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cpu/device.h"
#include "graph/model_impl.h"
#include "graph/prepared_plan.h"
#include "tests/base/round_robin.h"

namespace moka::test {

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

struct ChainRun {
  std::string target;  // of SimdTargets, or "" for references
  uint64_t cache = 0;  // 0: layer by layer
  int workers = 1;
  Precision precision = Precision::kF32;
};

struct ChainResult {
  std::vector<std::vector<float>> outputs;
  std::vector<std::string> kernels;              // of each step
  std::vector<std::vector<std::string>> chains;  // the kernels of each
};

inline std::vector<std::vector<std::string>> ChainsOf(const Plan& plan) {
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

// Plans, verifies and runs an optimised graph of one input of f32 with constant shapes; arenas are full of NaN before.
inline Result<ChainResult> RunChains(const std::shared_ptr<const Specialization>& specialization,
                                     const std::vector<float>& input, const ChainRun& run) {
  SmallCacheCpu device(run.target, run.cache);
  const Graph& graph = specialization->graph;
  PlanRequest request;
  request.specialization = specialization;
  Shape shape;
  for (const Dim& dim : graph.value(graph.inputs[0]).declared_dims) shape.push_back(dim.constant());
  request.inputs = {shape};
  request.devices = {&device};
  request.workers = {run.workers};
  request.precision = run.precision;
  WeightStore weights;
  MOKA_ASSIGN_OR_RETURN(const auto prepared, PreparePlan(request, weights));
  const Plan& plan = prepared->plan;
  ChainResult result;
  for (const PlanStep& step : plan.steps) result.kernels.emplace_back(step.step.kernel);
  result.chains = ChainsOf(plan);
  RoundRobin executor(run.workers);
  QueueOptions options;
  options.executor = &executor;
  MOKA_ASSIGN_OR_RETURN(const std::unique_ptr<Queue> queue, device.MakeQueue(options));
  if (prepared->programs.size() != 1) return Internal("not one segment");
  MOKA_ASSIGN_OR_RETURN(const std::unique_ptr<Replay> replay, prepared->programs[0]->Instantiate(*queue));
  std::vector<std::unique_ptr<Buffer>> arenas;
  for (const TensorDesc& output : plan.outputs) result.outputs.emplace_back(static_cast<size_t>(output.NumElements()));
  for (uint32_t s = 0; s < plan.slots.size(); ++s) {
    const PlanSlot& slot = plan.slots[s];
    if (slot.kind == PlanSlot::kWeight) {
      MOKA_RETURN_IF_ERROR(replay->Bind(s, prepared->weights[s]->buffer.get(), 0));
    } else if (slot.kind == PlanSlot::kArena) {
      MOKA_ASSIGN_OR_RETURN(arenas.emplace_back(), device.Allocate(slot.bytes + 64, MemoryKind::kArena));
      std::memset(arenas.back()->host(), 0xff, slot.bytes + 64);
      MOKA_RETURN_IF_ERROR(replay->Bind(s, arenas.back().get(), 0));
    } else if (slot.kind == PlanSlot::kInput) {
      replay->BindHost(s, const_cast<float*>(input.data()));
    } else {
      replay->BindHost(s, result.outputs[static_cast<size_t>(slot.index)].data());
    }
  }
  MOKA_RETURN_IF_ERROR(replay->Run(*queue, {}, {}));
  return result;
}

inline bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace moka::test

#endif  // MOKA_TESTS_CPU_CHAIN_RUNNER_H_

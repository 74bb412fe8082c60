#include "graph/plan_info.h"

#include <algorithm>

#include "graph/memory_bound.h"
#include "graph/model_impl.h"

namespace moka {
namespace {

double Median(std::vector<double> samples) {
  if (samples.empty()) return 0;
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  return *middle;
}

std::string Reason(const Refusal& refusal) { return StrCat(refusal.kernel, ": ", refusal.reason); }

int64_t BytesOf(const Step& step) {
  uint64_t bytes = 0;
  for (const auto* list : {&step.src, &step.dst, &step.packs}) {
    for (const Operand& operand : *list) {
      if (operand.desc.present()) {
        bytes += static_cast<uint64_t>(operand.desc.NumElements()) * SizeOf(operand.desc.type);
      }
    }
  }
  return static_cast<int64_t>(bytes);
}

StepInfo InfoOf(const PreparedPlan& prepared, const PlanStep& step) {
  const Graph& graph = prepared.specialization->graph;
  StepInfo info;
  info.node = step.node >= 0 ? graph.nodes[static_cast<size_t>(step.node)].name : std::string(step.step.call.name);
  const OpSchema& op = *step.step.call.op;
  info.op = op.domain[0] == '\0' ? op.name : StrCat(op.domain, ".", op.name);
  info.device = prepared.devices[static_cast<size_t>(step.device)]->info().name;
  info.kernel = step.step.kernel;
  info.own_kernel = step.own_kernel;
  for (const Refusal& refusal : step.refusals) {  // a kernel that is asked again for other layouts may say the same
    std::string reason = Reason(refusal);
    const bool said = std::find(info.refusals.begin(), info.refusals.end(), reason) != info.refusals.end();
    if (!said) info.refusals.push_back(std::move(reason));
  }
  if (!step.own_kernel) {
    for (const std::string& refusal : info.refusals) {
      info.why_fallback += (info.why_fallback.empty() ? "" : "; ") + refusal;
    }
    if (info.refusals.empty()) {
      info.why_fallback =
          step.device == 0 ? "no kernel has the operator" : "beside its neighbours, to save a copy between devices";
    }
  }
  if (!step.dst_descs.empty()) info.shape = ToString(step.dst_descs[0]);
  info.flops = step.flops;
  info.bytes = BytesOf(step.step);
  return info;
}

}  // namespace

PlanInfo MakePlanInfo(const PreparedPlan& prepared, const std::vector<std::vector<double>>& samples) {
  const Plan& plan = prepared.plan;
  const Graph& graph = prepared.specialization->graph;
  PlanInfo info;
  int chains = 0;
  size_t chain_end = 0;
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    info.steps.push_back(InfoOf(prepared, plan.steps[s]));
    if (const int length = plan.steps[s].step.chain.steps; length > 0) {
      chain_end = s + static_cast<size_t>(length);
      ++chains;
    }
    if (s < chain_end) info.steps.back().chain = chains - 1;
    if (s < samples.size()) info.steps.back().us = Median(samples[s]);
    info.barriers += plan.steps[s].step.barrier ? 1 : 0;
    info.depth = std::max(info.depth, plan.steps[s].level + 1);
  }
  for (const PlanValue& value : plan.values) {
    if (plan.slots[value.slot].kind != PlanSlot::kArena || value.bytes == 0 || value.ring) continue;
    MemoryInterval interval;
    interval.value = graph.value(value.value).name;
    interval.device = prepared.devices[static_cast<size_t>(value.device)]->info().name;
    interval.offset = value.offset;
    interval.bytes = value.bytes;
    interval.first_step = std::max(value.first_step, 0);
    interval.last_step = std::max(value.last_step, interval.first_step);
    interval.alias = value.relation != PlanValue::kOwn;
    info.intervals.push_back(std::move(interval));
  }
  const PlanMemory memory = MemoryOf(plan);
  info.memory.weights = memory.weights;
  info.memory.packs = memory.packs;
  for (uint64_t bytes : plan.scratch_bytes) info.memory.scratch += bytes;
  info.memory.arena = memory.arenas - info.memory.scratch;
  std::vector<Limits> limits;
  for (const Device* device : prepared.devices) limits.push_back(device->limits());
  info.memory_lower_bound = MemoryLowerBound(plan, limits);
  info.segments = static_cast<int>(plan.segments.size());
  info.crossings = plan.crossings;
  info.bind_us = prepared.bind_us;
  info.prepare_us = prepared.prepare_us;
  return info;
}

}  // namespace moka

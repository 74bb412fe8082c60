#include "graph/memory_bound.h"

#include <algorithm>
#include <vector>

namespace moka {
namespace {

// Ticks of the plan's clock: one a segment's uploads, one a step or group of concurrent steps, one its downloads.
struct Life {
  int born = -1, dies = -1;
  void Use(int tick) {
    born = born < 0 ? tick : std::min(born, tick);
    dies = std::max(dies, tick);
  }
};

int MemoryOwner(const Plan& plan, int v) {
  while (plan.values[static_cast<size_t>(v)].alias_of >= 0) v = plan.values[static_cast<size_t>(v)].alias_of;
  return v;
}

}  // namespace

uint64_t MemoryLowerBound(const Plan& plan, std::span<const Limits> limits) {
  uint64_t constants = 0;
  for (const PlanSlot& slot : plan.slots) {
    if (slot.kind == PlanSlot::kWeight) constants += slot.bytes;
  }
  std::vector<Life> lives(plan.values.size());
  std::vector<std::vector<uint64_t>> scratch(limits.size());
  const auto use = [&](int v, int tick) {
    if (v >= 0) lives[static_cast<size_t>(MemoryOwner(plan, v))].Use(tick);
  };
  int tick = 0, chain_end = 0;
  const auto grow = [&] {
    for (auto& ticks : scratch) ticks.resize(static_cast<size_t>(tick) + 1, 0);
  };
  for (const PlanSegment& segment : plan.segments) {
    // Uploads are there with the first step, and downloads still with the last one.
    for (int s = segment.first; s < segment.first + segment.count; ++s) {
      const PlanStep& step = plan.steps[static_cast<size_t>(s)];
      const bool concurrent = limits[static_cast<size_t>(segment.device)].concurrent_steps;
      const bool together = (concurrent && !step.step.barrier) || s < chain_end;
      chain_end = std::max(chain_end, s + step.step.chain.steps);
      if (s > segment.first && !together) ++tick;
      grow();
      if (s == segment.first) {
        for (const PlanTransfer& transfer : segment.uploads) {
          use(transfer.plan_value, tick);
          use(transfer.host_value, tick);
        }
      }
      for (int v : step.reads) use(v, tick);
      for (int v : step.writes) use(v, tick);
      if (step.step.scratch.desc.present()) {
        scratch[static_cast<size_t>(step.device)][static_cast<size_t>(tick)] += step.step.scratch.desc.ExtentBytes();
      }
    }
    for (const PlanTransfer& transfer : segment.downloads) {
      use(transfer.plan_value, tick);
      use(transfer.host_value, tick);
    }
    ++tick;
  }
  uint64_t total = constants;
  for (size_t d = 0; d < limits.size(); ++d) {
    scratch[d].resize(static_cast<size_t>(tick) + 1, 0);
    std::vector<int64_t> change(static_cast<size_t>(tick) + 2, 0);
    for (size_t v = 0; v < plan.values.size(); ++v) {
      const PlanValue& value = plan.values[v];
      const bool in_arena = plan.slots[value.slot].kind == PlanSlot::kArena;
      if (lives[v].born < 0 || value.alias_of >= 0 || value.ring || !in_arena || value.device != static_cast<int>(d))
        continue;
      change[static_cast<size_t>(lives[v].born)] += static_cast<int64_t>(value.bytes);
      change[static_cast<size_t>(lives[v].dies) + 1] -= static_cast<int64_t>(value.bytes);
    }
    int64_t live = 0, peak = 0;
    for (size_t t = 0; t <= static_cast<size_t>(tick); ++t) {
      live += change[t];
      peak = std::max(peak, live + static_cast<int64_t>(scratch[d][t]));
    }
    total += static_cast<uint64_t>(peak);
  }
  return total;
}

}  // namespace moka

#include "graph/place.h"

#include <algorithm>
#include <climits>

#include "graph/layout_rules.h"
#include "graph/planner.h"

namespace moka {
namespace {

// A moment when a value is used: by a step, or by a transfer (step -1).
struct Use {
  int first = 0, last = 0;  // the group of steps within which it happens
  int step = -1;
};

class Placer {
 public:
  Placer(Draft& draft, const Schedule& schedule, std::span<Device* const> devices)
      : draft_(draft), plan_(draft.plan), schedule_(schedule), devices_(devices) {}

  void Run() {
    FindUses();
    for (size_t s = 0; s < plan_.steps.size(); ++s) TryInPlace(static_cast<int>(s));
    FindLives();
    LayOut();
    Resolve();
  }

 private:
  PlanValue& value(int i) { return plan_.values[static_cast<size_t>(i)]; }
  bool InArena(int i) { return plan_.slots[value(i).slot].kind == PlanSlot::kArena && !value(i).ring; }
  StepGroup group(int s) const { return schedule_.groups[static_cast<size_t>(s)]; }

  int Root(int i) {
    while (value(i).relation != PlanValue::kOwn) i = value(i).alias_of;
    return i;
  }

  void Note(std::vector<std::vector<Use>>& uses, int v, Use use) { uses[static_cast<size_t>(v)].push_back(use); }

  void FindUses() {
    written_.assign(plan_.values.size(), {});
    read_.assign(plan_.values.size(), {});
    for (size_t s = 0; s < plan_.steps.size(); ++s) {
      const int step = static_cast<int>(s);
      const Use use{group(step).first, group(step).last, step};
      for (int v : plan_.steps[s].reads) {
        if (v >= 0) Note(read_, v, use);
      }
      for (int v : plan_.steps[s].writes) {
        if (v >= 0) Note(written_, v, use);
      }
    }
    for (size_t t = 0; t < draft_.transfers.size(); ++t) {
      const DraftTransfer& transfer = draft_.transfers[t];
      const TransferTimes& times = schedule_.transfers[t];
      Use use{-1, -1, -1};
      if (times.upload_segment >= 0) {
        use.first = use.last = plan_.segments[static_cast<size_t>(times.upload_segment)].first;
      } else if (times.download_segment >= 0) {
        const PlanSegment& segment = plan_.segments[static_cast<size_t>(times.download_segment)];
        use.first = use.last = segment.first + segment.count - 1;
      }
      if (transfer.from >= 0) Note(read_, transfer.from, use);
      if (transfer.to >= 0) Note(written_, transfer.to, use);
    }
    block_reads_.assign(plan_.values.size(), {});
    for (size_t v = 0; v < plan_.values.size(); ++v) {
      auto& all = block_reads_[static_cast<size_t>(Root(static_cast<int>(v)))];
      all.insert(all.end(), read_[v].begin(), read_[v].end());
    }
  }

  // The result takes the memory of a source that nobody else reads now or later.
  void TryInPlace(int s) {
    PlanStep& step = plan_.steps[static_cast<size_t>(s)];
    if (step.in_place == 0 || step.writes.empty() || step.writes[0] < 0) return;
    const int dst = step.writes[0];
    if (value(dst).relation != PlanValue::kOwn || !InArena(dst)) return;
    for (size_t i = 0; i < step.reads.size() && i < 32; ++i) {
      const int src = step.reads[i];
      if ((step.in_place >> i & 1) == 0 || src < 0 || !CanOverwrite(s, src, dst)) continue;
      const int root = Root(src);
      value(dst).relation = PlanValue::kInPlace;
      value(dst).alias_of = src;
      auto& uses = block_reads_[static_cast<size_t>(root)];
      auto& more = block_reads_[static_cast<size_t>(dst)];
      uses.insert(uses.end(), more.begin(), more.end());
      return;
    }
  }

  bool CanOverwrite(int s, int src, int dst) {
    const int root = Root(src);
    const PlanStep& step = plan_.steps[static_cast<size_t>(s)];
    if (!InArena(root) || value(root).bytes != value(dst).bytes || Offset(src) != 0) return false;
    if (!SameLayout(value(src).desc, value(dst).desc)) return false;
    for (const Use& use : block_reads_[static_cast<size_t>(root)]) {
      if (use.step != s && use.last >= group(s).first) return false;
    }
    for (size_t i = 0; i < step.reads.size(); ++i) {
      const int other = step.reads[i];
      if (other < 0 || Root(other) != root) continue;
      // The same value may be read twice, in a way that allows to overwrite it and in one that does not (the input of
      // a convolution that is also its residual).
      if (other != src || i >= 32 || (step.in_place >> i & 1) == 0) return false;
    }
    for (int other : step.writes) {
      if (other >= 0 && other != dst && Root(other) == root) return false;
    }
    return true;
  }

  uint64_t Offset(int i) {
    uint64_t offset = 0;
    for (; value(i).relation != PlanValue::kOwn; i = value(i).alias_of) offset += value(i).offset;
    return offset;
  }

  void FindLives() {
    for (size_t v = 0; v < plan_.values.size(); ++v) {
      int first = INT_MAX, last = -1;
      for (const Use& use : written_[v]) {
        first = std::min(first, use.first);
        last = std::max(last, use.last);
      }
      for (const Use& use : read_[v]) last = std::max(last, use.last);
      plan_.values[v].first_step = first;
      plan_.values[v].last_step = last;
    }
    // Parts make their whole live, and what shows a value lives no earlier than it.
    for (size_t v = plan_.values.size(); v-- > 0;) {
      const PlanValue& part = plan_.values[v];
      if (part.relation == PlanValue::kPart && part.first_step != INT_MAX) {
        PlanValue& whole = value(part.alias_of);
        whole.first_step = std::min(whole.first_step, part.first_step);
        whole.last_step = std::max(whole.last_step, part.last_step);
      }
    }
    for (PlanValue& v : plan_.values) {
      if (v.relation == PlanValue::kView) v.first_step = value(v.alias_of).first_step;
      if (v.first_step == INT_MAX) v.first_step = -1;  // there before the run
    }
  }

  void LayOut() {
    const size_t devices = devices_.size();
    plan_.arena_bytes.assign(devices, 0);
    plan_.scratch_bytes.assign(devices, 0);
    for (size_t d = 0; d < devices; ++d) LayOutDevice(static_cast<int>(d));
  }

  void LayOutDevice(int d) {
    std::vector<MemoryBlock> blocks;
    std::vector<int> block_of(plan_.values.size(), -1), scratch_of(plan_.steps.size(), -1);
    for (size_t v = 0; v < plan_.values.size(); ++v) {
      const PlanValue& member = plan_.values[v];
      const int root = Root(static_cast<int>(v));
      if (member.device != d || !InArena(root) || value(root).bytes == 0) continue;
      int& block = block_of[static_cast<size_t>(root)];
      if (block < 0) {
        block = static_cast<int>(blocks.size());
        blocks.push_back({value(root).bytes, INT_MAX, -1});
      }
      MemoryBlock& life = blocks[static_cast<size_t>(block)];
      life.first = std::min(life.first, std::max(member.first_step, 0));
      life.last = std::max(life.last, member.last_step);
    }
    const size_t values = blocks.size();
    for (size_t s = 0; s < plan_.steps.size(); ++s) {
      const PlanStep& step = plan_.steps[s];
      if (step.device != d || !step.step.scratch.desc.present()) continue;
      const StepGroup steps = group(static_cast<int>(s));
      scratch_of[s] = static_cast<int>(blocks.size());
      blocks.push_back({step.step.scratch.desc.ExtentBytes(), steps.first, steps.last});
    }
    const MemoryLayout layout = PlanMemory(blocks, devices_[static_cast<size_t>(d)]->limits().offset_alignment);
    uint64_t without_scratch = 0;
    for (size_t b = 0; b < values; ++b) {
      without_scratch = std::max(without_scratch, layout.offsets[b] + blocks[b].bytes);
    }
    const auto slot = static_cast<uint32_t>(d);
    plan_.arena_bytes[slot] = plan_.slots[slot].bytes = layout.bytes;
    plan_.scratch_bytes[slot] =
        layout.bytes > without_scratch && blocks.size() > values ? layout.bytes - without_scratch : 0;
    for (size_t v = 0; v < plan_.values.size(); ++v) {
      if (block_of[v] >= 0) plan_.values[v].offset = layout.offsets[static_cast<size_t>(block_of[v])];
    }
    for (size_t s = 0; s < plan_.steps.size(); ++s) {
      if (scratch_of[s] < 0) continue;
      Operand& scratch = plan_.steps[s].step.scratch;
      scratch.slot = slot;
      scratch.offset = layout.offsets[static_cast<size_t>(scratch_of[s])];
    }
  }

  // Offsets of aliases become absolute; every base comes before them or is resolved first.
  void Resolve() {
    resolved_.assign(plan_.values.size(), false);
    for (size_t v = 0; v < plan_.values.size(); ++v) ResolveValue(static_cast<int>(v));
    for (PlanStep& step : plan_.steps) {
      const auto fill = [this](std::vector<Operand>& operands, const std::vector<int>& values) {
        for (size_t i = 0; i < operands.size(); ++i) {
          if (values[i] < 0) continue;
          operands[i].slot = value(values[i]).slot;
          operands[i].offset = value(values[i]).offset;
          operands[i].ring = value(values[i]).ring;
        }
      };
      fill(step.step.src, step.reads);
      fill(step.step.dst, step.writes);
    }
  }

  void ResolveValue(int i) {
    if (resolved_[static_cast<size_t>(i)]) return;
    resolved_[static_cast<size_t>(i)] = true;
    PlanValue& v = value(i);
    if (v.relation == PlanValue::kOwn) return;
    ResolveValue(v.alias_of);
    v.slot = value(v.alias_of).slot;
    v.offset += value(v.alias_of).offset;
  }

  Draft& draft_;
  Plan& plan_;
  const Schedule& schedule_;
  std::span<Device* const> devices_;
  std::vector<std::vector<Use>> written_, read_;  // per plan value
  std::vector<std::vector<Use>> block_reads_;     // per root: reads of every value in its memory
  std::vector<bool> resolved_;
};

}  // namespace

void PlaceValues(Draft& draft, const Schedule& schedule, std::span<Device* const> devices) {
  Placer(draft, schedule, devices).Run();
}

}  // namespace moka

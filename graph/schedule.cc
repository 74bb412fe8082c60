#include "graph/schedule.h"

#include <algorithm>
#include <functional>
#include <queue>

namespace moka {
namespace {

class Scheduler {
 public:
  Scheduler(Draft& draft, std::span<Device* const> devices) : draft_(draft), plan_(draft.plan), devices_(devices) {}

  Schedule Run() {
    if (devices_.size() > 1) Order();
    FindDependencies();
    FindLevels();
    MakeSegments();
    PlaceTransfers();
    return std::move(schedule_);
  }

 private:
  PlanValue& value(int i) { return plan_.values[static_cast<size_t>(i)]; }
  PlanStep& step(int i) { return plan_.steps[static_cast<size_t>(i)]; }

  void FindDependencies() {
    const size_t values = plan_.values.size();
    writer_.assign(values, -1);
    parts_.assign(values, {});
    arrives_from_.assign(values, -1);
    for (size_t v = 0; v < values; ++v) {
      const PlanValue& value = plan_.values[v];
      if (value.relation == PlanValue::kPart) {
        parts_[static_cast<size_t>(value.alias_of)].push_back(static_cast<int>(v));
      }
    }
    for (size_t s = 0; s < plan_.steps.size(); ++s) {
      for (int v : plan_.steps[s].writes) {
        if (v >= 0) writer_[static_cast<size_t>(v)] = static_cast<int>(s);
      }
    }
    for (const DraftTransfer& transfer : draft_.transfers) {
      if (transfer.to >= 0) arrives_from_[static_cast<size_t>(transfer.to)] = transfer.from;
    }
    before_.assign(plan_.steps.size(), {});
    for (size_t s = 0; s < plan_.steps.size(); ++s) {
      for (int v : plan_.steps[s].reads) {
        if (v >= 0) CollectWriters(v, &before_[s]);
      }
      std::sort(before_[s].begin(), before_[s].end());
      before_[s].erase(std::unique(before_[s].begin(), before_[s].end()), before_[s].end());
    }
  }

  // The steps that must have run before value `v` is complete.
  void CollectWriters(int v, std::vector<int>* out) {
    const auto i = static_cast<size_t>(v);
    if (value(v).relation == PlanValue::kView) return CollectWriters(value(v).alias_of, out);
    for (int part : parts_[i]) CollectWriters(part, out);
    if (writer_[i] >= 0) out->push_back(writer_[i]);
    if (arrives_from_[i] >= 0) CollectWriters(arrives_from_[i], out);
  }

  // Runs everything that is ready on one device before it changes to the other, starting with `device`.
  std::vector<int> OrderFrom(int device, int* changes) {
    const size_t n = plan_.steps.size();
    std::vector<int> missing(n), order;
    std::vector<std::vector<int>> after(n);
    using Ready = std::priority_queue<int, std::vector<int>, std::greater<int>>;
    std::vector<Ready> ready(devices_.size());
    for (size_t s = 0; s < n; ++s) {
      missing[s] = static_cast<int>(before_[s].size());
      for (int b : before_[s]) after[static_cast<size_t>(b)].push_back(static_cast<int>(s));
      if (missing[s] == 0) ready[static_cast<size_t>(plan_.steps[s].device)].push(static_cast<int>(s));
    }
    *changes = 0;
    while (order.size() < n) {
      if (ready[static_cast<size_t>(device)].empty()) {
        device = 1 - device;
        ++*changes;
      }
      const int s = ready[static_cast<size_t>(device)].top();
      ready[static_cast<size_t>(device)].pop();
      order.push_back(s);
      for (int a : after[static_cast<size_t>(s)]) {
        if (--missing[static_cast<size_t>(a)] == 0) ready[static_cast<size_t>(step(a).device)].push(a);
      }
    }
    return order;
  }

  void Order() {
    FindDependencies();
    int changes[2] = {0, 0};
    std::vector<int> orders[2] = {OrderFrom(0, &changes[0]), OrderFrom(1, &changes[1])};
    Permute(changes[1] < changes[0] ? orders[1] : orders[0]);
  }

  void Permute(const std::vector<int>& order) {
    std::vector<PlanStep> steps;
    steps.reserve(order.size());
    for (int s : order) steps.push_back(std::move(step(s)));
    plan_.steps = std::move(steps);
  }

  void FindLevels() {
    for (size_t s = 0; s < plan_.steps.size(); ++s) {
      int level = 0;
      for (int b : before_[s]) level = std::max(level, step(b).level + 1);
      plan_.steps[s].level = level;
    }
  }

  void MakeSegments() {
    const int n = static_cast<int>(plan_.steps.size());
    schedule_.groups.resize(plan_.steps.size());
    for (int first = 0; first < n;) {
      PlanSegment segment;
      segment.device = step(first).device;
      segment.first = first;
      while (first < n && step(first).device == segment.device) ++first;
      segment.count = first - segment.first;
      const bool concurrent = devices_[static_cast<size_t>(segment.device)]->limits().concurrent_steps;
      if (concurrent) {
        GroupByLevel(segment.first, first);
      } else {
        for (int s = segment.first; s < first; ++s) schedule_.groups[static_cast<size_t>(s)] = {s, s};
      }
      plan_.segments.push_back(std::move(segment));
    }
  }

  // Levels within the segment: what other segments make is there when it starts.
  void GroupByLevel(int first, int end) {
    std::vector<int> level(static_cast<size_t>(end - first), 0), order;
    for (int s = first; s < end; ++s) {
      for (int b : before_[static_cast<size_t>(s)]) {
        if (b < first) continue;
        int& mine = level[static_cast<size_t>(s - first)];
        mine = std::max(mine, level[static_cast<size_t>(b - first)] + 1);
      }
      order.push_back(s);
    }
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      return level[static_cast<size_t>(a - first)] < level[static_cast<size_t>(b - first)];
    });
    std::vector<PlanStep> sorted;
    for (int s : order) sorted.push_back(std::move(step(s)));
    for (int s = first; s < end; ++s) step(s) = std::move(sorted[static_cast<size_t>(s - first)]);
    const auto level_at = [&](int s) {
      return level[static_cast<size_t>(order[static_cast<size_t>(s - first)] - first)];
    };
    for (int s = first; s < end;) {
      int last = s;
      while (last + 1 < end && level_at(last + 1) == level_at(s)) ++last;
      step(s).step.barrier = s > first;
      for (int i = s; i <= last; ++i) schedule_.groups[static_cast<size_t>(i)] = {s, last};
      s = last + 1;
    }
  }

  int SegmentOf(int s) const {
    for (size_t i = 0; i < plan_.segments.size(); ++i) {
      if (s < plan_.segments[i].first + plan_.segments[i].count) return static_cast<int>(i);
    }
    return -1;
  }

  // The first segment on the value's device with a step that reads it or something that shows it.
  std::vector<int> FirstReaders() {
    std::vector<int> reader(plan_.values.size(), -1);
    for (size_t s = 0; s < plan_.steps.size(); ++s) {
      for (int v : plan_.steps[s].reads) {
        for (; v >= 0; v = value(v).relation == PlanValue::kView ? value(v).alias_of : -1) {
          if (reader[static_cast<size_t>(v)] < 0) reader[static_cast<size_t>(v)] = static_cast<int>(s);
        }
      }
    }
    return reader;
  }

  void PlaceTransfers() {
    FindDependencies();
    const std::vector<int> first_reader = FirstReaders();
    for (const DraftTransfer& transfer : draft_.transfers) {
      TransferTimes& times = schedule_.transfers.emplace_back();
      PlanTransfer placed;
      placed.input = transfer.input;
      placed.output = transfer.output;
      placed.bytes = transfer.bytes;
      const bool up = transfer.to >= 0 && !OnHost(transfer.to);
      placed.plan_value = up ? transfer.to : transfer.from;
      placed.host_value = up ? transfer.from : transfer.to;
      if (up) {
        const int reader = first_reader[static_cast<size_t>(transfer.to)];
        if (reader < 0) continue;
        times.upload_segment = SegmentOf(reader);
        plan_.segments[static_cast<size_t>(times.upload_segment)].uploads.push_back(placed);
      } else {
        std::vector<int> writers;
        CollectWriters(transfer.from, &writers);
        times.download_segment = SegmentOf(*std::max_element(writers.begin(), writers.end()));
        plan_.segments[static_cast<size_t>(times.download_segment)].downloads.push_back(placed);
      }
    }
  }

  bool OnHost(int v) { return devices_[static_cast<size_t>(value(v).device)]->limits().host_memory; }

  Draft& draft_;
  Plan& plan_;
  std::span<Device* const> devices_;
  Schedule schedule_;
  std::vector<int> writer_, arrives_from_;  // per plan value: a step, another plan value
  std::vector<std::vector<int>> parts_;     // per plan value
  std::vector<std::vector<int>> before_;    // per step
};

}  // namespace

Schedule ScheduleSteps(Draft& draft, std::span<Device* const> devices) { return Scheduler(draft, devices).Run(); }

}  // namespace moka

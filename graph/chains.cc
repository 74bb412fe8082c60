#include "graph/chains.h"

#include <algorithm>

#include "base/math.h"

namespace moka {
namespace {

constexpr int kMostSteps = 16;
constexpr int64_t kLeastSide = 14;  // of images; on smaller ones strips are little work, and the halo is much of it
// Of the last result. Speed is flat from 2 on, but more rows read the weights less often.
constexpr int64_t kStripRows[] = {4, 2};
constexpr int64_t kStripsPerWorker = 2;
constexpr double kMostRepeated = 0.04;  // of the work, where each worker begins
// Memory that a chain takes is wanted to be at most 2/5 of what its layers would; a byte above costs as much as this
// many bytes of traffic.
constexpr uint64_t kWeightOfMemory = 64;

constexpr uint64_t kAlignment = 64;

class ChainFinder {
 public:
  ChainFinder(Draft& draft, Schedule& schedule, std::span<Device* const> devices, std::span<const int> workers)
      : draft_(draft), plan_(draft.plan), schedule_(schedule), devices_(devices), workers_(workers) {}

  void Run() {
    FindReaders();
    for (const PlanSegment& segment : plan_.segments) {
      cache_ = devices_[static_cast<size_t>(segment.device)]->limits().chain_cache;
      workers_now_ = workers_[static_cast<size_t>(segment.device)];
      if (cache_ == 0) continue;
      const int end = segment.first + segment.count;
      most_live_ = 0;
      for (int s = segment.first; s < end; ++s) most_live_ = std::max(most_live_, LiveBytes(s, s));
      for (int first = segment.first; first < end;) {
        int last = first;
        while (last < end && CanJoin(last)) ++last;
        if (last > first) FormChainsOf(first, last);
        first = last + 1;
      }
    }
  }

 private:
  struct Layout {
    Chain chain;
    std::vector<uint64_t> ring_bytes;  // per step but the last
    uint64_t cost = 0;
  };

  const PlanStep& step(int s) const { return plan_.steps[static_cast<size_t>(s)]; }
  PlanStep& step(int s) { return plan_.steps[static_cast<size_t>(s)]; }
  const PlanValue& value(int v) const { return plan_.values[static_cast<size_t>(v)]; }
  const TensorDesc& Result(int s) const { return value(step(s).writes[0]).desc; }
  int64_t Height(int s) const { return Result(s).dims[2]; }
  uint64_t RowBytes(int s) const { return static_cast<uint64_t>(Result(s).strides[2]) * SizeOf(Result(s).type); }

  void FindReaders() {
    last_reader_.assign(plan_.values.size(), -1);
    shared_.assign(plan_.values.size(), false);
    for (const PlanValue& v : plan_.values) {
      if (v.alias_of >= 0) shared_[static_cast<size_t>(v.alias_of)] = true;
    }
    for (const DraftTransfer& transfer : draft_.transfers) {
      if (transfer.from >= 0) shared_[static_cast<size_t>(transfer.from)] = true;
    }
    for (size_t s = 0; s < plan_.steps.size(); ++s) {
      for (int v : plan_.steps[s].reads) {
        if (v >= 0) last_reader_[static_cast<size_t>(v)] = static_cast<int>(s);
      }
    }
  }

  bool CanJoin(int s) const {
    const PlanStep& candidate = step(s);
    if (candidate.rows.empty() || candidate.writes.size() != 1 || candidate.writes[0] < 0) return false;
    const TensorDesc& desc = Result(s);
    return desc.rank == 4 && desc.dims[2] >= kLeastSide && desc.dims[3] >= kLeastSide;
  }

  // Whether the result of step `s` may be a ring, and is worth one: one worker finds a smaller value in its cache; of
  // several, each would fetch what others wrote.
  bool MayBeRing(int s) const {
    const int v = step(s).writes[0];
    const PlanValue& inner = value(v);
    if (inner.relation != PlanValue::kOwn || plan_.slots[inner.slot].kind != PlanSlot::kArena) return false;
    if (shared_[static_cast<size_t>(v)] || last_reader_[static_cast<size_t>(v)] < 0) return false;
    return IsDense(inner.desc, Format::kChannelsLast) &&
           inner.bytes / static_cast<uint64_t>(inner.desc.dims[0]) > cache_ / (workers_now_ > 1 ? 4 : 2);
  }

  // Whether the steps [first, last] are a chain: linked, of as many images, and nobody else reads what lies between.
  bool IsChain(int first, int last) const {
    for (int s = first; s < last; ++s) {
      const int v = step(s).writes[0];
      if (last_reader_[static_cast<size_t>(v)] > last || Result(s).dims[0] != Result(last).dims[0]) return false;
      for (int r = s + 1; r <= last; ++r) {
        for (size_t k = 0; k < step(r).reads.size(); ++k) {
          if (step(r).reads[k] == v && step(r).rows[k].taps == 0) return false;
        }
      }
    }
    return true;
  }

  // Divides the steps [first, end), each of which could join a chain, into chains and steps alone, so that as little as
  // possible is read from memory and written to it.
  void FormChainsOf(int first, int end) {
    const auto count = static_cast<size_t>(end - first);
    std::vector<uint64_t> cost(count + 1, 0);
    std::vector<int> last_of(count, 0);
    for (int s = end - 1; s >= first; --s) {
      const auto i = static_cast<size_t>(s - first);
      cost[i] = CostOf(s, s, 0) + cost[i + 1];
      last_of[i] = s;
      for (int last = s + 1; last < std::min(end, s + kMostSteps) && MayBeRing(last - 1); ++last) {
        Layout layout;
        if (!IsChain(s, last) || !LayOut(s, last, &layout)) continue;
        const uint64_t all = layout.cost + cost[static_cast<size_t>(last + 1 - first)];
        if (all > cost[i]) continue;
        cost[i] = all;
        last_of[i] = last;
      }
    }
    for (int s = first; s < end; s = last_of[static_cast<size_t>(s - first)] + 1) {
      const int last = last_of[static_cast<size_t>(s - first)];
      Layout layout;
      if (last > s && LayOut(s, last, &layout)) Apply(s, last, std::move(layout));
    }
  }

  uint64_t WeightBytes(int first, int last) const {
    uint64_t bytes = 0;
    for (int s = first; s <= last; ++s) {
      for (const Operand& pack : step(s).step.packs) bytes += pack.desc.ExtentBytes();
    }
    return bytes;
  }

  // The traffic of a chain or of a step alone, and what it makes the arena larger than wanted.
  uint64_t CostOf(int first, int last, uint64_t ring_bytes) const {
    const uint64_t traffic = LiveBytes(first, last);
    uint64_t kernels = 0;
    for (int s = first; s <= last; ++s) kernels = std::max(kernels, step(s).step.scratch_per_worker);
    const uint64_t live = traffic - (first == last ? BytesInPlace(first) : 0) +
                          (ring_bytes + kernels) * static_cast<uint64_t>(workers_now_);
    const uint64_t wanted = most_live_ / 5 * 2;
    return traffic + (live > wanted ? kWeightOfMemory * (live - wanted) : 0);
  }

  // Of the result of step `s`, where it can take the memory of a source that nobody reads after it.
  uint64_t BytesInPlace(int s) const {
    const PlanValue& result = value(step(s).writes[0]);
    for (size_t k = 0; k < step(s).reads.size() && k < 32; ++k) {
      const int v = step(s).reads[k];
      const bool allowed = v >= 0 && (step(s).in_place >> k & 1) != 0 && last_reader_[static_cast<size_t>(v)] == s;
      if (allowed && !shared_[static_cast<size_t>(v)] && value(v).bytes == result.bytes) return result.bytes;
    }
    return 0;
  }

  // What the steps [first, last] read and write in the arena, without what lies between them.
  uint64_t LiveBytes(int first, int last) const {
    std::vector<int> live;
    for (int s = first; s <= last; ++s) {
      live.insert(live.end(), step(s).reads.begin(), step(s).reads.end());
      live.insert(live.end(), step(s).writes.begin(), step(s).writes.end());
    }
    std::sort(live.begin(), live.end());
    live.erase(std::unique(live.begin(), live.end()), live.end());
    uint64_t bytes = 0;
    for (int v : live) {
      bool inner = v < 0;
      for (int s = first; s < last; ++s) inner |= step(s).writes.size() == 1 && step(s).writes[0] == v;
      if (!inner && plan_.slots[value(v).slot].kind == PlanSlot::kArena) bytes += value(v).bytes;
    }
    return bytes;
  }

  // Strips and rings that stay in the cache beside the weights; of those that cost as much, the higher strips.
  bool LayOut(int first, int last, Layout* best) const {
    const uint64_t weights = WeightBytes(first, last);
    if (weights > cache_ / 2) return false;
    bool found = false;
    for (const int64_t rows : kStripRows) {
      Layout layout;
      DivideRows(first, last, rows, &layout.chain);
      if (layout.chain.strips * layout.chain.images < kStripsPerWorker * workers_now_) continue;
      if (RepeatedShare(first, layout.chain) > kMostRepeated) continue;
      PlaceRings(first, last, &layout);
      if (layout.chain.ring_bytes + weights > cache_ / 5 * 4) continue;
      layout.cost = CostOf(first, last, layout.chain.ring_bytes);
      if (found && layout.cost >= best->cost) continue;
      *best = std::move(layout);
      found = true;
    }
    return found;
  }

  // The part of the work that is done twice because each worker begins with a strip made from nothing.
  double RepeatedShare(int first, const Chain& chain) const {
    double all = 1, repeated = 0;
    const int64_t middle = chain.strips / 2;
    for (int i = 0; i < chain.steps; ++i) {
      const auto flops = static_cast<double>(step(first + i).flops);
      const int64_t rows = middle > 0 ? chain.At(middle - 1, i).end - chain.At(middle, i).begin : 0;
      all += flops;
      repeated += flops * static_cast<double>(std::max<int64_t>(rows, 0)) / static_cast<double>(Height(first + i));
    }
    return repeated * (workers_now_ - 1) / (all * static_cast<double>(chain.images));
  }

  // The rows of each strip, from the last step back to the first.
  void DivideRows(int first, int last, int64_t strip_rows, Chain* chain) const {
    chain->steps = last - first + 1;
    chain->images = Result(last).dims[0];
    chain->strips = (Height(last) + strip_rows - 1) / strip_rows;
    if (chain->images % workers_now_ != 0) {  // as many for each worker
      chain->strips = std::min((chain->strips + workers_now_ - 1) / workers_now_ * workers_now_, Height(last));
    }
    chain->rows.resize(static_cast<size_t>(chain->strips * chain->steps));
    for (int64_t strip = 0; strip < chain->strips; ++strip) {
      RingRows* rows = &chain->rows[static_cast<size_t>(strip * chain->steps)];
      rows[last - first].begin = strip * Height(last) / chain->strips;
      rows[last - first].end = (strip + 1) * Height(last) / chain->strips;
      for (int s = last - 1; s >= first; --s) rows[s - first] = RowsFor(s, first, last, rows);
    }
  }

  // What the later steps of the chain read of the result of step `s` in a strip.
  RingRows RowsFor(int s, int first, int last, const RingRows* rows) const {
    RingRows all{Height(s), 0};
    for (int r = s + 1; r <= last; ++r) {
      for (size_t k = 0; k < step(r).reads.size(); ++k) {
        if (step(r).reads[k] != step(s).writes[0]) continue;
        const RowMap& map = step(r).rows[k];
        const RingRows& reader = rows[r - first];
        all.begin = std::min(all.begin, map.stride * reader.begin - map.pad);
        all.end = std::max(all.end, map.stride * (reader.end - 1) - map.pad + map.taps);
      }
    }
    all.begin = std::clamp<int64_t>(all.begin, 0, Height(s) - 1);
    all.end = std::clamp<int64_t>(all.end, all.begin + 1, Height(s));
    return all;
  }

  void PlaceRings(int first, int last, Layout* layout) const {
    Chain& chain = layout->chain;
    for (int i = 0; i < last - first; ++i) {
      int64_t most = 0;
      for (int64_t strip = 0; strip < chain.strips; ++strip) {
        most = std::max(most, chain.At(strip, i).end - chain.At(strip, i).begin);
      }
      layout->ring_bytes.push_back(static_cast<uint64_t>(most) * RowBytes(first + i));
      chain.ring_bytes += RoundUp(layout->ring_bytes.back(), kAlignment);
    }
  }

  void Apply(int first, int last, Layout layout) {
    uint64_t offset = 0, kernels = 0;
    for (int s = first; s <= last; ++s) {
      if (s < last) {
        PlanValue& inner = plan_.values[static_cast<size_t>(step(s).writes[0])];
        inner.ring = true;
        inner.offset = offset;
        inner.bytes = layout.ring_bytes[static_cast<size_t>(s - first)];
        offset += RoundUp(inner.bytes, kAlignment);
      }
      kernels = std::max(kernels, step(s).step.scratch_per_worker);
      step(s).step.scratch = {};
      step(s).step.scratch_per_worker = 0;
      schedule_.groups[static_cast<size_t>(s)] = {first, last};
    }
    Step& head = step(first).step;
    head.scratch_per_worker = RoundUp(offset + kernels, kAlignment);
    const uint64_t bytes = head.scratch_per_worker * static_cast<uint64_t>(workers_now_);
    head.scratch = {0, 0, MakeDense(DataType::kU8, {static_cast<int64_t>(bytes)})};
    head.chain = std::move(layout.chain);
  }

  Draft& draft_;
  Plan& plan_;
  Schedule& schedule_;
  std::span<Device* const> devices_;
  std::span<const int> workers_;
  uint64_t cache_ = 0, most_live_ = 0;
  int workers_now_ = 1;
  std::vector<int> last_reader_;  // per plan value: the last step that reads it
  std::vector<bool> shared_;      // per plan value: something else shows it, or a transfer takes it
};

}  // namespace

void FormChains(Draft& draft, Schedule& schedule, std::span<Device* const> devices, std::span<const int> workers) {
  ChainFinder(draft, schedule, devices, workers).Run();
}

}  // namespace moka

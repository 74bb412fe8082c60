#include "graph/planner.h"

#include <algorithm>
#include <numeric>

#include "base/math.h"

namespace moka {
namespace {

// What is live at once at most: no layout is smaller.
uint64_t PeakOfLiveBytes(std::span<const MemoryBlock> blocks, uint64_t alignment) {
  struct Event {
    int step;
    bool ends;
    uint64_t bytes;
  };
  std::vector<Event> events;
  for (const MemoryBlock& block : blocks) {
    const uint64_t bytes = RoundUp(block.bytes, alignment);
    events.push_back({block.first, false, bytes});
    events.push_back({block.last + 1, true, bytes});
  }
  std::sort(events.begin(), events.end(),
            [](const Event& a, const Event& b) { return a.step != b.step ? a.step < b.step : a.ends && !b.ends; });
  uint64_t live = 0, peak = 0;
  for (const Event& event : events) {
    live = event.ends ? live - event.bytes : live + event.bytes;
    peak = std::max(peak, live);
  }
  return peak;
}

// Places blocks in the given order, each into the tightest gap between those that live at the same time.
MemoryLayout PlaceInOrder(std::span<const MemoryBlock> blocks, const std::vector<int>& order, uint64_t alignment) {
  MemoryLayout layout;
  layout.offsets.assign(blocks.size(), 0);
  std::vector<int> placed;  // by offset
  for (int id : order) {
    const MemoryBlock& block = blocks[static_cast<size_t>(id)];
    const uint64_t bytes = RoundUp(block.bytes, alignment);
    if (bytes == 0) continue;
    uint64_t end = 0, best = UINT64_MAX, best_gap = UINT64_MAX;
    for (int other : placed) {
      const MemoryBlock& neighbour = blocks[static_cast<size_t>(other)];
      if (neighbour.last < block.first || neighbour.first > block.last) continue;
      const uint64_t begin = layout.offsets[static_cast<size_t>(other)];
      if (begin >= end + bytes && begin - end < best_gap) {
        best = end;
        best_gap = begin - end;
      }
      end = std::max(end, begin + RoundUp(neighbour.bytes, alignment));
    }
    const uint64_t offset = best != UINT64_MAX ? best : end;
    layout.offsets[static_cast<size_t>(id)] = offset;
    layout.bytes = std::max(layout.bytes, offset + bytes);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), offset,
                         [&](uint64_t at, int other) { return at < layout.offsets[static_cast<size_t>(other)]; }),
        id);
  }
  return layout;
}

// The block that sticks out is the one that came too late: again and again it is placed first.
void ImproveByPromotion(std::span<const MemoryBlock> blocks, std::vector<int> order, uint64_t alignment, uint64_t bound,
                        MemoryLayout* best) {
  constexpr size_t kWork = 200000, kMostRounds = 64;  // a placement costs about the square of the number of blocks
  const size_t rounds = std::min(kMostRounds, kWork / (blocks.size() * blocks.size() + 1));
  for (size_t round = 0; round < rounds && best->bytes > bound; ++round) {
    MemoryLayout layout = PlaceInOrder(blocks, order, alignment);
    const auto sticks_out = std::max_element(order.begin(), order.end(), [&](int a, int b) {
      const auto end = [&](int id) {
        return layout.offsets[static_cast<size_t>(id)] + blocks[static_cast<size_t>(id)].bytes;
      };
      return end(a) < end(b);
    });
    std::rotate(order.begin(), sticks_out, sticks_out + 1);
    if (layout.bytes < best->bytes) *best = std::move(layout);
  }
}

}  // namespace

MemoryLayout PlanMemory(std::span<const MemoryBlock> blocks, uint64_t alignment) {
  using Less = bool (*)(const MemoryBlock&, const MemoryBlock&);
  static constexpr Less kOrders[] = {
      [](const MemoryBlock& a, const MemoryBlock& b) { return a.bytes > b.bytes; },
      [](const MemoryBlock& a, const MemoryBlock& b) {
        const auto area = [](const MemoryBlock& m) {
          return static_cast<double>(m.bytes) * static_cast<double>(m.last - m.first + 1);
        };
        return area(a) > area(b);
      },
      [](const MemoryBlock& a, const MemoryBlock& b) { return a.first < b.first; },
      [](const MemoryBlock& a, const MemoryBlock& b) { return a.last > b.last; },
      [](const MemoryBlock& a, const MemoryBlock& b) { return a.last - a.first > b.last - b.first; },
  };
  const uint64_t bound = PeakOfLiveBytes(blocks, alignment);
  std::vector<int> by_size(blocks.size());
  std::iota(by_size.begin(), by_size.end(), 0);
  const auto sort_by = [&](std::vector<int>& order, Less less) {
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      return less(blocks[static_cast<size_t>(a)], blocks[static_cast<size_t>(b)]);
    });
  };
  sort_by(by_size, kOrders[0]);
  MemoryLayout best;
  for (const Less less : kOrders) {
    std::vector<int> order = by_size;
    sort_by(order, less);
    MemoryLayout layout = PlaceInOrder(blocks, order, alignment);
    if (best.offsets.empty() || layout.bytes < best.bytes) best = std::move(layout);
    if (best.bytes <= bound) return best;
  }
  ImproveByPromotion(blocks, by_size, alignment, bound, &best);
  return best;
}

}  // namespace moka

// The memory planner: sees lifetimes and sizes, nothing else.
#ifndef MOKA_GRAPH_PLANNER_H_
#define MOKA_GRAPH_PLANNER_H_

#include <cstdint>
#include <span>
#include <vector>

namespace moka {

struct MemoryBlock {
  uint64_t bytes = 0;
  int first = 0, last = 0;  // steps of its life, both included
};
struct MemoryLayout {
  std::vector<uint64_t> offsets;  // per block
  uint64_t bytes = 0;             // of the arena
};

// Offsets, multiples of `alignment`, such that blocks that live at the same time do not overlap. Greedy: of several
// orders the one with the smallest arena.
MemoryLayout PlanMemory(std::span<const MemoryBlock> blocks, uint64_t alignment);

}  // namespace moka

#endif  // MOKA_GRAPH_PLANNER_H_

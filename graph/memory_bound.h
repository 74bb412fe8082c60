// The least memory that the steps of a plan can live in, computed from who reads and writes what. Shares no code with
// the planner.
#ifndef MOKA_GRAPH_MEMORY_BOUND_H_
#define MOKA_GRAPH_MEMORY_BOUND_H_

#include <cstdint>

#include "graph/plan.h"

namespace moka {

// Constants once and packs, and per device the maximum over its steps (groups of them, where they run at the same time)
// of the bytes that must be there: values between their first write and last use, and scratch.
uint64_t MemoryLowerBound(const Plan& plan, std::span<const Limits> limits);

}  // namespace moka

#endif  // MOKA_GRAPH_MEMORY_BOUND_H_

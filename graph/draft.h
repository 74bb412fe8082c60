// A plan in the making: which steps run where, and how their operands relate, before they have an order and addresses.
#ifndef MOKA_GRAPH_DRAFT_H_
#define MOKA_GRAPH_DRAFT_H_

#include <vector>

#include "graph/plan.h"

namespace moka {

// A copy between devices. from -1: graph input `input`; to -1: graph output `output`.
struct DraftTransfer {
  int from = -1, to = -1;  // plan values
  int input = -1, output = -1;
  uint64_t bytes = 0;
};

// Of plan.values, offsets are relative to alias_of; of plan.steps, operands are known by reads and writes alone.
// Slot d is the arena of device d.
struct Draft {
  Plan plan;
  std::vector<DraftTransfer> transfers;
};

}  // namespace moka

#endif  // MOKA_GRAPH_DRAFT_H_

// Gives the steps of a draft their order: runs on one device become segments, steps that may run at the same time
// become groups with barriers between them.
#ifndef MOKA_GRAPH_SCHEDULE_H_
#define MOKA_GRAPH_SCHEDULE_H_

#include <span>
#include <vector>

#include "graph/draft.h"

namespace moka {

// The steps [first, last] that may run at the same time as a step, itself included.
struct StepGroup {
  int first = 0, last = 0;
};
// When a transfer happens: before the first step of one segment or after the last of another.
struct TransferTimes {
  int download_segment = -1, upload_segment = -1;  // -1: not on this side (graph inputs, outputs, host memory)
};
struct Schedule {
  std::vector<StepGroup> groups;         // per step, in the new order
  std::vector<TransferTimes> transfers;  // per draft transfer
};

// Reorders draft.plan.steps; fills levels, barriers and segments with their transfers.
Schedule ScheduleSteps(Draft& draft, std::span<Device* const> devices);

}  // namespace moka

#endif  // MOKA_GRAPH_SCHEDULE_H_

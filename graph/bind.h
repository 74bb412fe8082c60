// From an optimised graph and input shapes to a plan: evaluates dimensions, lets devices choose kernels, turns copies
// into views where kernels accept them, orders the steps and lays out memory.
#ifndef MOKA_GRAPH_BIND_H_
#define MOKA_GRAPH_BIND_H_

#include <cstdint>
#include <limits>
#include <span>

#include "graph/choices.h"
#include "graph/plan.h"

namespace moka {

struct BindRequest {
  const Graph* graph = nullptr;      // optimised; must outlive the plan
  std::span<const Shape> inputs;     // one per graph input
  std::span<Device* const> devices;  // [0]: the asked one; [1]: the CPU, where that is another
  std::span<const int> workers;      // of each device's queue
  bool compact = false;              // ChoosePolicy::compact
  Precision precision = Precision::kF32;
  bool depth_first = true;  // SessionOptions::depth_first
  bool strict = false;      // kUnsupported, with the whole list, where a node would fall back
  int64_t max_tensor_bytes = std::numeric_limits<int64_t>::max();  // of a node's result
  // SessionOptions::measure; null: the devices' own choices.
  ChoiceStore* choices = nullptr;
  std::span<Queue* const> queues;  // that measure, one per device; null: its own choices
  const PackCache* pack_cache = nullptr;
};

Result<Plan> Bind(const BindRequest& request);

}  // namespace moka

#endif  // MOKA_GRAPH_BIND_H_

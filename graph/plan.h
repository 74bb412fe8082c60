// What one run does, for one combination of input shapes: flat data that the planner writes, the verifier checks, the
// session executes and `moka info` prints.
#ifndef MOKA_GRAPH_PLAN_H_
#define MOKA_GRAPH_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "ops/device.h"

namespace moka {

// A slot of the plan's table. One table for all devices; a slot belongs to one device.
struct PlanSlot {
  enum Kind : uint8_t {
    kArena,    // of a device
    kScratch,  // of a device
    kWeight,   // one constant: `value` as it is (pack < 0), or plan.packs[pack]
    kInput,    // graph input `index`, where device memory is host memory: the caller's pointer
    kOutput,   // graph output `index`, likewise
    kStaging,  // host memory of the session, for values that cross devices (belongs to the CPU)
  } kind = kArena;
  int device = 0;
  ValueId value = kNoValue;
  int index = -1;
  int pack = -1;
  uint64_t bytes = 0;
};

// A value on one device: where it lies and when it lives. Steps are numbered over the whole plan.
struct PlanValue {
  ValueId value = kNoValue;
  int device = 0;
  TensorDesc desc;
  uint32_t slot = 0;
  uint64_t offset = 0, bytes = 0;     // bytes: of the extent
  int first_step = 0, last_step = 0;  // written by first_step (-1: before the run), last read by last_step
  int alias_of = -1;                  // plan value whose memory this one is a view of, or overwrites in place
  bool in_place = false;              // overwrites alias_of, whose life ends in the same step
};

struct PlanStep {
  Step step;
  int node = -1;  // in the optimised graph; -1: a copy that the binder inserted
  int device = 0;
  int level = 0;                   // longest path of steps before it
  std::vector<int> reads, writes;  // plan values
  bool own_kernel = true;
  std::vector<Refusal> refusals;
  int64_t flops = 0;
};

struct PlanPack {
  ValueId value = kNoValue;
  int device = 0;
  PackSpec spec;
};

// A run of steps on one device. Before it `uploads` go to the device, after it `downloads` come back.
struct PlanTransfer {
  int plan_value = -1;          // on the segment's device
  int input = -1, output = -1;  // graph input or output that it is, else:
  uint32_t staging_slot = 0;    // where the other device finds it
};
struct PlanSegment {
  int device = 0;
  int first = 0, count = 0;  // range of plan.steps
  std::vector<PlanTransfer> uploads, downloads;
};

struct Plan {
  std::vector<PlanStep> steps;
  std::vector<PlanValue> values;
  std::vector<PlanSlot> slots;
  std::vector<PlanPack> packs;
  std::vector<PlanSegment> segments;
  std::vector<TensorDesc> inputs, outputs;           // dense row-major, as the caller sees them
  std::vector<uint64_t> arena_bytes, scratch_bytes;  // per device
  int crossings = 0;
};

}  // namespace moka

#endif  // MOKA_GRAPH_PLAN_H_

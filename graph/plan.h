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
    kArena,   // of a device; scratch lies in it too
    kWeight,  // one constant of a device: packs[pack], or constants[constant], or the graph's `value` as it is
    kInput,   // graph input `index`, where device memory is host memory: the caller's pointer
    kOutput,  // graph output `index`, likewise
  } kind = kArena;
  int device = 0;
  ValueId value = kNoValue;
  int index = -1;
  int pack = -1, constant = -1;
  TensorDesc desc;  // of an unpacked constant
  uint64_t bytes = 0;
};

// A value on one device: where it lies and when it lives. Steps are numbered over the whole plan.
struct PlanValue {
  ValueId value = kNoValue;
  int device = 0;
  TensorDesc desc;
  uint32_t slot = 0;
  uint64_t offset = 0, bytes = 0;     // bytes: of the extent, padding lanes included
  int first_step = 0, last_step = 0;  // written in first_step (-1: before the run), last read in last_step
  enum Relation : uint8_t {
    kOwn,      // memory of its own
    kView,     // shows elements of alias_of
    kPart,     // a part of alias_of, which is nothing but its parts (concatenation without a copy)
    kInPlace,  // overwrites alias_of, which nobody reads from then on
  } relation = kOwn;
  int alias_of = -1;
  bool ring = false;  // of its own, but only rings in the scratch of the chain that writes and reads it; see Operand
};

struct PlanStep {
  Step step;
  int node = -1;  // in the optimised graph; -1: a copy that the binder inserted
  int device = 0;
  int level = 0;                   // longest path of steps before it
  std::vector<int> reads, writes;  // plan values, parallel to step.src and step.dst; -1: absent or packed
  uint32_t in_place = 0;           // Choice::in_place
  std::vector<RowMap> rows;        // Choice::rows
  bool own_kernel = true;
  std::vector<Refusal> refusals;
  int64_t flops = 0;
  // What step.call points to.
  std::vector<TensorDesc> src_descs, dst_descs;
  std::vector<const HostTensor*> constants;
};

struct PlanPack {
  ValueId value = kNoValue;
  int device = 0;
  PackSpec spec;
};

// Before the steps of a segment `uploads` go to its device, after them `downloads` come back; none where
// Limits::host_memory.
struct PlanTransfer {
  int plan_value = -1;          // on the segment's device
  int input = -1, output = -1;  // the graph input or output that it is, else:
  int host_value = -1;          // the plan value in host memory that it is copied from or to
  uint64_t bytes = 0;
};
struct PlanSegment {  // a run of steps on one device
  int device = 0;
  int first = 0, count = 0;  // range of plan.steps
  std::vector<PlanTransfer> uploads, downloads;
};

// Move-only: the calls of steps point into it.
struct Plan {
  std::vector<PlanStep> steps;
  std::vector<PlanValue> values;
  std::vector<PlanSlot> slots;
  std::vector<PlanPack> packs;
  std::vector<std::shared_ptr<const HostTensor>> constants;  // integers that were computed from shapes
  std::vector<PlanSegment> segments;
  std::vector<TensorDesc> inputs, outputs;           // dense row-major, as the caller sees them
  std::vector<uint64_t> arena_bytes, scratch_bytes;  // per device; scratch is what it adds to the arena, within it
  int crossings = 0;                                 // values that are copied between devices inside the graph

  Plan() = default;
  Plan(Plan&&) = default;
  Plan& operator=(Plan&&) = default;
};

}  // namespace moka

#endif  // MOKA_GRAPH_PLAN_H_

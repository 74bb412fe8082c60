// From linked steps to launches over bound buffers: what recording a Vulkan command buffer and setting OpenCL kernel
// arguments have in common.
#ifndef MOKA_GPU_RECORD_H_
#define MOKA_GPU_RECORD_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "gpu/launch.h"

namespace moka::gpu {

// The range of a slot that one binding may touch.
struct SlotRange {
  uint32_t slot = 0;
  uint64_t offset = 0, bytes = 0;
};

struct StepRecord {
  std::string name;  // of the kernel and the node, for messages
  Launch launch;
  std::array<SlotRange, kMaxBuffers> ranges{};  // one per launch.bindings
  bool barrier = false;
  bool empty = false;  // a dimension of the grid is 0: nothing to run
};

// Checks every launch against Kernels(), the profile and the slots, once, so that recording need not. kInternal names
// the step.
Result<std::vector<StepRecord>> ReadSteps(const LinkRequest& request, const Profile& profile);

// Where a range lies once its slot is bound at `bound_offset` of a buffer.
struct Placement {
  uint64_t base = 0;   // aligned; what the API binds
  uint64_t bytes = 0;  // from base to the end of the range, whole vectors
  int32_t units = 0;   // the rest of the offset, for params[offset_param]
};
// `alignment` is a power of two, or 0 where only whole buffers can be bound (base is then 0).
Result<Placement> Place(const StepRecord& step, int binding, uint64_t bound_offset, uint64_t buffer_bytes,
                        uint64_t alignment);

}  // namespace moka::gpu

#endif  // MOKA_GPU_RECORD_H_

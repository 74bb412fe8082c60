#include "gpu/record.h"

#include <algorithm>
#include <limits>
#include <span>
#include <utility>

#include "base/status.h"

namespace moka::gpu {
namespace {

// Kernels read and write whole vectors of four elements: a range ends at a multiple of this, in the padding lanes of
// its last row.
constexpr uint64_t kVectorBytes = 32;

const Operand* FindOperand(const Step& step, const Launch::Binding& binding) {
  if (binding.kind == Launch::Binding::kScratch) return &step.scratch;
  const std::vector<Operand>& operands = binding.kind == Launch::Binding::kSrc   ? step.src
                                         : binding.kind == Launch::Binding::kDst ? step.dst
                                                                                 : step.packs;
  if (binding.index < 0 || static_cast<size_t>(binding.index) >= operands.size()) return nullptr;
  return &operands[static_cast<size_t>(binding.index)];
}

Status CheckLaunch(const Launch& launch, const Profile& profile) {
  const std::span<const KernelSource> kernels = Kernels();
  if (launch.kernel < 0 || static_cast<size_t>(launch.kernel) >= kernels.size()) {
    return Internal("kernel number ", launch.kernel, " of ", kernels.size());
  }
  const KernelSource& source = kernels[static_cast<size_t>(launch.kernel)];
  if (launch.num_bindings != source.buffers || launch.num_bindings > kMaxBuffers) {
    return Internal(launch.num_bindings, " bindings for ", source.buffers, " buffers");
  }
  if (launch.num_spec < 0 || static_cast<size_t>(launch.num_spec) != source.spec_names.size()) {
    return Internal(launch.num_spec, " specialization words for ", source.spec_names.size(), " names");
  }
  if (launch.param_bytes < 0 || launch.param_bytes > kMaxParamBytes || launch.param_bytes % 4 != 0) {
    return Internal("parameters of ", launch.param_bytes, " bytes");
  }
  int64_t invocations = 1;
  for (size_t i = 0; i < 3; ++i) {
    if (launch.group_size[i] < 1) return Internal("group size ", launch.group_size[i]);
    invocations *= launch.group_size[i];
    if (launch.groups[i] < 0 || launch.groups[i] > profile.max_groups[i]) {
      return Internal(launch.groups[i], " groups where the device takes ", profile.max_groups[i]);
    }
  }
  if (invocations > profile.max_group_invocations) {
    return Internal("groups of ", invocations, " where the device takes ", profile.max_group_invocations);
  }
  return Status();
}

Result<StepRecord> ReadStep(const Step& step, std::span<const SlotInfo> slots, const Profile& profile) {
  if (step.launch.bytes().size() != sizeof(Launch)) return Internal("not a launch of a GPU kernel");
  StepRecord record;
  record.launch = step.launch.As<Launch>();
  const Launch& launch = record.launch;
  MOKA_RETURN_IF_ERROR(CheckLaunch(launch, profile));
  record.barrier = step.barrier;
  record.empty = std::any_of(launch.groups.begin(), launch.groups.end(), [](int32_t n) { return n == 0; });
  for (int b = 0; b < launch.num_bindings; ++b) {
    const Launch::Binding& binding = launch.bindings[static_cast<size_t>(b)];
    const Operand* operand = FindOperand(step, binding);
    if (operand == nullptr || !operand->desc.present()) return Internal("binding ", b, " names an absent operand");
    if (operand->slot >= slots.size() || slots[operand->slot].kind != SlotInfo::kBuffer) {
      return Internal("binding ", b, " lies in slot ", operand->slot, ", which is no device buffer");
    }
    if (binding.offset_param >= launch.param_bytes / 4 || binding.unit_bytes < 1) {
      return Internal("binding ", b, " keeps its offset in parameter ", binding.offset_param);
    }
    record.ranges[static_cast<size_t>(b)] = {operand->slot, operand->offset, operand->desc.ExtentBytes()};
  }
  return record;
}

}  // namespace

Result<std::vector<StepRecord>> ReadSteps(const LinkRequest& request, const Profile& profile) {
  std::vector<StepRecord> records;
  records.reserve(request.steps.size());
  for (const Step& step : request.steps) {
    const std::string name = StrCat(step.kernel, " (node '", step.call.name, "')");
    Result<StepRecord> record = ReadStep(step, request.slots, profile);
    if (!record.ok()) return record.status().WithContext(name);
    record->name = name;
    records.push_back(std::move(*record));
  }
  for (const std::span<const HostCopy> copies : {request.uploads, request.downloads}) {
    for (const HostCopy& copy : copies) {
      if (copy.slot >= request.slots.size() || request.slots[copy.slot].kind != SlotInfo::kBuffer) {
        return Internal("a host copy names slot ", copy.slot, ", which is no device buffer");
      }
    }
  }
  return records;
}

Result<Placement> Place(const StepRecord& step, int binding, uint64_t bound_offset, uint64_t buffer_bytes,
                        uint64_t alignment) {
  const SlotRange& range = step.ranges[static_cast<size_t>(binding)];
  const Launch::Binding& how = step.launch.bindings[static_cast<size_t>(binding)];
  const uint64_t begin = bound_offset + range.offset;
  if (begin > buffer_bytes || range.bytes > buffer_bytes - begin) {
    return Internal(step.name, ": binding ", binding, " ends at byte ", begin + range.bytes, " of ", buffer_bytes);
  }
  Placement place;
  if (range.bytes == 0) {
    place.bytes = std::min(kVectorBytes, buffer_bytes);
    return place;
  }
  place.base = alignment == 0 ? 0 : begin & ~(alignment - 1);
  const uint64_t rest = begin - place.base;
  const uint64_t unit = static_cast<uint64_t>(how.unit_bytes);
  if (rest % unit != 0 || rest / unit > static_cast<uint64_t>(std::numeric_limits<int32_t>::max())) {
    return Internal(step.name, ": binding ", binding, " starts at byte ", begin, ", which its kernel cannot address");
  }
  if (how.offset_param < 0 && rest != 0) return Internal(step.name, ": binding ", binding, " must be aligned");
  place.units = static_cast<int32_t>(rest / unit);
  const uint64_t end = (begin + range.bytes + kVectorBytes - 1) / kVectorBytes * kVectorBytes;
  place.bytes = std::min(end, buffer_bytes) - place.base;
  return place;
}

}  // namespace moka::gpu

#include "graph/prepared_plan.h"

#include <algorithm>

#include "base/platform.h"
#include "graph/bind.h"
#include "graph/model_impl.h"
#include "graph/verifier.h"

namespace moka {
namespace {

// The plan keeps references to the specialisation, so its address names it while the plan lives.
std::string KeyOf(const PlanRequest& request) {
  std::string key;
  const auto append = [&key](const auto& value) { key.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
  append(request.specialization.get());
  for (Device* device : request.devices) append(device);
  for (int workers : request.workers) append(workers);
  append(request.strict);
  append(request.compact);
  append(request.precision);
  append(request.depth_first);
  append(request.verify);
  append(request.choices);
  append(request.max_tensor_bytes);
  for (const Shape& shape : request.inputs) {
    append(shape.size());
    for (int64_t dim : shape) append(dim);
  }
  return key;
}

Status CheckMemory(const Plan& plan, uint64_t limit) {
  const PlanMemory memory = MemoryOf(plan);
  if (limit == 0 || memory.total() <= limit) return {};
  return OutOfMemory("the plan needs ", memory.total(), " bytes (weights ", memory.weights, ", packs ", memory.packs,
                     ", arena with scratch ", memory.arenas, "); the memory limit is ", limit);
}

class WeightMaker {
 public:
  WeightMaker(PreparedPlan& prepared, WeightStore& store, const PackCache* cache)
      : prepared_(prepared), store_(store), cache_(cache) {
    const Plan& plan = prepared_.plan;
    for (size_t s = 0; s < plan.slots.size(); ++s) {
      if (plan.slots[s].kind == PlanSlot::kWeight) slots_.push_back(s);
    }
    // The largest first, so that the workers end together.
    std::stable_sort(slots_.begin(), slots_.end(),
                     [&](size_t a, size_t b) { return plan.slots[a].bytes > plan.slots[b].bytes; });
    prepared_.weights.resize(plan.slots.size());
    statuses_.resize(plan.slots.size());
  }

  Status Run(Executor* executor) {
    uint64_t bytes = 0;  // of what is packed in host memory
    for (size_t s : slots_) {
      const PlanSlot& slot = prepared_.plan.slots[s];
      const bool in_host = prepared_.devices[static_cast<size_t>(slot.device)]->limits().host_memory;
      if (slot.pack >= 0 && in_host) bytes += MemoryRange::RoomFor(slot.bytes);
    }
    memory_ = bytes <= SIZE_MAX ? MemoryRange::Reserve(static_cast<size_t>(bytes)) : nullptr;
    const auto make = [](void* self, int64_t i, int) {
      static_cast<WeightMaker*>(self)->Make(static_cast<WeightMaker*>(self)->slots_[static_cast<size_t>(i)]);
    };
    const auto count = static_cast<int64_t>(slots_.size());
    if (executor != nullptr) {
      executor->Run(count, make, this);
    } else {
      for (int64_t i = 0; i < count; ++i) make(this, i, 0);
    }
    for (const Status& status : statuses_) MOKA_RETURN_IF_ERROR(status);
    // Neighbours brought the pages at their borders back.
    for (size_t s : slots_) ReleasePages(s);
    return {};
  }

 private:
  const HostTensor& TensorOf(const PlanSlot& slot) const {
    return slot.constant >= 0 ? *prepared_.plan.constants[static_cast<size_t>(slot.constant)]
                              : *prepared_.specialization->graph.value(slot.value).constant;
  }

  void Make(size_t s) {
    const PlanSlot& slot = prepared_.plan.slots[s];
    Device& device = *prepared_.devices[static_cast<size_t>(slot.device)];
    auto weight = slot.pack >= 0
                      ? store_.Pack(device, TensorOf(slot), prepared_.plan.packs[static_cast<size_t>(slot.pack)].spec,
                                    cache_, memory_)
                      : store_.Place(device, TensorOf(slot), slot.desc);
    if (weight.ok()) {
      prepared_.weights[s] = std::move(weight).value();
      ReleasePages(s);
    } else {
      const Value& value = prepared_.specialization->graph.value(slot.value);
      statuses_[s] = weight.status().WithContext(StrCat("constant '", value.name, "'"));
    }
  }

  // Of the file: what was packed or copied is not read again.
  void ReleasePages(size_t s) const {
    const PlanSlot& slot = prepared_.plan.slots[s];
    const HostTensor& tensor = TensorOf(slot);
    const bool read_in_runs = slot.pack < 0 && prepared_.weights[s]->imported;
    if (!read_in_runs) ReleaseMappedPages(tensor.data, tensor.desc.ExtentBytes());
  }

  PreparedPlan& prepared_;
  WeightStore& store_;
  const PackCache* cache_;
  std::shared_ptr<MemoryRange> memory_;  // of what is packed
  std::vector<size_t> slots_;
  std::vector<Status> statuses_;  // per slot of the plan
};

Status LinkSegments(PreparedPlan& prepared) {
  const Plan& plan = prepared.plan;
  std::vector<SlotInfo> slots;
  for (const PlanSlot& slot : plan.slots) {
    const bool callers = slot.kind == PlanSlot::kInput || slot.kind == PlanSlot::kOutput;
    slots.push_back({callers ? SlotInfo::kHost : SlotInfo::kBuffer, slot.bytes});
  }
  for (const PlanSegment& segment : plan.segments) {
    std::vector<Step> steps;
    for (int s = segment.first; s < segment.first + segment.count; ++s) {
      steps.push_back(plan.steps[static_cast<size_t>(s)].step);
    }
    const auto copies = [&plan](const std::vector<PlanTransfer>& transfers) {
      std::vector<HostCopy> out;
      for (const PlanTransfer& transfer : transfers) {
        const PlanValue& value = plan.values[static_cast<size_t>(transfer.plan_value)];
        out.push_back({value.slot, value.offset, transfer.bytes});
      }
      return out;
    };
    const std::vector<HostCopy> uploads = copies(segment.uploads), downloads = copies(segment.downloads);
    LinkRequest request;
    request.steps = steps;
    request.slots = slots;
    request.uploads = uploads;
    request.downloads = downloads;
    Device& device = *prepared.devices[static_cast<size_t>(segment.device)];
    MOKA_ASSIGN_OR_RETURN(std::shared_ptr<const Program> program, device.Link(request));
    prepared.programs.push_back(std::move(program));
  }
  return {};
}

}  // namespace

PlanMemory MemoryOf(const Plan& plan) {
  PlanMemory memory;
  for (const PlanSlot& slot : plan.slots) {
    if (slot.kind == PlanSlot::kWeight) (slot.pack >= 0 ? memory.packs : memory.weights) += slot.bytes;
  }
  for (uint64_t bytes : plan.arena_bytes) memory.arenas += bytes;
  return memory;
}

Result<std::shared_ptr<const PreparedPlan>> PreparePlan(const PlanRequest& request, WeightStore& weights) {
  auto prepared = std::make_shared<PreparedPlan>();
  prepared->specialization = request.specialization;
  prepared->devices = request.devices;
  const double start = NowMicroseconds();
  BindRequest bind;
  bind.graph = &request.specialization->graph;
  bind.inputs = request.inputs;
  bind.devices = request.devices;
  bind.workers = request.workers;
  bind.strict = request.strict;
  bind.compact = request.compact;
  bind.precision = request.precision;
  bind.depth_first = request.depth_first;
  bind.max_tensor_bytes = request.max_tensor_bytes;
  const PackCache folder(request.pack_cache);
  const PackCache* cache = request.pack_cache.empty() ? nullptr : &folder;
  bind.choices = request.choices;
  bind.queues = request.queues;
  bind.pack_cache = cache;
  MOKA_ASSIGN_OR_RETURN(prepared->plan, Bind(bind));
  if (request.verify) {
    std::vector<Limits> limits;
    for (Device* device : request.devices) limits.push_back(device->limits());
    MOKA_RETURN_IF_ERROR(VerifyPlan(prepared->plan, limits, 0));
  }
  const double bound = NowMicroseconds();
  MOKA_RETURN_IF_ERROR(CheckMemory(prepared->plan, request.memory_limit));
  MOKA_RETURN_IF_ERROR(WeightMaker(*prepared, weights, cache).Run(request.executor));
  if (cache != nullptr) cache->Trim();
  MOKA_RETURN_IF_ERROR(LinkSegments(*prepared));
  prepared->bind_us = bound - start;
  prepared->prepare_us = NowMicroseconds() - bound;
  return std::shared_ptr<const PreparedPlan>(std::move(prepared));
}

Result<std::shared_ptr<const PreparedPlan>> PlanCache::Get(const PlanRequest& request, WeightStore& weights) {
  auto plan = Find(request, weights);
  if (request.memory_limit == 0 || plan.ok() || plan.status().code() != StatusCode::kOutOfMemory) return plan;
  PlanRequest compact = request;
  compact.compact = true;
  return Find(compact, weights);
}

Result<std::shared_ptr<const PreparedPlan>> PlanCache::Find(const PlanRequest& request, WeightStore& weights) {
  const std::string key = KeyOf(request);
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(plans_, [](const auto& entry) { return entry.second.expired(); });
    const auto it = plans_.find(key);
    if (it != plans_.end()) {
      if (std::shared_ptr<const PreparedPlan> plan = it->second.lock()) {
        MOKA_RETURN_IF_ERROR(CheckMemory(plan->plan, request.memory_limit));
        return plan;
      }
    }
  }
  // Outside of the lock: sessions that bind different shapes do not wait for each other. Of two that make the same
  // plan at once, the later one's is kept; weights are shared anyhow.
  MOKA_ASSIGN_OR_RETURN(std::shared_ptr<const PreparedPlan> plan, PreparePlan(request, weights));
  const std::lock_guard lock(mutex_);
  plans_[key] = plan;
  return plan;
}

}  // namespace moka

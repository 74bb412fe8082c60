#include "graph/session_impl.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "base/platform.h"
#include "graph/plan_info.h"
#include "ops/string_tensor.h"

namespace moka {
namespace {

constexpr int kMaxThreads = 1024;
constexpr size_t kMaxSamples = 1024;

// Where an empty tensor points that the caller gave no memory for.
alignas(64) std::byte empty_memory[64];

bool IsEmpty(const Shape& shape) { return std::count(shape.begin(), shape.end(), 0) > 0; }

bool SameContents(const HostTensor& known, const void* data) {
  const uint64_t bytes = known.desc.ExtentBytes();
  return bytes == 0 || (data != nullptr && std::memcmp(known.data, data, bytes) == 0);
}

Result<std::shared_ptr<const HostTensor>> CopyContents(DataType type, const Shape& shape, const void* data) {
  MOKA_ASSIGN_OR_RETURN(Tensor copied, Tensor::CopyOf(ConstTensorView(type, shape, data)));
  return std::make_shared<const HostTensor>(HostTensorOf(std::make_shared<const Tensor>(std::move(copied))));
}

const void* PointersTo(const std::string* strings, int64_t count, StringPointer* pointers) {
  for (int64_t i = 0; pointers != nullptr && i < count; ++i) pointers[i] = strings + i;
  return pointers;
}

// Elements of a plan may share a long string; those of the caller do not.
Status CheckCharacters(const StringPointer* pointers, int64_t count, int64_t limit) {
  int64_t characters = 0;
  for (int64_t i = 0; i < count; ++i) characters += static_cast<int64_t>(StringAt(pointers[i]).size());
  return characters <= limit ? Status() : OutOfMemory("strings of ", characters, " bytes, the limit is ", limit);
}

}  // namespace

SessionImpl::SessionImpl(std::shared_ptr<const ModelImpl> model, std::vector<Device*> devices,
                         const SessionOptions& options)
    : model_(std::move(model)),
      devices_(std::move(devices)),
      options_(options),
      queues_(devices_.size()),
      memory_(devices_) {}

Result<std::unique_ptr<SessionImpl>> SessionImpl::Create(std::shared_ptr<const ModelImpl> model,
                                                         std::vector<Device*> devices, const SessionOptions& options) {
  if (options.threads < 0 || options.threads > kMaxThreads) {
    return InvalidArgument("threads: ", options.threads, " is not in [0, ", kMaxThreads, "]");
  }
  if (options.max_plans < 1) return InvalidArgument("max_plans: ", options.max_plans, " is less than 1");
  std::unique_ptr<SessionImpl> session(new SessionImpl(std::move(model), std::move(devices), options));
  MOKA_RETURN_IF_ERROR(session->Start());
  return session;
}

Status SessionImpl::Start() {
  const Graph& graph = model_->graph();
  MOKA_ASSIGN_OR_RETURN(key_, model_->KeyFor(options_.outputs));
  key_.for_cpu = devices_[0]->limits().host_memory;
  for (ValueId v : key_.outputs) output_names_.push_back(graph.value(v).name);
  MOKA_RETURN_IF_ERROR(state_.Start(options_.state, *model_, output_names_));
  for (size_t d = 0; d < devices_.size(); ++d) {
    if (devices_[d]->limits().host_memory) host_ = static_cast<int>(d);
  }
  if (model_->staged()) return StartStaged({});
  MOKA_RETURN_IF_ERROR(MakeQueue(0));
  workers_.push_back(queues_[0]->workers());
  if (devices_.size() > 1) workers_.push_back(HostWorkers());
  const bool ranked =
      std::all_of(graph.inputs.begin(), graph.inputs.end(), [&](ValueId v) { return graph.value(v).declared_rank; });
  if (!ranked) return {};
  // What does not depend on shapes fails here, not in the first run.
  MOKA_ASSIGN_OR_RETURN(const auto specialization, model_->Specialize(key_));
  if (specialization->staged) return StartStaged(specialization->cuts);
  shape_inputs_ = specialization->shape_inputs;
  if (!shape_inputs_.empty()) return {};
  std::vector<Shape> shapes;
  for (const ValueInfo& input : model_->inputs()) {
    if (std::count(input.dims.begin(), input.dims.end(), -1) > 0) return {};
    shapes.push_back(input.dims);
  }
  return Bind(shapes).status();
}

int SessionImpl::HostWorkers() const {
  return options_.executor != nullptr ? options_.executor->workers()
         : options_.threads > 0       ? options_.threads
                                      : HardwareThreads();
}

Executor& SessionImpl::HostExecutor() {
  if (options_.executor != nullptr) return *options_.executor;
  if (pool_ == nullptr) pool_ = std::make_unique<ThreadPool>(HostWorkers());
  return *pool_;
}

Status SessionImpl::MakeQueue(int d) {
  if (queues_[static_cast<size_t>(d)] != nullptr) return {};
  QueueOptions options;
  options.threads = options_.threads;
  options.executor = devices_[static_cast<size_t>(d)]->limits().host_memory ? &HostExecutor() : options_.executor;
  options.profile = options_.profile;
  MOKA_ASSIGN_OR_RETURN(queues_[static_cast<size_t>(d)], devices_[static_cast<size_t>(d)]->MakeQueue(options));
  return {};
}

// ---- What the caller passes ---------------------------------------------------------------------------------------

Status SessionImpl::CheckInputs(std::span<const ConstTensorView> inputs) const {
  const std::vector<ValueInfo>& expected = model_->inputs();
  if (inputs.size() != expected.size()) {
    return InvalidArgument(expected.size(), " inputs expected, got ", inputs.size());
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ConstTensorView& input = inputs[i];
    if (expected[i].kind != ValueKind::kTensor) {
      return InvalidArgument("input '", expected[i].name, "' may be no tensor: use RunData");
    }
    if (input.type != expected[i].type) {
      return InvalidArgument("input '", expected[i].name, "': ", NameOf(expected[i].type), " expected, got ",
                             NameOf(input.type));
    }
    if (input.data == nullptr && !IsEmpty(input.shape))
      return InvalidArgument("input '", expected[i].name, "': data is null");
  }
  return {};
}

Status SessionImpl::CheckOutputs(const Entry& entry, std::span<const TensorView> outputs) const {
  const std::vector<TensorDesc>& expected = entry.prepared->plan.outputs;
  if (outputs.size() != expected.size()) {
    return InvalidArgument(expected.size(), " outputs expected, got ", outputs.size());
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorView& output = outputs[i];
    if (output.type != expected[i].type) {
      return InvalidArgument("output '", output_names_[i], "': ", NameOf(expected[i].type), " expected, got ",
                             NameOf(output.type));
    }
    if (output.shape != entry.output_shapes[i]) {
      return InvalidArgument("output '", output_names_[i], "': shape ", ToString(entry.output_shapes[i]),
                             " expected, got ", ToString(output.shape));
    }
    if (output.data == nullptr && expected[i].NumElements() > 0) {
      return InvalidArgument("output '", output_names_[i], "': data is null");
    }
  }
  return {};
}

// ---- Plans --------------------------------------------------------------------------------------------------------

template <class ShapeAt, class DataAt>
Status SessionImpl::Select(const ShapeAt& shape_at, const DataAt& data_at) {
  const size_t count = model_->inputs().size();
  const auto matches = [&](const Entry& entry) {
    for (size_t i = 0; i < count; ++i) {
      if (shape_at(i) != entry.shapes[i]) return false;
    }
    return std::all_of(entry.key.known.begin(), entry.key.known.end(), [&](const auto& known) {
      const void* data = data_at(static_cast<size_t>(known.first));
      return data == known.second->data || SameContents(*known.second, data);
    });
  };
  for (size_t e = 0; e < entries_.size(); ++e) {
    if (!matches(*entries_[e])) continue;
    std::rotate(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(e),
                entries_.begin() + static_cast<std::ptrdiff_t>(e) + 1);
    return {};
  }
  std::vector<Shape> shapes;
  SpecializationKey key = key_;
  for (size_t i = 0; i < count; ++i) {
    shapes.push_back(shape_at(i));
    const ValueInfo& info = model_->inputs()[i];
    if (!info.ranked) key.ranks[i] = static_cast<int>(shapes[i].size());
    if (!info.ranked && shapes[i].size() > kMaxRank) {
      return InvalidArgument("input '", info.name, "': rank ", shapes[i].size(), " is more than ", kMaxRank);
    }
  }
  for (;;) {
    key.known.clear();
    for (int i : shape_inputs_) {
      const auto k = static_cast<size_t>(i);
      const ValueInfo& info = model_->inputs()[k];
      const void* data = data_at(k);
      if (data == nullptr && !IsEmpty(shapes[k])) {
        return InvalidArgument("input '", info.name, "': shapes depend on its contents, so Bind cannot know them");
      }
      MOKA_ASSIGN_OR_RETURN(auto contents, CopyContents(info.type, shapes[k], data));
      key.known.emplace_back(i, std::move(contents));
    }
    MOKA_ASSIGN_OR_RETURN(const auto specialization, model_->Specialize(key));
    if (specialization->staged) return StartStaged(specialization->cuts);
    if (specialization->shape_inputs.empty()) break;
    for (int i : specialization->shape_inputs) shape_inputs_.push_back(i);
    std::sort(shape_inputs_.begin(), shape_inputs_.end());
    shape_inputs_.erase(std::unique(shape_inputs_.begin(), shape_inputs_.end()), shape_inputs_.end());
  }
  MOKA_ASSIGN_OR_RETURN(auto entry, MakeEntry(std::move(shapes), std::move(key)));
  entries_.insert(entries_.begin(), std::move(entry));
  while (entries_.size() > static_cast<size_t>(options_.max_plans)) entries_.pop_back();
  return FitMemory();
}

Status SessionImpl::SelectFor(std::span<const ConstTensorView> inputs) {
  MOKA_RETURN_IF_ERROR(CheckInputs(inputs));
  if (runner_ != nullptr) return {};
  return Select([&](size_t i) -> const Shape& { return inputs[i].shape; }, [&](size_t i) { return inputs[i].data; });
}

Result<std::unique_ptr<SessionImpl::Entry>> SessionImpl::MakeEntry(std::vector<Shape> shapes, SpecializationKey key) {
  PlanRequest request;
  MOKA_ASSIGN_OR_RETURN(request.specialization, model_->Specialize(key));
  request.inputs = shapes;
  request.devices = devices_;
  request.workers = workers_;
  if (devices_[0]->limits().host_memory) request.executor = &HostExecutor();
  request.pack_cache = options_.pack_cache;
  request.strict = options_.strict;
  request.verify = options_.verify;
  request.memory_limit = options_.memory_limit;
  request.precision = options_.precision;
  request.max_tensor_bytes = options_.max_tensor_bytes;
  request.depth_first = options_.depth_first;
  if (options_.measure) {
    request.choices = &model_->choices();
    for (const auto& queue : queues_) request.queues.push_back(queue.get());
  }
  auto entry = std::make_unique<Entry>();
  MOKA_ASSIGN_OR_RETURN(entry->prepared, model_->plans().Get(request, model_->weights()));
  entry->shapes = std::move(shapes);
  entry->key = std::move(key);
  for (const TensorDesc& output : entry->prepared->plan.outputs) entry->output_shapes.push_back(output.shape());
  MOKA_RETURN_IF_ERROR(Instantiate(*entry));
  return entry;
}

Status SessionImpl::Instantiate(Entry& entry) {
  const Plan& plan = entry.prepared->plan;
  const size_t segments = plan.segments.size();
  entry.upload_src.resize(segments);
  entry.download_dst.resize(segments);
  entry.caller_slots.resize(segments);
  entry.samples.resize(plan.steps.size());
  for (size_t s = 0; s < segments; ++s) {
    const PlanSegment& segment = plan.segments[s];
    MOKA_RETURN_IF_ERROR(MakeQueue(segment.device));
    Queue& queue = *queues_[static_cast<size_t>(segment.device)];
    MOKA_ASSIGN_OR_RETURN(std::unique_ptr<Replay> replay, entry.prepared->programs[s]->Instantiate(queue));
    for (uint32_t slot = 0; slot < plan.slots.size(); ++slot) {
      if (plan.slots[slot].device != segment.device) continue;
      if (plan.slots[slot].kind == PlanSlot::kWeight) {
        MOKA_RETURN_IF_ERROR(replay->Bind(slot, entry.prepared->weights[slot]->buffer.get(), 0));
      } else if (plan.slots[slot].kind != PlanSlot::kArena) {
        entry.caller_slots[s].push_back(slot);
      }
    }
    entry.upload_src[s].resize(segment.uploads.size());
    entry.download_dst[s].resize(segment.downloads.size());
    entry.replays.push_back(std::move(replay));
  }
  return {};
}

// Drops older plans, and arenas that they made large, until the session keeps its limit.
Status SessionImpl::FitMemory() {
  if (options_.memory_limit == 0) return {};
  for (;;) {
    std::set<const Weight*> weights;
    uint64_t bytes = memory_.arena_bytes(), needed = 0;
    for (const auto& entry : entries_) {
      needed = std::max(needed, MemoryOf(entry->prepared->plan).arenas);
      for (const auto& weight : entry->prepared->weights) {
        if (weight != nullptr && weights.insert(weight.get()).second) bytes += weight->bytes;
      }
    }
    if (needed > memory_.arena_bytes()) bytes += needed - memory_.arena_bytes();
    if (bytes <= options_.memory_limit) return {};
    if (entries_.size() == 1) {
      memory_.Release();
      return {};  // PreparePlan checked the one plan against the limit
    }
    entries_.pop_back();
    if (needed < memory_.arena_bytes()) memory_.Release();
  }
}

Status SessionImpl::BindArenas(Entry& entry) {
  const Plan& plan = entry.prepared->plan;
  MOKA_RETURN_IF_ERROR(memory_.Reserve(plan.arena_bytes));
  if (entry.arena_version == memory_.version()) return {};
  for (size_t s = 0; s < plan.segments.size(); ++s) {
    const int d = plan.segments[s].device;  // slot d is the arena of device d
    MOKA_RETURN_IF_ERROR(entry.replays[s]->Bind(static_cast<uint32_t>(d), memory_.arena(d), 0));
  }
  entry.arena_version = memory_.version();
  return {};
}

Result<std::vector<Shape>> SessionImpl::Bind(const std::vector<Shape>& input_shapes) {
  const std::vector<ValueInfo>& inputs = model_->inputs();
  if (input_shapes.size() != inputs.size()) {
    return InvalidArgument(inputs.size(), " input shapes expected, got ", input_shapes.size());
  }
  // Contents of shape-determining inputs are those of the last run, where their shapes are the same.
  const SpecializationKey last = entries_.empty() ? SpecializationKey{} : entries_.front()->key;
  const auto data_at = [&](size_t i) -> const void* {
    for (const auto& [input, tensor] : last.known) {
      if (input == static_cast<int>(i) && tensor->desc.shape() == input_shapes[i]) return tensor->data;
    }
    return nullptr;
  };
  if (runner_ == nullptr) {
    MOKA_RETURN_IF_ERROR(Select([&](size_t i) -> const Shape& { return input_shapes[i]; }, data_at));
  }
  if (runner_ != nullptr) return Unsupported("shapes of this model depend on data: only a run knows them");
  MOKA_RETURN_IF_ERROR(BindArenas(*entries_.front()));
  return entries_.front()->output_shapes;
}

// ---- One run ------------------------------------------------------------------------------------------------------

// Kernels need memory aligned to the element, and pointers instead of strings: what is not so goes through copies.
void SessionImpl::AlignCallersMemory(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs) {
  const Plan& plan = entries_.front()->prepared->plan;
  input_data_.resize(inputs.size());
  output_data_.resize(outputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const uint64_t bytes = plan.inputs[i].ExtentBytes();
    input_data_[i] = bytes == 0 ? empty_memory : inputs[i].data;
    if (inputs[i].type == DataType::kString && bytes > 0) {
      input_data_[i] = PointersTo(static_cast<const std::string*>(inputs[i].data), plan.inputs[i].NumElements(),
                                  static_cast<StringPointer*>(memory_.Aligned(i, bytes)));
      continue;
    }
    if (reinterpret_cast<uintptr_t>(input_data_[i]) % SizeOf(inputs[i].type) == 0) continue;
    void* copy = memory_.Aligned(i, bytes);
    if (copy != nullptr) std::memcpy(copy, inputs[i].data, bytes);
    input_data_[i] = copy;
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const uint64_t bytes = plan.outputs[i].ExtentBytes();
    output_data_[i] = bytes == 0 ? empty_memory : outputs[i].data;
    const bool strings = outputs[i].type == DataType::kString && bytes > 0;
    if (!strings && reinterpret_cast<uintptr_t>(output_data_[i]) % SizeOf(outputs[i].type) == 0) continue;
    output_data_[i] = memory_.Aligned(inputs.size() + i, bytes);
  }
}

void* SessionImpl::HostAddress(const Entry& entry, const PlanValue& value) const {
  const PlanSlot& slot = entry.prepared->plan.slots[value.slot];
  void* base = nullptr;
  if (slot.kind == PlanSlot::kInput) base = const_cast<void*>(input_data_[static_cast<size_t>(slot.index)]);
  if (slot.kind == PlanSlot::kOutput) base = output_data_[static_cast<size_t>(slot.index)];
  if (slot.kind == PlanSlot::kWeight) base = entry.prepared->weights[value.slot]->buffer->host();
  if (slot.kind == PlanSlot::kArena) base = memory_.arena(slot.device)->host();
  return static_cast<std::byte*>(base) + value.offset;
}

void SessionImpl::BindCaller(Entry& entry, size_t s) {
  const Plan& plan = entry.prepared->plan;
  const PlanSegment& segment = plan.segments[s];
  for (uint32_t slot : entry.caller_slots[s]) {
    const auto index = static_cast<size_t>(plan.slots[slot].index);
    const bool input = plan.slots[slot].kind == PlanSlot::kInput;
    entry.replays[s]->BindHost(slot, input ? const_cast<void*>(input_data_[index]) : output_data_[index]);
  }
  for (size_t t = 0; t < segment.uploads.size(); ++t) {
    const PlanTransfer& transfer = segment.uploads[t];
    entry.upload_src[s][t] = transfer.input >= 0
                                 ? input_data_[static_cast<size_t>(transfer.input)]
                                 : HostAddress(entry, plan.values[static_cast<size_t>(transfer.host_value)]);
  }
  for (size_t t = 0; t < segment.downloads.size(); ++t) {
    const PlanTransfer& transfer = segment.downloads[t];
    entry.download_dst[s][t] = transfer.output >= 0
                                   ? output_data_[static_cast<size_t>(transfer.output)]
                                   : HostAddress(entry, plan.values[static_cast<size_t>(transfer.host_value)]);
  }
}

Status SessionImpl::Execute(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs) {
  Entry& entry = *entries_.front();
  const Plan& plan = entry.prepared->plan;
  MOKA_RETURN_IF_ERROR(BindArenas(entry));
  AlignCallersMemory(inputs, outputs);
  for (const void* data : input_data_) {
    if (data == nullptr) return OutOfMemory("no memory for an aligned copy of an input");
  }
  for (const void* data : output_data_) {
    if (data == nullptr) return OutOfMemory("no memory for an aligned copy of an output");
  }
  for (const auto& queue : queues_) {
    if (queue != nullptr) queue->counts = {};
  }
  for (size_t s = 0; s < plan.segments.size(); ++s) {
    BindCaller(entry, s);
    Queue& queue = *queues_[static_cast<size_t>(plan.segments[s].device)];
    MOKA_RETURN_IF_ERROR(entry.replays[s]->Run(queue, entry.upload_src[s], entry.download_dst[s]));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const uint64_t bytes = plan.outputs[i].ExtentBytes();
    if (bytes == 0 || output_data_[i] == outputs[i].data) continue;
    if (outputs[i].type == DataType::kString) {
      const auto* pointers = static_cast<const StringPointer*>(output_data_[i]);
      MOKA_RETURN_IF_ERROR(CheckCharacters(pointers, plan.outputs[i].NumElements(), options_.max_tensor_bytes)
                               .WithContext(StrCat("output '", output_names_[i], "'")));
      std::transform(pointers, pointers + plan.outputs[i].NumElements(), static_cast<std::string*>(outputs[i].data),
                     StringAt);
    } else {
      std::memcpy(outputs[i].data, output_data_[i], bytes);
    }
  }
  if (options_.profile) KeepSamples(entry);
  return {};
}

void SessionImpl::KeepSamples(Entry& entry) const {
  const Plan& plan = entry.prepared->plan;
  for (size_t s = 0; s < plan.segments.size(); ++s) {
    const std::span<const double> times = entry.replays[s]->step_us();
    for (size_t k = 0; k < times.size() && k < static_cast<size_t>(plan.segments[s].count); ++k) {
      std::vector<double>& samples = entry.samples[static_cast<size_t>(plan.segments[s].first) + k];
      if (samples.size() < kMaxSamples) {
        samples.push_back(times[k]);
      } else {
        samples[static_cast<size_t>(entry.runs) % kMaxSamples] = times[k];
      }
    }
  }
  ++entry.runs;
}

TransferCounts SessionImpl::transfers() const {
  TransferCounts total = staged_transfers_;
  for (const auto& queue : queues_) {
    if (queue == nullptr) continue;
    total.uploads += queue->counts.uploads;
    total.downloads += queue->counts.downloads;
    total.upload_bytes += queue->counts.upload_bytes;
    total.download_bytes += queue->counts.download_bytes;
  }
  return total;
}

Result<PlanInfo> SessionImpl::Inspect() const {
  if (runner_ != nullptr) {
    PlanInfo info;
    runner_->AppendInfo(&info);
    return info;
  }
  if (entries_.empty()) return InvalidArgument("nothing is bound yet: call Bind or Run first");
  return MakePlanInfo(*entries_.front()->prepared, entries_.front()->samples);
}

}  // namespace moka

#include "opencl/replay.h"

#include <utility>

namespace moka::opencl {

// ---- Program ------------------------------------------------------------------------------------------------------

Result<std::shared_ptr<const Program>> OpenClProgram::Link(std::shared_ptr<const Shared> shared,
                                                           const LinkRequest& request, const gpu::Profile& profile) {
  auto program = std::make_shared<OpenClProgram>();
  MOKA_ASSIGN_OR_RETURN(program->steps_, gpu::ReadSteps(request, profile));
  for (const gpu::StepRecord& step : program->steps_) {
    if (step.empty) continue;
    if (const Status status = shared->programs->Prepare(step.launch); !status.ok()) {
      return status.WithContext(step.name);
    }
  }
  program->shared_ = std::move(shared);
  program->slots_.assign(request.slots.begin(), request.slots.end());
  program->uploads_.assign(request.uploads.begin(), request.uploads.end());
  program->downloads_.assign(request.downloads.begin(), request.downloads.end());
  return std::shared_ptr<const Program>(std::move(program));
}

Result<std::unique_ptr<Replay>> OpenClProgram::Instantiate(Queue& queue) const {
  return OpenClReplay::Create(shared_from_this(), static_cast<OpenClQueue&>(queue).profile());
}

// ---- Replay -------------------------------------------------------------------------------------------------------

OpenClReplay::OpenClReplay(std::shared_ptr<const OpenClProgram> program)
    : program_(std::move(program)), slots_(program_->slots_.size()) {}

Result<std::unique_ptr<Replay>> OpenClReplay::Create(std::shared_ptr<const OpenClProgram> program, bool profile) {
  std::unique_ptr<OpenClReplay> replay(new OpenClReplay(std::move(program)));
  for (const gpu::StepRecord& record : replay->program_->steps_) {
    LinkedStep step;
    if (!record.empty) {
      MOKA_ASSIGN_OR_RETURN(step.kernel, replay->program_->shared_->programs->MakeKernel(record.launch));
      for (size_t i = 0; i < 3; ++i) {
        step.local[i] = static_cast<size_t>(record.launch.group_size[i]);
        step.global[i] = step.local[i] * static_cast<size_t>(record.launch.groups[i]);
      }
    }
    replay->steps_.push_back(std::move(step));
  }
  if (profile) {
    replay->events_.resize(replay->steps_.size());
    replay->step_us_.resize(replay->steps_.size());
  }
  return std::unique_ptr<Replay>(std::move(replay));
}

Status OpenClReplay::Bind(uint32_t slot, Buffer* buffer, uint64_t offset) {
  if (slot >= slots_.size()) return Internal("slot ", slot, " of ", slots_.size());
  const DeviceBuffer* bound = static_cast<DeviceBuffer*>(buffer);
  Binding& binding = slots_[slot];
  dirty_ = dirty_ || binding.buffer != bound || binding.offset != offset;
  binding = {bound, offset};
  return Status();
}

Status OpenClReplay::SetArguments(size_t index) {
  const gpu::StepRecord& record = program_->steps_[index];
  const Api& api = program_->shared_->context->api();
  const cl_kernel kernel = steps_[index].kernel.get();
  gpu::Launch launch = record.launch;
  for (int b = 0; b < launch.num_bindings; ++b) {
    const Binding& slot = slots_[record.ranges[static_cast<size_t>(b)].slot];
    if (slot.buffer == nullptr) return Internal(record.name, ": binding ", b, " has no buffer");
    MOKA_ASSIGN_OR_RETURN(const gpu::Placement place, gpu::Place(record, b, slot.offset, slot.buffer->bytes(), 0));
    const int32_t param = launch.bindings[static_cast<size_t>(b)].offset_param;
    if (param >= 0) launch.params[static_cast<size_t>(param)] = place.units;
    const cl_mem memory = slot.buffer->handle();
    MOKA_RETURN_IF_ERROR(
        Check("clSetKernelArg", api.SetKernelArg(kernel, static_cast<cl_uint>(b), sizeof(memory), &memory)));
  }
  if (launch.param_bytes == 0) return Status();
  return Check("clSetKernelArg", api.SetKernelArg(kernel, static_cast<cl_uint>(launch.num_bindings),
                                                  static_cast<size_t>(launch.param_bytes), launch.params.data()));
}

Status OpenClReplay::SetArguments() {
  MOKA_RETURN_IF_ERROR(CheckCopies());
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].kernel.get() == nullptr) continue;
    if (const Status status = SetArguments(i); !status.ok()) return status.WithContext(program_->steps_[i].name);
  }
  ++bindings_;
  dirty_ = false;
  return Status();
}

Status OpenClReplay::CheckCopies() const {
  for (const auto* copies : {&program_->uploads_, &program_->downloads_}) {
    for (const HostCopy& copy : *copies) {
      const Binding& slot = slots_[copy.slot];
      if (slot.buffer == nullptr) return Internal("slot ", copy.slot, " has no buffer");
      if (slot.offset + copy.offset + copy.bytes > slot.buffer->bytes()) {
        return Internal("a host copy of ", copy.bytes, " bytes ends outside slot ", copy.slot);
      }
    }
  }
  return Status();
}

Status OpenClReplay::Run(Queue& queue, std::span<const void* const> upload_src, std::span<void* const> download_dst) {
  if (upload_src.size() != program_->uploads_.size() || download_dst.size() != program_->downloads_.size()) {
    return Internal(upload_src.size(), " uploads and ", download_dst.size(), " downloads for a program of ",
                    program_->uploads_.size(), " and ", program_->downloads_.size());
  }
  if (dirty_) MOKA_RETURN_IF_ERROR(SetArguments());
  OpenClQueue& commands = static_cast<OpenClQueue&>(queue);
  const Status enqueued = Enqueue(commands, upload_src, download_dst);
  // Also after a failure: what was enqueued reads and writes the caller's memory.
  const Status finished = Check("clFinish", program_->shared_->context->api().Finish(commands.handle()));
  if (!events_.empty()) ReadTimes();
  if (!enqueued.ok() || !finished.ok()) return enqueued.ok() ? finished : enqueued;
  if (!std::exchange(ran_, true)) {
    for (const gpu::StepRecord& step : program_->steps_) program_->shared_->programs->Save(step.launch);
  }
  return Status();
}

Status OpenClReplay::Enqueue(OpenClQueue& queue, std::span<const void* const> upload_src,
                             std::span<void* const> download_dst) {
  const Api& api = program_->shared_->context->api();
  for (size_t i = 0; i < upload_src.size(); ++i) {
    const HostCopy& copy = program_->uploads_[i];
    const Binding& slot = slots_[copy.slot];
    ++queue.counts.uploads;
    queue.counts.upload_bytes += static_cast<int64_t>(copy.bytes);
    if (copy.bytes == 0) continue;
    MOKA_RETURN_IF_ERROR(
        Check("clEnqueueWriteBuffer",
              api.EnqueueWriteBuffer(queue.handle(), slot.buffer->handle(), CL_FALSE, slot.offset + copy.offset,
                                     copy.bytes, upload_src[i], 0, nullptr, nullptr)));
  }
  for (size_t i = 0; i < steps_.size(); ++i) {
    const LinkedStep& step = steps_[i];
    if (step.kernel.get() == nullptr) continue;
    const cl_int result =
        api.EnqueueNDRangeKernel(queue.handle(), step.kernel.get(), 3, nullptr, step.global.data(), step.local.data(),
                                 0, nullptr, events_.empty() ? nullptr : &events_[i]);
    if (result != CL_SUCCESS) return Check("clEnqueueNDRangeKernel", result).WithContext(program_->steps_[i].name);
  }
  for (size_t i = 0; i < download_dst.size(); ++i) {
    const HostCopy& copy = program_->downloads_[i];
    const Binding& slot = slots_[copy.slot];
    ++queue.counts.downloads;
    queue.counts.download_bytes += static_cast<int64_t>(copy.bytes);
    if (copy.bytes == 0) continue;
    MOKA_RETURN_IF_ERROR(
        Check("clEnqueueReadBuffer",
              api.EnqueueReadBuffer(queue.handle(), slot.buffer->handle(), CL_FALSE, slot.offset + copy.offset,
                                    copy.bytes, download_dst[i], 0, nullptr, nullptr)));
  }
  return Status();
}

void OpenClReplay::ReadTimes() {
  const Api& api = program_->shared_->context->api();
  for (size_t i = 0; i < events_.size(); ++i) {
    step_us_[i] = 0;
    const cl_event event = std::exchange(events_[i], nullptr);
    if (event == nullptr) continue;
    cl_ulong begin = 0, end = 0;
    const bool known =
        api.GetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof(begin), &begin, nullptr) == CL_SUCCESS &&
        api.GetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof(end), &end, nullptr) == CL_SUCCESS;
    if (known && end > begin) step_us_[i] = static_cast<double>(end - begin) * 1e-3;
    api.ReleaseEvent(event);
  }
}

}  // namespace moka::opencl

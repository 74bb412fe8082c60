#include "vulkan/replay.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace moka::vulkan {
namespace {

constexpr uint64_t kStagingAlignment = 64;

uint64_t StagingBytes(uint64_t bytes) { return (bytes + kStagingAlignment - 1) & ~(kStagingAlignment - 1); }

uint64_t TotalBytes(const std::vector<HostCopy>& copies) {
  uint64_t total = 0;
  for (const HostCopy& copy : copies) total += StagingBytes(copy.bytes);
  return total;
}

void Barrier(const Api& api, VkCommandBuffer commands, VkPipelineStageFlags src_stages, VkAccessFlags src_access,
             VkPipelineStageFlags dst_stages, VkAccessFlags dst_access) {
  auto barrier = Tagged<VkMemoryBarrier>(VK_STRUCTURE_TYPE_MEMORY_BARRIER);
  barrier.srcAccessMask = src_access;
  barrier.dstAccessMask = dst_access;
  api.CmdPipelineBarrier(commands, src_stages, dst_stages, 0, 1, &barrier, 0, nullptr, 0, nullptr);
}

}  // namespace

// ---- Program ------------------------------------------------------------------------------------------------------

Result<std::shared_ptr<const Program>> VulkanProgram::Link(std::shared_ptr<const Shared> shared,
                                                           const LinkRequest& request, const gpu::Profile& profile) {
  MOKA_ASSIGN_OR_RETURN(std::vector<gpu::StepRecord> records, gpu::ReadSteps(request, profile));
  auto program = std::make_shared<VulkanProgram>();
  program->num_steps_ = records.size();
  bool barrier = false;
  for (size_t i = 0; i < records.size(); ++i) {
    gpu::StepRecord& record = records[i];
    barrier = barrier || record.barrier;
    if (record.empty) continue;
    Result<VkPipeline> pipeline = shared->pipelines->Get(record.launch);
    if (!pipeline.ok()) return pipeline.status().WithContext(record.name);
    record.barrier = std::exchange(barrier, false);
    program->steps_.push_back({std::move(record), *pipeline});
    program->step_numbers_.push_back(static_cast<int>(i));
  }
  shared->pipelines->Save();
  program->shared_ = std::move(shared);
  program->slots_.assign(request.slots.begin(), request.slots.end());
  program->uploads_.assign(request.uploads.begin(), request.uploads.end());
  program->downloads_.assign(request.downloads.begin(), request.downloads.end());
  program->upload_bytes_ = TotalBytes(program->uploads_);
  program->download_bytes_ = TotalBytes(program->downloads_);
  return std::shared_ptr<const Program>(std::move(program));
}

Result<std::unique_ptr<Replay>> VulkanProgram::Instantiate(Queue& queue) const {
  return VulkanReplay::Create(shared_from_this(), static_cast<VulkanQueue&>(queue).profile());
}

// ---- Replay -------------------------------------------------------------------------------------------------------

VulkanReplay::VulkanReplay(std::shared_ptr<const VulkanProgram> program, bool profile)
    : program_(std::move(program)), profile_(profile), slots_(program_->slots_.size()) {
  for (const VulkanProgram::LinkedStep& step : program_->steps_) launches_.push_back(step.record.launch);
}

Result<std::unique_ptr<Replay>> VulkanReplay::Create(std::shared_ptr<const VulkanProgram> program, bool profile) {
  std::unique_ptr<VulkanReplay> replay(new VulkanReplay(std::move(program), profile));
  MOKA_ASSIGN_OR_RETURN(replay->commands_, MakeCommands(replay->context()));
  MOKA_RETURN_IF_ERROR(replay->MakeDescriptors());
  MOKA_RETURN_IF_ERROR(replay->MakeStaging());
  MOKA_RETURN_IF_ERROR(replay->MakeQueries());
  return std::unique_ptr<Replay>(std::move(replay));
}

Status VulkanReplay::MakeDescriptors() {
  const size_t steps = program_->steps_.size();
  if (steps == 0) return Status();
  const Api& api = context().api();
  std::vector<VkDescriptorSetLayout> layouts;
  uint32_t buffers = 0;
  for (const gpu::Launch& launch : launches_) {
    layouts.push_back(program_->shared_->pipelines->set_layout(launch.num_bindings));
    buffers += static_cast<uint32_t>(launch.num_bindings);
  }
  const VkDescriptorPoolSize size{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, std::max(buffers, 1u)};
  auto pool = Tagged<VkDescriptorPoolCreateInfo>(VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO);
  pool.maxSets = static_cast<uint32_t>(steps);
  pool.poolSizeCount = 1;
  pool.pPoolSizes = &size;
  VkDescriptorPool handle = VK_NULL_HANDLE;
  MOKA_RETURN_IF_ERROR(
      Check("vkCreateDescriptorPool", api.CreateDescriptorPool(context().device(), &pool, nullptr, &handle)));
  pool_ = DescriptorPool(context(), handle);
  sets_.resize(steps);
  auto sets = Tagged<VkDescriptorSetAllocateInfo>(VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO);
  sets.descriptorPool = handle;
  sets.descriptorSetCount = static_cast<uint32_t>(steps);
  sets.pSetLayouts = layouts.data();
  return Check("vkAllocateDescriptorSets", api.AllocateDescriptorSets(context().device(), &sets, sets_.data()));
}

Status VulkanReplay::MakeStaging() {
  Memory& memory = *program_->shared_->memory;
  if (program_->upload_bytes_ > 0) {
    MOKA_ASSIGN_OR_RETURN(upload_, memory.Allocate(program_->upload_bytes_, Use::kUpload));
  }
  if (program_->download_bytes_ > 0) {
    MOKA_ASSIGN_OR_RETURN(download_, memory.Allocate(program_->download_bytes_, Use::kDownload));
  }
  return Status();
}

Status VulkanReplay::MakeQueries() {
  if (!profile_ || context().timestamp_bits() == 0) return Status();
  ticks_.resize(program_->steps_.size() + 1);
  step_us_.resize(program_->num_steps_);
  auto info = Tagged<VkQueryPoolCreateInfo>(VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO);
  info.queryType = VK_QUERY_TYPE_TIMESTAMP;
  info.queryCount = static_cast<uint32_t>(ticks_.size());
  VkQueryPool handle = VK_NULL_HANDLE;
  MOKA_RETURN_IF_ERROR(
      Check("vkCreateQueryPool", context().api().CreateQueryPool(context().device(), &info, nullptr, &handle)));
  queries_ = QueryPool(context(), handle);
  return Status();
}

Status VulkanReplay::Bind(uint32_t slot, Buffer* buffer, uint64_t offset) {
  if (slot >= slots_.size()) return Internal("slot ", slot, " of ", slots_.size());
  const DeviceBuffer* bound = static_cast<DeviceBuffer*>(buffer);
  Binding& binding = slots_[slot];
  dirty_ = dirty_ || binding.buffer != bound || binding.offset != offset;
  binding = {bound, offset};
  return Status();
}

Status VulkanReplay::WriteDescriptors() {
  const uint64_t alignment =
      std::max<uint64_t>(context().properties().limits.minStorageBufferOffsetAlignment, kStagingAlignment);
  std::array<VkDescriptorBufferInfo, gpu::kMaxBuffers> infos;
  for (size_t i = 0; i < launches_.size(); ++i) {
    const gpu::StepRecord& record = program_->steps_[i].record;
    gpu::Launch& launch = launches_[i];
    launch.params = record.launch.params;
    for (int b = 0; b < launch.num_bindings; ++b) {
      const Binding& slot = slots_[record.ranges[static_cast<size_t>(b)].slot];
      if (slot.buffer == nullptr) return Internal(record.name, ": binding ", b, " has no buffer");
      MOKA_ASSIGN_OR_RETURN(const gpu::Placement place,
                            gpu::Place(record, b, slot.offset, slot.buffer->bytes(), alignment));
      if (place.bytes > context().properties().limits.maxStorageBufferRange) {
        return Internal(record.name, ": binding ", b, " spans ", place.bytes, " bytes");
      }
      infos[static_cast<size_t>(b)] = {slot.buffer->handle(), place.base, place.bytes};
      const int32_t param = launch.bindings[static_cast<size_t>(b)].offset_param;
      if (param >= 0) launch.params[static_cast<size_t>(param)] = place.units;
    }
    if (launch.num_bindings == 0) continue;
    auto write = Tagged<VkWriteDescriptorSet>(VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET);
    write.dstSet = sets_[i];
    write.descriptorCount = static_cast<uint32_t>(launch.num_bindings);
    write.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    write.pBufferInfo = infos.data();
    context().api().UpdateDescriptorSets(context().device(), 1, &write, 0, nullptr);
  }
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

void VulkanReplay::RecordCopies(const std::vector<HostCopy>& copies, bool upload) {
  uint64_t staging = 0;
  for (const HostCopy& copy : copies) {
    const Binding& slot = slots_[copy.slot];
    const uint64_t inside = slot.offset + copy.offset;
    if (copy.bytes > 0 && upload) {
      const VkBufferCopy region{staging, inside, copy.bytes};
      context().api().CmdCopyBuffer(commands_.buffer, upload_->handle(), slot.buffer->handle(), 1, &region);
    } else if (copy.bytes > 0) {
      const VkBufferCopy region{inside, staging, copy.bytes};
      context().api().CmdCopyBuffer(commands_.buffer, slot.buffer->handle(), download_->handle(), 1, &region);
    }
    staging += StagingBytes(copy.bytes);
  }
}

void VulkanReplay::RecordStep(size_t i) {
  const Api& api = context().api();
  const gpu::Launch& launch = launches_[i];
  const VkPipelineLayout layout = program_->shared_->pipelines->layout(launch.num_bindings);
  api.CmdBindPipeline(commands_.buffer, VK_PIPELINE_BIND_POINT_COMPUTE, program_->steps_[i].pipeline);
  api.CmdBindDescriptorSets(commands_.buffer, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &sets_[i], 0, nullptr);
  // All of the range: the layers hold a shader's block against what was pushed, and a block may be padded.
  api.CmdPushConstants(commands_.buffer, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, gpu::kMaxParamBytes,
                       launch.params.data());
  api.CmdDispatch(commands_.buffer, static_cast<uint32_t>(launch.groups[0]), static_cast<uint32_t>(launch.groups[1]),
                  static_cast<uint32_t>(launch.groups[2]));
}

Status VulkanReplay::Record() {
  constexpr VkPipelineStageFlagBits kCompute = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
  constexpr VkPipelineStageFlagBits kTransfer = VK_PIPELINE_STAGE_TRANSFER_BIT;
  constexpr VkAccessFlags kShaderAccess = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT;
  const Api& api = context().api();
  const VkCommandBuffer commands = commands_.buffer;
  const bool times = queries_.get() != VK_NULL_HANDLE;
  MOKA_RETURN_IF_ERROR(WriteDescriptors());
  MOKA_RETURN_IF_ERROR(BeginCommands(context(), commands_));
  barriers_ = 0;
  if (times) api.CmdResetQueryPool(commands, queries_.get(), 0, static_cast<uint32_t>(ticks_.size()));
  const bool uploads = program_->upload_bytes_ > 0, downloads = program_->download_bytes_ > 0;
  if (uploads) {
    RecordCopies(program_->uploads_, true);
    Barrier(api, commands, kTransfer, VK_ACCESS_TRANSFER_WRITE_BIT, kCompute | kTransfer,
            kShaderAccess | VK_ACCESS_TRANSFER_READ_BIT);
  }
  if (times) api.CmdWriteTimestamp(commands, kCompute, queries_.get(), 0);
  for (size_t i = 0; i < launches_.size(); ++i) {
    // With a clock on every step, steps run one by one, so that each time is its step's own.
    if (i > 0 && (program_->steps_[i].record.barrier || times)) {
      Barrier(api, commands, kCompute, kShaderAccess, kCompute, kShaderAccess);
      ++barriers_;
    }
    RecordStep(i);
    if (times) api.CmdWriteTimestamp(commands, kCompute, queries_.get(), static_cast<uint32_t>(i + 1));
  }
  if (downloads) {
    if (!launches_.empty()) {
      Barrier(api, commands, kCompute, VK_ACCESS_SHADER_WRITE_BIT, kTransfer, VK_ACCESS_TRANSFER_READ_BIT);
    }
    RecordCopies(program_->downloads_, false);
    Barrier(api, commands, kTransfer, VK_ACCESS_TRANSFER_WRITE_BIT, VK_PIPELINE_STAGE_HOST_BIT,
            VK_ACCESS_HOST_READ_BIT);
  }
  MOKA_RETURN_IF_ERROR(Check("vkEndCommandBuffer", api.EndCommandBuffer(commands)));
  ++recordings_;
  dirty_ = false;
  return Status();
}

Status VulkanReplay::Run(Queue& queue, std::span<const void* const> upload_src, std::span<void* const> download_dst) {
  if (upload_src.size() != program_->uploads_.size() || download_dst.size() != program_->downloads_.size()) {
    return Internal(upload_src.size(), " uploads and ", download_dst.size(), " downloads for a program of ",
                    program_->uploads_.size(), " and ", program_->downloads_.size());
  }
  if (dirty_) MOKA_RETURN_IF_ERROR(Record());
  uint64_t staging = 0;
  for (size_t i = 0; i < upload_src.size(); ++i) {
    const uint64_t bytes = program_->uploads_[i].bytes;
    if (bytes > 0) std::memcpy(upload_->mapped() + staging, upload_src[i], bytes);
    staging += StagingBytes(bytes);
    ++queue.counts.uploads;
    queue.counts.upload_bytes += static_cast<int64_t>(bytes);
  }
  MOKA_RETURN_IF_ERROR(program_->shared_->context->SubmitAndWait(commands_.buffer, commands_.fence.get()));
  staging = 0;
  for (size_t i = 0; i < download_dst.size(); ++i) {
    const uint64_t bytes = program_->downloads_[i].bytes;
    if (bytes > 0) std::memcpy(download_dst[i], download_->mapped() + staging, bytes);
    staging += StagingBytes(bytes);
    ++queue.counts.downloads;
    queue.counts.download_bytes += static_cast<int64_t>(bytes);
  }
  if (queries_.get() != VK_NULL_HANDLE) ReadTimes();
  return program_->shared_->context->TakeReports();
}

void VulkanReplay::ReadTimes() {
  const VkResult result = context().api().GetQueryPoolResults(
      context().device(), queries_.get(), 0, static_cast<uint32_t>(ticks_.size()), ticks_.size() * sizeof(uint64_t),
      ticks_.data(), sizeof(uint64_t), VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
  std::fill(step_us_.begin(), step_us_.end(), 0.0);
  if (result != VK_SUCCESS) return;
  const uint32_t bits = context().timestamp_bits();
  const uint64_t mask = bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  const double us_per_tick = context().properties().limits.timestampPeriod * 1e-3;
  for (size_t i = 0; i + 1 < ticks_.size(); ++i) {
    const double ticks = static_cast<double>((ticks_[i + 1] - ticks_[i]) & mask);
    step_us_[static_cast<size_t>(program_->step_numbers_[i])] = ticks * us_per_tick;
  }
}

}  // namespace moka::vulkan

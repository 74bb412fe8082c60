#include "vulkan/device.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/platform.h"

namespace moka::vulkan {
namespace {

constexpr uint64_t kWriteStagingBytes = 1 << 20;
constexpr uint64_t kOffsetAlignment = 64;

std::string VersionText(uint32_t version) {
  return StrCat(VK_API_VERSION_MAJOR(version), ".", VK_API_VERSION_MINOR(version), ".", VK_API_VERSION_PATCH(version));
}

void Note(std::vector<std::string>* notes, const std::string& text) {
  if (notes != nullptr) notes->push_back("vulkan: " + text);
}

Result<std::vector<VkPhysicalDevice>> PhysicalDevices(const Instance& instance) {
  const Api& api = instance.api();
  uint32_t count = 0;
  MOKA_RETURN_IF_ERROR(
      Check("vkEnumeratePhysicalDevices", api.EnumeratePhysicalDevices(instance.handle(), &count, nullptr)));
  std::vector<VkPhysicalDevice> devices(count);
  const VkResult result = api.EnumeratePhysicalDevices(instance.handle(), &count, devices.data());
  if (result != VK_INCOMPLETE) MOKA_RETURN_IF_ERROR(Check("vkEnumeratePhysicalDevices", result));
  devices.resize(count);
  return devices;
}

}  // namespace

// ---- Opening ------------------------------------------------------------------------------------------------------

std::vector<std::unique_ptr<Device>> OpenDevices(const OpenOptions& options, std::vector<std::string>* notes) {
  std::vector<std::unique_ptr<Device>> devices;
  const Result<std::shared_ptr<Instance>> instance = Instance::Create(options.library, options.validate);
  if (!instance.ok()) {
    Note(notes, instance.status().message());
    return devices;
  }
  if (options.validate && !(*instance)->validates()) {
    Note(notes, "validation was asked for, but VK_LAYER_KHRONOS_validation is not installed");
  }
  const Result<std::vector<VkPhysicalDevice>> physical = PhysicalDevices(**instance);
  if (!physical.ok()) Note(notes, physical.status().message());
  if (physical.ok() && physical->empty()) Note(notes, "no driver offers a device");
  if (!physical.ok()) return devices;
  for (const VkPhysicalDevice candidate : *physical) {
    Result<std::shared_ptr<Context>> context = Context::Create(*instance, candidate, options.edit_api);
    const std::string name = devices.empty() ? "vulkan" : StrCat("vulkan:", devices.size());
    Result<std::unique_ptr<VulkanDevice>> device =
        context.ok() ? VulkanDevice::Create(std::move(*context), name, options.cache_folder)
                     : Result<std::unique_ptr<VulkanDevice>>(context.status());
    if (device.ok()) {
      devices.push_back(std::move(*device));
    } else {
      Note(notes, device.status().message());
    }
  }
  return devices;
}

std::vector<std::unique_ptr<Device>> Open(std::vector<std::string>* notes) {
  OpenOptions options;
  options.cache_folder = CacheDirectory();
  const char* validate = std::getenv("MOKA_VULKAN_VALIDATE");
  options.validate = validate != nullptr && std::strcmp(validate, "1") == 0;
  return OpenDevices(options, notes);
}

// ---- Device -------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<VulkanDevice>> VulkanDevice::Create(std::shared_ptr<Context> context, const std::string& name,
                                                           const std::string& cache_folder) {
  std::unique_ptr<VulkanDevice> device(new VulkanDevice);
  device->shared_ = std::make_shared<Shared>();
  Shared& shared = *device->shared_;
  shared.context = context;
  shared.memory = std::make_shared<Memory>(context);
  MOKA_ASSIGN_OR_RETURN(shared.pipelines, PipelineStore::Create(context, gpu::DiskCache(cache_folder, "vulkan")));
  MOKA_ASSIGN_OR_RETURN(device->write_commands_, MakeCommands(*context));
  device->Describe(name);
  return device;
}

void VulkanDevice::Describe(const std::string& name) {
  const VkPhysicalDeviceProperties& properties = shared_->context->properties();
  const VkPhysicalDeviceLimits& limits = properties.limits;
  const VkPhysicalDeviceMemoryProperties& memory = shared_->context->memory();
  uint64_t heap = 0;
  for (uint32_t i = 0; i < memory.memoryHeapCount; ++i) {
    if ((memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0) {
      heap = std::max<uint64_t>(heap, memory.memoryHeaps[i].size);
    }
  }
  info_.name = name;
  info_.kind = DeviceKind::kVulkan;
  info_.hardware = properties.deviceName;
  const std::string driver = shared_->context->driver();
  info_.driver = StrCat("Vulkan ", VersionText(properties.apiVersion), ", ",
                        driver.empty() ? "driver " + VersionText(properties.driverVersion) : driver);
  info_.memory_bytes = heap;

  limits_.channel_alignment = 4;
  limits_.offset_alignment = std::max<uint64_t>(limits.minStorageBufferOffsetAlignment, kOffsetAlignment);
  limits_.max_binding = limits.maxStorageBufferRange;
  limits_.memory = heap;
  limits_.concurrent_steps = true;
  limits_.emulated = properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;

  profile_.api = "vulkan";
  profile_.cpu_driver = properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
  // Groups lie along the first dimension.
  profile_.max_group_invocations =
      static_cast<int>(std::min(limits.maxComputeWorkGroupInvocations, limits.maxComputeWorkGroupSize[0]));
  for (size_t i = 0; i < 3; ++i) {
    profile_.max_groups[i] = static_cast<int32_t>(std::min<uint32_t>(limits.maxComputeWorkGroupCount[i], INT32_MAX));
  }
  profile_.shared_bytes = limits.maxComputeSharedMemorySize;
  profile_.max_binding = limits.maxStorageBufferRange;
}

Offer VulkanDevice::Choose(const OpCall& call, const ChoosePolicy& policy) const {
  return gpu::Choose(profile_, call, policy);
}

Status VulkanDevice::Pack(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) const {
  return gpu::Pack(spec, src, dst);
}

Result<std::unique_ptr<Buffer>> VulkanDevice::Allocate(uint64_t bytes, MemoryKind kind) {
  const Use use = kind == MemoryKind::kStaging ? Use::kUpload : Use::kDevice;
  Result<std::unique_ptr<DeviceBuffer>> buffer = shared_->memory->Allocate(bytes, use);
  if (!buffer.ok()) return buffer.status().WithContext(info_.name);
  return std::unique_ptr<Buffer>(std::move(*buffer));
}

Result<std::unique_ptr<Buffer>> VulkanDevice::Import(const void*, uint64_t) {
  return Unsupported(info_.name, " does not work in host memory");
}

Status VulkanDevice::Write(Buffer& buffer, uint64_t offset, std::span<const std::byte> bytes) {
  const DeviceBuffer& target = static_cast<DeviceBuffer&>(buffer);
  if (offset > target.bytes() || bytes.size() > target.bytes() - offset) {
    return Internal("a write of ", bytes.size(), " bytes at ", offset, " of ", target.bytes());
  }
  const std::lock_guard<std::mutex> lock(write_mutex_);
  if (write_staging_ == nullptr) {
    MOKA_ASSIGN_OR_RETURN(write_staging_, shared_->memory->Allocate(kWriteStagingBytes, Use::kUpload));
  }
  for (size_t done = 0; done < bytes.size(); done += kWriteStagingBytes) {
    const size_t count = std::min<size_t>(kWriteStagingBytes, bytes.size() - done);
    MOKA_RETURN_IF_ERROR(WriteChunk(target, offset + done, bytes.subspan(done, count)));
  }
  return shared_->context->TakeReports();
}

Status VulkanDevice::WriteChunk(const DeviceBuffer& buffer, uint64_t offset, std::span<const std::byte> bytes) {
  const Api& api = shared_->context->api();
  const VkCommandBuffer commands = write_commands_.buffer;
  std::memcpy(write_staging_->mapped(), bytes.data(), bytes.size());
  MOKA_RETURN_IF_ERROR(BeginCommands(*shared_->context, write_commands_));
  const VkBufferCopy region{0, offset, bytes.size()};
  api.CmdCopyBuffer(commands, write_staging_->handle(), buffer.handle(), 1, &region);
  // Reaches over the end of this submission: what later ones of this queue read is there.
  auto barrier = Tagged<VkMemoryBarrier>(VK_STRUCTURE_TYPE_MEMORY_BARRIER);
  barrier.srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT;
  barrier.dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT;
  api.CmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                         VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1, &barrier, 0,
                         nullptr, 0, nullptr);
  MOKA_RETURN_IF_ERROR(Check("vkEndCommandBuffer", api.EndCommandBuffer(commands)));
  return shared_->context->SubmitAndWait(commands, write_commands_.fence.get());
}

Result<std::unique_ptr<Queue>> VulkanDevice::MakeQueue(const QueueOptions& options) {
  return std::unique_ptr<Queue>(std::make_unique<VulkanQueue>(options.profile));
}

Result<std::shared_ptr<const Program>> VulkanDevice::Link(const LinkRequest& request) {
  MOKA_ASSIGN_OR_RETURN(std::shared_ptr<const Program> program, VulkanProgram::Link(shared_, request, profile_));
  MOKA_RETURN_IF_ERROR(shared_->context->TakeReports());
  return program;
}

}  // namespace moka::vulkan

#include "vulkan/context.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

namespace moka::vulkan {
namespace {

constexpr const char* kPortabilitySubset = "VK_KHR_portability_subset";

bool HasExtension(const Api& api, VkPhysicalDevice physical, const char* name) {
  uint32_t count = 0;
  if (api.EnumerateDeviceExtensionProperties(physical, nullptr, &count, nullptr) != VK_SUCCESS) return false;
  std::vector<VkExtensionProperties> extensions(count);
  if (api.EnumerateDeviceExtensionProperties(physical, nullptr, &count, extensions.data()) < VK_SUCCESS) return false;
  extensions.resize(count);
  return std::any_of(extensions.begin(), extensions.end(), [name](const VkExtensionProperties& extension) {
    return std::strcmp(extension.extensionName, name) == 0;
  });
}

// The first family that computes, one with a clock before one without; -1 where there is none.
int ChooseFamily(const std::vector<VkQueueFamilyProperties>& families) {
  int best = -1;
  for (size_t i = 0; i < families.size(); ++i) {
    const VkQueueFamilyProperties& family = families[i];
    if ((family.queueFlags & VK_QUEUE_COMPUTE_BIT) == 0 || family.queueCount == 0) continue;
    const bool better =
        best < 0 || (families[static_cast<size_t>(best)].timestampValidBits == 0 && family.timestampValidBits != 0);
    if (better) best = static_cast<int>(i);
  }
  return best;
}

}  // namespace

Result<std::shared_ptr<Context>> Context::Create(std::shared_ptr<Instance> instance, VkPhysicalDevice physical,
                                                 void (*edit_api)(Api*)) {
  std::shared_ptr<Context> context(new Context);
  context->instance_ = std::move(instance);
  MOKA_RETURN_IF_ERROR(context->Start(physical, edit_api));
  return context;
}

Status Context::Start(VkPhysicalDevice physical, void (*edit_api)(Api*)) {
  api_ = instance_->api();
  auto all = Tagged<VkPhysicalDeviceProperties2>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2);
  ids_.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES;
  maintenance_.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES;
  all.pNext = &ids_;
  ids_.pNext = &maintenance_;
  driver_.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES_KHR;
  if (HasExtension(api_, physical, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME)) maintenance_.pNext = &driver_;
  api_.GetPhysicalDeviceProperties2(physical, &all);
  properties_ = all.properties;
  if (properties_.apiVersion < VK_API_VERSION_1_1) {
    return Unsupported(properties_.deviceName, " speaks Vulkan 1.0; 1.1 is needed");
  }
  api_.GetPhysicalDeviceMemoryProperties(physical, &memory_);

  uint32_t count = 0;
  api_.GetPhysicalDeviceQueueFamilyProperties(physical, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  api_.GetPhysicalDeviceQueueFamilyProperties(physical, &count, families.data());
  const int family = ChooseFamily(families);
  if (family < 0) return Unsupported(properties_.deviceName, " has no compute queue");
  queue_family_ = static_cast<uint32_t>(family);
  timestamp_bits_ = families[queue_family_].timestampValidBits;

  const float priority = 1.0f;
  auto queue = Tagged<VkDeviceQueueCreateInfo>(VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO);
  queue.queueFamilyIndex = queue_family_;
  queue.queueCount = 1;
  queue.pQueuePriorities = &priority;
  auto info = Tagged<VkDeviceCreateInfo>(VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO);
  info.queueCreateInfoCount = 1;
  info.pQueueCreateInfos = &queue;
  // A device that offers this extension may only be made with it.
  const char* const extensions[] = {kPortabilitySubset};
  info.enabledExtensionCount = HasExtension(api_, physical, kPortabilitySubset) ? 1 : 0;
  info.ppEnabledExtensionNames = extensions;
  MOKA_RETURN_IF_ERROR(Check("vkCreateDevice", api_.CreateDevice(physical, &info, nullptr, &device_)));
  MOKA_RETURN_IF_ERROR(LoadDeviceFunctions(device_, &api_));
  if (edit_api != nullptr) edit_api(&api_);
  api_.GetDeviceQueue(device_, queue_family_, 0, &queue_);
  return Status();
}

std::string Context::driver() const {
  if (driver_.driverName[0] == '\0') return "";
  return StrCat(driver_.driverName, " ", driver_.driverInfo);
}

Context::~Context() {
  if (device_ == VK_NULL_HANDLE || api_.DestroyDevice == nullptr) return;
  if (api_.DeviceWaitIdle != nullptr) api_.DeviceWaitIdle(device_);
  api_.DestroyDevice(device_, nullptr);
}

Status Context::SubmitAndWait(VkCommandBuffer commands, VkFence fence) {
  auto info = Tagged<VkSubmitInfo>(VK_STRUCTURE_TYPE_SUBMIT_INFO);
  info.commandBufferCount = 1;
  info.pCommandBuffers = &commands;
  {
    const std::lock_guard<std::mutex> lock(submit_mutex_);
    MOKA_RETURN_IF_ERROR(Check("vkQueueSubmit", api_.QueueSubmit(queue_, 1, &info, fence)));
  }
  constexpr uint64_t kForever = std::numeric_limits<uint64_t>::max();
  const VkResult waited = api_.WaitForFences(device_, 1, &fence, VK_TRUE, kForever);
  if (waited != VK_SUCCESS) {
    api_.DeviceWaitIdle(device_);  // nothing that the caller frees now may be in use
    return Check("vkWaitForFences", waited);
  }
  return Check("vkResetFences", api_.ResetFences(device_, 1, &fence));
}

Result<Commands> MakeCommands(const Context& context) {
  const Api& api = context.api();
  Commands commands;
  auto pool = Tagged<VkCommandPoolCreateInfo>(VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO);
  pool.queueFamilyIndex = context.queue_family();
  VkCommandPool pool_handle = VK_NULL_HANDLE;
  MOKA_RETURN_IF_ERROR(
      Check("vkCreateCommandPool", api.CreateCommandPool(context.device(), &pool, nullptr, &pool_handle)));
  commands.pool = CommandPool(context, pool_handle);
  auto buffer = Tagged<VkCommandBufferAllocateInfo>(VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO);
  buffer.commandPool = pool_handle;
  buffer.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  buffer.commandBufferCount = 1;
  MOKA_RETURN_IF_ERROR(
      Check("vkAllocateCommandBuffers", api.AllocateCommandBuffers(context.device(), &buffer, &commands.buffer)));
  const auto fence = Tagged<VkFenceCreateInfo>(VK_STRUCTURE_TYPE_FENCE_CREATE_INFO);
  VkFence fence_handle = VK_NULL_HANDLE;
  MOKA_RETURN_IF_ERROR(Check("vkCreateFence", api.CreateFence(context.device(), &fence, nullptr, &fence_handle)));
  commands.fence = Fence(context, fence_handle);
  return commands;
}

Status BeginCommands(const Context& context, const Commands& commands) {
  const Api& api = context.api();
  MOKA_RETURN_IF_ERROR(Check("vkResetCommandPool", api.ResetCommandPool(context.device(), commands.pool.get(), 0)));
  const auto begin = Tagged<VkCommandBufferBeginInfo>(VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO);
  return Check("vkBeginCommandBuffer", api.BeginCommandBuffer(commands.buffer, &begin));
}

}  // namespace moka::vulkan

// The Vulkan loader, opened at run time, and the functions that moka calls.
#ifndef MOKA_VULKAN_LOADER_H_
#define MOKA_VULKAN_LOADER_H_

#define VK_NO_PROTOTYPES 1
#include <vulkan/vulkan.h>

#include "base/platform.h"
#include "base/status.h"

#define MOKA_VULKAN_GLOBAL_FUNCTIONS(X)   \
  X(CreateInstance)                       \
  X(EnumerateInstanceExtensionProperties) \
  X(EnumerateInstanceLayerProperties)     \
  X(EnumerateInstanceVersion)

#define MOKA_VULKAN_INSTANCE_FUNCTIONS(X) \
  X(CreateDevice)                         \
  X(DestroyInstance)                      \
  X(EnumerateDeviceExtensionProperties)   \
  X(EnumeratePhysicalDevices)             \
  X(GetDeviceProcAddr)                    \
  X(GetPhysicalDeviceMemoryProperties)    \
  X(GetPhysicalDeviceProperties2)         \
  X(GetPhysicalDeviceQueueFamilyProperties)

#define MOKA_VULKAN_DEVICE_FUNCTIONS(X) \
  X(AllocateCommandBuffers)             \
  X(AllocateDescriptorSets)             \
  X(AllocateMemory)                     \
  X(BeginCommandBuffer)                 \
  X(BindBufferMemory)                   \
  X(CmdBindDescriptorSets)              \
  X(CmdBindPipeline)                    \
  X(CmdCopyBuffer)                      \
  X(CmdDispatch)                        \
  X(CmdPipelineBarrier)                 \
  X(CmdPushConstants)                   \
  X(CmdResetQueryPool)                  \
  X(CmdWriteTimestamp)                  \
  X(CreateBuffer)                       \
  X(CreateCommandPool)                  \
  X(CreateComputePipelines)             \
  X(CreateDescriptorPool)               \
  X(CreateDescriptorSetLayout)          \
  X(CreateFence)                        \
  X(CreatePipelineCache)                \
  X(CreatePipelineLayout)               \
  X(CreateQueryPool)                    \
  X(CreateShaderModule)                 \
  X(DestroyBuffer)                      \
  X(DestroyCommandPool)                 \
  X(DestroyDescriptorPool)              \
  X(DestroyDescriptorSetLayout)         \
  X(DestroyDevice)                      \
  X(DestroyFence)                       \
  X(DestroyPipeline)                    \
  X(DestroyPipelineCache)               \
  X(DestroyPipelineLayout)              \
  X(DestroyQueryPool)                   \
  X(DestroyShaderModule)                \
  X(DeviceWaitIdle)                     \
  X(EndCommandBuffer)                   \
  X(FreeMemory)                         \
  X(GetBufferMemoryRequirements)        \
  X(GetDeviceQueue)                     \
  X(GetPipelineCacheData)               \
  X(GetQueryPoolResults)                \
  X(MapMemory)                          \
  X(QueueSubmit)                        \
  X(ResetCommandPool)                   \
  X(ResetFences)                        \
  X(UpdateDescriptorSets)               \
  X(WaitForFences)

namespace moka::vulkan {

struct Api {
#define MOKA_VULKAN_MEMBER(name) PFN_vk##name name = nullptr;
  MOKA_VULKAN_GLOBAL_FUNCTIONS(MOKA_VULKAN_MEMBER)
  MOKA_VULKAN_INSTANCE_FUNCTIONS(MOKA_VULKAN_MEMBER)
  MOKA_VULKAN_DEVICE_FUNCTIONS(MOKA_VULKAN_MEMBER)
#undef MOKA_VULKAN_MEMBER
  PFN_vkGetInstanceProcAddr GetInstanceProcAddr = nullptr;
  PFN_vkCreateDebugUtilsMessengerEXT CreateDebugUtilsMessengerEXT = nullptr;    // null without VK_EXT_debug_utils
  PFN_vkDestroyDebugUtilsMessengerEXT DestroyDebugUtilsMessengerEXT = nullptr;  // likewise
};

// A Vulkan struct with its tag set and all else zero.
template <class T>
T Tagged(VkStructureType type) {
  T value{};
  value.sType = type;
  return value;
}

// `library` empty: the system's loader. kNotFound, or kDeviceError where the loader lacks a function.
Result<SharedLibrary> OpenLoader(const std::string& library, Api* api);
Status LoadInstanceFunctions(VkInstance instance, Api* api);
Status LoadDeviceFunctions(VkDevice device, Api* api);

// Ok for VK_SUCCESS; else kOutOfMemory or kDeviceError: "vkQueueSubmit: VK_ERROR_DEVICE_LOST".
Status Check(const char* call, VkResult result);

}  // namespace moka::vulkan

#endif  // MOKA_VULKAN_LOADER_H_

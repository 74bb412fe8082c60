#include "vulkan/loader.h"

#include <string>
#include <utility>

namespace moka::vulkan {
namespace {

#if defined(__APPLE__)
constexpr const char* kLoaders[] = {"libvulkan.1.dylib", "libMoltenVK.dylib"};
#elif defined(__ANDROID__)
constexpr const char* kLoaders[] = {"libvulkan.so"};
#else
constexpr const char* kLoaders[] = {"libvulkan.so.1", "libvulkan.so"};
#endif

struct ResultName {
  VkResult result;
  const char* name;
};
#define MOKA_VULKAN_RESULT(name) \
  { name, #name }
constexpr ResultName kResultNames[] = {
    MOKA_VULKAN_RESULT(VK_NOT_READY),
    MOKA_VULKAN_RESULT(VK_TIMEOUT),
    MOKA_VULKAN_RESULT(VK_INCOMPLETE),
    MOKA_VULKAN_RESULT(VK_ERROR_OUT_OF_HOST_MEMORY),
    MOKA_VULKAN_RESULT(VK_ERROR_OUT_OF_DEVICE_MEMORY),
    MOKA_VULKAN_RESULT(VK_ERROR_OUT_OF_POOL_MEMORY),
    MOKA_VULKAN_RESULT(VK_ERROR_FRAGMENTED_POOL),
    MOKA_VULKAN_RESULT(VK_ERROR_INITIALIZATION_FAILED),
    MOKA_VULKAN_RESULT(VK_ERROR_DEVICE_LOST),
    MOKA_VULKAN_RESULT(VK_ERROR_MEMORY_MAP_FAILED),
    MOKA_VULKAN_RESULT(VK_ERROR_LAYER_NOT_PRESENT),
    MOKA_VULKAN_RESULT(VK_ERROR_EXTENSION_NOT_PRESENT),
    MOKA_VULKAN_RESULT(VK_ERROR_FEATURE_NOT_PRESENT),
    MOKA_VULKAN_RESULT(VK_ERROR_INCOMPATIBLE_DRIVER),
    MOKA_VULKAN_RESULT(VK_ERROR_TOO_MANY_OBJECTS),
    MOKA_VULKAN_RESULT(VK_ERROR_INVALID_SHADER_NV),
    MOKA_VULKAN_RESULT(VK_ERROR_UNKNOWN),
};
#undef MOKA_VULKAN_RESULT

bool IsOutOfMemory(VkResult result) {
  return result == VK_ERROR_OUT_OF_HOST_MEMORY || result == VK_ERROR_OUT_OF_DEVICE_MEMORY ||
         result == VK_ERROR_OUT_OF_POOL_MEMORY || result == VK_ERROR_FRAGMENTED_POOL;
}

}  // namespace

Status Check(const char* call, VkResult result) {
  if (result == VK_SUCCESS) return Status();
  std::string name = StrCat("VkResult ", static_cast<int>(result));
  for (const ResultName& entry : kResultNames) {
    if (entry.result == result) name = entry.name;
  }
  return IsOutOfMemory(result) ? OutOfMemory(call, ": ", name) : DeviceError(call, ": ", name);
}

Result<SharedLibrary> OpenLoader(const std::string& library, Api* api) {
  const char* const name = library.c_str();
  Result<SharedLibrary> loader =
      library.empty() ? SharedLibrary::Open(kLoaders, std::size(kLoaders)) : SharedLibrary::Open(&name, 1);
  if (!loader.ok()) return loader;
  api->GetInstanceProcAddr = reinterpret_cast<PFN_vkGetInstanceProcAddr>(loader->Symbol("vkGetInstanceProcAddr"));
  if (api->GetInstanceProcAddr == nullptr) return DeviceError("the library has no vkGetInstanceProcAddr");
#define MOKA_VULKAN_LOAD(name) \
  api->name = reinterpret_cast<PFN_vk##name>(api->GetInstanceProcAddr(nullptr, "vk" #name));
  MOKA_VULKAN_GLOBAL_FUNCTIONS(MOKA_VULKAN_LOAD)
#undef MOKA_VULKAN_LOAD
  if (api->EnumerateInstanceVersion == nullptr) return DeviceError("the loader speaks Vulkan 1.0; 1.1 is needed");
  if (api->CreateInstance == nullptr) return DeviceError("the loader has no vkCreateInstance");
  return loader;
}

Status LoadInstanceFunctions(VkInstance instance, Api* api) {
#define MOKA_VULKAN_LOAD(name)                                                                \
  api->name = reinterpret_cast<PFN_vk##name>(api->GetInstanceProcAddr(instance, "vk" #name)); \
  if (api->name == nullptr) return DeviceError("the loader has no vk" #name);
  MOKA_VULKAN_INSTANCE_FUNCTIONS(MOKA_VULKAN_LOAD)
#undef MOKA_VULKAN_LOAD
  api->CreateDebugUtilsMessengerEXT = reinterpret_cast<PFN_vkCreateDebugUtilsMessengerEXT>(
      api->GetInstanceProcAddr(instance, "vkCreateDebugUtilsMessengerEXT"));
  api->DestroyDebugUtilsMessengerEXT = reinterpret_cast<PFN_vkDestroyDebugUtilsMessengerEXT>(
      api->GetInstanceProcAddr(instance, "vkDestroyDebugUtilsMessengerEXT"));
  return Status();
}

Status LoadDeviceFunctions(VkDevice device, Api* api) {
#define MOKA_VULKAN_LOAD(name)                                                            \
  api->name = reinterpret_cast<PFN_vk##name>(api->GetDeviceProcAddr(device, "vk" #name)); \
  if (api->name == nullptr) return DeviceError("the driver has no vk" #name);
  MOKA_VULKAN_DEVICE_FUNCTIONS(MOKA_VULKAN_LOAD)
#undef MOKA_VULKAN_LOAD
  return Status();
}

}  // namespace moka::vulkan

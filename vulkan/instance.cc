#include "vulkan/instance.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace moka::vulkan {
namespace {

constexpr const char* kValidationLayer = "VK_LAYER_KHRONOS_validation";
constexpr size_t kMaxReports = 100;

VKAPI_ATTR VkBool32 VKAPI_CALL OnMessage(VkDebugUtilsMessageSeverityFlagBitsEXT, VkDebugUtilsMessageTypeFlagsEXT,
                                         const VkDebugUtilsMessengerCallbackDataEXT* data, void* instance) {
  static_cast<Instance*>(instance)->Report(data->pMessage);
  return VK_FALSE;
}

// Extensions that the loader (layer == nullptr) or a layer offers.
std::vector<VkExtensionProperties> Extensions(const Api& api, const char* layer) {
  uint32_t count = 0;
  std::vector<VkExtensionProperties> extensions;
  if (api.EnumerateInstanceExtensionProperties(layer, &count, nullptr) != VK_SUCCESS) return extensions;
  extensions.resize(count);
  const VkResult result = api.EnumerateInstanceExtensionProperties(layer, &count, extensions.data());
  extensions.resize(result == VK_SUCCESS || result == VK_INCOMPLETE ? count : 0);
  return extensions;
}

bool Has(const std::vector<VkExtensionProperties>& extensions, const char* name) {
  return std::any_of(extensions.begin(), extensions.end(), [name](const VkExtensionProperties& extension) {
    return std::strcmp(extension.extensionName, name) == 0;
  });
}

bool HasLayer(const Api& api, const char* name) {
  uint32_t count = 0;
  if (api.EnumerateInstanceLayerProperties(&count, nullptr) != VK_SUCCESS) return false;
  std::vector<VkLayerProperties> layers(count);
  if (api.EnumerateInstanceLayerProperties(&count, layers.data()) < VK_SUCCESS) return false;
  layers.resize(count);
  return std::any_of(layers.begin(), layers.end(),
                     [name](const VkLayerProperties& layer) { return std::strcmp(layer.layerName, name) == 0; });
}

}  // namespace

Result<std::shared_ptr<Instance>> Instance::Create(const std::string& library, bool validate) {
  std::shared_ptr<Instance> instance(new Instance);
  MOKA_ASSIGN_OR_RETURN(instance->library_, OpenLoader(library, &instance->api_));
  MOKA_RETURN_IF_ERROR(instance->Start(validate));
  return instance;
}

Status Instance::Start(bool validate) {
  uint32_t version = 0;
  MOKA_RETURN_IF_ERROR(Check("vkEnumerateInstanceVersion", api_.EnumerateInstanceVersion(&version)));
  if (version < VK_API_VERSION_1_1) return DeviceError("the loader speaks Vulkan 1.0; 1.1 is needed");
  std::vector<const char*> layers, extensions;
  const std::vector<VkExtensionProperties> offered = Extensions(api_, nullptr);

  const VkValidationFeatureEnableEXT enable = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
  auto features = Tagged<VkValidationFeaturesEXT>(VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT);
  features.enabledValidationFeatureCount = 1;
  features.pEnabledValidationFeatures = &enable;
  auto messages = Tagged<VkDebugUtilsMessengerCreateInfoEXT>(VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT);
  messages.messageSeverity =
      VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
  messages.messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT;
  messages.pfnUserCallback = OnMessage;
  messages.pUserData = this;
  const bool listen = validate && Has(offered, VK_EXT_DEBUG_UTILS_EXTENSION_NAME);
  auto info = Tagged<VkInstanceCreateInfo>(VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO);
  if (listen) {
    extensions.push_back(VK_EXT_DEBUG_UTILS_EXTENSION_NAME);
    info.pNext = &messages;
    has_layer_ = HasLayer(api_, kValidationLayer);
    if (has_layer_) {
      layers.push_back(kValidationLayer);
      if (Has(Extensions(api_, kValidationLayer), VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME)) {
        extensions.push_back(VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME);
        messages.pNext = &features;
      }
    }
  }
  // Drivers that implement Vulkan on another API (MoltenVK) are listed only on request.
  if (Has(offered, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME)) {
    extensions.push_back(VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME);
    info.flags = VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
  }
  auto application = Tagged<VkApplicationInfo>(VK_STRUCTURE_TYPE_APPLICATION_INFO);
  application.pEngineName = "moka";
  application.apiVersion = VK_API_VERSION_1_1;
  info.pApplicationInfo = &application;
  info.enabledLayerCount = static_cast<uint32_t>(layers.size());
  info.ppEnabledLayerNames = layers.data();
  info.enabledExtensionCount = static_cast<uint32_t>(extensions.size());
  info.ppEnabledExtensionNames = extensions.data();
  MOKA_RETURN_IF_ERROR(Check("vkCreateInstance", api_.CreateInstance(&info, nullptr, &instance_)));
  MOKA_RETURN_IF_ERROR(LoadInstanceFunctions(instance_, &api_));
  if (!listen || api_.CreateDebugUtilsMessengerEXT == nullptr) return Status();
  messages.pNext = nullptr;
  return Check("vkCreateDebugUtilsMessengerEXT",
               api_.CreateDebugUtilsMessengerEXT(instance_, &messages, nullptr, &messenger_));
}

Instance::~Instance() {
  if (messenger_ != VK_NULL_HANDLE) api_.DestroyDebugUtilsMessengerEXT(instance_, messenger_, nullptr);
  if (instance_ != VK_NULL_HANDLE && api_.DestroyInstance != nullptr) api_.DestroyInstance(instance_, nullptr);
}

void Instance::Report(const char* message) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (reports_.size() < kMaxReports) reports_.emplace_back(message);
}

Status Instance::TakeReports() {
  if (messenger_ == VK_NULL_HANDLE) return Status();
  const std::lock_guard<std::mutex> lock(mutex_);
  if (reports_.empty()) return Status();
  std::string text = "Vulkan validation";
  for (const std::string& report : reports_) text += "\n" + report;
  reports_.clear();
  return DeviceError(text);
}

}  // namespace moka::vulkan

// The VkInstance, and what the validation layers say about it.
#ifndef MOKA_VULKAN_INSTANCE_H_
#define MOKA_VULKAN_INSTANCE_H_

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "vulkan/loader.h"

namespace moka::vulkan {

// Shared by the devices of one Open.
class Instance {
 public:
  // `validate` turns on VK_LAYER_KHRONOS_validation with synchronization validation, where it is installed, and
  // listens to it through VK_EXT_debug_utils.
  static Result<std::shared_ptr<Instance>> Create(const std::string& library, bool validate);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  VkInstance handle() const { return instance_; }
  const Api& api() const { return api_; }
  // Validation was asked for, its layer is installed and heard.
  bool validates() const { return has_layer_ && messenger_ != VK_NULL_HANDLE; }

  // kDeviceError with everything that the layers reported since the last call.
  Status TakeReports();
  void Report(const char* message);

 private:
  Instance() = default;
  Status Start(bool validate);

  SharedLibrary library_;
  Api api_;
  VkInstance instance_ = VK_NULL_HANDLE;
  VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
  bool has_layer_ = false;
  std::mutex mutex_;
  std::vector<std::string> reports_;
};

}  // namespace moka::vulkan

#endif  // MOKA_VULKAN_INSTANCE_H_

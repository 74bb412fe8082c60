// One VkDevice with its queue, shared by everything that is made from it, so that nothing outlives it.
#ifndef MOKA_VULKAN_CONTEXT_H_
#define MOKA_VULKAN_CONTEXT_H_

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "vulkan/instance.h"
#include "vulkan/loader.h"

namespace moka::vulkan {

class Context {
 public:
  // kUnsupported where the physical device cannot run moka. `edit_api`, when not null, may replace functions (tests).
  static Result<std::shared_ptr<Context>> Create(std::shared_ptr<Instance> instance, VkPhysicalDevice physical,
                                                 void (*edit_api)(Api*));
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const Api& api() const { return api_; }
  VkDevice device() const { return device_; }
  uint32_t queue_family() const { return queue_family_; }
  const VkPhysicalDeviceProperties& properties() const { return properties_; }
  const VkPhysicalDeviceIDProperties& ids() const { return ids_; }
  const VkPhysicalDeviceMaintenance3Properties& maintenance() const { return maintenance_; }
  const VkPhysicalDeviceMemoryProperties& memory() const { return memory_; }
  // Name and version in the driver's words; empty where it has none.
  std::string driver() const;
  // Meaningful low bits of a timestamp; 0: the queue has no clock.
  uint32_t timestamp_bits() const { return timestamp_bits_; }

  // Submits and waits. The queue is taken for the submission only, so threads wait side by side.
  Status SubmitAndWait(VkCommandBuffer commands, VkFence fence);
  Status TakeReports() { return instance_->TakeReports(); }
  const Instance& instance() const { return *instance_; }

 private:
  Context() = default;
  Status Start(VkPhysicalDevice physical, void (*edit_api)(Api*));

  std::shared_ptr<Instance> instance_;
  Api api_;
  VkDevice device_ = VK_NULL_HANDLE;
  VkQueue queue_ = VK_NULL_HANDLE;
  uint32_t queue_family_ = 0;
  uint32_t timestamp_bits_ = 0;
  VkPhysicalDeviceProperties properties_{};
  VkPhysicalDeviceIDProperties ids_{};
  VkPhysicalDeviceMaintenance3Properties maintenance_{};
  VkPhysicalDeviceDriverPropertiesKHR driver_{};
  VkPhysicalDeviceMemoryProperties memory_{};
  std::mutex submit_mutex_;
};

// A handle of the device, destroyed with the function `Destroy` of the table. The context must outlive it.
template <class T, auto Destroy>
class Handle {
 public:
  Handle() = default;
  Handle(const Context& context, T handle) : context_(&context), handle_(handle) {}
  Handle(Handle&& other) noexcept
      : context_(other.context_), handle_(std::exchange(other.handle_, static_cast<T>(VK_NULL_HANDLE))) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(context_, other.context_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Handle() {
    if (handle_ != VK_NULL_HANDLE) (context_->api().*Destroy)(context_->device(), handle_, nullptr);
  }
  T get() const { return handle_; }

 private:
  const Context* context_ = nullptr;
  T handle_ = VK_NULL_HANDLE;
};

using BufferHandle = Handle<VkBuffer, &Api::DestroyBuffer>;
using MemoryHandle = Handle<VkDeviceMemory, &Api::FreeMemory>;
using CommandPool = Handle<VkCommandPool, &Api::DestroyCommandPool>;
using DescriptorPool = Handle<VkDescriptorPool, &Api::DestroyDescriptorPool>;
using DescriptorSetLayout = Handle<VkDescriptorSetLayout, &Api::DestroyDescriptorSetLayout>;
using Fence = Handle<VkFence, &Api::DestroyFence>;
using Pipeline = Handle<VkPipeline, &Api::DestroyPipeline>;
using PipelineCache = Handle<VkPipelineCache, &Api::DestroyPipelineCache>;
using PipelineLayout = Handle<VkPipelineLayout, &Api::DestroyPipelineLayout>;
using QueryPool = Handle<VkQueryPool, &Api::DestroyQueryPool>;
using ShaderModule = Handle<VkShaderModule, &Api::DestroyShaderModule>;

// A pool with one primary command buffer, and the fence to wait for it.
struct Commands {
  CommandPool pool;
  VkCommandBuffer buffer = VK_NULL_HANDLE;
  Fence fence;
};
Result<Commands> MakeCommands(const Context& context);
// Forgets what was recorded.
Status BeginCommands(const Context& context, const Commands& commands);

}  // namespace moka::vulkan

#endif  // MOKA_VULKAN_CONTEXT_H_

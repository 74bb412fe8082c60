// Vulkan devices behind moka's device contract.
#ifndef MOKA_VULKAN_DEVICE_H_
#define MOKA_VULKAN_DEVICE_H_

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gpu/launch.h"
#include "ops/device.h"
#include "vulkan/replay.h"

namespace moka::vulkan {

struct OpenOptions {
  std::string library;               // of the loader; empty: the system's
  std::string cache_folder;          // for compiled pipelines; empty: none are kept
  bool validate = false;             // see Instance
  void (*edit_api)(Api*) = nullptr;  // tests put failing functions into a device's table
};
// One device per physical device with Vulkan 1.1 and a compute queue, in the loader's order: "vulkan", "vulkan:1" ...
std::vector<std::unique_ptr<Device>> OpenDevices(const OpenOptions& options, std::vector<std::string>* notes);

// OpenDevices with the system's loader and CacheDirectory(). The environment's MOKA_VULKAN_VALIDATE=1 turns validation
// on: what the layers report fails the Run, Link or Write during which they said it.
std::vector<std::unique_ptr<Device>> Open(std::vector<std::string>* notes);

class VulkanDevice final : public Device {
 public:
  static Result<std::unique_ptr<VulkanDevice>> Create(std::shared_ptr<Context> context, const std::string& name,
                                                      const std::string& cache_folder);

  const DeviceInfo& info() const override { return info_; }
  const Limits& limits() const override { return limits_; }
  Offer Choose(const OpCall& call, const ChoosePolicy& policy) const override;
  Status Pack(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) const override;
  Result<std::unique_ptr<Buffer>> Allocate(uint64_t bytes, MemoryKind kind) override;
  Result<std::unique_ptr<Buffer>> Import(const void* data, uint64_t bytes) override;
  Status Write(Buffer& buffer, uint64_t offset, std::span<const std::byte> bytes) override;
  Result<std::unique_ptr<Queue>> MakeQueue(const QueueOptions& options) override;
  Result<std::shared_ptr<const Program>> Link(const LinkRequest& request) override;

  const gpu::Profile& profile() const { return profile_; }
  const Shared& shared() const { return *shared_; }

 private:
  VulkanDevice() = default;
  void Describe(const std::string& name);
  Status WriteChunk(const DeviceBuffer& buffer, uint64_t offset, std::span<const std::byte> bytes);

  std::shared_ptr<Shared> shared_;
  DeviceInfo info_;
  Limits limits_;
  gpu::Profile profile_;
  std::mutex write_mutex_;
  Commands write_commands_;
  std::unique_ptr<DeviceBuffer> write_staging_;
};

}  // namespace moka::vulkan

#endif  // MOKA_VULKAN_DEVICE_H_

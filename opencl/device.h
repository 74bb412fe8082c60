// OpenCL devices behind moka's device contract.
#ifndef MOKA_OPENCL_DEVICE_H_
#define MOKA_OPENCL_DEVICE_H_

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gpu/launch.h"
#include "opencl/replay.h"
#include "ops/device.h"

namespace moka::opencl {

struct OpenOptions {
  std::string library;               // of the loader; empty: the system's
  std::string cache_folder;          // for built programs; empty: none are kept
  void (*edit_api)(Api*) = nullptr;  // tests put failing functions into the table
};
// One device per device of every platform, OpenCL 1.2 on, in the loader's order: "opencl", "opencl:1" ...
std::vector<std::unique_ptr<Device>> OpenDevices(const OpenOptions& options, std::vector<std::string>* notes);

// OpenDevices with the system's loader and CacheDirectory().
std::vector<std::unique_ptr<Device>> Open(std::vector<std::string>* notes);

class OpenClDevice final : public Device {
 public:
  static Result<std::unique_ptr<OpenClDevice>> Create(std::shared_ptr<const Context> context, const std::string& name,
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
  OpenClDevice() = default;
  void Describe(const std::string& name);

  std::shared_ptr<Shared> shared_;
  DeviceInfo info_;
  Limits limits_;
  gpu::Profile profile_;
  std::mutex write_mutex_;
  CommandQueue write_queue_;
};

}  // namespace moka::opencl

#endif  // MOKA_OPENCL_DEVICE_H_

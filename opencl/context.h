// One OpenCL device with its context, shared by everything that is made from it.
#ifndef MOKA_OPENCL_CONTEXT_H_
#define MOKA_OPENCL_CONTEXT_H_

#include <memory>
#include <string>
#include <vector>

#include "opencl/loader.h"
#include "ops/device.h"

namespace moka::opencl {

class Context {
 public:
  // kUnsupported where the device cannot run moka.
  static Result<std::shared_ptr<Context>> Create(const Api& api, cl_platform_id platform, cl_device_id device);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const Api& api() const { return api_; }
  cl_context context() const { return context_; }
  cl_device_id device() const { return device_; }

  std::string Text(cl_device_info what) const;
  std::string PlatformText(cl_platform_info what) const;
  // Zero where the driver does not say.
  template <class T>
  T Number(cl_device_info what) const {
    T value{};
    return api_.GetDeviceInfo(device_, what, sizeof(value), &value, nullptr) == CL_SUCCESS ? value : T{};
  }

  // Work-items along the first dimension of a group.
  size_t LongestGroup() const;
  // In order.
  Result<CommandQueue> MakeQueue(bool profile) const;

 private:
  Context() = default;
  Status CheckDevice() const;

  Api api_;
  cl_platform_id platform_ = nullptr;
  cl_device_id device_ = nullptr;
  cl_context context_ = nullptr;
};

class DeviceBuffer final : public Buffer {
 public:
  // As long as asked, rounded up to whole cache lines.
  static Result<std::unique_ptr<DeviceBuffer>> Create(std::shared_ptr<const Context> context, uint64_t bytes);
  uint64_t bytes() const override { return bytes_; }
  cl_mem handle() const { return memory_.get(); }

 private:
  DeviceBuffer() = default;
  std::shared_ptr<const Context> context_;
  Memory memory_;
  uint64_t bytes_ = 0;
};

}  // namespace moka::opencl

#endif  // MOKA_OPENCL_CONTEXT_H_

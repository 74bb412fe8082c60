// The OpenCL loader, opened at run time, and the functions that moka calls: OpenCL 1.2, nothing newer.
#ifndef MOKA_OPENCL_LOADER_H_
#define MOKA_OPENCL_LOADER_H_

#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS 1
#include <CL/cl.h>

#include <memory>
#include <string>
#include <utility>

#include "base/platform.h"
#include "base/status.h"

#define MOKA_OPENCL_FUNCTIONS(X) \
  X(BuildProgram)                \
  X(CreateBuffer)                \
  X(CreateCommandQueue)          \
  X(CreateContext)               \
  X(CreateKernel)                \
  X(CreateProgramWithBinary)     \
  X(CreateProgramWithSource)     \
  X(EnqueueNDRangeKernel)        \
  X(EnqueueReadBuffer)           \
  X(EnqueueWriteBuffer)          \
  X(Finish)                      \
  X(GetDeviceIDs)                \
  X(GetDeviceInfo)               \
  X(GetEventProfilingInfo)       \
  X(GetPlatformIDs)              \
  X(GetPlatformInfo)             \
  X(GetProgramBuildInfo)         \
  X(GetProgramInfo)              \
  X(ReleaseCommandQueue)         \
  X(ReleaseContext)              \
  X(ReleaseEvent)                \
  X(ReleaseKernel)               \
  X(ReleaseMemObject)            \
  X(ReleaseProgram)              \
  X(SetKernelArg)

namespace moka::opencl {

struct Api {
#define MOKA_OPENCL_MEMBER(name) decltype(&::cl##name) name = nullptr;
  MOKA_OPENCL_FUNCTIONS(MOKA_OPENCL_MEMBER)
#undef MOKA_OPENCL_MEMBER
};

// `library` empty: the system's loader. It stays loaded until the process ends: drivers keep threads.
Result<Api> OpenLoader(const std::string& library);

// Ok for CL_SUCCESS; else kOutOfMemory or kDeviceError: "clBuildProgram: CL_BUILD_PROGRAM_FAILURE".
Status Check(const char* call, cl_int result);

// One reference to an OpenCL object, given back with the function `Release` of the table, which must outlive it.
template <class T, auto Release>
class Handle {
 public:
  Handle() = default;
  Handle(const Api& api, T handle) : api_(&api), handle_(handle) {}
  Handle(Handle&& other) noexcept : api_(other.api_), handle_(std::exchange(other.handle_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(api_, other.api_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Handle() {
    if (handle_ != nullptr) (api_->*Release)(handle_);
  }
  T get() const { return handle_; }

 private:
  const Api* api_ = nullptr;
  T handle_ = nullptr;
};

using CommandQueue = Handle<cl_command_queue, &Api::ReleaseCommandQueue>;
using Kernel = Handle<cl_kernel, &Api::ReleaseKernel>;
using Memory = Handle<cl_mem, &Api::ReleaseMemObject>;
using ProgramHandle = Handle<cl_program, &Api::ReleaseProgram>;

}  // namespace moka::opencl

#endif  // MOKA_OPENCL_LOADER_H_

#include "opencl/context.h"

#include <algorithm>
#include <utility>

namespace moka::opencl {
namespace {

constexpr uint64_t kLineBytes = 64;

template <class Get>
std::string ReadText(Get get) {
  size_t size = 0;
  if (get(0, nullptr, &size) != CL_SUCCESS || size == 0) return "";
  std::string text(size, '\0');
  if (get(size, text.data(), nullptr) != CL_SUCCESS) return "";
  text.resize(text.find_last_not_of('\0') + 1);
  return text;
}

}  // namespace

Result<std::shared_ptr<Context>> Context::Create(const Api& api, cl_platform_id platform, cl_device_id device) {
  std::shared_ptr<Context> context(new Context);
  context->api_ = api;
  context->platform_ = platform;
  context->device_ = device;
  MOKA_RETURN_IF_ERROR(context->CheckDevice());
  cl_int result = CL_SUCCESS;
  context->context_ = api.CreateContext(nullptr, 1, &device, nullptr, nullptr, &result);
  MOKA_RETURN_IF_ERROR(Check("clCreateContext", result));
  return context;
}

Context::~Context() {
  if (context_ != nullptr) api_.ReleaseContext(context_);
}

Status Context::CheckDevice() const {
  const std::string name = Text(CL_DEVICE_NAME);
  const std::string version = Text(CL_DEVICE_VERSION);  // "OpenCL 1.2 ..."
  if (version.compare(0, 7, "OpenCL ") != 0 || version.compare(7, 3, "1.2") < 0) {
    return Unsupported(name, " speaks '", version, "'; OpenCL 1.2 is needed");
  }
  if (Number<cl_bool>(CL_DEVICE_AVAILABLE) == CL_FALSE) return Unsupported(name, " is not available");
  if (Number<cl_bool>(CL_DEVICE_COMPILER_AVAILABLE) == CL_FALSE) return Unsupported(name, " has no compiler");
  if (Number<cl_bool>(CL_DEVICE_ENDIAN_LITTLE) == CL_FALSE) return Unsupported(name, " is big-endian");
  return Status();
}

std::string Context::Text(cl_device_info what) const {
  return ReadText(
      [&](size_t size, void* text, size_t* needed) { return api_.GetDeviceInfo(device_, what, size, text, needed); });
}

std::string Context::PlatformText(cl_platform_info what) const {
  return ReadText([&](size_t size, void* text, size_t* needed) {
    return api_.GetPlatformInfo(platform_, what, size, text, needed);
  });
}

size_t Context::LongestGroup() const {
  std::vector<size_t> sizes(Number<cl_uint>(CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS));
  if (sizes.empty() || api_.GetDeviceInfo(device_, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizes.size() * sizeof(size_t),
                                          sizes.data(), nullptr) != CL_SUCCESS) {
    return 1;
  }
  return sizes[0];
}

Result<CommandQueue> Context::MakeQueue(bool profile) const {
  cl_int result = CL_SUCCESS;
  const cl_command_queue queue =
      api_.CreateCommandQueue(context_, device_, profile ? CL_QUEUE_PROFILING_ENABLE : 0, &result);
  MOKA_RETURN_IF_ERROR(Check("clCreateCommandQueue", result));
  return CommandQueue(api_, queue);
}

Result<std::unique_ptr<DeviceBuffer>> DeviceBuffer::Create(std::shared_ptr<const Context> context, uint64_t bytes) {
  const uint64_t longest = context->Number<cl_ulong>(CL_DEVICE_MAX_MEM_ALLOC_SIZE);
  if (bytes > longest) return OutOfMemory("a buffer of ", bytes, " bytes where the driver's longest has ", longest);
  std::unique_ptr<DeviceBuffer> buffer(new DeviceBuffer);
  buffer->bytes_ = std::max(kLineBytes, (bytes + kLineBytes - 1) / kLineBytes * kLineBytes);
  cl_int result = CL_SUCCESS;
  const cl_mem memory =
      context->api().CreateBuffer(context->context(), CL_MEM_READ_WRITE, buffer->bytes_, nullptr, &result);
  MOKA_RETURN_IF_ERROR(Check("clCreateBuffer", result));
  buffer->memory_ = Memory(context->api(), memory);
  buffer->context_ = std::move(context);
  return buffer;
}

}  // namespace moka::opencl

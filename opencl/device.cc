#include "opencl/device.h"

#include <algorithm>
#include <utility>

#include "base/platform.h"

namespace moka::opencl {
namespace {

constexpr uint64_t kOffsetAlignment = 64;

void Note(std::vector<std::string>* notes, const std::string& text) {
  if (notes != nullptr) notes->push_back("opencl: " + text);
}

Result<std::vector<cl_platform_id>> Platforms(const Api& api) {
  cl_uint count = 0;
  MOKA_RETURN_IF_ERROR(Check("clGetPlatformIDs", api.GetPlatformIDs(0, nullptr, &count)));
  std::vector<cl_platform_id> platforms(count);
  if (count == 0) return platforms;
  MOKA_RETURN_IF_ERROR(Check("clGetPlatformIDs", api.GetPlatformIDs(count, platforms.data(), nullptr)));
  return platforms;
}

std::vector<cl_device_id> DevicesOf(const Api& api, cl_platform_id platform) {
  cl_uint count = 0;
  if (api.GetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, nullptr, &count) != CL_SUCCESS || count == 0) return {};
  std::vector<cl_device_id> devices(count);
  if (api.GetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, devices.data(), nullptr) != CL_SUCCESS) return {};
  return devices;
}

}  // namespace

// ---- Opening ------------------------------------------------------------------------------------------------------

std::vector<std::unique_ptr<Device>> OpenDevices(const OpenOptions& options, std::vector<std::string>* notes) {
  std::vector<std::unique_ptr<Device>> devices;
  Result<Api> api = OpenLoader(options.library);
  if (!api.ok()) {
    Note(notes, api.status().message());
    return devices;
  }
  if (options.edit_api != nullptr) options.edit_api(&*api);
  const Result<std::vector<cl_platform_id>> platforms = Platforms(*api);
  if (!platforms.ok()) {
    Note(notes, platforms.status().message());
    return devices;
  }
  for (const cl_platform_id platform : *platforms) {
    for (const cl_device_id candidate : DevicesOf(*api, platform)) {
      Result<std::shared_ptr<Context>> context = Context::Create(*api, platform, candidate);
      const std::string name = devices.empty() ? "opencl" : StrCat("opencl:", devices.size());
      Result<std::unique_ptr<OpenClDevice>> device =
          context.ok() ? OpenClDevice::Create(std::move(*context), name, options.cache_folder)
                       : Result<std::unique_ptr<OpenClDevice>>(context.status());
      if (device.ok()) {
        devices.push_back(std::move(*device));
      } else {
        Note(notes, device.status().message());
      }
    }
  }
  if (devices.empty()) Note(notes, "no driver offers a device");
  return devices;
}

std::vector<std::unique_ptr<Device>> Open(std::vector<std::string>* notes) {
  OpenOptions options;
  options.cache_folder = CacheDirectory();
  return OpenDevices(options, notes);
}

// ---- Device -------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<OpenClDevice>> OpenClDevice::Create(std::shared_ptr<const Context> context,
                                                           const std::string& name, const std::string& cache_folder) {
  std::unique_ptr<OpenClDevice> device(new OpenClDevice);
  MOKA_ASSIGN_OR_RETURN(device->write_queue_, context->MakeQueue(false));
  device->shared_ = std::make_shared<Shared>();
  device->shared_->programs = std::make_unique<ProgramCache>(context, gpu::DiskCache(cache_folder, "opencl"));
  device->shared_->context = std::move(context);
  device->Describe(name);
  return device;
}

void OpenClDevice::Describe(const std::string& name) {
  const Context& context = *shared_->context;
  info_.name = name;
  info_.kind = DeviceKind::kOpenCL;
  info_.hardware = context.Text(CL_DEVICE_NAME);
  info_.driver = StrCat(context.PlatformText(CL_PLATFORM_NAME), ", ", context.Text(CL_DEVICE_VERSION), ", driver ",
                        context.Text(CL_DRIVER_VERSION));
  info_.memory_bytes = context.Number<cl_ulong>(CL_DEVICE_GLOBAL_MEM_SIZE);

  limits_.channel_alignment = 4;
  limits_.offset_alignment = kOffsetAlignment;
  limits_.max_binding = context.Number<cl_ulong>(CL_DEVICE_MAX_MEM_ALLOC_SIZE);
  limits_.memory = info_.memory_bytes;
  limits_.concurrent_steps = false;
  limits_.emulated = (context.Number<cl_device_type>(CL_DEVICE_TYPE) & CL_DEVICE_TYPE_CPU) != 0;

  profile_.api = "opencl";
  profile_.cpu_driver = limits_.emulated;
  profile_.max_group_invocations = static_cast<int>(std::min<size_t>(
      {context.Number<size_t>(CL_DEVICE_MAX_WORK_GROUP_SIZE), context.LongestGroup(), size_t{INT32_MAX}}));
  profile_.max_groups = {INT32_MAX, INT32_MAX, INT32_MAX};
  profile_.shared_bytes = context.Number<cl_ulong>(CL_DEVICE_LOCAL_MEM_SIZE);
  profile_.max_binding = limits_.max_binding;
}

Offer OpenClDevice::Choose(const OpCall& call, const ChoosePolicy& policy) const {
  return gpu::Choose(profile_, call, policy);
}

Status OpenClDevice::Pack(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) const {
  return gpu::Pack(spec, src, dst);
}

Result<std::unique_ptr<Buffer>> OpenClDevice::Allocate(uint64_t bytes, MemoryKind) {
  Result<std::unique_ptr<DeviceBuffer>> buffer = DeviceBuffer::Create(shared_->context, bytes);
  if (!buffer.ok()) return buffer.status().WithContext(info_.name);
  return std::unique_ptr<Buffer>(std::move(*buffer));
}

Result<std::unique_ptr<Buffer>> OpenClDevice::Import(const void*, uint64_t) {
  return Unsupported(info_.name, " does not work in host memory");
}

Status OpenClDevice::Write(Buffer& buffer, uint64_t offset, std::span<const std::byte> bytes) {
  const DeviceBuffer& target = static_cast<DeviceBuffer&>(buffer);
  if (offset > target.bytes() || bytes.size() > target.bytes() - offset) {
    return Internal("a write of ", bytes.size(), " bytes at ", offset, " of ", target.bytes());
  }
  if (bytes.empty()) return Status();
  const std::lock_guard<std::mutex> lock(write_mutex_);
  return Check("clEnqueueWriteBuffer",
               shared_->context->api().EnqueueWriteBuffer(write_queue_.get(), target.handle(), CL_TRUE, offset,
                                                          bytes.size(), bytes.data(), 0, nullptr, nullptr));
}

Result<std::unique_ptr<Queue>> OpenClDevice::MakeQueue(const QueueOptions& options) {
  MOKA_ASSIGN_OR_RETURN(CommandQueue queue, shared_->context->MakeQueue(options.profile));
  return std::unique_ptr<Queue>(std::make_unique<OpenClQueue>(shared_->context, std::move(queue), options.profile));
}

Result<std::shared_ptr<const Program>> OpenClDevice::Link(const LinkRequest& request) {
  return OpenClProgram::Link(shared_, request, profile_);
}

}  // namespace moka::opencl

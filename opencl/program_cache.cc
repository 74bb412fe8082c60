#include "opencl/program_cache.h"

#include <optional>
#include <utility>

namespace moka::opencl {
namespace {

std::vector<int32_t> KeyOf(const gpu::Launch& launch) {
  std::vector<int32_t> key{launch.kernel};
  key.insert(key.end(), launch.spec.begin(), launch.spec.begin() + launch.num_spec);
  return key;
}

const gpu::KernelSource& SourceOf(const gpu::Launch& launch) {
  return gpu::Kernels()[static_cast<size_t>(launch.kernel)];
}

}  // namespace

ProgramCache::ProgramCache(std::shared_ptr<const Context> context, gpu::DiskCache disk)
    : context_(std::move(context)), disk_(std::move(disk)) {
  driver_ = StrCat("opencl program of ", context_->PlatformText(CL_PLATFORM_NAME), ", ",
                   context_->PlatformText(CL_PLATFORM_VERSION), ", ", context_->Text(CL_DEVICE_NAME), ", ",
                   context_->Text(CL_DEVICE_VERSION), ", ", context_->Text(CL_DRIVER_VERSION));
}

std::string ProgramCache::BuildOptions(const gpu::Launch& launch) {
  std::string options = "-cl-std=CL1.2";
  const gpu::KernelSource& source = SourceOf(launch);
  for (size_t i = 0; i < source.spec_names.size(); ++i) {
    options += StrCat(" -D", source.spec_names[i], "=", launch.spec[i]);
  }
  return options;
}

std::string ProgramCache::DiskKey(const gpu::Launch& launch) const {
  const gpu::KernelSource& source = SourceOf(launch);
  return StrCat(driver_, "; ", source.name, "; ", BuildOptions(launch), "\n", source.opencl);
}

Result<Kernel> ProgramCache::MakeKernel(const gpu::Launch& launch) {
  MOKA_ASSIGN_OR_RETURN(const cl_program program, Get(launch));
  cl_int result = CL_SUCCESS;
  const cl_kernel kernel = context_->api().CreateKernel(program, SourceOf(launch).name, &result);
  if (result != CL_SUCCESS) return Check("clCreateKernel", result).WithContext(SourceOf(launch).name);
  return Kernel(context_->api(), kernel);
}

Status ProgramCache::Prepare(const gpu::Launch& launch) { return Get(launch).status(); }

Result<cl_program> ProgramCache::Get(const gpu::Launch& launch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<int32_t> words = KeyOf(launch);
  if (const auto found = programs_.find(words); found != programs_.end()) return found->second.get();
  const std::string options = BuildOptions(launch);
  const std::string key = DiskKey(launch);
  ProgramHandle program = Load(key, options);
  if (program.get() != nullptr) {
    ++loaded_;
  } else {
    MOKA_ASSIGN_OR_RETURN(program, Build(SourceOf(launch), options));
    ++built_;
    unsaved_.insert(words);
  }
  return programs_.emplace(std::move(words), std::move(program)).first->second.get();
}

Result<ProgramHandle> ProgramCache::Build(const gpu::KernelSource& source, const std::string& options) const {
  const Api& api = context_->api();
  cl_int result = CL_SUCCESS;
  const char* text = source.opencl;
  ProgramHandle program(api, api.CreateProgramWithSource(context_->context(), 1, &text, nullptr, &result));
  MOKA_RETURN_IF_ERROR(Check("clCreateProgramWithSource", result));
  const cl_device_id device = context_->device();
  result = api.BuildProgram(program.get(), 1, &device, options.c_str(), nullptr, nullptr);
  if (result == CL_SUCCESS) return program;
  size_t size = 0;
  api.GetProgramBuildInfo(program.get(), device, CL_PROGRAM_BUILD_LOG, 0, nullptr, &size);
  std::string log(size, '\0');
  api.GetProgramBuildInfo(program.get(), device, CL_PROGRAM_BUILD_LOG, size, log.data(), nullptr);
  return Check("clBuildProgram", result).WithContext(StrCat(source.name, " ", options, "\n", log));
}

ProgramHandle ProgramCache::Load(const std::string& key, const std::string& options) const {
  const std::optional<std::string> binary = disk_.Load(key);
  if (!binary.has_value()) return ProgramHandle();
  const Api& api = context_->api();
  const cl_device_id device = context_->device();
  const size_t size = binary->size();
  const unsigned char* bytes = reinterpret_cast<const unsigned char*>(binary->data());
  cl_int status = CL_SUCCESS, result = CL_SUCCESS;
  ProgramHandle program(api,
                        api.CreateProgramWithBinary(context_->context(), 1, &device, &size, &bytes, &status, &result));
  if (result != CL_SUCCESS || status != CL_SUCCESS) return ProgramHandle();
  result = api.BuildProgram(program.get(), 1, &device, options.c_str(), nullptr, nullptr);
  return result == CL_SUCCESS ? std::move(program) : ProgramHandle();
}

void ProgramCache::Save(const gpu::Launch& launch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::vector<int32_t> words = KeyOf(launch);
  if (unsaved_.erase(words) > 0) Store(DiskKey(launch), programs_[words].get());
}

void ProgramCache::Store(const std::string& key, cl_program program) const {
  const Api& api = context_->api();
  size_t size = 0;
  if (api.GetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof(size), &size, nullptr) != CL_SUCCESS) return;
  if (size == 0) return;
  std::string binary(size, '\0');
  unsigned char* bytes = reinterpret_cast<unsigned char*>(binary.data());
  if (api.GetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(bytes), &bytes, nullptr) != CL_SUCCESS) return;
  // A cache that cannot be written costs the next start time, nothing else.
  static_cast<void>(disk_.Store(key, binary));
}

int ProgramCache::built() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return built_;
}

int ProgramCache::loaded() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return loaded_;
}

}  // namespace moka::opencl

#include "opencl/loader.h"

#include <map>
#include <mutex>

namespace moka::opencl {
namespace {

#if defined(__APPLE__)
constexpr const char* kLoaders[] = {"/System/Library/Frameworks/OpenCL.framework/OpenCL"};
#else
constexpr const char* kLoaders[] = {"libOpenCL.so.1", "libOpenCL.so"};
#endif

struct ResultName {
  cl_int result;
  const char* name;
};
#define MOKA_OPENCL_RESULT(name) \
  { name, #name }
constexpr ResultName kResultNames[] = {
    {-1001, "CL_PLATFORM_NOT_FOUND_KHR"},
    MOKA_OPENCL_RESULT(CL_DEVICE_NOT_FOUND),
    MOKA_OPENCL_RESULT(CL_DEVICE_NOT_AVAILABLE),
    MOKA_OPENCL_RESULT(CL_COMPILER_NOT_AVAILABLE),
    MOKA_OPENCL_RESULT(CL_MEM_OBJECT_ALLOCATION_FAILURE),
    MOKA_OPENCL_RESULT(CL_OUT_OF_RESOURCES),
    MOKA_OPENCL_RESULT(CL_OUT_OF_HOST_MEMORY),
    MOKA_OPENCL_RESULT(CL_BUILD_PROGRAM_FAILURE),
    MOKA_OPENCL_RESULT(CL_INVALID_VALUE),
    MOKA_OPENCL_RESULT(CL_INVALID_BINARY),
    MOKA_OPENCL_RESULT(CL_INVALID_BUILD_OPTIONS),
    MOKA_OPENCL_RESULT(CL_INVALID_PROGRAM_EXECUTABLE),
    MOKA_OPENCL_RESULT(CL_INVALID_KERNEL_NAME),
    MOKA_OPENCL_RESULT(CL_INVALID_KERNEL_ARGS),
    MOKA_OPENCL_RESULT(CL_INVALID_ARG_SIZE),
    MOKA_OPENCL_RESULT(CL_INVALID_WORK_GROUP_SIZE),
    MOKA_OPENCL_RESULT(CL_INVALID_WORK_ITEM_SIZE),
    MOKA_OPENCL_RESULT(CL_INVALID_BUFFER_SIZE),
    MOKA_OPENCL_RESULT(CL_INVALID_OPERATION),
};
#undef MOKA_OPENCL_RESULT

bool IsOutOfMemory(cl_int result) {
  return result == CL_MEM_OBJECT_ALLOCATION_FAILURE || result == CL_OUT_OF_HOST_MEMORY ||
         result == CL_INVALID_BUFFER_SIZE;
}

// Opened libraries, by name, for the rest of the process.
Result<const SharedLibrary*> KeepOpen(const std::string& library) {
  static std::mutex& mutex = *new std::mutex;
  static std::map<std::string, SharedLibrary>& libraries = *new std::map<std::string, SharedLibrary>;
  const std::lock_guard<std::mutex> lock(mutex);
  auto found = libraries.find(library);
  if (found == libraries.end()) {
    const char* const name = library.c_str();
    Result<SharedLibrary> opened =
        library.empty() ? SharedLibrary::Open(kLoaders, std::size(kLoaders)) : SharedLibrary::Open(&name, 1);
    if (!opened.ok()) return opened.status();
    found = libraries.emplace(library, std::move(*opened)).first;
  }
  return &found->second;
}

}  // namespace

Status Check(const char* call, cl_int result) {
  if (result == CL_SUCCESS) return Status();
  std::string name = StrCat("error ", result);
  for (const ResultName& entry : kResultNames) {
    if (entry.result == result) name = entry.name;
  }
  return IsOutOfMemory(result) ? OutOfMemory(call, ": ", name) : DeviceError(call, ": ", name);
}

Result<Api> OpenLoader(const std::string& library) {
  MOKA_ASSIGN_OR_RETURN(const SharedLibrary* loader, KeepOpen(library));
  Api api;
#define MOKA_OPENCL_LOAD(name)                                                 \
  api.name = reinterpret_cast<decltype(api.name)>(loader->Symbol("cl" #name)); \
  if (api.name == nullptr) return DeviceError("the library has no cl" #name);
  MOKA_OPENCL_FUNCTIONS(MOKA_OPENCL_LOAD)
#undef MOKA_OPENCL_LOAD
  return api;
}

}  // namespace moka::opencl

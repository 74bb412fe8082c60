// Built OpenCL programs, one per (kernel, specialization), kept for the life of the device; their binaries on disk.
#ifndef MOKA_OPENCL_PROGRAM_CACHE_H_
#define MOKA_OPENCL_PROGRAM_CACHE_H_

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "gpu/disk_cache.h"
#include "gpu/launch.h"
#include "opencl/context.h"

namespace moka::opencl {

// Thread-safe.
class ProgramCache {
 public:
  ProgramCache(std::shared_ptr<const Context> context, gpu::DiskCache disk);

  // A new kernel object, whose arguments belong to the caller. The launch is in range (gpu::ReadSteps).
  Result<Kernel> MakeKernel(const gpu::Launch& launch);
  // Builds, or finds, what MakeKernel will need.
  Status Prepare(const gpu::Launch& launch);

  // Writes the program's binary to disk if it was built from text and is not there yet; failing to costs time only.
  // Called after a run: some drivers (PoCL) compile a kernel at its first launch, and have the result in the binary
  // from then on.
  void Save(const gpu::Launch& launch);

  // Programs built from text and taken from disk so far, for tests.
  int built() const;
  int loaded() const;

  static std::string BuildOptions(const gpu::Launch& launch);
  // Names driver, options and text in full.
  std::string DiskKey(const gpu::Launch& launch) const;

 private:
  Result<cl_program> Get(const gpu::Launch& launch);
  Result<ProgramHandle> Build(const gpu::KernelSource& source, const std::string& options) const;
  // Null where there is none on disk, or the driver does not take it any more.
  ProgramHandle Load(const std::string& key, const std::string& options) const;
  void Store(const std::string& key, cl_program program) const;

  std::shared_ptr<const Context> context_;
  gpu::DiskCache disk_;
  std::string driver_;
  mutable std::mutex mutex_;
  std::map<std::vector<int32_t>, ProgramHandle> programs_;
  std::set<std::vector<int32_t>> unsaved_;
  int built_ = 0, loaded_ = 0;
};

}  // namespace moka::opencl

#endif  // MOKA_OPENCL_PROGRAM_CACHE_H_

// The CPU as a device.
#ifndef MOKA_CPU_DEVICE_H_
#define MOKA_CPU_DEVICE_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cpu/kernel.h"
#include "ops/device.h"

namespace moka::cpu {

// The one CPU device, for the table of cmake/devices.cc.in. $MOKA_SIMD_TARGET ("AVX2") forces a target, for tests.
std::vector<std::unique_ptr<Device>> Open(std::vector<std::string>* notes);

// Targets that are compiled and that this machine has, the best first.
std::vector<std::string> SimdTargets();
// A device that uses one of them ("AVX3/plain", "AVX3/halves": see cpu/simd.h); "" means none: references only. Null
// where there is no such target.
std::unique_ptr<Device> OpenForTarget(std::string_view target);

// What Choose puts before a kernel's own launch data.
struct LaunchHeader {
  double cost_us;
  int64_t phases;  // Choice::phases
  // A second pass over dst, for programs after kernels that do not run them.
  int64_t program_units, program_offset;  // offset of its launch data; 0: none
};
inline constexpr uint64_t kLaunchOffset = sizeof(LaunchHeader);

Result<std::shared_ptr<const Program>> LinkProgram(const LinkRequest& request,
                                                   const Kernel* (*find)(const void* context, const Step& step),
                                                   const void* context, const Simd* simd);
Result<std::unique_ptr<Queue>> MakeCpuQueue(const QueueOptions& options);
Executor& ExecutorOf(Queue& queue);
double MeasurePeak(const Simd& simd, Queue& queue);

// The elementwise pass over dst in place, as a kernel: see micro.cc.
Status ChooseProgramPass(const OpCall& call, int64_t* units, uint64_t* scratch_per_worker, double* cost_us,
                         Blob* launch);
void RunProgramPass(const KernelArgs& args, int64_t begin, int64_t end, int worker);

}  // namespace moka::cpu

#endif  // MOKA_CPU_DEVICE_H_

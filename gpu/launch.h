// How one kernel of gpu/kernels/ is launched: written once here, used by every GPU API. No API calls.
#ifndef MOKA_GPU_LAUNCH_H_
#define MOKA_GPU_LAUNCH_H_

#include <array>
#include <cstdint>
#include <span>

#include "ops/device.h"

namespace moka::gpu {

inline constexpr int kMaxBuffers = 8;
inline constexpr int kMaxSpec = 48;
inline constexpr int kMaxParamBytes = 128;

// One kernel as the build embeds it. The order of Kernels() is fixed within a build.
struct KernelSource {
  const char* name;                         // "gemm"; also the OpenCL entry point
  int buffers;                              // bindings 0 .. buffers-1
  uint32_t written;                         // bit b: binding b is written
  std::span<const char* const> spec_names;  // specialization constant i is spec_names[i]; -DNAME=value in OpenCL
  std::span<const uint32_t> spirv;
  const char* opencl;  // flattened text; OpenCL C 1.2
};
std::span<const KernelSource> Kernels();

// Plain data; travels in Choice::launch and Step::launch.
struct Launch {
  int32_t kernel = 0;  // index into Kernels()
  int32_t num_spec = 0;
  std::array<int32_t, kMaxSpec> spec{};        // floats as their bits
  std::array<int32_t, 3> group_size{1, 1, 1};  // also specialization constants 100..102 in Vulkan
  std::array<int32_t, 3> groups{1, 1, 1};
  int32_t param_bytes = 0;
  std::array<int32_t, kMaxParamBytes / 4> params{};
  struct Binding {
    enum Kind : int32_t { kSrc, kDst, kPack, kScratch } kind = kSrc;
    int32_t index = 0;  // of the step's src, dst or packs
    // A device binds an aligned base and writes the rest of the operand's offset, in units of unit_bytes, to
    // params[offset_param].
    int32_t offset_param = 0;
    int32_t unit_bytes = 4;  // 16 where the kernel sees float4
  };
  int32_t num_bindings = 0;
  std::array<Binding, kMaxBuffers> bindings{};
};

// What of a device the choice of kernels depends on.
struct Profile {
  const char* api = "";     // "vulkan", "opencl"
  bool cpu_driver = false;  // lavapipe, SwiftShader, PoCL: wide loads and large register tiles, no shared memory
  int max_group_invocations = 128;
  std::array<int32_t, 3> max_groups{65535, 65535, 65535};
  uint64_t shared_bytes = 16384;
  uint64_t max_binding = 128u << 20;
};

// Device::Choose and Device::Pack of every GPU device. Choice::launch holds a Launch.
Offer Choose(const Profile& profile, const OpCall& call, const ChoosePolicy& policy);
Status Pack(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst);

}  // namespace moka::gpu

#endif  // MOKA_GPU_LAUNCH_H_

// Builds one Launch: fills specialization constants by name, parameters by struct, bindings and the grid.
#ifndef MOKA_GPU_LAUNCHER_H_
#define MOKA_GPU_LAUNCHER_H_

#include <cstring>
#include <string_view>
#include <type_traits>
#include <vector>

#include "gpu/launch.h"

namespace moka::gpu {

// Index into Kernels() and the name that plans show ("gpu/gemm"); -1 for a kernel that the build does not have.
int FindKernel(std::string_view name);
std::string_view FullName(int kernel);

class Launcher {
 public:
  explicit Launcher(std::string_view kernel);

  void Spec(std::string_view name, int64_t value);
  void SpecFloat(std::string_view name, float value);
  template <class T>
  void Params(const T& params) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kMaxParamBytes && sizeof(T) % 4 == 0);
    std::memcpy(launch_.params.data(), &params, sizeof(T));
    launch_.param_bytes = sizeof(T);
  }
  // `offset_at`: offsetof the parameter that receives the operand's offset, in elements of `unit_bytes`.
  void Bind(int binding, Launch::Binding::Kind kind, int index, size_t offset_at, int unit_bytes);
  void Src(int binding, int index, size_t offset_at, int unit_bytes = 4) {
    Bind(binding, Launch::Binding::kSrc, index, offset_at, unit_bytes);
  }
  void Dst(int binding, int index, size_t offset_at, int unit_bytes = 4) {
    Bind(binding, Launch::Binding::kDst, index, offset_at, unit_bytes);
  }
  // Buffers that this launch does not touch get the operand of binding `like`: every binding needs one.
  void BindRest(int like);
  // One dimension of `items` items in groups of `group`, folded into two where the device limits its length.
  void Grid(const Profile& profile, int64_t items, int group);

  std::string_view kernel() const { return FullName(launch_.kernel); }
  Choice MakeChoice(double cost_us) const;
  const Launch& launch() const { return launch_; }

 private:
  Launch launch_;
  uint32_t bound_ = 0;
};

// Microseconds for a kernel of so many operations and bytes, from fixed tables per class of device: `scalar` where it
// loads element by element.
double Cost(const Profile& profile, double flops, double bytes, bool scalar);
double BytesOf(const TensorDesc& desc);

}  // namespace moka::gpu

#endif  // MOKA_GPU_LAUNCHER_H_

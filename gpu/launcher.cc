#include "gpu/launcher.h"

#include <algorithm>
#include <bit>
#include <string>

#include "gpu/loops.h"

namespace moka::gpu {
namespace {

struct KernelNames {
  std::vector<std::string> full;
  KernelNames() {
    for (const KernelSource& kernel : Kernels()) full.push_back(std::string("gpu/") + kernel.name);
  }
};
const KernelNames& Names() {
  static const KernelNames names;
  return names;
}

}  // namespace

int FindKernel(std::string_view name) {
  const std::vector<std::string>& full = Names().full;
  for (size_t i = 0; i < full.size(); ++i) {
    if (std::string_view(full[i]).substr(4) == name) return static_cast<int>(i);
  }
  return -1;
}

std::string_view FullName(int kernel) { return Names().full[static_cast<size_t>(kernel)]; }

Launcher::Launcher(std::string_view kernel) {
  launch_.kernel = FindKernel(kernel);
  const KernelSource& source = Kernels()[static_cast<size_t>(launch_.kernel)];
  launch_.num_spec = static_cast<int32_t>(source.spec_names.size());
  launch_.num_bindings = source.buffers;
}

void Launcher::Spec(std::string_view name, int64_t value) {
  const KernelSource& source = Kernels()[static_cast<size_t>(launch_.kernel)];
  for (size_t i = 0; i < source.spec_names.size(); ++i) {
    if (source.spec_names[i] == name) launch_.spec[i] = static_cast<int32_t>(value);
  }
}

void Launcher::SpecFloat(std::string_view name, float value) { Spec(name, std::bit_cast<int32_t>(value)); }

void Launcher::Bind(int binding, Launch::Binding::Kind kind, int index, size_t offset_at, int unit_bytes) {
  Launch::Binding& b = launch_.bindings[static_cast<size_t>(binding)];
  b.kind = kind;
  b.index = index;
  b.offset_param = static_cast<int32_t>(offset_at / 4);
  b.unit_bytes = unit_bytes;
  bound_ |= uint32_t{1} << binding;
}

void Launcher::BindRest(int like) {
  for (int b = 0; b < launch_.num_bindings; ++b) {
    if ((bound_ >> b & 1) == 0) launch_.bindings[static_cast<size_t>(b)] = launch_.bindings[static_cast<size_t>(like)];
  }
}

void Launcher::Grid(const Profile& profile, int64_t items, int group) {
  launch_.group_size = {group, 1, 1};
  const int64_t groups = CeilDiv(items, group);
  const int64_t x = std::min<int64_t>(groups, profile.max_groups[0]);
  launch_.groups = {static_cast<int32_t>(x), static_cast<int32_t>(x == 0 ? 0 : CeilDiv(groups, x)), 1};
}

Choice Launcher::MakeChoice(double cost_us) const {
  Choice choice;
  choice.kernel = kernel();
  choice.cost_us = cost_us;
  choice.launch = Blob::Of(launch_);
  return choice;
}

double Cost(const Profile& profile, double flops, double bytes, bool scalar) {
  struct Rates {
    double launch_us, flops_per_us, bytes_per_us, scalar_penalty;
  };
  constexpr Rates kCpuDriver = {15, 4e4, 8e3, 4}, kGpu = {4, 3e6, 2e5, 3};
  const Rates& rates = profile.cpu_driver ? kCpuDriver : kGpu;
  const double work = std::max(flops / rates.flops_per_us, bytes / rates.bytes_per_us);
  return rates.launch_us + work * (scalar ? rates.scalar_penalty : 1);
}

double BytesOf(const TensorDesc& desc) {
  return static_cast<double>(desc.NumElements()) * static_cast<double>(SizeOf(desc.type));
}

}  // namespace moka::gpu

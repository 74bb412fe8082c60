// Every own case on every GPU device that answers, each kernel held to the oracle.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "gpu/launch.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/runner.h"

namespace moka {
namespace {

// Opened once, and closed before drivers unload at exit.
class GpuDevicesOpen : public testing::Environment {
 public:
  void SetUp() override {
    for (const DeviceBackend& backend : DeviceBackends()) {
      if (std::string_view(backend.name) == "cpu") continue;
      for (std::unique_ptr<Device>& device : backend.open(nullptr)) devices_.push_back(std::move(device));
    }
  }
  void TearDown() override { devices_.clear(); }
  std::vector<Device*> devices() const {
    std::vector<Device*> devices;
    for (const std::unique_ptr<Device>& device : devices_) devices.push_back(device.get());
    return devices;
  }

 private:
  std::vector<std::unique_ptr<Device>> devices_;
};

GpuDevicesOpen* const kOpen =
    static_cast<GpuDevicesOpen*>(testing::AddGlobalTestEnvironment(new GpuDevicesOpen));  // owned by GoogleTest

std::vector<Device*> GpuDevices() { return kOpen->devices(); }

class GpuConformance : public testing::TestWithParam<CaseFamily> {};

TEST_P(GpuConformance, EveryKernelMatchesTheOracle) {
  const std::vector<Device*> devices = GpuDevices();
  if (devices.empty()) GTEST_SKIP() << "no GPU device answers";
  for (Device* device : devices) {
    const ConformanceReport report = RunCases(*device, GetParam().cases());
    EXPECT_TRUE(report.failures.empty()) << device->info().name << ": " << report.Summary();
    // Families that only the CPU has kernels for are there to see that GPUs refuse them with a reason.
    const auto cases = GetParam().cases();
    const bool has_gpu_kernels = std::any_of(cases.begin(), cases.end(), [](const OpCase& c) { return c.own_on_gpu; });
    EXPECT_TRUE(report.runs > 0 || !has_gpu_kernels) << device->info().name;
  }
}

// The device with another choice of kernels: what runs on a CPU takes what is meant for real GPUs, tiles in shared
// memory and teams of items with barriers.
class AsRealGpu : public Device {
 public:
  explicit AsRealGpu(Device* device) : device_(*device) {}
  const DeviceInfo& info() const override { return device_.info(); }
  const Limits& limits() const override { return device_.limits(); }
  Offer Choose(const OpCall& call, const ChoosePolicy& policy) const override {
    gpu::Profile profile;
    profile.max_group_invocations = 64;
    return gpu::Choose(profile, call, policy);
  }
  Status Pack(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) const override {
    return device_.Pack(spec, src, dst);
  }
  Result<std::unique_ptr<Buffer>> Allocate(uint64_t bytes, MemoryKind kind) override {
    return device_.Allocate(bytes, kind);
  }
  Result<std::unique_ptr<Buffer>> Import(const void* data, uint64_t bytes) override {
    return device_.Import(data, bytes);
  }
  Status Write(Buffer& buffer, uint64_t offset, std::span<const std::byte> bytes) override {
    return device_.Write(buffer, offset, bytes);
  }
  Result<std::unique_ptr<Queue>> MakeQueue(const QueueOptions& options) override { return device_.MakeQueue(options); }
  Result<std::shared_ptr<const Program>> Link(const LinkRequest& request) override { return device_.Link(request); }

 private:
  Device& device_;
};

TEST(GpuConformanceAsRealGpu, KernelsForRealGpusAreRightOnCpuDriversToo) {
  const std::vector<Device*> devices = GpuDevices();
  if (devices.empty()) GTEST_SKIP() << "no GPU device answers";
  for (Device* device : devices) {
    AsRealGpu real(device);
    ConformanceReport report;
    RunnerOptions options;
    options.only_layouts = {"row_major"};
    options.only_kernel = "gpu/gemm_tile";
    report.Merge(RunCases(real, ProductCases(), options));
    options.only_kernel = "gpu/";
    report.Merge(RunCases(real, RowCases(), options));
    EXPECT_TRUE(report.failures.empty()) << device->info().name << ": " << report.Summary();
    EXPECT_GT(report.kernels["gpu/gemm_tile"], 0);
    EXPECT_GT(report.kernels["gpu/reduce"], 0);
    EXPECT_GT(report.kernels["gpu/softmax"], 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, GpuConformance, testing::ValuesIn(CaseFamilies()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace moka

// Every own case on every GPU device that answers, each kernel held to the oracle.
#include <gtest/gtest.h>

#include <string>

#include "tests/conformance/cases.h"
#include "tests/conformance/runner.h"

namespace moka {
namespace {

std::vector<Device*> GpuDevices() {
  static const std::vector<std::unique_ptr<Device>> kDevices = [] {
    std::vector<std::unique_ptr<Device>> all;
    for (const DeviceBackend& backend : DeviceBackends()) {
      if (std::string_view(backend.name) == "cpu") continue;
      for (std::unique_ptr<Device>& device : backend.open(nullptr)) all.push_back(std::move(device));
    }
    return all;
  }();
  std::vector<Device*> devices;
  for (const std::unique_ptr<Device>& device : kDevices) devices.push_back(device.get());
  return devices;
}

class Conformance : public testing::TestWithParam<CaseFamily> {};

TEST_P(Conformance, EveryKernelMatchesTheOracle) {
  const std::vector<Device*> devices = GpuDevices();
  if (devices.empty()) GTEST_SKIP() << "no GPU device answers";
  for (Device* device : devices) {
    const ConformanceReport report = RunCases(*device, GetParam().cases());
    EXPECT_TRUE(report.failures.empty()) << device->info().name << ": " << report.Summary();
    EXPECT_GT(report.runs, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Conformance, testing::ValuesIn(CaseFamilies()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace moka

// A sample of the own cases, small enough for an interpreter of OpenCL (run.sh). tests/gpu runs them all.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "opencl/device.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/runner.h"

namespace moka::opencl {
namespace {

constexpr size_t kEvery = 3;
constexpr int64_t kMaxElements = 3000;

bool IsSmall(const OpCase& op_case) {
  for (const CaseOperand& operand : op_case.src) {
    int64_t elements = 1;
    for (const int64_t dim : operand.shape) elements *= dim;
    if (elements > kMaxElements) return false;
  }
  return true;
}

std::vector<OpCase> Sample(const CaseFamily& family) {
  std::vector<OpCase> all = family.cases(), sample;
  for (OpCase& op_case : all) {
    if (IsSmall(op_case)) sample.push_back(std::move(op_case));
  }
  for (size_t i = 0; i * kEvery < sample.size(); ++i) std::swap(sample[i], sample[i * kEvery]);
  sample.resize((sample.size() + kEvery - 1) / kEvery);
  return sample;
}

TEST(Oclgrind, EveryKernelIsRight) {
  std::vector<std::string> notes;
  const std::vector<std::unique_ptr<Device>> devices = OpenDevices(OpenOptions(), &notes);
  if (devices.empty()) GTEST_SKIP() << (notes.empty() ? "no device" : notes[0]);
  RunnerOptions options;
  options.only_layouts = {"row_major", "channels_last"};
  ConformanceReport report;
  for (const CaseFamily& family : CaseFamilies()) report.Merge(RunCases(*devices[0], Sample(family), options));
  EXPECT_GT(report.kernels.size(), 10u) << report.Summary();
  EXPECT_TRUE(report.failures.empty()) << report.Summary();
}

}  // namespace
}  // namespace moka::opencl

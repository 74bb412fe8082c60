// Every own case, in every layout, by every kernel that the CPU offers for it, on every SIMD target.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "cpu/bf16_tile.h"
#include "cpu/byte_tile.h"
#include "cpu/device.h"
#include "cpu/simd.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/runner.h"

namespace moka {
namespace {

std::vector<OpCase> AllCases() {
  std::vector<OpCase> all;
  for (const CaseFamily& family : CaseFamilies()) {
    for (OpCase& op_case : family.cases()) all.push_back(std::move(op_case));
  }
  return all;
}

// That products ran by it where the target's tiles can.
void ExpectStrassen(const ConformanceReport& report, const std::string& target, const std::string& variant) {
  const bool sums = cpu::SimdForTarget(target + variant).tile->summing[1] != nullptr;
  for (const char* family : {"gemm_strassen", "matmul_strassen", "conv_strassen"}) {
    const std::string kernel = std::string("cpu/") + family + "/" + target;
    EXPECT_EQ(report.kernels.count(kernel) != 0, sums) << kernel << variant << "\n" << report.Summary();
  }
}

class CpuConformance : public testing::TestWithParam<std::string> {};

TEST_P(CpuConformance, EveryCaseMatchesTheOracle) {
  const auto device = cpu::OpenForTarget(GetParam());
  ASSERT_NE(device, nullptr);
  RunnerOptions options;
  options.threads = 3;
  const ConformanceReport report = RunCases(*device, AllCases(), options);
  EXPECT_TRUE(report.failures.empty()) << report.Summary();
  EXPECT_GT(report.cases, 100);
  EXPECT_GT(report.runs, report.by_reference);
  ExpectStrassen(report, GetParam(), "");
  for (const char* family : {"gemm",
                             "matmul",
                             "conv_igemm",
                             "conv_product",
                             "conv_winograd",
                             "conv_grouped",
                             "conv_inside",
                             "conv_few",
                             "conv_dot",
                             "depthwise",
                             "micro",
                             "lanes",
                             "lstm",
                             "gru",
                             "rnn",
                             "byte_conv",
                             "byte_depthwise",
                             "byte_gemm",
                             "byte_binary",
                             "byte_table",
                             "byte_pool",
                             "quantize",
                             "dequantize",
                             "dequantize_rows",
                             "dynamic_quantize",
                             "matmul_nbits",
                             "attention",
                             "group_query_attention",
                             "deform_conv",
                             "col2im",
                             "causal_conv",
                             "loss",
                             "hardmax",
                             "fill",
                             "one_hot",
                             "range",
                             "reverse",
                             "tensor_scatter",
                             "whole_copy",
                             "max_unpool",
                             "mean_variance"}) {
    const std::string kernel = std::string("cpu/") + family + "/" + GetParam();
    EXPECT_TRUE(report.kernels.count(kernel)) << kernel << " ran in no case\n" << report.Summary();
  }
}

bool HasBf16DotProduct() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

// Products under precision bf16, where this machine has their dot product and by the instructions of each target alone.
TEST(CpuConformanceBf16, ProductsMatchTheOracleOfRoundedOperands) {
  std::vector<OpCase> cases = ProductCases();
  for (OpCase& op_case : ConvCases()) cases.push_back(std::move(op_case));
  for (OpCase& op_case : AttentionCases()) cases.push_back(std::move(op_case));
  RunnerOptions options;
  options.threads = 3;
  options.precision = Precision::kBF16;
  for (const std::string& target : cpu::SimdTargets()) {
    for (const char* variant : {"", "/plain"}) {
      if (*variant != '\0' && cpu::SimdForTarget(target).bf16->plain == nullptr) continue;  // the same kernels
      const auto device = cpu::OpenForTarget(target + variant);
      ASSERT_NE(device, nullptr) << target;
      const ConformanceReport report = RunCases(*device, cases, options);
      EXPECT_TRUE(report.failures.empty()) << target << variant << "\n" << report.Summary();
      for (const char* family : {"gemm_bf16", "matmul_bf16", "conv_bf16"}) {
        const std::string kernel = std::string("cpu/") + family + "/" + target;
        EXPECT_GT(report.kernels.count(kernel) ? report.kernels.at(kernel) : 0, 15) << kernel << "\n"
                                                                                    << report.Summary();
      }
      // Only the dot product pays for rounding keys and values again and again.
      const std::string attention = "cpu/attention_bf16/" + target;
      const int runs = report.kernels.count(attention) ? report.kernels.at(attention) : 0;
      const bool dots = target == "AVX3" && *variant == '\0' && HasBf16DotProduct();
      EXPECT_TRUE(dots ? runs > 15 : runs == 0) << attention << "\n" << report.Summary();
    }
  }
}

TEST(CpuReferences, AloneMatchTheOracle) {
  const auto device = cpu::OpenForTarget("");
  std::vector<OpCase> cases = AllCases();
  for (OpCase& op_case : cases) op_case = MayFallBack(std::move(op_case));
  const ConformanceReport report = RunCases(*device, cases);
  EXPECT_TRUE(report.failures.empty()) << report.Summary();
  for (const auto& [kernel, runs] : report.kernels) EXPECT_EQ(kernel.rfind("reference/", 0), 0u) << kernel;
}

// What a target's instructions alone compute, where this machine has more for bytes (VNNI).
TEST(CpuConformancePlain, BytesMatchTheOracle) {
  for (const std::string& target : cpu::SimdTargets()) {
    if (cpu::SimdForTarget(target).bytes->plain == nullptr) continue;  // CpuConformance runs them
    const auto device = cpu::OpenForTarget(target + "/plain");
    ASSERT_NE(device, nullptr) << target;
    const ConformanceReport report = RunCases(*device, QuantCases());
    EXPECT_TRUE(report.failures.empty()) << target << "\n" << report.Summary();
  }
}

// Both kinds of tiles, whichever of them this machine takes by itself.
TEST(CpuConformanceTiles, OfHalfVectorsAndOfWholeOnesMatchTheOracle) {
  std::vector<OpCase> cases = ProductCases();
  for (OpCase& op_case : ConvCases()) cases.push_back(std::move(op_case));
  RunnerOptions options;
  options.threads = 2;
  for (const std::string& target : cpu::SimdTargets()) {
    if (cpu::SimdForTarget(target).tile->variant == nullptr) continue;  // CpuConformance runs them
    for (const char* variant : {"/plain", "/halves"}) {
      const auto device = cpu::OpenForTarget(target + variant);
      ASSERT_NE(device, nullptr) << target;
      const ConformanceReport report = RunCases(*device, cases, options);
      EXPECT_TRUE(report.failures.empty()) << target << variant << "\n" << report.Summary();
      ExpectStrassen(report, target, variant);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, CpuConformance, testing::ValuesIn(cpu::SimdTargets()),
                         [](const testing::TestParamInfo<std::string>& info) { return info.param; });

}  // namespace
}  // namespace moka

// Runs cases on a device, every kernel that it offers for them, and holds the results to the oracle.
#ifndef MOKA_TESTS_CONFORMANCE_RUNNER_H_
#define MOKA_TESTS_CONFORMANCE_RUNNER_H_

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ops/device.h"
#include "tests/conformance/op_case.h"

namespace moka {

// A case that a device is known not to run as it should: `case_name` may end in '*'. Listed cases must not pass.
struct KnownGap {
  std::string_view case_name;
  std::string_view reason;
};

struct RunnerOptions {
  int threads = 1;
  std::span<const KnownGap> gaps;
  // Kernels of the device whose name starts with this only; "" for all. The reference is never run twice.
  std::string_view only_kernel;
  // Layouts by name ("channels_last"); empty for all.
  std::vector<std::string_view> only_layouts;
  // kBF16: kernels named *_bf16 only, held to the oracle of rounded operands (CaseData::Reference).
  Precision precision = Precision::kF32;
};

struct ConformanceReport {
  int cases = 0, runs = 0;             // a run is a case in one layout by one kernel
  int skipped = 0;                     // known gaps
  int by_reference = 0;                // layouts for which the device has the reference only, where that is allowed
  std::map<std::string, int> kernels;  // runs that passed
  std::vector<std::string> failures;

  void Merge(const ConformanceReport& other);
  std::string Summary() const;  // figures, kernels, and the failures in full
};

ConformanceReport RunCase(Device& device, Queue& queue, const OpCase& op_case, const RunnerOptions& options = {});
// Makes one queue for them all.
ConformanceReport RunCases(Device& device, std::span<const OpCase> cases, const RunnerOptions& options = {});

// How far a result may be from the oracle's: tolerance * sqrt(K) * (1 + |oracle|), K the multiply-adds of one element.
double ToleranceOf(const OpCall& call);

// "" or what is wrong with `got`: the first element that is off, memory that is nobody's, padding lanes that are not 0.
std::string Compare(const CaseMemory& got, const CaseMemory& want, double tolerance, int alignment);

}  // namespace moka

#endif  // MOKA_TESTS_CONFORMANCE_RUNNER_H_

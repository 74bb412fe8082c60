// Runs the kernels of one family without a device: on every SIMD target, by several workers, against the oracle.
#ifndef MOKA_TESTS_CPU_KERNEL_CHECK_H_
#define MOKA_TESTS_CPU_KERNEL_CHECK_H_

#include <span>
#include <string_view>
#include <vector>

#include "cpu/kernel.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/op_case.h"

namespace moka::cpu {

// Runs `op_case` in `layout` by the first row that takes it. It must be one of `family`, its results those of the
// oracle, and the same bits for 1, 2, 3 and 7 workers. Operands have no byte beyond their last element.
void ExpectKernel(std::span<const KernelRow> rows, std::string_view family, const OpCase& op_case,
                  const CaseLayout& layout = {});

// The same for those of `cases` that are of an operator of `rows`, without an epilogue and with elements, in every
// layout in which the CPU needs a kernel; any family. Returns how many ran.
int ExpectKernels(std::span<const KernelRow> rows, std::span<const OpCase> cases);

// What the last row that was asked said, or "" where one takes the case.
std::string RefusalOf(std::span<const KernelRow> rows, const OpCase& op_case, const CaseLayout& layout = {});

// The first error that the kernel reports; it must report one on every target.
std::string RunErrorOf(std::span<const KernelRow> rows, const OpCase& op_case);

inline constexpr CaseLayout kChannelsLastLayout = {"channels_last", Format::kChannelsLast, Format::kChannelsLast};
inline constexpr CaseLayout kToChannelsLast = {"to_channels_last", Format::kRowMajor, Format::kChannelsLast};
inline constexpr CaseLayout kToRowMajor = {"to_row_major", Format::kChannelsLast, Format::kRowMajor};
inline constexpr CaseLayout kStridedRows = {"row_major_strided", Format::kRowMajor, Format::kRowMajor, 5, 3};

}  // namespace moka::cpu

#endif  // MOKA_TESTS_CPU_KERNEL_CHECK_H_

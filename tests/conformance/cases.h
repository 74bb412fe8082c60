// The own cases: what outside suites lack. Lengths lie around every vector width up to 16 floats, channels are odd,
// ranks go up to five; every case also runs with its operands channels-last and as parts of larger tensors.
#ifndef MOKA_TESTS_CONFORMANCE_CASES_H_
#define MOKA_TESTS_CONFORMANCE_CASES_H_

#include <vector>

#include "tests/conformance/op_case.h"

namespace moka {

inline constexpr int64_t kLengths[] = {0, 1, 15, 16, 17, 33};

std::vector<OpCase> ConvCases();
std::vector<OpCase> PoolCases();
std::vector<OpCase> ProductCases();  // Gemm, MatMul
std::vector<OpCase> RowCases();      // BatchNormalization, Softmax, reductions
std::vector<OpCase> NormCases();     // normalizations, logarithmic reductions
std::vector<OpCase> SearchCases();   // ArgMax, TopK, running sums
std::vector<OpCase> AttentionCases();
std::vector<OpCase> MoveCases();         // everything that moves elements
std::vector<OpCase> LaneCases();         // elementwise operators on other types than f32, comparisons, Where, Cast
std::vector<OpCase> RecurrentCases();
std::vector<OpCase> SpatialCases();      // resizing, sampling, transposed convolutions, Fourier transforms
std::vector<OpCase> IndexCases();        // gathers and scatters, moves by blocks, pooling with indices
std::vector<OpCase> ElementwiseCases();  // micro-programs alone; as epilogues they are in the families above
std::vector<OpCase> QuantCases();        // operators on bytes

struct CaseFamily {
  const char* name;
  std::vector<OpCase> (*cases)();
};
std::vector<CaseFamily> CaseFamilies();

// "Conv/3x3" -> case of operator Conv; num_dst 1, no program.
OpCase MakeCase(const std::string& name, Attributes attrs, std::vector<CaseOperand> src);
// With an epilogue whose sources are `sources`.
OpCase WithEpilogue(OpCase op_case, const std::string& suffix, MicroProgram program,
                    std::vector<CaseOperand> sources = {});
// For cases that no device needs a kernel of its own for.
OpCase MayFallBack(OpCase op_case);
// For those that GPUs need none for.
OpCase CpuOnly(OpCase op_case);

// Epilogues: relu, clip to [0, 6], silu, add of source 0 then relu, multiplication by source 0, plus source 1.
MicroProgram ReluProgram();
MicroProgram Clip6Program();
MicroProgram SiluProgram();
MicroProgram AddReluProgram();
MicroProgram ScaleShiftProgram();

}  // namespace moka

#endif  // MOKA_TESTS_CONFORMANCE_CASES_H_

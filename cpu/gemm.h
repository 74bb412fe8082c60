// Convolutions by GEMM's kernel (cpu/gemm.cc).
#ifndef MOKA_CPU_GEMM_H_
#define MOKA_CPU_GEMM_H_

#include <cstdint>

#include "cpu/kernel.h"

namespace moka::cpu {

// Of kernels of one point without padding, where that is faster than cpu/conv.cc: weights are fetched ahead, and large
// products are made by Strassen's algorithm.
Status ChooseConvStrassen(const Kernel& kernel, const OpCall& call, Choice* choice);
Status ChooseConvProduct(const Kernel& kernel, const OpCall& call, Choice* choice);
void RunGemm(const KernelArgs& args, int64_t begin, int64_t end, int worker);

}  // namespace moka::cpu

#endif  // MOKA_CPU_GEMM_H_

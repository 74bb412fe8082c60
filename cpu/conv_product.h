// Convolutions of one point without padding by GEMM's kernel, where that is faster than cpu/conv.cc: weights are
// fetched ahead, and large products are made by Strassen's algorithm. Run by RunGemm.
#ifndef MOKA_CPU_CONV_PRODUCT_H_
#define MOKA_CPU_CONV_PRODUCT_H_

#include "cpu/kernel.h"

namespace moka::cpu {

Status ChooseConvStrassen(const Kernel& kernel, const OpCall& call, Choice* choice);
Status ChooseConvProduct(const Kernel& kernel, const OpCall& call, Choice* choice);

}  // namespace moka::cpu

#endif  // MOKA_CPU_CONV_PRODUCT_H_

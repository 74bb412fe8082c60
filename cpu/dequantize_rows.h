// DequantizeLinear of what cpu/quantize.cc leaves: scales that change along a row, in blocks or by element, and other
// types than bytes.
#ifndef MOKA_CPU_DEQUANTIZE_ROWS_H_
#define MOKA_CPU_DEQUANTIZE_ROWS_H_

#include "cpu/kernel.h"

namespace moka::cpu {

Status ChooseDequantizeRows(const Kernel& kernel, const OpCall& call, Choice* choice);
void RunDequantizeRows(const KernelArgs& args, int64_t begin, int64_t end, int worker);

}  // namespace moka::cpu

#endif  // MOKA_CPU_DEQUANTIZE_ROWS_H_

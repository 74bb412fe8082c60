// Choosing among the compiled SIMD targets.
#ifndef MOKA_CPU_SIMD_H_
#define MOKA_CPU_SIMD_H_

#include <string>
#include <string_view>
#include <vector>

#include "cpu/kernel.h"

namespace moka::cpu {

Simd SimdForTarget(std::string_view target);  // target null where it is not here

}  // namespace moka::cpu

#endif  // MOKA_CPU_SIMD_H_

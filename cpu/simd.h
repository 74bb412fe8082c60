// Choosing among the compiled SIMD targets.
#ifndef MOKA_CPU_SIMD_H_
#define MOKA_CPU_SIMD_H_

#include <string>
#include <string_view>
#include <vector>

#include "cpu/kernel.h"

namespace moka::cpu {

// By its name; with "/plain" behind it, without instructions that only some machines with this target have. The
// result's target is null where it is not here.
Simd SimdForTarget(std::string_view target);

}  // namespace moka::cpu

#endif  // MOKA_CPU_SIMD_H_

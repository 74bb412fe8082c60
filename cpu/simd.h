// Choosing among the compiled SIMD targets.
#ifndef MOKA_CPU_SIMD_H_
#define MOKA_CPU_SIMD_H_

#include <string>
#include <string_view>
#include <vector>

#include "cpu/kernel.h"

namespace moka::cpu {

// By its name; with "/plain" behind it, without what only some machines with this target have (VNNI, products of bf16,
// half vectors in half the time); with "/halves", as on a machine with the last of these. The result's target is null
// where it is not here, or has no such variant.
Simd SimdForTarget(std::string_view target);

}  // namespace moka::cpu

#endif  // MOKA_CPU_SIMD_H_

// The loop behind Device::PeakGflops.
#ifndef MOKA_CPU_PEAK_H_
#define MOKA_CPU_PEAK_H_

#include <cstdint>

namespace moka::cpu {

inline constexpr int kMaxPeakLanes = 64;
// Returns the operations done. values[0], values[1]: a factor below 1 and a term; overwritten with a vector.
using MultiplyAddsFn = double (*)(int64_t rounds, float* values);
MultiplyAddsFn ChosenMultiplyAdds();  // null where no target was compiled

}  // namespace moka::cpu

#endif  // MOKA_CPU_PEAK_H_

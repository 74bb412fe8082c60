// Division of sizes.
#ifndef MOKA_BASE_MATH_H_
#define MOKA_BASE_MATH_H_

#include <cstdint>

namespace moka {

// Of a >= 0 and b > 0.
constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t RoundUp(int64_t a, int64_t b) { return CeilDiv(a, b) * b; }

}  // namespace moka

#endif  // MOKA_BASE_MATH_H_

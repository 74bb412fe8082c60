// Division of sizes.
#ifndef MOKA_BASE_MATH_H_
#define MOKA_BASE_MATH_H_

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace moka {

// Of a >= 0 and b > 0.
constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
// Where part i of `parts` begins: they differ by 1 at most, and part `parts` begins at the end.
constexpr int64_t PartBegin(int64_t n, int64_t i, int64_t parts) { return n * i / parts; }
constexpr int64_t RoundUp(int64_t a, int64_t b) { return CeilDiv(a, b) * b; }
// Of bytes.
template <std::unsigned_integral T>
constexpr T RoundUp(T a, std::type_identity_t<T> b) {
  return (a + b - 1) / b * b;
}

}  // namespace moka

#endif  // MOKA_BASE_MATH_H_

// Arithmetic of accumulators: integers wrap around instead of overflowing (numpy's rule) and never trap, floats are
// floats.
#ifndef MOKA_OPS_ACCUMULATE_H_
#define MOKA_OPS_ACCUMULATE_H_

#include <cstdint>
#include <limits>
#include <type_traits>

namespace moka {

template <class A>
A WrappingAdd(A a, A b) {
  if constexpr (std::is_integral_v<A>) {
    return static_cast<A>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  } else {
    return a + b;
  }
}

template <class A>
A WrappingMul(A a, A b) {
  if constexpr (std::is_integral_v<A>) {
    return static_cast<A>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  } else {
    return a * b;
  }
}

template <class Int>
Int WrappingSub(Int a, Int b) {
  return static_cast<Int>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
template <class Int>
Int WrappingNeg(Int a) {
  return WrappingSub(Int{0}, a);
}

template <class Int>
constexpr bool IsMinusOne(Int a) {
  return std::is_signed_v<Int> && a == static_cast<Int>(-1);
}

// Truncates. Division by zero, which the standard leaves open, gives 0.
template <class Int>
Int WrappingDiv(Int a, Int b) {
  if (b == 0) return 0;
  return IsMinusOne(b) ? WrappingNeg(a) : static_cast<Int>(a / b);
}

// The remainder with the sign of the dividend, or (floor) of the divisor. That of a division by 0 is 0.
template <bool floor, class Int>
Int Remainder(Int a, Int b) {
  if (b == 0 || IsMinusOne(b)) return 0;
  const Int rest = static_cast<Int>(a % b);
  return floor && rest != 0 && (rest < 0) != (b < 0) ? static_cast<Int>(rest + b) : rest;
}

template <class A>
constexpr A Lowest() {
  return std::numeric_limits<A>::has_infinity ? -std::numeric_limits<A>::infinity() : std::numeric_limits<A>::lowest();
}

template <class A>
constexpr A Highest() {
  return std::numeric_limits<A>::has_infinity ? std::numeric_limits<A>::infinity() : std::numeric_limits<A>::max();
}

}  // namespace moka

#endif  // MOKA_OPS_ACCUMULATE_H_

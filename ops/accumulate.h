// Arithmetic of accumulators: integers wrap around instead of overflowing (numpy's rule), floats are floats.
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

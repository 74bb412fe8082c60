// Moving elements without looking at them: any type whose elements have a size.
#ifndef MOKA_OPS_MOVE_H_
#define MOKA_OPS_MOVE_H_

#include <cstdint>

#include "base/status.h"
#include "ops/element.h"

namespace moka {

// Calls f(Bits{}) with an unsigned integer as wide as an element of `type`.
template <class F>
Status WithElementBits(DataType type, F&& f) {
  switch (SizeOf(type)) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(uint32_t{});
    case 8:
      return f(uint64_t{});
    default:
      return Unsupported("type ", NameOf(type), " has no reference");
  }
}

}  // namespace moka

#endif  // MOKA_OPS_MOVE_H_

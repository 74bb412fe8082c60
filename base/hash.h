// A hash of contents, for sharing and for finding damage. It resists accidents, not whoever makes contents to collide.
#ifndef MOKA_BASE_HASH_H_
#define MOKA_BASE_HASH_H_

#include <cstddef>
#include <cstdint>

namespace moka {

struct Hash128 {
  uint64_t low = 0, high = 0;
  bool operator==(const Hash128&) const = default;
};

// As fast as memory is read. The same on machines of one byte order.
Hash128 HashBytes(const void* data, size_t bytes);

}  // namespace moka

#endif  // MOKA_BASE_HASH_H_

// Copies of one small block that are made many times, each time at other places.
#ifndef MOKA_CPU_BLOCK_COPY_H_
#define MOKA_CPU_BLOCK_COPY_H_

#include <cstddef>
#include <cstring>

#include "cpu/nest.h"

namespace moka::cpu {

// Plain data: launches hold it.
struct BlockCopy {
  Nest<2> outer;                    // all dimensions but the innermost: source, destination
  int64_t run, src_step, dst_step;  // the innermost
  int64_t element;                  // bytes

  static BlockCopy Of(Nest<2> nest, int64_t element) {
    BlockCopy copy{};
    copy.element = element;
    copy.run = copy.src_step = copy.dst_step = 1;
    nest.SortBy(1);
    nest.Merge();
    if (nest.rank > 0) {
      const int64_t last = --nest.rank;
      copy.run = nest.dims[last];
      copy.src_step = nest.strides[last][0];
      copy.dst_step = nest.strides[last][1];
    }
    copy.outer = nest;
    return copy;
  }
  void Copy(const std::byte* src, std::byte* dst) const {
    const int64_t count = outer.Count();
    if (count == 0) return;
    Walk<2> walk(outer);
    for (int64_t n = count; n > 0; --n, walk.Next()) {
      const std::byte* from = src + walk[0] * element;
      std::byte* to = dst + walk[1] * element;
      if (src_step == 1 && dst_step == 1) {
        std::memcpy(to, from, static_cast<size_t>(run * element));
        continue;
      }
      for (int64_t i = 0; i < run; ++i) {
        std::memcpy(to + i * dst_step * element, from + i * src_step * element, static_cast<size_t>(element));
      }
    }
  }
};

}  // namespace moka::cpu

#endif  // MOKA_CPU_BLOCK_COPY_H_

// Rows of memory that products fetch into the L2 cache while they multiply, some lines at a time (Block::next): what is
// read or written next comes from memory otherwise, and a core waits for more than it can ask for at once.
#ifndef MOKA_CPU_FETCH_LIST_H_
#define MOKA_CPU_FETCH_LIST_H_

#include <algorithm>
#include <cstdint>

#include "base/math.h"
#include "cpu/tile.h"

namespace moka::cpu {

class FetchList {
 public:
  // `rows` rows of `floats` that are `step` apart. Those for which there is no room are not fetched.
  void Add(const float* first, int64_t step, int64_t rows, int64_t floats) {
    if (rows <= 0 || floats < kPrefetchStep || count_ == kMost) return;
    strips_[count_++] = {first, step, rows, floats / kPrefetchStep};
  }
  // Shares what was added among so many products.
  void Start(int64_t products) {
    int64_t lines = 0;
    for (int i = 0; i < count_; ++i) lines += strips_[i].rows * strips_[i].lines;
    each_ = CeilDiv(lines, products) + 1;  // the ends of rows make shares short
  }
  // The share of one product, or null.
  const float* Take(int64_t* lines) {
    if (next_ == count_) return nullptr;
    Strip& strip = strips_[next_];
    const float* first = strip.first + line_ * kPrefetchStep;
    *lines = std::min(each_, strip.lines - line_);
    line_ += *lines;
    if (line_ == strip.lines) {
      line_ = 0;
      strip.first += strip.step;
      if (--strip.rows == 0) ++next_;
    }
    return first;
  }

 private:
  static constexpr int kMost = 12;
  struct Strip {
    const float* first;
    int64_t step, rows, lines;
  };
  Strip strips_[kMost];
  int count_ = 0, next_ = 0;
  int64_t line_ = 0, each_ = 0;
};

}  // namespace moka::cpu

#endif  // MOKA_CPU_FETCH_LIST_H_

// Depth-first execution: a chain of steps that runs together, some rows of its last result at a time, so that the
// results between its steps are never whole and stay in a core's cache. Rows are the indices along dimension 2 of
// images [N, C, H, W].
#ifndef MOKA_OPS_CHAIN_H_
#define MOKA_OPS_CHAIN_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace moka {

// Row y of a result needs the rows [stride * y - pad, stride * y - pad + taps) of a source, as far as they exist.
struct RowMap {
  int64_t stride = 0, pad = 0;
  int64_t taps = 0;  // 0: all of the source, whatever y (a weight, one value a channel)
};

// Of one step's result after a strip: the rows [begin, end), which are in its ring, row y at place y - begin. Of the
// last step, whose result is whole: the rows of the strip.
struct RingRows {
  int64_t begin = 0, end = 0;
};

// A range of strips is worth its first strip made from nothing, then each from the one before it: of every ring the
// rows that both strips need move to the front, then step after step makes the rows
// [end of the strip before, end). What the first strip of a range makes is all of its rows, so any division of the
// strips between workers gives the same elements.
struct Chain {
  int steps = 0;  // this one and those that follow it; 0: no chain starts here
  int64_t images = 0;
  int64_t strips = 0;          // of an image
  std::vector<RingRows> rows;  // [strip][step]
  uint64_t ring_bytes = 0;     // of a worker's part of the scratch; scratch of its kernels follows

  const RingRows& At(int64_t strip, int step) const { return rows[static_cast<size_t>(strip * steps + step)]; }
};

}  // namespace moka

#endif  // MOKA_OPS_CHAIN_H_

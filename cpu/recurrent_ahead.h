// One row of state times R waits for weights from the L2 cache, and multiplies in half of the time. Meanwhile the
// inputs of the next steps are multiplied with W, which only multiplies.
#ifndef MOKA_CPU_RECURRENT_AHEAD_H_
#define MOKA_CPU_RECURRENT_AHEAD_H_

#include <cstdint>

#include "cpu/recurrent.h"

namespace moka::cpu {

// Which vectors of columns: every `stride`th from the first one on.
struct AheadVectors {
  int64_t first, stride, count;
};

class RecurrentAhead {
 public:
  // w: packed panels of the widest, k by all columns. sums: of ahead_rows vectors.
  RecurrentAhead(const RecurrentTable& table, const float* w, int64_t k, const AheadVectors& vectors, const float* bias,
                 float* sums)
      : table_(table), vectors_(vectors), k_(k), w_(w), bias_(bias), sums_(sums) {}

  // The inputs of the next ahead_rows steps, [k][ahead_rows], become rows of gates in the next `calls` calls of
  // Multiply; further ones multiply nothing else.
  void Begin(const float* x, float* gates, int64_t row_floats, int64_t calls);
  // dst[0, widest) += a[0, k) * b[k][widest].
  void Multiply(const float* a, int64_t k, const float* b, float* dst);

 private:
  void StartTile();
  void StoreTile() const;

  const RecurrentTable& table_;
  const AheadVectors vectors_;
  const int64_t k_;
  const float *w_, *bias_, *x_ = nullptr;
  float *sums_, *gates_ = nullptr;
  int64_t row_floats_ = 0;
  int64_t calls_ = 1, call_ = 0;
  int64_t steps_ = 0, done_ = 0;         // of all tiles
  int64_t tile_ = 0, col_ = 0, at_ = 0;  // this tile, its first column, its steps so far
};

}  // namespace moka::cpu

#endif  // MOKA_CPU_RECURRENT_AHEAD_H_

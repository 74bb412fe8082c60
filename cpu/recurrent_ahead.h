// One row of state times R waits for weights from the L2 cache, and multiplies in half of the time. Meanwhile the
// inputs of the next steps are multiplied with W, which only multiplies.
#ifndef MOKA_CPU_RECURRENT_AHEAD_H_
#define MOKA_CPU_RECURRENT_AHEAD_H_

#include <cstdint>

#include "cpu/kernel.h"
#include "cpu/recurrent.h"
#include "cpu/vector.h"

namespace moka::cpu {

class RecurrentAhead {
 public:
  // w: packed panels of the widest, `input` x `columns`.
  RecurrentAhead(const Simd& simd, const float* w, int64_t input, int64_t columns, const float* bias, float* scratch);
  static int64_t ScratchFloats(const Simd& simd, int64_t input);

  // The next ahead_rows steps, whose inputs lie x_step apart, become rows of gates in the next `calls` calls of
  // Multiply; further ones multiply nothing else.
  void Begin(const float* x, int64_t x_step, float* gates, int64_t calls);
  // dst[0, widest) += a[0, k) * b[k][widest].
  void Multiply(const float* a, int64_t k, const float* b, float* dst);

 private:
  void StartTile();
  void StoreTile() const;

  const VectorTable& vectors_;
  const RecurrentTable& table_;
  const float *w_, *bias_;
  const int64_t input_, columns_;
  float *x_, *sums_, *gates_ = nullptr;
  int64_t calls_ = 1, call_ = 0;
  int64_t steps_ = 0, done_ = 0;  // of all tiles
  int64_t col_ = 0, at_ = 0;      // of this tile: its first column, its steps so far
};

}  // namespace moka::cpu

#endif  // MOKA_CPU_RECURRENT_AHEAD_H_

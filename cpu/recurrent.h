// What LSTM, GRU and RNN do with the gates of one row in one step, in one table per SIMD target.
#ifndef MOKA_CPU_RECURRENT_H_
#define MOKA_CPU_RECURRENT_H_

#include <cstdint>

#include "ops/recurrent.h"

namespace moka::cpu {

struct RecurrentCell {
  GateActivation f, g, h;
  float clip;  // of what goes into gates (not a new cell into h); infinity: none
  bool input_forget;
};

// dst[0, widest) += a[0, k) * b[k][widest], a panel of R. Meanwhile `steps` of another product, each followed by
// `between` elements of a: sums[ahead_rows][lanes] += x[step][row] * w[step][lane], w in a panel of the widest.
struct RecurrentProduct {
  const float *a, *b;
  float* dst;
  int64_t k;
  const float *x, *w;
  float* sums;
  int64_t steps, between;
};

struct RecurrentTable {
  // n elements of gates (i o f c) and of peephole (i o f, or null), each `stride` floats after the one before. c is
  // replaced.
  void (*lstm)(const RecurrentCell& cell, const float* gates, const float* peephole, int64_t stride, float* c, float* h,
               int64_t n);
  // dst = f(gate) * factor [+ addend]. addend may be null, dst may be addend.
  void (*gru_reset)(const RecurrentCell& cell, const float* gate, const float* factor, const float* addend, float* dst,
                    int64_t n);
  // h = (1 - f(update)) * g(candidate) + f(update) * old.
  void (*gru)(const RecurrentCell& cell, const float* update, const float* candidate, const float* old, float* h,
              int64_t n);
  // h = f(gate).
  void (*rnn)(const RecurrentCell& cell, const float* gate, float* h, int64_t n);
  void (*product)(const RecurrentProduct& product) = nullptr;  // null: does not pay
  int ahead_rows = 0, lanes = 0, widest = 0;
};
const RecurrentTable* ChosenRecurrentTable();  // null where no target was compiled

}  // namespace moka::cpu

#endif  // MOKA_CPU_RECURRENT_H_

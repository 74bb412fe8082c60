// What normalizations, searches, running sums and attention are made of: loops over rows, one table per SIMD target.
#ifndef MOKA_CPU_ROW_H_
#define MOKA_CPU_ROW_H_

#include <cstdint>

#include "cpu/vector.h"

namespace moka::cpu {

// Scores of a query.
struct AttendRow {
  float* x;
  const float* bias;  // or null
  int64_t n;
  float largest;  // so far
  float sum;      // of the exponentials
};
inline constexpr int64_t kAttendRows = 8;  // beside each other

struct RowTable {
  // Sum of (src[i] - center)^2.
  float (*sum_squares_about)(const float* src, float center, int64_t n);
  // dst[j] = sum over all taps of (src[tap + j] - centers[j])^2.
  void (*sum_squares_about_columns)(const float* src, const Taps& taps, const float* centers, float* dst, int64_t cols);
  // Sum of exp(src[i] - largest); of columns, over all taps.
  float (*sum_exp)(const float* src, float largest, int64_t n);
  void (*sum_exp_columns)(const float* src, const Taps& taps, const float* largest, float* dst, int64_t cols);
  // dst[i] = (src[i] - center) * factor * scale[i] + bias[i]; `bias` may be null. dst may be src.
  void (*scale_shift)(const float* src, float center, float factor, const float* scale, const float* bias, float* dst,
                      int64_t n);
  // dst[i] = src[i] / (bias + alpha * squares[i])^beta.
  void (*local_response)(const float* src, const float* squares, float bias, float alpha, float beta, float* dst,
                         int64_t n);
  void (*squares)(const float* src, float* dst, int64_t n);
  void (*square_roots)(float* x, int64_t n);  // in place
  // dst[i] = |src[i]|^exponent, or that added to it. dst may be src.
  void (*powers)(const float* src, float exponent, bool add, float* dst, int64_t n);
  // x[i] += by, then x[i] * sigmoid(x[i]) where `silu`.
  void (*shift)(float* x, float by, bool silu, int64_t n);

  // Position of the first element, or of the last, that equals `best`; of NaN where that is NaN. -1 where there is
  // none.
  int64_t (*find)(const float* src, int64_t n, float best, bool last);
  // positions[j]: the same in column j, whose elements are `step` floats apart.
  void (*find_columns)(const float* src, int64_t step, int64_t n, const float* best, bool last, int32_t* positions,
                       int64_t cols);
  // Running sums or products of a row, from its end where `reverse`. dst may be src.
  void (*cumulate)(const float* src, float* dst, int64_t n, bool product, bool exclusive, bool reverse);
  // One step of the same over rows: dst[j] = exclusive ? totals[j] : totals[j] + src[j], and totals[j] += src[j].
  void (*cumulate_step)(const float* src, float* totals, float* dst, int64_t n, bool product, bool exclusive);
  // The first position >= begin of an element that is not (largest ? <= : >=) `limit`; n where there is none.
  int64_t (*find_beyond)(const float* src, int64_t begin, int64_t n, float limit, bool largest);

  // x[i] = exp(x[i] - largest); their sum.
  float (*exp_in_place)(float* x, float largest, int64_t n);
  // x[i] *= factor.
  void (*scale)(float* x, float factor, int64_t n);
  // x[i] = x[i] * factor, then cap * tanh(x[i] / cap) where cap > 0, then + bias[i] where that is not null.
  void (*scores)(float* x, float factor, float cap, const float* bias, int64_t n);
  // Of each row x[i] = exp(scores(x[i]) - m), where m is the largest score and `largest`, which becomes m. Where m is
  // -inf all are 0.
  void (*attend)(AttendRow* rows, int64_t count, float factor, float cap);
  // dst[j] = dot product of q and row j of k; rows of `d` floats are `step` apart.
  void (*dots)(const float* q, const float* k, int64_t step, int64_t rows, int64_t d, float* dst);
  // a[i], b[i] = c[i] * x[i] - s[i] * y[i], s[i] * x[i] + c[i] * y[i].
  void (*rotate)(const float* x, const float* y, const float* cosines, const float* sines, float* a, float* b,
                 int64_t n);
  // The same, where x[i] and y[i] are src[2 * i] and src[2 * i + 1], and so in dst.
  void (*rotate_pairs)(const float* src, const float* cosines, const float* sines, float* dst, int64_t n);
  // dst[i] += sum over rows j of weights[j] * v[j * step + i].
  void (*add_weighted)(const float* weights, const float* v, int64_t step, int64_t rows, int64_t d, float* dst);
};
const RowTable* ChosenRowTable();  // null where no target was compiled

}  // namespace moka::cpu

#endif  // MOKA_CPU_ROW_H_

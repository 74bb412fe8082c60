// What the memory-bound kernels are made of (pooling, reductions, softmax, normalisation, copies): loops over rows and
// columns, one table per SIMD target.
#ifndef MOKA_CPU_VECTOR_H_
#define MOKA_CPU_VECTOR_H_

#include <cstdint>
#include <limits>

namespace moka::cpu {

// How many elements become one. NaN stays in kMax and kMin.
enum class Fold : int32_t { kSum, kMax, kMin, kProduct, kSumSquares, kSumAbsolute };
inline constexpr int kNumFolds = 6;

// The fold of no element.
constexpr float FoldStart(Fold fold) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return fold == Fold::kMax ? -kInfinity : fold == Fold::kMin ? kInfinity : fold == Fold::kProduct ? 1.0f : 0.0f;
}
// The fold of the elements of two folds.
inline float FoldJoin(Fold fold, float a, float b) {
  if (fold == Fold::kMax) return a > b || a != a ? a : b;
  if (fold == Fold::kMin) return a < b || a != a ? a : b;
  return fold == Fold::kProduct ? a * b : a + b;
}

// The offsets k[0] * step[0] + k[1] * step[1] + k[2] * step[2] with 0 <= k[i] < count[i].
struct Taps {
  int64_t count[3];
  int64_t step[3];
};

// Neighbours that are treated alike, and how far apart they are.
struct Run {
  int64_t count, src_step, dst_step;
};

// A window that moves along a row.
struct Slide {
  int64_t kernel, dilation, stride;
};
// Floats that may be read (not used) behind the last that the windows of a row cover, per unit of stride.
inline constexpr int64_t kSlideSlack = 32;

inline constexpr int64_t kMaxLanes = 16;  // floats of the longest vector

struct VectorTable {
  float (*fold_run[kNumFolds])(const float* src, int64_t n);
  // dst[j] = scale * fold over all taps of src[tap + j].
  void (*fold_columns[kNumFolds])(const float* src, const Taps& taps, float scale, float* dst, int64_t cols);
  // The same for each pixel of a run.
  void (*fold_pixels[kNumFolds])(const float* src, const Taps& taps, float scale, float* dst, int64_t cols,
                                 const Run& run);
  // dst[j] = fold over k < kernel of src[j * stride + k * dilation].
  void (*slide_sum)(const float* src, const Slide& slide, float* dst, int64_t n);
  void (*slide_max)(const float* src, const Slide& slide, float* dst, int64_t n);

  // Softmax or its logarithm of n elements. dst may be src.
  void (*softmax_run)(const float* src, float* dst, int64_t n, bool log);
  // The same for each of `cols` columns; element i of a column is i * step floats after its first. `scratch`: n
  // vectors, aligned to one.
  void (*softmax_columns)(const float* src, int64_t src_step, float* dst, int64_t dst_step, int64_t n, int64_t cols,
                          bool log, float* scratch);

  // dst[j] = (src[j] - mean) * scale + shift, with one float each, or one per element. dst may be src.
  void (*normalize_run)(const float* src, float mean, float scale, float shift, float* dst, int64_t n);
  void (*normalize_columns)(const float* src, const float* mean, const float* scale, const float* shift, float* dst,
                            int64_t n);
  // dst[j] *= factors[j] * factor.
  void (*scale_columns)(const float* factors, float factor, float* dst, int64_t n);

  // dst[c * dst_step + r] = src[r * src_step + c], elements of 4 bytes.
  void (*transpose)(const float* src, int64_t src_step, float* dst, int64_t dst_step, int64_t rows, int64_t cols);
};
const VectorTable* ChosenVectorTable();  // null where no target was compiled

}  // namespace moka::cpu

#endif  // MOKA_CPU_VECTOR_H_

// Winograd's minimal filtering F(4x4, 3x3): 16 outputs of a 3x3 convolution from 36 products instead of 144, and
// F(2x2, 3x3): 4 from 16 instead of 36 (S. Winograd, Arithmetic Complexity of Computations, 1980; A. Lavin, S. Gray,
// Fast Algorithms for Convolutional Neural Networks, 2015).
//
//   Y = A^T [ (G g G^T) * (B^T d B) ] A    for a tile d of inputs and a kernel g, each channel by itself
//
// The larger one by the interpolation points 0, a, -a, b, -b, infinity; a and b are here so that the rounding errors
// are smaller than those of the usual 1 and 2. With s = a^2 + b^2 and q = a^2 b^2:
//   B^T: rows [q, 0, -s, 0, 1, 0], [0, -+a b^2, -b^2, +-a, 1, 0], [0, -+b a^2, -a^2, +-b, 1, 0], [0, q, 0, -s, 0, 1]
//   G:   rows [1, 0, 0] / q, [1, +-a, a^2] / (2 a^2 (a^2 - b^2)), [1, +-b, b^2] / (2 b^2 (b^2 - a^2)), [0, 0, 1]
//   A^T: row i is [0^i, a^i, (-a)^i, b^i, (-b)^i, 0], and 1 at infinity in the last
// The smaller one by 0, 1, -1, infinity:
//   B^T: rows [1, 0, -1, 0], [0, +-1, 1, 0], [0, -1, 0, 1]
//   G:   rows [1, 0, 0], [1, +-1, 1] / 2, [0, 0, 1]
//   A^T: rows [1, 1, 1, 0], [0, 1, -1, 1]
#ifndef MOKA_CPU_WINOGRAD_H_
#define MOKA_CPU_WINOGRAD_H_

#include <cstdint>

#include "cpu/kernel.h"

namespace moka::cpu {

inline constexpr double kWinogradA = 0.70710678118654752440;  // sqrt(1 / 2)
inline constexpr double kWinogradB = 2 * kWinogradA;          // so that q = 1

// The transform of one tile: pixel i's channels become dst[p * step + c]. Up to a vector less one of floats beyond the
// channels is written there.
struct WinogradInput {
  const float* const* pixels;  // In() x In()
  int64_t channels;
  float* dst;
  int64_t step;
  // Pixels that much further are fetched meanwhile, but for the first two columns, which lie in this tile as well; or
  // 0.
  int64_t ahead;
};

// The pixels of one tile from its sums, over a panel of columns.
struct WinogradOutput {
  const float* sums;  // of point p at sums + p * step
  int64_t step;
  int64_t rows, cols;  // pixels inside the image
  int64_t channels;
  const float* bias;  // or null
  float lo, hi;
  float* dst;  // pixel (y, x) at dst + y * dst_row + x * dst_pixel
  int64_t dst_row, dst_pixel;
  const float* residual;  // or null; laid out by its own strides
  int64_t residual_row, residual_pixel;
};

// Of one size of tiles.
struct WinogradSize {
  int out;  // outputs along a side
  void (*input)(const WinogradInput& args);
  void (*output)(const WinogradOutput& args);
  // From `width` kernels side by side, tap i of kernel n at taps[i * width + n], to dst[p * step + n]. A multiple of 4;
  // zeros beyond the kernels are the caller's.
  void (*weights)(const float* taps, int64_t width, float* dst, int64_t step);

  int In() const { return out + 2; }
  int Points() const { return In() * In(); }  // products of a tile, channel and output
};
inline constexpr int kWinogradMaxPoints = 36;
inline constexpr int kWinogradSizes = 2;
struct WinogradTable {
  WinogradSize sizes[kWinogradSizes];
};
const WinogradTable* ChosenWinogradTable();

// The kernel (cpu/conv_winograd.cc).
Status ChooseWinograd(const Kernel& kernel, const OpCall& call, Choice* choice);
// The same with tiles of that size, whatever the figures say; refuses where ChooseWinograd takes them itself.
template <int size>
Status ChooseWinogradOf(const Kernel& kernel, const OpCall& call, Choice* choice);
void RunWinograd(const KernelArgs& args, int64_t begin, int64_t end, int worker);

}  // namespace moka::cpu

#endif  // MOKA_CPU_WINOGRAD_H_

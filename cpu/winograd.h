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
// F(2x2, 5x5) has the six points of F(4x4, 3x3), and its B^T: 4 outputs of a 5x5 convolution from 36 products instead
// of 100. Five powers of each point are the columns of G, the first two the rows of A^T:
//   G:   rows [1, 0, 0, 0, 0] / q, [1, +-a, a^2, +-a^3, a^4] / (2 a^2 (a^2 - b^2)), the same of b, [0, 0, 0, 0, 1]
//   A^T: rows [1, 1, 1, 1, 1, 0], [0, a, -a, b, -b, 1]
//
// With strides of 2 an output is a kernel of two, the outer ones, over the even inputs and a kernel of one over the odd
// ones: 16 outputs from 81 products, 4 from 25. The first by the points a, -a, b, -b, infinity:
//   B^T: rows [-+a b^2, -b^2, +-a, 1, 0], [-+b a^2, -a^2, +-b, 1, 0], [q, 0, -s, 0, 1]
//   G:   rows [1, +-a] / (+-2 a (a^2 - b^2)), [1, +-b] / (+-2 b (b^2 - a^2)), [0, 1]
//   A^T: row i is [a^i, (-a)^i, b^i, (-b)^i, 0], and 1 at infinity in the last
// and the second by 0, 1, infinity:
//   B^T: rows [1, -1, 0], [0, 1, 0], [0, -1, 1]
//   G:   rows [1, 0], [1, 1], [0, 1]
//   A^T: rows [1, 1, 0], [0, 1, 1]
// after which the odd inputs are more points, that have one kernel among them and go to one output each.
#ifndef MOKA_CPU_WINOGRAD_H_
#define MOKA_CPU_WINOGRAD_H_

#include <algorithm>
#include <cstdint>

#include "cpu/kernel.h"

namespace moka::cpu {

inline constexpr double kWinogradA = 0.70710678118654752440;  // sqrt(1 / 2)
inline constexpr double kWinogradB = 2 * kWinogradA;          // so that q = 1

// The transform of one tile: pixel i's channels become dst[p * step + c]. Up to a vector less one of floats beyond the
// channels is written there.
struct WinogradInput {
  const float* const* pixels;  // as many as points
  int64_t channels;
  float* dst;
  int64_t step;
  // Pixels that much further are fetched meanwhile, but for the first columns, which lie in this tile as well; or 0.
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
  int out;      // outputs along a side
  int stride;   // of the convolution
  int taps;     // of its kernel along a side
  int in;       // inputs and points along a side
  int kernels;  // along a side: the points from the last of them on share it
  void (*input)(const WinogradInput& args);
  void (*output)(const WinogradOutput& args);
  // From `width` kernels side by side, tap i of kernel n at taps[i * width + n], to dst[p * step + n]. A multiple of 4;
  // zeros beyond the kernels are the caller's.
  void (*weights)(const float* taps, int64_t width, float* dst, int64_t step);

  int Points() const { return in * in; }  // products of a tile, channel and output
  int Kernels() const { return kernels * kernels; }
  int KernelOf(int64_t point) const {
    const auto y = static_cast<int>(point) / in, x = static_cast<int>(point) % in;
    return std::min(y, kernels - 1) * kernels + std::min(x, kernels - 1);
  }
};
inline constexpr int kWinogradMaxPoints = 81;
inline constexpr int kWinogradSizes = 5;
struct WinogradTable {
  WinogradSize sizes[kWinogradSizes];
};
const WinogradTable* ChosenWinogradTable();

// The kernel (cpu/winograd_choice.cc, cpu/conv_winograd.cc).
Status ChooseWinograd(const Kernel& kernel, const OpCall& call, Choice* choice);
// The same with tiles of so many outputs along a side, whatever the figures say; refuses where ChooseWinograd takes
// them itself.
template <int out>
Status ChooseWinogradOf(const Kernel& kernel, const OpCall& call, Choice* choice);
void RunWinograd(const KernelArgs& args, int64_t begin, int64_t end, int worker);

}  // namespace moka::cpu

#endif  // MOKA_CPU_WINOGRAD_H_

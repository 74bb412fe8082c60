// GridSample: src X [N, C, (D,) H, W], grid [N, (D',) H', W', 2 or 3] of positions (x, y, (z)) from -1 to 1; dst
// [N, C, (D',) H', W']. A result is a weighted sum of inputs at a product of positions, one list per dimension.
#ifndef MOKA_OPS_GRID_SAMPLE_H_
#define MOKA_OPS_GRID_SAMPLE_H_

#include <algorithm>
#include <cmath>

#include "ops/op.h"

namespace moka {

enum class SampleMode : uint8_t { kLinear, kNearest, kCubic };
enum class SamplePadding : uint8_t { kZeros, kBorder, kReflection };

struct SampleParams {
  SampleMode mode = SampleMode::kLinear;
  SamplePadding padding = SamplePadding::kZeros;
  bool align_corners = false;

  static Result<SampleParams> From(const Attributes& attrs);
  // Inputs that a result reads along one dimension.
  int Taps() const { return mode == SampleMode::kNearest ? 1 : mode == SampleMode::kLinear ? 2 : 4; }
  // The position among `size` inputs of a coordinate from -1 to 1.
  template <class T>
  T Position(T normalized, int64_t size) const {
    const T n = static_cast<T>(size);
    return align_corners ? (normalized + 1) / 2 * (n - 1) : ((normalized + 1) * n - 1) / 2;
  }
  // Indices in [0, size) and weights of the taps at a position; 0 weighs what lies outside where that is zeros.
  template <class T>
  void TapsAt(T position, int64_t size, int64_t* indices, T* weights) const;

 private:
  // Into the borders, which lie half an input outside, or on the first and the last input.
  template <class T>
  T Reflected(T at, int64_t size) const {
    const T low = align_corners ? T{0} : T{-0.5}, range = static_cast<T>(align_corners ? size - 1 : size);
    if (range <= 0) return 0;
    const T far = std::abs(at - low), rest = far - std::floor(far / (2 * range)) * 2 * range;
    return low + (rest <= range ? rest : 2 * range - rest);
  }
};

template <class T>
void SampleParams::TapsAt(T position, int64_t size, int64_t* indices, T* weights) const {
  // Beyond a few inputs outside every position reads the same, and no cast overflows. NaN reads the outside.
  const T last = static_cast<T>(size - 1);
  if (mode == SampleMode::kNearest) position = std::nearbyint(position);
  if (padding == SamplePadding::kBorder) position = std::clamp(position, T{0}, last);
  if (padding == SamplePadding::kReflection) position = Reflected(position, size);
  if (!(position > -4)) position = -4;
  if (position > last + 4) position = last + 4;
  const T floor = std::floor(position), t = position - floor;
  if (mode == SampleMode::kNearest) {
    weights[0] = 1;
  } else if (mode == SampleMode::kLinear) {
    weights[0] = 1 - t;
    weights[1] = t;
  } else {
    constexpr T a = T{-0.75};
    const auto inner = [&](T x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
    const auto outer = [&](T x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
    weights[0] = outer(t + 1);
    weights[1] = inner(t);
    weights[2] = inner(1 - t);
    weights[3] = outer(2 - t);
  }
  const int taps = Taps();
  const int64_t first = static_cast<int64_t>(floor) - (taps == 4 ? 1 : 0);
  for (int k = 0; k < taps; ++k) {
    int64_t i = first + k;
    if (i < 0 || i >= size) {
      if (padding == SamplePadding::kZeros) weights[k] = 0;
      if (padding == SamplePadding::kReflection) i = static_cast<int64_t>(Reflected(static_cast<T>(i), size));
      i = std::clamp<int64_t>(i, 0, size - 1);
    }
    indices[k] = i;
  }
}

}  // namespace moka

#endif  // MOKA_OPS_GRID_SAMPLE_H_

// Resize: src X, optional roi, scales (f32) or sizes (i64). Every mode is separable: a result is a weighted sum of the
// inputs at a product of positions, one list of positions and weights per dimension.
#ifndef MOKA_OPS_RESIZE_H_
#define MOKA_OPS_RESIZE_H_

#include <array>

#include "ops/op.h"

namespace moka {

enum class ResizeMode : uint8_t { kNearest, kLinear, kCubic };
enum class ResizeCoordinates : uint8_t {
  kHalfPixel,
  kHalfPixelSymmetric,
  kPytorchHalfPixel,
  kAlignCorners,
  kAsymmetric,
  kTfHalfPixelForNn,  // of opset 11 only
  kTfCropAndResize,
};
enum class ResizeRounding : uint8_t { kPreferFloor, kPreferCeil, kFloor, kCeil };

struct ResizeAxis {
  int64_t input = 1, output = 1;
  double scale = 1, roi_begin = 0, roi_end = 1;
  bool identity = true;
};

struct ResizeParams {
  ResizeMode mode = ResizeMode::kNearest;
  ResizeCoordinates coordinates = ResizeCoordinates::kHalfPixel;
  ResizeRounding rounding = ResizeRounding::kPreferFloor;
  bool antialias = false, exclude_outside = false;
  double cubic_a = -0.75, extrapolation = 0;
  int rank = 0;
  std::array<ResizeAxis, kMaxRank> axes;

  static Result<ResizeParams> From(const OpCall& call);
  // Inputs that one result reads along dimension d.
  int64_t Taps(int d) const;
  // Their positions, inside the input (an edge may appear several times), and weights. False: the result is
  // `extrapolation`.
  bool TapsOf(int d, int64_t output, int64_t* positions, double* weights) const;
};

}  // namespace moka

#endif  // MOKA_OPS_RESIZE_H_

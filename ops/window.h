// The sliding window of Conv and of pooling.
#ifndef MOKA_OPS_WINDOW_H_
#define MOKA_OPS_WINDOW_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "ops/op.h"

namespace moka {

inline constexpr int kMaxSpatial = 3;

// Resolved against shapes (auto_pad included). Along spatial dimension i, result o reads the inputs
//   o * strides[i] - pads_begin[i] + k * dilations[i],  0 <= k < kernel[i];
// those outside [0, input) are padding. Entries from `rank` on are those of a dimension of size 1 (kernel 1, stride 1).
struct Window {
  int rank = 0;  // of the spatial dimensions, 1 to 3
  std::array<int64_t, kMaxSpatial> kernel{1, 1, 1}, strides{1, 1, 1}, dilations{1, 1, 1};
  std::array<int64_t, kMaxSpatial> pads_begin{}, pads_end{};

  int64_t Points() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t Span(int i) const {  // inputs from the first to one past the last that a window touches
    const size_t k = static_cast<size_t>(i);
    return (kernel[k] - 1) * dilations[k] + 1;
  }
  bool Padded() const;
  // The same window with dimensions of size 1 put in front, so that kernels for 2D or 3D also run 1D.
  Window Expanded(int new_rank) const;
};

enum class AutoPad : uint8_t { kNone, kSameUpper, kSameLower, kValid };

// The attributes of a window before shapes are known.
struct WindowAttributes {
  Window window;  // pads are those of the attribute; auto_pad and ceil_mode act on them
  AutoPad auto_pad = AutoPad::kNone;
  bool ceil_mode = false;

  // kernel_shape may be absent where `kernel` (its rank is the spatial rank) states it; both must agree.
  static Status Read(const Attributes& attrs, int spatial_rank, const int64_t* kernel, WindowAttributes* window);
  // Size of the result along spatial dimension i. Refuses a constant result below 1.
  Result<Dim> OutputDim(const Dim& input, int i) const;
  // With auto_pad resolved for this input size.
  Status Resolve(const int64_t* input, Window* window) const;
};

}  // namespace moka

#endif  // MOKA_OPS_WINDOW_H_

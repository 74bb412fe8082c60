// Pad: src data, pads (i64), optional constant_value (a scalar of data's type), optional axes; negative pads crop.
#ifndef MOKA_OPS_PAD_H_
#define MOKA_OPS_PAD_H_

#include <array>

#include "ops/op.h"

namespace moka {

enum class PadMode : uint8_t { kConstant, kReflect, kEdge, kWrap };

struct PadParams {
  PadMode mode = PadMode::kConstant;
  std::array<int64_t, kMaxRank> begin{}, end{};  // per dimension
  bool value_known = true;                       // false: source 2 holds the value, not known when the plan is made
  double value = 0;

  static Result<PadParams> From(const OpCall& call);
  // Of CenterCropPad: zeros, or negative widths, on both sides.
  static PadParams Centered(const TensorDesc& src, const TensorDesc& dst);
  // The coordinate of the source that result coordinate `i` of dimension `d` (size n) copies; -1: the constant.
  int64_t Source(int d, int64_t i, int64_t n) const;
};

}  // namespace moka

#endif  // MOKA_OPS_PAD_H_

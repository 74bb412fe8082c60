// DeformConv: src X [N, C, H, W], W [M, C / group, kH, kW], offset [N, offset_group * kH * kW * 2, oH, oW], optional B
// [M], optional mask [N, offset_group * kH * kW, oH, oW]; a convolution whose points move by (y, x) offsets, are
// sampled bilinearly with zeros outside, and are scaled by the mask.
#ifndef MOKA_OPS_DEFORM_CONV_H_
#define MOKA_OPS_DEFORM_CONV_H_

#include "ops/window.h"

namespace moka {

enum DeformSource : int { kDeformX, kDeformWeight, kDeformOffset, kDeformBias, kDeformMask };

struct DeformConvParams : Window {
  int64_t group = 1, offset_group = 1;

  static Result<DeformConvParams> From(const Attributes& attrs, const int64_t* kernel);
};

}  // namespace moka

#endif  // MOKA_OPS_DEFORM_CONV_H_

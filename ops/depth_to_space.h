// DepthToSpace and SpaceToDepth: src X [N, C, H, W]. A block of b x b pixels of one channel is b * b channels of one
// pixel. Mode DCR numbers those channels (row in the block, column in the block, channel), CRD (channel, row, column).
#ifndef MOKA_OPS_DEPTH_TO_SPACE_H_
#define MOKA_OPS_DEPTH_TO_SPACE_H_

#include <array>

#include "ops/op.h"

namespace moka {

struct DepthToSpaceParams {
  int64_t block = 1;
  bool channel_first = false;  // CRD

  static Result<DepthToSpaceParams> From(const Attributes& attrs);
  // The deep and the wide tensor (C * b * b channels; b times as high and wide) as six dimensions
  // [N, C, H, row in the block, W, column in the block] of one shape.
  void Blocks(const TensorDesc& deep, const TensorDesc& wide, TensorDesc* deep_blocks, TensorDesc* wide_blocks) const;
};

}  // namespace moka

#endif  // MOKA_OPS_DEPTH_TO_SPACE_H_

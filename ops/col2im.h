// Col2Im: src columns [N, C * points of the block, blocks], image_shape, block_shape; dst [N, C, image...], the sum of
// what all blocks have at a pixel. It is the adjoint of cutting an image into blocks.
#ifndef MOKA_OPS_COL2IM_H_
#define MOKA_OPS_COL2IM_H_

#include <array>

#include "ops/params.h"

namespace moka {

inline constexpr int kMaxImageRank = kMaxRank - 2;

struct Col2ImParams {
  int rank = 0;
  std::array<int64_t, kMaxImageRank> block{}, strides{}, dilations{}, pads_begin{}, pads_end{};

  Status Read(const Attributes& attrs, const IntList& block_shape);
  // Blocks along dimension i of an image of that size.
  Dim Blocks(const Dim& image, size_t i) const {
    return Dim::FloorDiv(image + Dim(pads_begin[i] + pads_end[i] - (block[i] - 1) * dilations[i] - 1), strides[i]) +
           Dim(1);
  }
  int64_t Points() const;  // of a block

 private:
  Status ReadList(const Attributes& attrs, std::string_view name, int64_t smallest,
                  std::array<int64_t, kMaxImageRank>* values) const;
};

}  // namespace moka

#endif  // MOKA_OPS_COL2IM_H_

// Conv: src X [N, C, spatial...], W [M, C / group, kernel...], optional B [M]; dst Y [N, M, spatial...].
#ifndef MOKA_OPS_CONV_H_
#define MOKA_OPS_CONV_H_

#include <vector>

#include "ops/window.h"

namespace moka {

struct ConvParams : Window {
  int64_t group = 1;

  // `weights`: their source.
  static Result<ConvParams> From(const OpCall& call, size_t weights = 1);
  bool Depthwise(const OpCall& call) const { return group > 1 && group == call.src[0].dims[1]; }
};

// Dims of the result of convolving src 0 with src[weights], plus src[bias] where it is present. Ranks, sizes and
// attributes are checked, types are not.
Result<std::vector<Dim>> InferConvDims(InferContext& ctx, size_t weights, size_t bias);

}  // namespace moka

#endif  // MOKA_OPS_CONV_H_

// ConvTranspose: src X [N, C, spatial...], W [C, M / group, kernel...], optional B [M]; dst Y [N, M, spatial...]. It is
// the adjoint of Conv: input i adds W times itself to the results i * stride - pad + k * dilation.
#ifndef MOKA_OPS_CONV_TRANSPOSE_H_
#define MOKA_OPS_CONV_TRANSPOSE_H_

#include <vector>

#include "ops/window.h"

namespace moka {

// pads_begin are resolved; a negative one shifts the result. pads_end mean nothing: the shape of dst says it.
struct ConvTransposeParams : Window {
  int64_t group = 1;

  static Result<ConvTransposeParams> From(const OpCall& call);
};

}  // namespace moka

#endif  // MOKA_OPS_CONV_TRANSPOSE_H_

// Conv: src X [N, C, spatial...], W [M, C / group, kernel...], optional B [M]; dst Y [N, M, spatial...].
#ifndef MOKA_OPS_CONV_H_
#define MOKA_OPS_CONV_H_

#include "ops/window.h"

namespace moka {

struct ConvParams : Window {
  int64_t group = 1;

  static Result<ConvParams> From(const OpCall& call);
  bool Depthwise(const OpCall& call) const { return group > 1 && group == call.src[0].dims[1]; }
};

}  // namespace moka

#endif  // MOKA_OPS_CONV_H_

// Softmax and LogSoftmax along one axis; dst has the shape of src.
#ifndef MOKA_OPS_SOFTMAX_H_
#define MOKA_OPS_SOFTMAX_H_

#include "ops/op.h"

namespace moka {

struct SoftmaxParams {
  int axis = 0;      // resolved, in [0, rank)
  bool log = false;  // LogSoftmax

  static Result<SoftmaxParams> From(const OpCall& call);
};

}  // namespace moka

#endif  // MOKA_OPS_SOFTMAX_H_

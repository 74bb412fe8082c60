// GroupNormalization and InstanceNormalization: src X [N, C, ...], scale and bias; dst Y. Statistics are those of a
// group of neighbouring channels of one instance. An attribute that only the reader of older files sets,
// `scale_per_group`, says that scale and bias hold one element per group (GroupNormalization-18), not per channel.
#ifndef MOKA_OPS_GROUP_NORMALIZATION_H_
#define MOKA_OPS_GROUP_NORMALIZATION_H_

#include "ops/op.h"

namespace moka {

struct GroupNormParams {
  int64_t groups = 1, channels_per_group = 1;
  float epsilon = 1e-5f;
  bool scale_per_group = false;

  static Result<GroupNormParams> From(const OpCall& call);
};

}  // namespace moka

#endif  // MOKA_OPS_GROUP_NORMALIZATION_H_

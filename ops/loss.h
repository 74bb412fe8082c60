// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss, which is the former after LogSoftmax: src scores
// [N, C, d...], classes [N, d...], optional weights [C]; dst the loss, and of the latter optionally the logarithms.
#ifndef MOKA_OPS_LOSS_H_
#define MOKA_OPS_LOSS_H_

#include <optional>

#include "ops/op.h"

namespace moka {

enum class LossReduction : uint8_t { kNone, kSum, kMean };

struct LossParams {
  LossReduction reduction = LossReduction::kMean;
  std::optional<int64_t> ignored;  // class

  static Result<LossParams> From(const Attributes& attrs);
};

}  // namespace moka

#endif  // MOKA_OPS_LOSS_H_

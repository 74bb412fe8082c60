// CausalConvWithState: src input [batch, channels, length], weight [channels, 1, k], optional bias, past_state
// [batch, channels, k - 1]; dst the output and the last k - 1 inputs.
#ifndef MOKA_OPS_CAUSAL_CONV_WITH_STATE_H_
#define MOKA_OPS_CAUSAL_CONV_WITH_STATE_H_

#include "ops/op.h"

namespace moka {

enum CausalSource : int { kCausalInput, kCausalWeight, kCausalBias, kCausalPast };

Status ReadCausalActivation(const Attributes& attrs, bool* silu);

}  // namespace moka

#endif  // MOKA_OPS_CAUSAL_CONV_WITH_STATE_H_

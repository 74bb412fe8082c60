// LinearAttention: src query, key, value [batch, length, heads * size], optional past_state [batch, kv heads, key size,
// value size], decay, beta; dst the output and the present state.
#ifndef MOKA_OPS_LINEAR_ATTENTION_H_
#define MOKA_OPS_LINEAR_ATTENTION_H_

#include "ops/op.h"

namespace moka {

struct LinearAttentionParams {
  int64_t q_heads = 0, kv_heads = 0;  // the latter divides the former
  int64_t size = 0, v_size = 0;       // of a key and of a value
  float scale = 1;
  bool gated = false, delta = false;  // the rule's parts
  bool decay_per_head = false, beta_shared = false;

  static Result<LinearAttentionParams> From(const OpCall& call);
};

enum LinearSource : int { kLinearQuery, kLinearKey, kLinearValue, kLinearPast, kLinearDecay, kLinearBeta };

}  // namespace moka

#endif  // MOKA_OPS_LINEAR_ATTENTION_H_

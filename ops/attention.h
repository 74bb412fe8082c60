// Attention: src Q, K, V, optional attn_mask, past_key, past_value, nonpad_kv_seqlen; dst Y, optional present_key,
// present_value, qk_matmul_output. Q, K, V and Y are [batch, heads, length, size] or [batch, length, heads * size].
#ifndef MOKA_OPS_ATTENTION_H_
#define MOKA_OPS_ATTENTION_H_

#include "ops/op.h"

namespace moka {

struct AttentionParams {
  int64_t batch = 0, q_heads = 0, kv_heads = 0;  // kv_heads divides q_heads
  int64_t q_length = 0, kv_length = 0, past_length = 0;
  int64_t size = 0, v_size = 0;  // elements of a head
  float scale = 1, softcap = 0;  // softcap 0: none
  bool causal = false;
  int64_t left_window = -1, right_window = -1;  // -1: unbounded
  int64_t output_mode = 0;                      // of qk_matmul_output
  DataType softmax_type = DataType::kNone;      // kNone: the accumulator's
  // With 4 dimensions [batch, heads, length, size], whatever the rank of the operand is.
  TensorDesc q, k, v, y;
  // With 4 dimensions, repeated to [batch, q_heads, q_length, mask_length]; keys from mask_length on are masked.
  TensorDesc mask;
  int64_t mask_length = 0;

  int64_t total_length() const { return past_length + kv_length; }
  int64_t group() const { return q_heads / kv_heads; }
  // Keys before the first query of a batch: what the diagonal of causal masks and windows is shifted by. `valid` is
  // that batch's element of nonpad_kv_seqlen.
  int64_t Offset(bool has_valid, int64_t valid) const { return has_valid ? valid - q_length : past_length; }
  // The keys [*begin, *end) that query i may see by position.
  void Window(int64_t i, int64_t offset, int64_t limit, int64_t* begin, int64_t* end) const;

  static Result<AttentionParams> From(const OpCall& call);
};

enum AttentionSource : int { kQuery, kKey, kValue, kMask, kPastKey, kPastValue, kValidLength };

}  // namespace moka

#endif  // MOKA_OPS_ATTENTION_H_

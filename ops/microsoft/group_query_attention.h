// GroupQueryAttention (com.microsoft): causal attention with fewer heads for keys and values than for queries, over a
// cache. src 0 query [batch, length, heads * size], 1 key, 2 value [batch, length, kv_heads * size] (absent: all three
// are packed in src 0), 3 past_key, 4 past_value [batch, kv_heads, past, size], 5 seqlens_k (valid keys - 1 of each
// row), 6 total_sequence_length, 7 cos_cache, 8 sin_cache, 9 position_ids, 10 attention_bias, 11 head_sink. dst 0
// output, 1 present_key, 2 present_value.
#ifndef MOKA_OPS_MICROSOFT_GROUP_QUERY_ATTENTION_H_
#define MOKA_OPS_MICROSOFT_GROUP_QUERY_ATTENTION_H_

#include "ops/op.h"

namespace moka {

enum GqaSource : int {
  kGqaQuery,
  kGqaKey,
  kGqaValue,
  kGqaPastKey,
  kGqaPastValue,
  kGqaLengths,
  kGqaTotal,
  kGqaCos,
  kGqaSin,
  kGqaPositions,
  kGqaBias,
  kGqaSink,
};

struct GqaParams {
  int64_t heads = 0, kv_heads = 0;  // kv_heads divides heads
  int64_t window = -1;              // keys that a query sees, itself among them; -1: all
  float scale = 0, softcap = 0;     // 0: 1 / sqrt(size); none
  // Whether queries and keys are rotated, in pairs of neighbours; whether a score of 0 without a value takes part in
  // the softmax.
  bool rotary = false, interleaved = false, smooth = false;

  static Result<GqaParams> From(const Attributes& attrs);
  int64_t group() const { return heads / kv_heads; }
};

// Where the keys of a row of the batch lie: `past` of them in the cache, then the new ones, of which those from `valid`
// on are padding.
struct GqaExtent {
  int64_t past, valid;
  bool prompt;  // nothing is in the cache
};
// From the contents of src 5 and 6.
Result<GqaExtent> GqaExtentOf(const OpCall& call, const void* lengths, const void* total, int64_t row);
// The row of the rotary tables for new token `at`; `ids`: the contents of src 9, where it is present. Of a prompt only
// the first id counts, as in onnxruntime.
Result<int64_t> GqaPosition(const OpCall& call, const void* ids, const GqaExtent& extent, int64_t row, int64_t at);

}  // namespace moka

#endif  // MOKA_OPS_MICROSOFT_GROUP_QUERY_ATTENTION_H_

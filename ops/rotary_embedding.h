// RotaryEmbedding: src X [batch, heads, length, size] or [batch, length, heads * size], cosines and sines of half the
// rotated elements ([positions, half] with position_ids [batch, length], else [batch, length, half]); dst as X.
#ifndef MOKA_OPS_ROTARY_EMBEDDING_H_
#define MOKA_OPS_ROTARY_EMBEDDING_H_

#include "ops/op.h"

namespace moka {

struct RotaryParams {
  bool interleaved = false;  // pairs are neighbours, else one of each half
  int64_t rotated = 0;       // elements of a head, even; the rest is copied
  TensorDesc x, y;           // [batch, length, heads, size], whatever the rank of the operand is

  static Result<RotaryParams> From(const OpCall& call);
};

enum RotarySource : int { kRotaryX, kRotaryCos, kRotarySin, kRotaryPositions };

// Where the angles of token (b, s) start in cache `source`; a position outside of it is refused.
Result<int64_t> RotaryAngles(const OpCall& call, const void* positions, int source, int64_t b, int64_t s);

}  // namespace moka

#endif  // MOKA_OPS_ROTARY_EMBEDDING_H_

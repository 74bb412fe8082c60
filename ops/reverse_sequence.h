// ReverseSequence: src X, sequence_lens (i64, one per element of the batch dimension); the first sequence_lens[b]
// elements along the time dimension change places, the rest stays.
#ifndef MOKA_OPS_REVERSE_SEQUENCE_H_
#define MOKA_OPS_REVERSE_SEQUENCE_H_

#include "ops/op.h"

namespace moka {

// The dimensions of the batch and of time: 0 and 1, in either order.
Status ReadReverseAxes(const Attributes& attrs, size_t* batch, size_t* time);

}  // namespace moka

#endif  // MOKA_OPS_REVERSE_SEQUENCE_H_

// MaxUnpool: src X, I (where each element of X was, as MaxPool's Indices state it), optional output_shape; dst is zero
// but for the elements of X. I speaks of the shape that the attributes give; a larger output_shape adds zeros behind
// it.
#ifndef MOKA_OPS_MAX_UNPOOL_H_
#define MOKA_OPS_MAX_UNPOOL_H_

#include "ops/op.h"

namespace moka {

// The shape that the indices of a MaxUnpool speak of (its strides mean nothing).
Result<TensorDesc> UnpooledShape(const OpCall& call);

}  // namespace moka

#endif  // MOKA_OPS_MAX_UNPOOL_H_

// Tensors of equal shape, one on the other: what loops make of the values that each trip gives.
#ifndef MOKA_OPS_STACK_H_
#define MOKA_OPS_STACK_H_

#include <cstdint>
#include <span>

#include "moka/datum.h"
#include "ops/op.h"

namespace moka {

// A tensor with a new dimension `axis` of size parts.size(); parts must be tensors of one type and shape. `backwards`:
// the last part comes first. Strings, too.
Result<Tensor> Stack(const HostCall& call, std::span<const Datum> parts, int axis = 0, bool backwards = false);

// Slice `index` of `axis`, without that dimension.
Result<Tensor> Unstack(const Tensor& tensor, int axis, int64_t index);

}  // namespace moka

#endif  // MOKA_OPS_STACK_H_

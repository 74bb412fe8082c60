// What a device may be shown: padding lanes, and which views its kernels can read (the promises of ops/device.h).
#ifndef MOKA_GRAPH_LAYOUT_RULES_H_
#define MOKA_GRAPH_LAYOUT_RULES_H_

#include <cstdint>

#include "ops/tensor_desc.h"

namespace moka {

// True where a kernel that writes `desc` also writes zeros up to the next multiple of `alignment`.
bool HasPadding(const TensorDesc& desc, int alignment);

// Bytes from the first element to the last, its padding lanes included.
uint64_t PaddedBytes(const TensorDesc& desc, int alignment);

// Whether ordinary kernels may read `view`, `offset` elements into a value that lies as `base`.
bool ViewAllowed(const TensorDesc& view, int64_t offset, const TensorDesc& base, int alignment);

// Equal types, shapes and, where dimensions are longer than 1, strides.
bool SameLayout(const TensorDesc& a, const TensorDesc& b);

}  // namespace moka

#endif  // MOKA_GRAPH_LAYOUT_RULES_H_

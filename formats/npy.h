// NumPy's .npy files (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
#ifndef MOKA_FORMATS_NPY_H_
#define MOKA_FORMATS_NPY_H_

#include <string_view>

#include "ops/attributes.h"

namespace moka {

bool IsNpy(std::string_view bytes);

// Versions 1 to 3, little-endian, C order. The tensor's data points into `bytes`, which `owner` keeps alive.
Result<HostTensor> ReadNpy(std::string_view bytes, std::shared_ptr<const void> owner);

// Version 1. kUnsupported for bf16 and strings, which NumPy has no type for.
Result<std::string> NpyHeader(DataType type, const Shape& shape);

}  // namespace moka

#endif  // MOKA_FORMATS_NPY_H_

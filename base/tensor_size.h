// The size of a dense tensor, computed without overflow.
#ifndef MOKA_BASE_TENSOR_SIZE_H_
#define MOKA_BASE_TENSOR_SIZE_H_

#include "moka/tensor.h"

namespace moka {

struct TensorSize {
  int64_t elements = 0;
  int64_t bytes = 0;  // 0 for kNone; of the strings' own characters none
};

// kInvalidArgument for a negative dimension, and where elements or bytes do not fit int64 (a dimension of 0 elsewhere
// in the shape does not excuse the overflow of the others).
Result<TensorSize> SizeOfTensor(DataType type, const Shape& shape);

}  // namespace moka

#endif  // MOKA_BASE_TENSOR_SIZE_H_

// Strings in plans: an element of a kString tensor there is a pointer to a string that lives elsewhere (with a
// constant, the caller, or the run), so that operators that copy elements copy strings unchanged.
#ifndef MOKA_OPS_STRING_TENSOR_H_
#define MOKA_OPS_STRING_TENSOR_H_

#include <memory>
#include <string>

#include "ops/attributes.h"

namespace moka {

using StringPointer = const std::string*;

// The tensor as plans hold it; shares its memory (pointers to its strings get memory of their own).
HostTensor HostTensorOf(std::shared_ptr<const Tensor> tensor);
// A copy as callers hold it.
Result<Tensor> TensorOf(const HostTensor& tensor);

// What an element without a string points to: memory of zeros reads as empty strings.
inline const std::string& StringAt(StringPointer pointer) {
  static const std::string kEmpty;
  return pointer == nullptr ? kEmpty : *pointer;
}

}  // namespace moka

#endif  // MOKA_OPS_STRING_TENSOR_H_

// Elements of dense tensors outside of plans, where those of strings are std::string.
#ifndef MOKA_OPS_DENSE_H_
#define MOKA_OPS_DENSE_H_

#include <algorithm>
#include <cstring>
#include <string>

#include "base/status.h"
#include "moka/tensor.h"

namespace moka {

// Copies `count` elements, which lie one after the other; both tensors have one type.
inline void CopyDense(const Tensor& src, int64_t from, Tensor* dst, int64_t to, int64_t count) {
  if (count == 0) return;
  if (src.type() == DataType::kString) {
    std::copy_n(src.as<std::string>() + from, count, dst->as<std::string>() + to);
    return;
  }
  const auto size = static_cast<int64_t>(SizeOf(src.type()));
  std::memcpy(static_cast<std::byte*>(dst->data()) + to * size, static_cast<const std::byte*>(src.data()) + from * size,
              static_cast<size_t>(count * size));
}

// Elements before, along and behind one dimension; a tensor is [outer, size, inner].
struct DenseAxis {
  int64_t outer = 1, size = 1, inner = 1;

  DenseAxis(const Shape& shape, size_t axis) : size(shape[axis]) {
    for (size_t d = 0; d < axis; ++d) outer *= shape[d];
    for (size_t d = axis + 1; d < shape.size(); ++d) inner *= shape[d];
  }
};

}  // namespace moka

#endif  // MOKA_OPS_DENSE_H_

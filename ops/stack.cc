#include "ops/stack.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/status.h"
#include "ops/tensor_desc.h"

namespace moka {
namespace {

void CopyRange(const Tensor& src, int64_t src_at, Tensor* dst, int64_t dst_at, int64_t count) {
  if (src.type() == DataType::kString) {
    std::copy_n(src.as<std::string>() + src_at, count, dst->as<std::string>() + dst_at);
    return;
  }
  const auto size = static_cast<int64_t>(SizeOf(src.type()));
  if (count > 0) {
    std::memcpy(static_cast<char*>(dst->data()) + dst_at * size, static_cast<const char*>(src.data()) + src_at * size,
                static_cast<size_t>(count * size));
  }
}

int64_t Product(const Shape& shape, size_t first, size_t last) {
  int64_t product = 1;
  for (size_t i = first; i < last; ++i) product *= shape[i];
  return product;
}

}  // namespace

Result<Tensor> Stack(const HostCall& call, std::span<const Datum> parts, int axis, bool backwards) {
  if (parts.empty()) return InvalidArgument("nothing to stack");
  const Tensor& first = parts[0].tensor();
  for (const Datum& part : parts) {
    if (part.tensor().type() == first.type() && part.tensor().shape() == first.shape()) continue;
    return InvalidArgument("the values of a scan output differ: ", ToString(parts[0]), " and ", ToString(part));
  }
  if (static_cast<int>(first.shape().size()) + 1 > kMaxRank) {
    return Unsupported("a scan output of rank ", first.shape().size() + 1, ", at most ", kMaxRank);
  }
  Shape shape = first.shape();
  const auto at = static_cast<size_t>(axis);
  const int64_t outer = Product(shape, 0, at), inner = Product(shape, at, shape.size());
  const auto count = static_cast<int64_t>(parts.size());
  shape.insert(shape.begin() + axis, count);
  MOKA_ASSIGN_OR_RETURN(Tensor stacked, call.NewTensor(first.type(), shape));
  for (int64_t i = 0; i < count && inner > 0; ++i) {
    const Tensor& part = parts[static_cast<size_t>(backwards ? count - 1 - i : i)].tensor();
    for (int64_t o = 0; o < outer; ++o) CopyRange(part, o * inner, &stacked, (o * count + i) * inner, inner);
  }
  return stacked;
}

Result<Tensor> Unstack(const Tensor& tensor, int axis, int64_t index) {
  Shape shape = tensor.shape();
  const auto at = static_cast<size_t>(axis);
  const int64_t outer = Product(shape, 0, at), count = shape[at], inner = Product(shape, at + 1, shape.size());
  shape.erase(shape.begin() + axis);
  MOKA_ASSIGN_OR_RETURN(Tensor slice, Tensor::Create(tensor.type(), shape));
  for (int64_t o = 0; o < outer && inner > 0; ++o)
    CopyRange(tensor, (o * count + index) * inner, &slice, o * inner, inner);
  return slice;
}

}  // namespace moka

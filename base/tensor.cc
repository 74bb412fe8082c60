#include "moka/tensor.h"

#include <cstring>
#include <limits>

#include "base/platform.h"
#include "base/status.h"
#include "base/tensor_size.h"

namespace moka {

Result<TensorSize> SizeOfTensor(DataType type, const Shape& shape) {
  int64_t extent = 1;
  bool empty = false;
  for (const int64_t dim : shape) {
    if (dim < 0) return InvalidArgument("shape ", ToString(shape), " has a negative dimension");
    if (dim == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(extent, dim, &extent)) {
      return InvalidArgument("shape ", ToString(shape), " has more elements than fit 63 bits");
    }
  }
  int64_t bytes = 0;
  if (__builtin_mul_overflow(extent, static_cast<int64_t>(SizeOf(type)), &bytes)) {
    return InvalidArgument("shape ", ToString(shape), " of ", NameOf(type), " has more bytes than fit 63 bits");
  }
  return empty ? TensorSize{} : TensorSize{extent, bytes};
}

Result<Tensor> Tensor::Create(DataType type, Shape shape) {
  if (SizeOf(type) == 0) return InvalidArgument("a tensor of type ", NameOf(type), " cannot be made");
  MOKA_ASSIGN_OR_RETURN(const TensorSize size, SizeOfTensor(type, shape));
  // An empty tensor has an address too. Where size_t has 32 bits, a size that does not fit it is memory that is short.
  const size_t bytes = size.bytes == 0 ? 1 : static_cast<size_t>(size.bytes);
  const bool fits = static_cast<uint64_t>(size.bytes) <= std::numeric_limits<size_t>::max();
  void* data = fits ? AllocateAligned(bytes) : nullptr;
  if (data == nullptr) return OutOfMemory("a tensor ", NameOf(type), ToString(shape), " needs ", size.bytes, " bytes");
  std::memset(data, 0, bytes);
  Tensor tensor;
  tensor.type_ = type;
  tensor.shape_ = std::move(shape);
  tensor.size_ = size.elements;
  tensor.data_ = std::shared_ptr<void>(data, [bytes](void* p) { FreeAligned(p, bytes); });
  return tensor;
}

Result<Tensor> Tensor::CopyOf(ConstTensorView view) {
  MOKA_ASSIGN_OR_RETURN(Tensor tensor, Create(view.type, std::move(view.shape)));
  if (tensor.bytes() > 0) {
    if (view.data == nullptr) return InvalidArgument("a tensor ", ToString(tensor.shape()), " without data");
    std::memcpy(tensor.data(), view.data, tensor.bytes());
  }
  return tensor;
}

}  // namespace moka

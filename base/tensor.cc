#include "moka/tensor.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <string>

#include "base/narrow_float.h"
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
  Tensor tensor;
  tensor.type_ = type;
  tensor.shape_ = std::move(shape);
  tensor.size_ = size.elements;
  if (type == DataType::kString) {
    const auto count = static_cast<size_t>(size.elements);
    const bool fits = static_cast<uint64_t>(size.elements) <= std::numeric_limits<size_t>::max() / sizeof(std::string);
    auto* strings = fits ? new (std::nothrow) std::string[count] : nullptr;
    if (strings == nullptr) return OutOfMemory("no memory for ", size.elements, " strings");
    tensor.data_ = std::shared_ptr<void>(strings, [strings](void*) { delete[] strings; });
    return tensor;
  }
  // An empty tensor has an address too. Where size_t has 32 bits, a size that does not fit it is memory that is short.
  const size_t bytes = size.bytes == 0 ? 1 : static_cast<size_t>(size.bytes);
  const bool fits = static_cast<uint64_t>(size.bytes) <= std::numeric_limits<size_t>::max();
  void* data = fits ? AllocateAligned(bytes) : nullptr;
  if (data == nullptr)
    return OutOfMemory("a tensor ", NameOf(type), ToString(tensor.shape_), " needs ", size.bytes, " bytes");
  std::memset(data, 0, bytes);
  tensor.data_ = std::shared_ptr<void>(data, [bytes](void* p) { FreeAligned(p, bytes); });
  return tensor;
}

Result<Tensor> Tensor::CopyOf(ConstTensorView view) {
  MOKA_ASSIGN_OR_RETURN(Tensor tensor, Create(view.type, std::move(view.shape)));
  if (tensor.bytes() > 0) {
    if (view.data == nullptr) return InvalidArgument("a tensor ", ToString(tensor.shape()), " without data");
    if (view.type == DataType::kString) {
      std::copy_n(static_cast<const std::string*>(view.data), tensor.size(), tensor.as<std::string>());
      return tensor;
    }
    std::memcpy(tensor.data(), view.data, tensor.bytes());
  }
  return tensor;
}

Tensor Tensor::Borrow(ConstTensorView view) {
  Tensor tensor;
  const Result<TensorSize> size = SizeOfTensor(view.type, view.shape);
  tensor.type_ = view.type;
  tensor.size_ = size.ok() ? size->elements : 0;
  tensor.shape_ = std::move(view.shape);
  tensor.data_ = std::shared_ptr<void>(const_cast<void*>(view.data), [](void*) {});
  return tensor;
}

double Tensor::NumberAt(int64_t i) const {
  switch (type_) {
    case DataType::kF32:
      return static_cast<double>(as<float>()[i]);
    case DataType::kF64:
      return as<double>()[i];
    case DataType::kF16:
      return static_cast<double>(static_cast<float>(as<Half>()[i]));
    case DataType::kBF16:
      return static_cast<double>(static_cast<float>(as<BFloat16>()[i]));
    case DataType::kI8:
      return as<int8_t>()[i];
    case DataType::kI16:
      return as<int16_t>()[i];
    case DataType::kI32:
      return as<int32_t>()[i];
    case DataType::kI64:
      return static_cast<double>(as<int64_t>()[i]);
    case DataType::kU8:
    case DataType::kBool:
      return as<uint8_t>()[i];
    case DataType::kU16:
      return as<uint16_t>()[i];
    case DataType::kU32:
      return as<uint32_t>()[i];
    case DataType::kU64:
      return static_cast<double>(as<uint64_t>()[i]);
    default:
      return IsNarrow(type_) ? LoadNarrow(type_, data(), i) : 0;
  }
}

}  // namespace moka

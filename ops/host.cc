#include "ops/host.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "ops/element.h"

namespace moka {

Result<const std::vector<Datum>*> SrcSequence(const HostCall& call, size_t i) {
  if (!call.has_src(i)) return InvalidArgument("src ", i, " is missing");
  if (!call.src[i]->is_sequence())
    return InvalidArgument("src ", i, ": ", ToString(*call.src[i]), ", expected a sequence");
  return &call.src[i]->sequence();
}

Result<const Tensor*> SrcStrings(const HostCall& call, size_t i) {
  MOKA_ASSIGN_OR_RETURN(const Tensor* tensor, call.SrcTensor(i));
  if (tensor->type() != DataType::kString)
    return InvalidArgument("src ", i, " is ", NameOf(tensor->type()), ", expected strings");
  return tensor;
}

Result<int64_t> SrcScalar(const HostCall& call, size_t i, std::string_view operand) {
  MOKA_ASSIGN_OR_RETURN(const Tensor* tensor, call.SrcTensor(i));
  const bool is_index = tensor->type() == DataType::kI32 || tensor->type() == DataType::kI64;
  if (!is_index || tensor->size() != 1) {
    return InvalidArgument("src ", i, " (", operand, "): ", ToString(*call.src[i]), ", expected one i32 or i64");
  }
  return tensor->type() == DataType::kI32 ? *tensor->as<int32_t>() : *tensor->as<int64_t>();
}

Result<Tensor> MakeScalar(DataType type, int64_t value) {
  MOKA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(type, {}));
  Store<int64_t>(MakeDense(type, {}), tensor.data(), 0, value);
  return tensor;
}

void CopyRange(const Tensor& src, int64_t src_at, Tensor* dst, int64_t dst_at, int64_t count) {
  if (count == 0) return;
  if (src.type() == DataType::kString) {
    std::copy_n(src.as<std::string>() + src_at, count, dst->as<std::string>() + dst_at);
    return;
  }
  const auto bytes = static_cast<int64_t>(SizeOf(src.type()));
  std::memcpy(static_cast<std::byte*>(dst->data()) + dst_at * bytes,
              static_cast<const std::byte*>(src.data()) + src_at * bytes, static_cast<size_t>(count * bytes));
}

int64_t ElementsOf(const Shape& shape, size_t first, size_t last) {
  int64_t count = 1;
  for (size_t i = first; i < last; ++i) count *= shape[i];
  return count;
}

}  // namespace moka

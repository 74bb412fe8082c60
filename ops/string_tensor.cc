#include "ops/string_tensor.h"

#include <cstring>
#include <utility>
#include <vector>

#include "base/status.h"
#include "ops/element.h"

namespace moka {

HostTensor HostTensorOf(std::shared_ptr<const Tensor> tensor) {
  const TensorDesc desc = MakeDense(tensor->type(), tensor->shape());
  if (tensor->type() != DataType::kString) return {desc, tensor->data(), std::move(tensor)};
  struct Strings {
    std::shared_ptr<const Tensor> tensor;
    std::vector<StringPointer> pointers;
  };
  auto strings = std::make_shared<Strings>();
  const auto* first = tensor->as<std::string>();
  for (int64_t i = 0; i < tensor->size(); ++i) strings->pointers.push_back(first + i);
  strings->tensor = std::move(tensor);
  return {desc, strings->pointers.data(), strings};
}

Result<Tensor> TensorOf(const HostTensor& tensor) {
  const DataType type = tensor.desc.type;
  if (type != DataType::kString) return Tensor::CopyOf({type, tensor.desc.shape(), tensor.data});
  MOKA_ASSIGN_OR_RETURN(Tensor copy, Tensor::Create(type, tensor.desc.shape()));
  for (int64_t i = 0; i < copy.size(); ++i) {
    copy.as<std::string>()[i] = StringAt(LoadRaw<StringPointer>(tensor.data, i));
  }
  return copy;
}

}  // namespace moka

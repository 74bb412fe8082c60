#include "formats/onnx/scope.h"

#include <utility>

#include "base/str_cat.h"

namespace moka::onnx {

ValueId Scope::Use(std::string_view name) {
  if (name.empty()) return kNoValue;
  const auto [it, is_new] = ids_.try_emplace(std::string(name), kNoValue);
  if (is_new) it->second = graph_->AddValue(std::string(name));
  return it->second;
}

ValueId Scope::Find(std::string_view name) const {
  const auto it = ids_.find(std::string(name));
  return it == ids_.end() ? kNoValue : it->second;
}

bool Scope::Define(ValueId id) {
  const auto index = static_cast<size_t>(id);
  if (index >= defined_.size()) defined_.resize(graph_->values.size());
  if (defined_[index]) return false;
  defined_[index] = true;
  return true;
}

bool Scope::IsDefined(ValueId id) const {
  const auto index = static_cast<size_t>(id);
  return index < defined_.size() && defined_[index];
}

void Scope::SetConstant(ValueId id, HostTensor tensor) {
  graph_->value(id).constant = std::make_shared<const HostTensor>(std::move(tensor));
}

ValueId Scope::Unused(const std::string& hint) {
  std::string name = hint;
  while (ids_.count(name) > 0) name = StrCat(hint, "_", ++fresh_[hint]);
  return Use(name);
}

ValueId Scope::Fresh(const std::string& hint) {
  const ValueId id = Unused(hint);
  (void)Define(id);
  return id;
}

ValueId Scope::FreshConstant(const std::string& hint, HostTensor tensor) {
  const ValueId id = Fresh(hint);
  SetConstant(id, std::move(tensor));
  return id;
}

}  // namespace moka::onnx

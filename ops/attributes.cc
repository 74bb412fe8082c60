#include "ops/attributes.h"

#include <algorithm>

#include "base/status.h"

namespace moka {
namespace {

constexpr const char* kKinds[] = {"an int",           "a float",           "a string", "a list of ints",
                                  "a list of floats", "a list of strings", "a tensor", "a subgraph"};
static_assert(std::variant_size_v<AttributeValue> == sizeof(kKinds) / sizeof(kKinds[0]));

template <class T>
Result<T> Get(const AttributeValue* value, std::string_view name, T fallback) {
  if (value == nullptr) return fallback;
  if (const T* typed = std::get_if<T>(value)) return *typed;
  return InvalidModel("attribute '", name, "' is ", kKinds[value->index()], ", expected ",
                      kKinds[AttributeValue(T{}).index()]);
}

}  // namespace

void Attributes::Set(std::string_view name, AttributeValue value) {
  for (auto& [key, old] : list_) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  list_.emplace_back(std::string(name), std::move(value));
}

void Attributes::Erase(std::string_view name) {
  std::erase_if(list_, [&](const auto& entry) { return entry.first == name; });
}

const AttributeValue* Attributes::Find(std::string_view name) const {
  const auto it = std::find_if(list_.begin(), list_.end(), [&](const auto& entry) { return entry.first == name; });
  return it == list_.end() ? nullptr : &it->second;
}

Result<int64_t> Attributes::Int(std::string_view name, int64_t fallback) const {
  return Get<int64_t>(Find(name), name, fallback);
}
Result<float> Attributes::Float(std::string_view name, float fallback) const {
  return Get<float>(Find(name), name, fallback);
}
Result<std::string> Attributes::String(std::string_view name, std::string_view fallback) const {
  return Get<std::string>(Find(name), name, std::string(fallback));
}
Result<std::vector<int64_t>> Attributes::Ints(std::string_view name, std::vector<int64_t> fallback) const {
  return Get<std::vector<int64_t>>(Find(name), name, std::move(fallback));
}
Result<std::vector<float>> Attributes::Floats(std::string_view name, std::vector<float> fallback) const {
  return Get<std::vector<float>>(Find(name), name, std::move(fallback));
}

}  // namespace moka

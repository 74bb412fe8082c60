// The attributes of a node as the file states them; operators turn them into typed structs (ops/conv.h: ConvParams).
#ifndef MOKA_OPS_ATTRIBUTES_H_
#define MOKA_OPS_ATTRIBUTES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "moka/tensor.h"
#include "ops/tensor_desc.h"

namespace moka {

// Read-only host data: dense row-major in `desc`. `data` may lie in a mapped file and then has NO alignment: read it
// with memcpy or ops/element.h. `owner` keeps it alive.
struct HostTensor {
  TensorDesc desc;
  const void* data = nullptr;
  std::shared_ptr<const void> owner;

  bool present() const { return desc.present(); }
};

struct SubgraphAttribute;  // formats/ fills it, graph/ reads it; opaque here

using AttributeValue = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                                    std::vector<std::string>, HostTensor, std::shared_ptr<const SubgraphAttribute>>;

class Attributes {
 public:
  void Set(std::string_view name, AttributeValue value);
  void Erase(std::string_view name);
  bool Has(std::string_view name) const { return Find(name) != nullptr; }
  const AttributeValue* Find(std::string_view name) const;  // null when absent
  // The value, or `fallback` when the attribute is absent. A wrong type is refused: the Status names the attribute.
  Result<int64_t> Int(std::string_view name, int64_t fallback) const;
  Result<float> Float(std::string_view name, float fallback) const;
  Result<std::string> String(std::string_view name, std::string_view fallback) const;
  Result<std::vector<int64_t>> Ints(std::string_view name, std::vector<int64_t> fallback) const;
  Result<std::vector<float>> Floats(std::string_view name, std::vector<float> fallback) const;
  const std::vector<std::pair<std::string, AttributeValue>>& all() const { return list_; }

 private:
  std::vector<std::pair<std::string, AttributeValue>> list_;  // few: a linear search wins
};

}  // namespace moka

#endif  // MOKA_OPS_ATTRIBUTES_H_

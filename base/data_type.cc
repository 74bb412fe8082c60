#include <cstddef>
#include <string>

#include "base/str_cat.h"
#include "moka/tensor.h"

namespace moka {
namespace {

struct Row {
  const char* name;
  size_t bytes;
};
// In the order of DataType.
constexpr Row kTypes[] = {
    {"none", 0},     {"f32", 4},        {"f64", 8},    {"f16", 2},        {"bf16", 2},
    {"i8", 1},       {"i16", 2},        {"i32", 4},    {"i64", 8},        {"u8", 1},
    {"u16", 2},      {"u32", 4},        {"u64", 8},    {"bool", 1},       {"string", sizeof(void*)},
    {"f8e4m3fn", 1}, {"f8e4m3fnuz", 1}, {"f8e5m2", 1}, {"f8e5m2fnuz", 1}, {"f8e8m0", 1},
    {"f4e2m1", 1},   {"i4", 1},         {"u4", 1},     {"i2", 1},         {"u2", 1}};
static_assert(sizeof(kTypes) / sizeof(kTypes[0]) == kNumDataTypes);

}  // namespace

size_t SizeOf(DataType type) { return kTypes[static_cast<size_t>(type)].bytes; }
const char* NameOf(DataType type) { return kTypes[static_cast<size_t>(type)].name; }

std::string ToString(const Shape& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out += StrCat(i == 0 ? "" : ", ", shape[i]);
  return out + "]";
}

}  // namespace moka

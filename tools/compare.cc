#include "tools/compare.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

namespace moka::tools {
namespace {

// Of the last place of f16 and narrower floats: two engines may round to neighbours.
double RelativeStep(DataType type) {
  switch (type) {
    case DataType::kF16:
      return 0x1p-10;
    case DataType::kBF16:
      return 0x1p-6;
    default:
      return 0;
  }
}

bool IsFloat(DataType type) {
  return type == DataType::kF32 || type == DataType::kF64 || type == DataType::kF16 || type == DataType::kBF16;
}

std::string FloatDifference(const Tensor& got, const Tensor& want, const Tolerance& tolerance) {
  const double relative = std::max(tolerance.relative, RelativeStep(want.type()));
  for (int64_t i = 0; i < want.size(); i++) {
    const double x = got.NumberAt(i), y = want.NumberAt(i);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    if (std::abs(x - y) <= tolerance.absolute + relative * std::abs(y)) continue;
    return fmt::format("element {} is {:.9g}, expected {:.9g}", i, x, y);
  }
  return "";
}

std::string StringDifference(const Tensor& got, const Tensor& want) {
  const auto *a = got.as<std::string>(), *b = want.as<std::string>();
  for (int64_t i = 0; i < want.size(); i++)
    if (a[i] != b[i]) return fmt::format("element {} is '{}', expected '{}'", i, a[i], b[i]);
  return "";
}

std::string ByteDifference(const Tensor& got, const Tensor& want) {
  const size_t size = SizeOf(want.type());
  const auto *a = static_cast<const char*>(got.data()), *b = static_cast<const char*>(want.data());
  for (int64_t i = 0; i < want.size(); i++)
    if (std::memcmp(a + i * size, b + i * size, size) != 0)
      return fmt::format("element {} is {}, expected {}", i, got.NumberAt(i), want.NumberAt(i));
  return "";
}

// The positions of a map's keys in their order.
std::vector<int64_t> OrderOf(const Tensor& keys) {
  std::vector<int64_t> order(static_cast<size_t>(keys.size()));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    if (keys.type() == DataType::kString) return keys.as<std::string>()[a] < keys.as<std::string>()[b];
    return keys.as<int64_t>()[a] < keys.as<int64_t>()[b];
  });
  return order;
}

Tensor InOrder(const Tensor& list, const std::vector<int64_t>& order) {
  Tensor sorted = *Tensor::Create(list.type(), {static_cast<int64_t>(order.size())});
  const size_t size = SizeOf(list.type());
  for (size_t i = 0; i < order.size(); i++) {
    const auto from = static_cast<size_t>(order[i]);
    if (list.type() == DataType::kString)
      sorted.as<std::string>()[i] = list.as<std::string>()[from];
    else
      std::memcpy(sorted.as<char>() + i * size, list.as<char>() + from * size, size);
  }
  return sorted;
}

// Equal keys stand for equal values, in whatever order they are.
std::string MapDifference(const Datum& got, const Datum& want, const Tolerance& tolerance) {
  const std::vector<int64_t> a = OrderOf(got.keys()), b = OrderOf(want.keys());
  const std::string keys = Difference(InOrder(got.keys(), a), InOrder(want.keys(), b), tolerance);
  if (!keys.empty()) return "keys: " + keys;
  return Difference(InOrder(got.values(), a), InOrder(want.values(), b), tolerance);
}

}  // namespace

std::string Difference(const Tensor& got, const Tensor& want, const Tolerance& tolerance) {
  if (got.type() != want.type()) return fmt::format("type {}, expected {}", NameOf(got.type()), NameOf(want.type()));
  if (got.shape() != want.shape())
    return fmt::format("shape {}, expected {}", ToString(got.shape()), ToString(want.shape()));
  if (want.type() == DataType::kString) return StringDifference(got, want);
  if (IsFloat(want.type())) return FloatDifference(got, want, tolerance);
  return ByteDifference(got, want);
}

std::string Difference(const Datum& got, const Datum& want, const Tolerance& tolerance) {
  if (got.is_tensor() && want.is_tensor()) return Difference(got.tensor(), want.tensor(), tolerance);
  if (got.is_none() && want.is_none()) return "";
  if (got.is_map() && want.is_map()) return MapDifference(got, want, tolerance);
  if (!got.is_sequence() || !want.is_sequence() || got.sequence().size() != want.sequence().size())
    return fmt::format("{}, expected {}", ToString(got), ToString(want));
  for (size_t i = 0; i < want.sequence().size(); i++) {
    const std::string difference = Difference(got.sequence()[i], want.sequence()[i], tolerance);
    if (!difference.empty()) return fmt::format("sequence element {}: {}", i, difference);
  }
  return "";
}

}  // namespace moka::tools

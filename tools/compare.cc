#include "tools/compare.h"

#include <fmt/core.h>

#include <cmath>
#include <cstring>

namespace moka::tools {
namespace {

template <class T>
std::string FloatDifference(const Tensor& got, const Tensor& want, const Tolerance& tolerance) {
  const T *a = got.as<T>(), *b = want.as<T>();
  for (int64_t i = 0; i < want.size(); i++) {
    const double x = a[i], y = b[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    if (std::abs(x - y) <= tolerance.absolute + tolerance.relative * std::abs(y)) continue;
    return fmt::format("element {} is {:.9g}, expected {:.9g}", i, x, y);
  }
  return "";
}

std::string ByteDifference(const Tensor& got, const Tensor& want) {
  const size_t size = SizeOf(want.type());
  const auto *a = static_cast<const char*>(got.data()), *b = static_cast<const char*>(want.data());
  for (int64_t i = 0; i < want.size(); i++)
    if (std::memcmp(a + i * size, b + i * size, size) != 0) return fmt::format("element {} differs", i);
  return "";
}

}  // namespace

std::string Difference(const Tensor& got, const Tensor& want, const Tolerance& tolerance) {
  if (got.type() != want.type()) return fmt::format("type {}, expected {}", NameOf(got.type()), NameOf(want.type()));
  if (got.shape() != want.shape())
    return fmt::format("shape {}, expected {}", ToString(got.shape()), ToString(want.shape()));
  if (want.type() == DataType::kF32) return FloatDifference<float>(got, want, tolerance);
  if (want.type() == DataType::kF64) return FloatDifference<double>(got, want, tolerance);
  return ByteDifference(got, want);
}

}  // namespace moka::tools

// The fast transform against the sum that defines it.
#include "ops/fft.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace moka {
namespace {

std::vector<Complex> Transform(std::vector<Complex> data, bool inverse) {
  const auto n = static_cast<int64_t>(data.size());
  const FftPlan plan(n);
  std::vector<Complex> table(static_cast<size_t>(plan.TableSize())), work(static_cast<size_t>(plan.WorkSize()));
  plan.MakeTable(table.data(), work.data());
  plan.Run(table.data(), data.data(), work.data(), inverse);
  return data;
}

std::vector<Complex> Sum(const std::vector<Complex>& data) {
  const auto n = static_cast<int64_t>(data.size());
  std::vector<Complex> result(data.size());
  for (int64_t k = 0; k < n; ++k) {
    for (int64_t j = 0; j < n; ++j) {
      const double angle = -2 * std::acos(-1.0) * static_cast<double>(j * k % n) / static_cast<double>(n);
      result[static_cast<size_t>(k)] += data[static_cast<size_t>(j)] * Complex(std::cos(angle), std::sin(angle));
    }
  }
  return result;
}

double Distance(const std::vector<Complex>& a, const std::vector<Complex>& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

TEST(Fft, EveryLengthIsTheSum) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> uniform(-1, 1);
  std::vector<int64_t> lengths = {64, 97, 120, 169, 221, 256, 289, 343, 400, 509};
  for (int64_t n = 1; n <= 60; ++n) lengths.push_back(n);
  for (const int64_t n : lengths) {
    std::vector<Complex> data;
    for (int64_t i = 0; i < n; ++i) data.emplace_back(uniform(random), uniform(random));
    EXPECT_LT(Distance(Transform(data, false), Sum(data)), 1e-10) << n;
    EXPECT_LT(Distance(Transform(Transform(data, false), true), data), 1e-12) << n;
  }
}

}  // namespace
}  // namespace moka

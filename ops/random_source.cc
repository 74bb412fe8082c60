#include "ops/random_source.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <numbers>
#include <random>

#include "ops/params.h"

namespace moka {
namespace {

// The output function of splitmix64 (Steele, Lea, Flood 2014).
uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

constexpr uint64_t kStep = 0x9e3779b97f4a7c15;

uint64_t NewSeed() {
  static std::atomic<uint64_t> next{[] {
    std::random_device device;
    return (uint64_t{device()} << 32) | device();
  }()};
  return Mix(next.fetch_add(kStep, std::memory_order_relaxed));
}

}  // namespace

Result<RandomSource> RandomSource::From(const Attributes& attrs) {
  if (!attrs.Has("seed")) return RandomSource(NewSeed());
  float seed = 0;
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "seed", 0, &seed));
  uint32_t bits;
  std::memcpy(&bits, &seed, sizeof(bits));
  return RandomSource(Mix(bits));
}

double RandomSource::Uniform(int64_t i) const {
  return static_cast<double>(Mix(seed_ + (static_cast<uint64_t>(i) + 1) * kStep) >> 11) * 0x1p-53;
}

// Box and Muller's transform; 1 - u is never 0.
double RandomSource::Normal(int64_t i) const {
  const double radius = std::sqrt(-2 * std::log(1 - Uniform(2 * i)));
  return radius * std::cos(2 * std::numbers::pi * Uniform(2 * i + 1));
}

}  // namespace moka

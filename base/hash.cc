#include "base/hash.h"

#include <cstring>

namespace moka {
namespace {

// Independent lanes of multiply and rotate: the latency of one hides behind the others.
constexpr int kLanes = 8;
constexpr size_t kBlock = kLanes * sizeof(uint64_t);
constexpr uint64_t kMultiplier[kLanes] = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9,
                                          0xd6e8feb86659fd93, 0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53,
                                          0x94d049bb133111eb, 0xbf58476d1ce4e5b9};

uint64_t Mix(uint64_t h, uint64_t word, int lane) {
  h = (h ^ word) * kMultiplier[lane];
  return h ^ h >> 29;
}

}  // namespace

Hash128 HashBytes(const void* data, size_t bytes) {
  uint64_t h[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) h[lane] = Mix(bytes, kMultiplier[lane], kLanes - 1 - lane);
  const auto* p = static_cast<const unsigned char*>(data);
  size_t i = 0;
  for (; i + kBlock <= bytes; i += kBlock) {
    uint64_t words[kLanes];
    std::memcpy(words, p + i, kBlock);
    for (int lane = 0; lane < kLanes; ++lane) h[lane] = Mix(h[lane], words[lane], lane);
  }
  for (int lane = 0; i < bytes; i += sizeof(uint64_t), ++lane) {
    uint64_t word = 0;
    std::memcpy(&word, p + i, bytes - i < sizeof(word) ? bytes - i : sizeof(word));
    h[lane] = Mix(h[lane], word, lane);
  }
  for (int round = 0; round < 3; ++round) {
    for (int lane = 0; lane < kLanes; ++lane) h[lane] = Mix(h[lane], h[(lane + 1) % kLanes], lane);
  }
  Hash128 hash;
  for (int lane = 0; lane < kLanes; lane += 2) {
    hash.low = Mix(hash.low, h[lane], lane);
    hash.high = Mix(hash.high, h[lane + 1], lane + 1);
  }
  return hash;
}

}  // namespace moka

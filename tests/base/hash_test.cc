#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace moka {
namespace {

TEST(Hash, EveryBitAndTheLengthCount) {
  for (const size_t bytes : {1, 7, 8, 9, 63, 64, 65, 200}) {
    std::vector<unsigned char> data(bytes + 1, 0);
    std::set<std::pair<uint64_t, uint64_t>> seen;
    const auto add = [&](size_t length) {
      const Hash128 hash = HashBytes(data.data(), length);
      return seen.insert({hash.low, hash.high}).second;
    };
    EXPECT_TRUE(add(bytes));
    EXPECT_TRUE(add(bytes - 1));
    EXPECT_TRUE(add(bytes + 1));
    for (size_t bit = 0; bit < 8 * bytes; ++bit) {
      data[bit / 8] ^= static_cast<unsigned char>(1 << bit % 8);
      EXPECT_TRUE(add(bytes)) << bytes << ' ' << bit;
      data[bit / 8] ^= static_cast<unsigned char>(1 << bit % 8);
    }
  }
}

TEST(Hash, DependsOnContentsOnly) {
  std::vector<unsigned char> a(1000), b(1001);
  for (size_t i = 0; i < a.size(); ++i) a[i] = b[i + 1] = static_cast<unsigned char>(i * 31);
  EXPECT_EQ(HashBytes(a.data(), a.size()), HashBytes(b.data() + 1, a.size()));
}

}  // namespace
}  // namespace moka

// Every line of what was added is fetched once, in shares that are alike.
#include "cpu/fetch_list.h"

#include <gtest/gtest.h>

#include <vector>

namespace moka::cpu {
namespace {

constexpr int64_t kStep = 10 * kPrefetchStep;

std::vector<int> Fetched(const float* first, int64_t lines, FetchList* list, int64_t products) {
  std::vector<int> counts(static_cast<size_t>(lines), 0);
  list->Start(products);
  int64_t taken = 0;
  while (const float* share = list->Take(&taken)) {
    EXPECT_GT(taken, 0);
    EXPECT_LE(taken, CeilDiv(lines, products) + 1);
    for (int64_t line = 0; line < taken; ++line) {
      ++counts[static_cast<size_t>((share - first) / kPrefetchStep + line)];
    }
  }
  return counts;
}

TEST(FetchList, TakesEveryLineOnce) {
  const std::vector<float> memory(static_cast<size_t>(12 * kStep));
  for (const int64_t products : {1, 2, 7, 36, 1000}) {
    FetchList list;
    list.Add(memory.data(), kStep, 5, 7 * kPrefetchStep);
    list.Add(memory.data() + 5 * kStep, kStep, 0, kStep);              // no rows
    list.Add(memory.data() + 5 * kStep, kStep, 3, kPrefetchStep - 1);  // less than a line
    list.Add(memory.data() + 6 * kStep, 2 * kStep, 3, 10 * kPrefetchStep);
    const std::vector<int> counts = Fetched(memory.data(), 120, &list, products);
    for (size_t line = 0; line < counts.size(); ++line) {
      const bool wanted = line < 50 ? line % 10 < 7 : line >= 60 && line / 10 % 2 == 0;
      EXPECT_EQ(counts[line], wanted ? 1 : 0) << line << " of " << products;
    }
  }
}

TEST(FetchList, IsEmptyAtFirstAndDropsWhatDoesNotFit) {
  FetchList empty;
  EXPECT_TRUE(Fetched(nullptr, 0, &empty, 4).empty());
  const std::vector<float> memory(static_cast<size_t>(20 * kPrefetchStep));
  FetchList list;
  for (int64_t i = 0; i < 20; ++i) list.Add(memory.data() + i * kPrefetchStep, 0, 1, kPrefetchStep);
  const std::vector<int> counts = Fetched(memory.data(), 20, &list, 20);
  for (size_t line = 0; line < counts.size(); ++line) EXPECT_EQ(counts[line], line < 12 ? 1 : 0) << line;
}

}  // namespace
}  // namespace moka::cpu

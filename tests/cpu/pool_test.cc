#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "base/str_cat.h"
#include "tests/cpu/kernel_check.h"

namespace moka::cpu {
namespace {

using List64 = std::vector<int64_t>;

OpCase Pool(const char* op, const std::string& name, CaseOperand x, List64 kernel, List64 strides, List64 pads) {
  return MakeCase(
      StrCat(op, "/", name),
      Attrs({{"kernel_shape", std::move(kernel)}, {"strides", std::move(strides)}, {"pads", std::move(pads)}}),
      {std::move(x)});
}

TEST(PoolKernels, MatchOracleInEveryCaseOfTheSuite) { EXPECT_GT(ExpectKernels(PoolRows(), PoolCases()), 100); }

TEST(PoolKernels, FoldWholePixelsOfChannelsLastImages) {
  for (const char* op : {"MaxPool", "AveragePool"}) {
    for (const int64_t channels : {2, 3, 4, 8, 15, 16, 17, 24, 33, 64, 67, 130}) {
      for (const int64_t kernel : {2, 3}) {
        const std::string name = StrCat("channels", channels, "_kernel", kernel);
        ExpectKernel(PoolRows(), "pool_pixels",
                     Pool(op, name, Fed({2, channels, 13, 11}), {kernel, kernel}, {2, 2}, {1, 1, 1, 1}),
                     kChannelsLastLayout);
      }
    }
  }
}

TEST(PoolKernels, SlideAlongRowsOfRowMajorImages) {
  for (const char* op : {"MaxPool", "AveragePool"}) {
    for (const int64_t width : {1, 4, 15, 16, 17, 31, 33, 64, 67}) {
      for (const int64_t stride : {1, 2, 3}) {
        const std::string name = StrCat("width", width, "_stride", stride);
        ExpectKernel(PoolRows(), "pool_rows", Pool(op, name, Fed({2, 3, 9, width}), {3, 3}, {2, stride}, {1, 2, 1, 2}));
      }
    }
  }
}

TEST(PoolKernels, TakeRandomWindows) {
  std::mt19937 random(9);
  const auto up_to = [&](int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); };
  for (int i = 0; i < 100; ++i) {
    const int64_t rank = 1 + up_to(3);
    Shape x = {1 + up_to(2), 1 + up_to(20)};
    List64 kernel, strides, dilations, begins, ends;
    for (int64_t d = 0; d < rank; ++d) {
      kernel.push_back(1 + up_to(4));
      strides.push_back(1 + up_to(3));
      dilations.push_back(1 + up_to(2));
      const int64_t span = (kernel.back() - 1) * dilations.back() + 1;
      begins.push_back(up_to(span));
      ends.push_back(up_to(span));
      x.push_back(span + up_to(d == rank - 1 ? 40 : 6));
    }
    begins.insert(begins.end(), ends.begin(), ends.end());
    OpCase op_case = Pool(i % 2 == 0 ? "MaxPool" : "AveragePool", StrCat("random", i), Fed(x), kernel, strides, begins);
    op_case.attrs.Set("dilations", dilations);
    op_case.attrs.Set("ceil_mode", up_to(2));
    if (i % 2 != 0) op_case.attrs.Set("count_include_pad", up_to(2));
    ExpectKernel(PoolRows(), "", op_case);
    ExpectKernel(PoolRows(), "", op_case, kChannelsLastLayout);
  }
}

TEST(PoolKernels, TakeOneChannelByRows) {
  ExpectKernel(PoolRows(), "pool_rows",
               Pool("MaxPool", "one_channel", Fed({3, 1, 28, 28}), {2, 2}, {2, 2}, {0, 0, 0, 0}), kChannelsLastLayout);
}

TEST(PoolKernels, CutLargeImagesIntoUnits) {
  const OpCase image = Pool("AveragePool", "large", Fed({1, 24, 56, 60}), {3, 3}, {1, 1}, {1, 1, 1, 1});
  ExpectKernel(PoolRows(), "pool_pixels", image, kChannelsLastLayout);
  ExpectKernel(PoolRows(), "pool_rows", image);
  const OpCase wide = Pool("MaxPool", "wide_window", Fed({1, 130, 40, 40}), {40, 40}, {1, 1}, {0, 0, 0, 0});
  ExpectKernel(PoolRows(), "pool_pixels", wide, kChannelsLastLayout);
}

TEST(PoolKernels, KeepNanAndInfinities) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  std::vector<double> values(2 * 36, 0.5);
  values[7] = nan;
  values[30] = -infinity;
  values[36 + 20] = infinity;
  const OpCase op_case = Pool("MaxPool", "nan", Given({1, 2, 6, 6}, values), {3, 3}, {1, 1}, {1, 1, 1, 1});
  ExpectKernel(PoolRows(), "pool_pixels", op_case, kChannelsLastLayout);
  ExpectKernel(PoolRows(), "pool_rows", op_case);
  std::vector<double> pixels(24 * 36, 0.5);
  for (size_t i = 0; i < pixels.size(); i += 55) pixels[i] = nan;
  const OpCase vectors = Pool("MaxPool", "nan_in_vectors", Given({1, 24, 6, 6}, pixels), {3, 3}, {1, 1}, {1, 1, 1, 1});
  ExpectKernel(PoolRows(), "pool_pixels", vectors, kChannelsLastLayout);
}

TEST(PoolKernels, LeaveIndicesToTheReference) {
  OpCase op_case = Pool("MaxPool", "indices", Fed({1, 2, 4, 4}), {2, 2}, {2, 2}, {0, 0, 0, 0});
  op_case.num_dst = 2;
  EXPECT_NE(RefusalOf(PoolRows(), op_case), "");
}

}  // namespace
}  // namespace moka::cpu

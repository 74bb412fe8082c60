// Kernels for convolutions with few channels, of a group or altogether.
#include <random>
#include <utility>

#include "cpu/dot_tile.h"
#include "cpu/simd.h"
#include "tests/cpu/conv_shape.h"

namespace moka {
namespace {

class ConvOfFew : public OnEveryTarget {};

// Of deep images, by inner products: all numbers of columns, segments with tails, blocks of pixels with tails.
TEST_P(ConvOfFew, FewOutputs) {
  const cpu::Simd simd = cpu::SimdForTarget(GetParam());
  std::mt19937 random(21);
  int runs = 0;
  for (int i = 0; i < 200; ++i) {
    ConvShape shape;
    shape.rank = static_cast<int>(Pick(random, {1, 2, 2, 2, 3}));
    shape.batch = Pick(random, {1, 1, 2});
    shape.groups = Pick(random, {1, 1, 1, 2});
    shape.in_per_group = Pick(random, {16, 31, 33, 64, 67});
    shape.out_per_group = Pick(random, {1, 2, 3, 4});
    int64_t points = 1;
    for (int d = 0; d < shape.rank; ++d) {
      const auto k = static_cast<size_t>(d);
      shape.in[k] = Pick(random, {2, 5, 7, 13});
      shape.kernel[k] = Pick(random, {1, 2, 3, 5});
      shape.stride[k] = Pick(random, {1, 1, 2});
      shape.dilation[k] = Pick(random, {1, 1, 1, 2});
      shape.begin[k] = Pick(random, {0, 1, 2});
      shape.end[k] = Pick(random, {0, 1, 3});
      points *= shape.kernel[k];
    }
    shape.row_major_src = random() % 4 == 0;
    shape.bias = random() % 2 == 0;
    if (!cpu::DotsPay(*simd.dots, *simd.tile, shape.out_per_group, points, shape.in_per_group)) continue;
    OpTest test;
    if (!MakeConv(shape, random, &test)) continue;
    ++runs;
    CheckOp(device(), test, Kernel("conv_dot"), 1e-4, shape.Name());
  }
  EXPECT_GT(runs, 60);
}

// Sources of both formats, each distance of neighbours, tiles that overlap and tiles of one pixel, borders, all panels.
TEST_P(ConvOfFew, FewChannels) {
  std::mt19937 random(20);
  int runs = 0;
  for (int i = 0; i < 300; ++i) {
    ConvShape shape;
    shape.batch = Pick(random, {1, 1, 2});
    shape.in_per_group = Pick(random, {1, 2, 3, 3, 4});
    shape.out_per_group = Pick(random, {2, 8, 15, 16, 17, 32, 33, 48, 65, 96, 130});
    shape.row_major_src = random() % 2 == 0;
    const int64_t depth = shape.row_major_src ? 1 : shape.in_per_group;
    const int64_t stride = Pick(random, {1, 2, 2, 3, 4}), step = stride * depth;
    if (step > 4 && step != 6 && step != 12) continue;
    shape.in = {Pick(random, {1, 2, 5, 9}), Pick(random, {1, 2, 7, 13, 14, 15, 29, 33, 60}), 1};
    shape.kernel = {Pick(random, {1, 2, 3, 4, 7}), Pick(random, {1, 2, 3, 4, 7}), 1};
    shape.stride = {Pick(random, {1, 2, 3}), stride, 1};
    shape.dilation = {Pick(random, {1, 1, 2}), 1, 1};
    shape.begin = {Pick(random, {0, 1, 3}), Pick(random, {0, 1, 3, 8}), 0};
    shape.end = {Pick(random, {0, 1, 3}), Pick(random, {0, 1, 3, 8}), 0};
    shape.bias = random() % 2 == 0;
    OpTest test;
    if (!MakeConv(shape, random, &test)) continue;
    ++runs;
    CheckOp(device(), test, Kernel("conv_few"), 3e-5, shape.Name());
  }
  EXPECT_GT(runs, 120);
}

TEST_P(ConvOfFew, Depthwise) {
  std::mt19937 random(13);
  int runs = 0;
  for (int i = 0; i < 200; ++i) {
    ConvShape shape;
    shape.rank = static_cast<int>(Pick(random, {1, 2, 2, 2}));
    shape.batch = Pick(random, {1, 2});
    shape.groups = Pick(random, {2, 3, 8, 15, 16, 17, 33, 48, 100});
    shape.out_per_group = Pick(random, {1, 1, 1, 2, 3, 4, 20});
    PickWindow(random, {1, 2, 5, 7, 8, 14, 17}, {1, 2, 3, 3, 3, 5, 5}, &shape);
    OpTest test;
    if (!MakeConv(shape, random, &test)) continue;
    ++runs;
    CheckOp(device(), test, Kernel("depthwise"), 2e-5, "depthwise " + shape.Name());
  }
  EXPECT_GT(runs, 100);
}

// Pairs of lines and a last one, tiles of every size, borders at every side, vectors with tails.
TEST_P(ConvOfFew, DepthwiseOfSquareKernels) {
  std::mt19937 random(19);
  for (const int64_t kernel : {3, 5, 7}) {
    for (const int64_t stride : {1, 2}) {
      for (const int64_t height : {1, 2, 3, 6, 9}) {
        for (const int64_t width : {1, 2, 7, 8, 13, 14, 15, 29}) {
          ConvShape shape;
          shape.batch = Pick(random, {1, 2});
          shape.groups = Pick(random, {3, 16, 35});
          shape.in = {height, width, 1};
          shape.kernel = {kernel, kernel, 1};
          shape.stride = {stride, stride, 1};
          shape.begin = {Pick(random, {0, 1, kernel / 2}), Pick(random, {0, 1, kernel / 2}), 0};
          shape.end = {Pick(random, {1, kernel / 2}), Pick(random, {1, kernel / 2}), 0};
          shape.bias = random() % 2 == 0;
          OpTest test;
          if (!MakeConv(shape, random, &test)) continue;
          CheckOp(device(), test, Kernel("depthwise"), 2e-5, "depthwise " + shape.Name());
        }
      }
    }
  }
}

// Images whose channels go through all lines in blocks, with blocks of less channels and vectors with tails at the end.
TEST_P(ConvOfFew, DepthwiseByBlocksOfChannels) {
  std::mt19937 random(23);
  for (const int64_t size : {9, 14, 28}) {
    for (const int64_t kernel : {3, 5}) {
      for (const int64_t stride : {1, 2}) {
        ConvShape shape;
        shape.groups = Pick(random, {131, 250});
        shape.in = {size, size, 1};
        shape.kernel = {kernel, kernel, 1};
        shape.stride = {stride, stride, 1};
        shape.begin = shape.end = {kernel / 2, kernel / 2, 0};
        shape.bias = true;
        OpTest test;
        ASSERT_TRUE(MakeConv(shape, random, &test));
        CheckOp(device(), test, Kernel("depthwise"), 2e-5, "depthwise " + shape.Name());
      }
    }
  }
}

// Whole and partial vectors of groups, each form of kernel, tiles of every size, chunks of channels.
TEST_P(ConvOfFew, NarrowGroups) {
  std::mt19937 random(18);
  int runs = 0;
  for (int i = 0; i < 200; ++i) {
    ConvShape shape;
    shape.rank = static_cast<int>(Pick(random, {1, 2, 2, 2}));
    shape.batch = Pick(random, {1, 2});
    shape.groups = Pick(random, {2, 3, 5, 8, 17});
    shape.in_per_group = shape.out_per_group = Pick(random, {2, 4});
    PickWindow(random, {1, 2, 5, 7, 14, 17, 33}, {1, 2, 3, 3, 3, 3, 5}, &shape);
    OpTest test;
    if (!MakeConv(shape, random, &test)) continue;
    ++runs;
    CheckOp(device(), test, Kernel("conv_grouped"), 2e-5, shape.Name());
  }
  EXPECT_GT(runs, 100);
}

// Pixels a page apart, which a cache does not keep together; images and weights that leave it.
TEST_P(ConvOfFew, LargeNarrowGroups) {
  std::mt19937 random(19);
  const auto check = [&](ConvShape shape, const std::string& what) {
    shape.in_per_group = shape.out_per_group = 4;
    OpTest test;
    ASSERT_TRUE(MakeConv(shape, random, &test)) << what;
    CheckOp(device(), test, Kernel("conv_grouped"), 2e-5, what);
  };
  ConvShape pages = Same3x3(1, 1, 17, 31);
  pages.groups = 256;
  check(pages, "pages");
  pages.in = {20, 16, 1};
  pages.stride = {2, 2, 1};
  check(pages, "pages, strides of 2");
  ConvShape chunks = Same3x3(1, 1, 6, 40);
  chunks.groups = 301;
  check(chunks, "a part of a vector");
  ConvShape weights = Same3x3(1, 1, 3, 7);
  weights.groups = 411;
  weights.kernel = {5, 5, 1};
  weights.begin = weights.end = {2, 2, 0};
  check(weights, "blocks of channels");
}

TEST_P(ConvOfFew, WorkersShareTheChannelsOfSmallImages) {
  std::mt19937 random(20);
  for (const int64_t repeat : {1, 3}) {
    ConvShape shape = Same3x3(1, repeat, 7, 5);
    shape.groups = 222;
    shape.bias = true;
    OpTest test;
    ASSERT_TRUE(MakeConv(shape, random, &test));
    CheckOp(device(), test, Kernel("depthwise"), 2e-5, shape.Name());
    const OpRun one = RunOp(device(), test, 1);
    for (const int threads : {2, 3, 7}) {
      const OpRun many = RunOp(device(), test, threads);
      EXPECT_EQ(many.units, threads);
      EXPECT_EQ(std::memcmp(one.dst[0].data(), many.dst[0].data(), one.dst[0].desc().ExtentBytes()), 0) << threads;
    }
  }
}

MOKA_ON_EVERY_TARGET(ConvOfFew);

}  // namespace
}  // namespace moka

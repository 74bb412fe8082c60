#include <cstring>
#include <random>
#include <utility>

#include "tests/cpu/conv_shape.h"

namespace moka {
namespace {

class Conv : public OnEveryTarget {};

TEST_P(Conv, RandomShapesWithTails) {
  std::mt19937 random(11);
  int runs = 0;
  for (int i = 0; i < 250; ++i) {
    ConvShape shape;
    shape.rank = static_cast<int>(Pick(random, {1, 2, 2, 2, 2, 3}));
    shape.batch = Pick(random, {1, 1, 2});
    shape.groups = Pick(random, {1, 1, 1, 2, 3});
    const bool few = shape.groups > 1 || shape.rank != 2;  // others have a kernel of their own
    shape.in_per_group = few ? Pick(random, {shape.groups > 1 ? 2 : 1, 3, 4, 5, 18, 17}) : Pick(random, {5, 6, 17, 18});
    shape.out_per_group = Pick(random, {5, 6, 8, 15, 16, 33, 65});
    for (int d = 0; d < shape.rank; ++d) {
      const auto k = static_cast<size_t>(d);
      shape.in[k] = Pick(random, {1, 2, 5, 7, 13});
      shape.kernel[k] = Pick(random, {1, 1, 2, 3, 3, 5});
      shape.stride[k] = Pick(random, {1, 1, 2, 3});
      shape.dilation[k] = Pick(random, {1, 1, 1, 2});
      shape.begin[k] = Pick(random, {0, 0, 1, 2, 4});
      shape.end[k] = Pick(random, {0, 0, 1, 3});
    }
    shape.row_major_src = random() % 4 == 0;
    shape.constant_weight = random() % 4 != 0;
    shape.bias = random() % 2 == 0;
    OpTest test;
    if (!MakeConv(shape, random, &test)) continue;
    ++runs;
    CheckOp(device(), test, Kernel("conv_igemm"), 1e-4, shape.Name());
  }
  EXPECT_GT(runs, 150);
}

// Planes, rows and columns of kernels that meet padding only, for all outputs or for some, in one, two and three
// dimensions; for any number of threads alike.
TEST_P(Conv, TapsOutsideOfTheImage) {
  std::mt19937 random(22);
  int runs = 0;
  for (int i = 0; i < 150; ++i) {
    ConvShape shape;
    shape.rank = static_cast<int>(Pick(random, {1, 2, 2, 3, 3}));
    shape.in_per_group = Pick(random, {5, 17});
    shape.out_per_group = Pick(random, {6, 33});
    for (int d = 0; d < shape.rank; ++d) {
      const auto k = static_cast<size_t>(d);
      shape.in[k] = Pick(random, {1, 2, 5, 9});
      shape.kernel[k] = Pick(random, {1, 2, 3, 3, 5});
      shape.stride[k] = Pick(random, {1, 1, 2});
      shape.dilation[k] = Pick(random, {1, 2, 4, 9, 14});
      shape.begin[k] = shape.kernel[k] / 2 * shape.dilation[k] + Pick(random, {0, 0, 1});
      shape.end[k] = shape.begin[k] + Pick(random, {-1, 0, 0, 3});
      if (shape.end[k] < 0) shape.end[k] = 0;
    }
    shape.constant_weight = random() % 3 != 0;
    OpTest test;
    if (!MakeConv(shape, random, &test) || RunOp(device(), test).kernel == Kernel("conv_winograd")) continue;
    ++runs;
    const OpRun run = CheckOp(device(), test, Kernel("conv_igemm"), 1e-4, shape.Name());
    const OpRun many = RunOp(device(), test, 3);
    EXPECT_EQ(std::memcmp(run.dst[0].data(), many.dst[0].data(), run.dst[0].desc().ExtentBytes()), 0) << shape.Name();
  }
  EXPECT_GT(runs, 100);
}

// Kernels most of which lies outside of small images run tap by tap, each over the pixels that it meets.
TEST_P(Conv, TapsInsideOfTheImage) {
  std::mt19937 random(30);
  int runs = 0;
  for (int i = 0; i < 120; ++i) {
    ConvShape shape;
    shape.rank = static_cast<int>(Pick(random, {1, 2, 2, 2, 3}));
    shape.batch = Pick(random, {1, 1, 2});
    shape.groups = Pick(random, {1, 1, 2});
    shape.in_per_group = Pick(random, {64, 67});
    shape.out_per_group = Pick(random, {5, 17, 66});
    for (int d = 0; d < shape.rank; ++d) {
      const auto k = static_cast<size_t>(d);
      shape.in[k] = Pick(random, {2, 5, 7});
      shape.kernel[k] = Pick(random, {2, 3, 3, 5});
      shape.stride[k] = Pick(random, {1, 1, 2});
      shape.dilation[k] = Pick(random, {1, 2, 4});
      shape.begin[k] = shape.kernel[k] / 2 * shape.dilation[k] + Pick(random, {0, 0, 1});
      shape.end[k] = shape.begin[k];
    }
    shape.bias = random() % 2 == 0;
    shape.constant_weight = random() % 3 != 0;
    OpTest test;
    if (!MakeConv(shape, random, &test) || RunOp(device(), test).kernel != Kernel("conv_inside")) continue;
    ++runs;
    CheckOp(device(), test, Kernel("conv_inside"), 1e-4, shape.Name());
  }
  EXPECT_GT(runs, 60);
}

TEST_P(Conv, PlainOnesOfNetworks) {
  std::mt19937 random(12);
  ConvShape first;  // the first layer reads the caller's picture
  first.in_per_group = 3;
  first.out_per_group = 64;
  first.in = {45, 60, 1};
  first.kernel = {7, 7, 1};
  first.stride = {2, 2, 1};
  first.begin = first.end = {3, 3, 0};
  first.row_major_src = true;
  ConvShape middle;
  middle.in_per_group = 64;
  middle.out_per_group = 72;
  middle.in = {28, 28, 1};
  middle.kernel = {3, 3, 1};
  middle.begin = middle.end = {1, 1, 0};
  ConvShape patches = middle;  // that lie side by side
  patches.kernel = patches.stride = {2, 2, 1};
  patches.begin = patches.end = {};
  ConvShape row = middle;
  row.in = {17, 17, 1};
  row.kernel = {1, 7, 1};
  row.begin = row.end = {0, 3, 0};
  ConvShape sound = row;  // whose only row is divided
  sound.in = {1, 1500, 1};
  sound.kernel = {1, 3, 1};
  sound.dilation = {1, 2, 1};
  sound.begin = sound.end = {0, 2, 0};
  ConvShape point;
  point.in_per_group = 96;
  point.out_per_group = 24;
  point.in = {14, 15, 1};
  const std::pair<ConvShape, const char*> networks[] = {{first, "conv_few"},     {middle, "conv_winograd"},
                                                        {patches, "conv_igemm"}, {row, "conv_igemm"},
                                                        {sound, "conv_igemm"},   {point, "conv_igemm"}};
  for (const auto& [shape, family] : networks) {
    OpTest test;
    ASSERT_TRUE(MakeConv(shape, random, &test));
    const OpRun run = CheckOp(device(), test, Kernel(family), 2e-4, shape.Name());
    EXPECT_GT(run.units, 0);
  }
}

ConvShape Points(int64_t in, int64_t out, int64_t height, int64_t width, int64_t stride) {
  ConvShape shape;
  shape.in_per_group = in;
  shape.out_per_group = out;
  shape.in = {height, width, 1};
  shape.stride = {stride, stride, 1};
  return shape;
}

// Products of pixels: large ones by Strassen's algorithm, and those of few pixels with weights from memory.
TEST_P(Conv, PointsOfManyChannels) {
  std::mt19937 random(21);
  ConvShape images = Points(514, 384, 7, 7, 1), no_bias = Points(512, 512, 7, 7, 1);
  images.batch = 2;
  no_bias.bias = false;
  ConvShape volume = Points(512, 513, 3, 2, 2);
  volume.rank = 3;
  volume.in[2] = 5;
  volume.stride[2] = 3;
  volume.batch = 2;
  const std::pair<ConvShape, const char*> cases[] = {{images, "conv_strassen"},
                                                     {Points(600, 384, 14, 15, 1), "conv_strassen"},
                                                     {Points(520, 384, 27, 21, 2), "conv_strassen"},
                                                     {no_bias, "conv_product"},
                                                     {Points(513, 520, 13, 13, 2), "conv_product"},
                                                     {volume, "conv_product"},
                                                     {Points(190, 256, 14, 15, 1), "conv_igemm"},
                                                     {Points(200, 128, 14, 15, 1), "conv_igemm"},
                                                     {Points(510, 510, 7, 7, 1), "conv_igemm"}};
  for (const auto& [shape, family] : cases) {
    OpTest test;
    ASSERT_TRUE(MakeConv(shape, random, &test));
    const bool plain = std::string_view(family) == "conv_strassen" && !HasStrassen();
    CheckOp(device(), test, Kernel(plain ? "conv_igemm" : family), 2e-4, shape.Name());
    const OpRun one = RunOp(device(), test, 1);
    for (const int threads : {2, 3, 5}) {
      const OpRun many = RunOp(device(), test, threads);
      EXPECT_EQ(std::memcmp(one.dst[0].data(), many.dst[0].data(), one.dst[0].desc().ExtentBytes()), 0)
          << shape.Name() << ", threads: " << threads;
    }
  }
  OpTest padded;
  ConvShape shape = Points(200, 256, 14, 15, 1);
  shape.begin = {0, 1, 0};
  ASSERT_TRUE(MakeConv(shape, random, &padded));
  CheckOp(device(), padded, Kernel("conv_igemm"), 2e-4, "padded");
}

// Its errors are relative to the largest results, some 60 here, not to each one.
constexpr double kWinogradTolerance = 4e-4;

// Whole and partial tiles, channels and panels with tails, pads of any size, blocks of rows and of parts of a row.
TEST_P(Conv, Winograd) {
  std::mt19937 random(17);
  for (int i = 0; i < 30; ++i) {
    ConvShape shape = Same3x3(Pick(random, {48, 53, 64, 130}), Pick(random, {40, 64, 71, 144}),
                              Pick(random, {15, 16, 18, 21}), Pick(random, {16, 17, 19, 24}));
    shape.batch = Pick(random, {1, 1, 2});
    shape.begin = {Pick(random, {0, 1, 1, 4}), Pick(random, {0, 1, 1, 5}), 0};
    shape.end = {Pick(random, {0, 1, 1, 3}), Pick(random, {0, 1, 1, 7}), 0};
    shape.bias = random() % 2 == 0;
    OpTest test;
    ASSERT_TRUE(MakeConv(shape, random, &test));
    CheckOp(device(), test, Kernel("conv_winograd"), kWinogradTolerance, shape.Name());
  }
  for (int i = 0; i < 8; ++i) {  // so small that the smaller tiles are cheaper
    ConvShape shape =
        Same3x3(Pick(random, {203, 240}), Pick(random, {189, 224}), Pick(random, {6, 7}), Pick(random, {6, 7}));
    shape.bias = random() % 2 == 0;
    OpTest test;
    ASSERT_TRUE(MakeConv(shape, random, &test));
    const OpRun run = CheckOp(device(), test, Kernel("conv_winograd"), kWinogradTolerance, shape.Name());
    EXPECT_LT(run.packed_bytes, 20 * sizeof(float) * static_cast<uint64_t>(shape.in_per_group * shape.out_per_group));
  }
  OpTest wide;
  ASSERT_TRUE(MakeConv(Same3x3(300, 64, 8, 130), random, &wide));
  CheckOp(device(), wide, Kernel("conv_winograd"), kWinogradTolerance, "wide");
}

// Sixteen tiles a block leave the last one of each row of tiles alone: it has the bits that it has among others.
TEST_P(Conv, WinogradTileAloneInItsBlock) {
  constexpr int64_t kRows = 11, kCols = 260, kLast = 256, kAmong = 40;
  constexpr size_t kIn = 144 * sizeof(float), kOut = 70 * sizeof(float);  // bytes of a pixel
  const auto at = [](int64_t y, int64_t x) { return static_cast<size_t>(y * kCols + x); };
  std::mt19937 random(23);
  OpTest test;
  ASSERT_TRUE(MakeConv(Same3x3(144, 70, kRows, kCols), random, &test));
  std::byte* pixels = test.src[0].data();
  for (int64_t y = 0; y < kRows; ++y) {  // the last tile's inputs end in padding
    std::memcpy(pixels + at(y, kAmong - 1) * kIn, pixels + at(y, kLast - 1) * kIn, 5 * kIn);
    std::memset(pixels + at(y, kAmong + 4) * kIn, 0, kIn);
  }
  const OpRun run = CheckOp(device(), test, Kernel("conv_winograd"), kWinogradTolerance, "tiles");
  const std::byte* results = run.dst[0].data();
  for (int64_t y = 0; y < kRows; ++y) {
    EXPECT_EQ(std::memcmp(results + at(y, kLast) * kOut, results + at(y, kAmong) * kOut, 4 * kOut), 0) << y;
  }
}

// The same with strides of 2, whose odd inputs have a kernel among them.
TEST_P(Conv, WinogradWithStrides) {
  std::mt19937 random(19);
  const auto run = [&](ConvShape shape) {
    shape.stride = {2, 2, 1};
    shape.bias = random() % 2 == 0;
    OpTest test;
    EXPECT_TRUE(MakeConv(shape, random, &test));
    const OpRun ran = CheckOp(device(), test, Kernel("conv_winograd"), kWinogradTolerance, shape.Name());
    return ran.packed_bytes / (sizeof(float) * static_cast<uint64_t>(shape.in_per_group * shape.out_per_group));
  };
  for (int i = 0; i < 8; ++i) {
    ConvShape shape = Same3x3(Pick(random, {100, 133, 160}), Pick(random, {96, 103, 144}),
                              Pick(random, {47, 48, 49, 58}), Pick(random, {47, 48, 50, 55}));
    shape.batch = Pick(random, {1, 1, 2});
    shape.begin = {Pick(random, {0, 1, 1, 4}), Pick(random, {0, 1, 1, 5}), 0};
    shape.end = {Pick(random, {0, 1, 1, 3}), Pick(random, {0, 1, 1, 7}), 0};
    run(shape);
  }
  EXPECT_GE(run(Same3x3(64, 64, 56, 56)), 36u);
  EXPECT_LT(run(Same3x3(203, 189, 19, 20)), 20u);  // the smaller tiles
  ConvShape uneven = Same3x3(64, 64, 40, 40);
  uneven.stride = {2, 1, 1};
  OpTest test;
  ASSERT_TRUE(MakeConv(uneven, random, &test));
  CheckOp(device(), test, Kernel("conv_igemm"), 3e-5, "uneven");
}

TEST_P(Conv, WinogradOfGroups) {
  std::mt19937 random(37);
  for (int i = 0; i < 6; ++i) {
    ConvShape shape =
        Same3x3(Pick(random, {64, 69}), Pick(random, {40, 64, 71}), Pick(random, {47, 48}), Pick(random, {47, 50}));
    shape.groups = Pick(random, {2, 3});
    shape.batch = Pick(random, {1, 1, 2});
    shape.stride[0] = shape.stride[1] = Pick(random, {1, 1, 2});
    shape.bias = random() % 2 == 0;
    OpTest test;
    ASSERT_TRUE(MakeConv(shape, random, &test));
    CheckOp(device(), test, Kernel("conv_winograd"), kWinogradTolerance, shape.Name());
  }
}

// F(2x2, 5x5).
TEST_P(Conv, WinogradOfFiveTaps) {
  std::mt19937 random(23);
  for (int i = 0; i < 12; ++i) {
    ConvShape shape = Same3x3(Pick(random, {48, 53, 96}), Pick(random, {40, 64, 71}), Pick(random, {14, 15, 16, 27}),
                              Pick(random, {16, 17, 31}));
    shape.kernel = {5, 5, 1};
    shape.batch = Pick(random, {1, 1, 2});
    shape.begin = {Pick(random, {0, 2, 2, 6}), Pick(random, {0, 2, 2, 7}), 0};
    shape.end = {Pick(random, {0, 2, 2, 5}), Pick(random, {0, 2, 2, 9}), 0};
    shape.bias = random() % 2 == 0;
    OpTest test;
    ASSERT_TRUE(MakeConv(shape, random, &test));
    const OpRun run = CheckOp(device(), test, Kernel("conv_winograd"), kWinogradTolerance, shape.Name());
    EXPECT_GE(run.packed_bytes, 36 * sizeof(float) * static_cast<uint64_t>(shape.in_per_group * shape.out_per_group));
  }
  ConvShape strided = Same3x3(64, 64, 30, 30);
  strided.kernel = {5, 5, 1};
  strided.stride = {2, 2, 1};
  OpTest test;
  ASSERT_TRUE(MakeConv(strided, random, &test));
  CheckOp(device(), test, Kernel("conv_igemm"), 2e-4, "strided");
}

// Dilated kernels, whose images between each other differ by a row or a column, and may lack both.
TEST_P(Conv, WinogradOfDilatedKernels) {
  std::mt19937 random(31);
  for (int i = 0; i < 8; ++i) {
    ConvShape shape = Same3x3(Pick(random, {64, 69}), Pick(random, {64, 71}), 0, 0);
    shape.batch = Pick(random, {1, 1, 2});
    shape.dilation = {Pick(random, {1, 2, 3}), 2, 1};
    for (size_t d = 0; d < 2; ++d) {
      shape.in[d] = shape.dilation[d] * Pick(random, {15, 16}) + Pick(random, {0, 0, 1});
      shape.begin[d] = Pick(random, {shape.dilation[d], shape.dilation[d], int64_t{0}, int64_t{1}});
      shape.end[d] = Pick(random, {shape.dilation[d], shape.dilation[d], int64_t{3}});
    }
    shape.bias = random() % 2 == 0;
    OpTest test;
    ASSERT_TRUE(MakeConv(shape, random, &test));
    CheckOp(device(), test, Kernel("conv_winograd"), kWinogradTolerance, shape.Name());
  }
  ConvShape volume = Same3x3(64, 40, 0, 0);
  volume.rank = 3;
  volume.in = {3, 33, 32};
  volume.kernel = {3, 3, 3};
  volume.dilation = {1, 2, 2};
  volume.begin = volume.end = {1, 2, 2};
  OpTest test;
  ASSERT_TRUE(MakeConv(volume, random, &test));
  CheckOp(device(), test, Kernel("conv_winograd"), kWinogradTolerance, "volume");
  ConvShape strided = Same3x3(64, 64, 60, 60);
  strided.stride = strided.dilation = {2, 2, 1};
  OpTest refused;
  ASSERT_TRUE(MakeConv(strided, random, &refused));
  CheckOp(device(), refused, Kernel("conv_igemm"), 2e-4, "strides and dilations");
}

// Volumes: their planes one by one, whatever the kernel does across them.
TEST_P(Conv, WinogradOfPlanes) {
  std::mt19937 random(29);
  int by_planes = 0;
  for (int i = 0; i < 16; ++i) {
    ConvShape shape = Same3x3(Pick(random, {40, 53, 64}), Pick(random, {40, 64, 71}), 0, 0);
    const int64_t taps = Pick(random, {3, 3, 3, 5}), stride = taps == 3 ? Pick(random, {1, 1, 2}) : 1;
    shape.rank = 3;
    shape.batch = Pick(random, {1, 1, 2});
    shape.in = {Pick(random, {1, 2, 3, 7, 9}), stride * Pick(random, {16, 17, 21}),
                stride * Pick(random, {16, 19, 24})};
    shape.kernel = {Pick(random, {1, 2, 3, 3, 5}), taps, taps};
    shape.stride = {Pick(random, {1, 1, 2, 4}), stride, stride};
    shape.dilation = {Pick(random, {1, 1, 1, 2}), 1, 1};
    shape.begin = {Pick(random, {0, 1, 1, 2, 6}), taps / 2, Pick(random, {0, taps / 2})};
    shape.end = {Pick(random, {0, 1, 1, 7}), taps / 2, Pick(random, {0, taps / 2})};
    shape.bias = random() % 2 == 0;
    OpTest test;
    if (!MakeConv(shape, random, &test)) continue;
    const OpRun run = RunOp(device(), test);
    by_planes += run.kernel == Kernel("conv_winograd") ? 1 : 0;
    CheckOp(device(), test, run.kernel, kWinogradTolerance, shape.Name());
  }
  EXPECT_GE(by_planes, 9);  // some kernels meet little but padding
}

// By lines, and by panels where lines are few. Less work than a launch is not.
TEST_P(Conv, SmallOnesAreDividedAmongWorkers) {
  std::mt19937 random(34);
  struct Small {
    int64_t in, out, size;
    bool divided;
  };
  for (const Small& small :
       {Small{40, 240, 14, true}, {240, 40, 14, true}, {288, 96, 7, true}, {16400, 8, 13, true}, {16, 24, 14, false}}) {
    ConvShape shape;
    shape.in_per_group = small.in;
    shape.out_per_group = small.out;
    shape.in = {small.size, small.size, 1};
    OpTest test;
    ASSERT_TRUE(MakeConv(shape, random, &test));
    const OpRun one = CheckOp(device(), test, Kernel("conv_igemm"), 2e-4, shape.Name());
    EXPECT_EQ(one.units, 1) << shape.Name();
    const OpRun two = RunOp(device(), test, 2);
    EXPECT_EQ(two.units, small.divided ? 2 : 1) << shape.Name();
    EXPECT_EQ(std::memcmp(one.dst[0].data(), two.dst[0].data(), one.dst[0].desc().ExtentBytes()), 0) << shape.Name();
  }
}

TEST_P(Conv, Epilogues) {
  std::mt19937 random(14);
  for (const std::string family : {"depthwise", "conv_grouped", "conv_few", "conv_dot", "conv_igemm", "conv_inside",
                                   "conv_winograd", "conv_strassen", "conv_product"}) {
    if (family == "conv_strassen" && !HasStrassen()) continue;
    for (int run = 0; run < (family == "conv_winograd" ? 8 : 4); ++run) {
      const int kind = run % 4;
      ConvShape shape = family == "conv_winograd" ? Same3x3(64, 67, 18, 21) : Same3x3(9, 35, 9, 11);
      if (run >= 4) {
        shape.in = {36, 43, 1};
        shape.dilation = {2, 2, 1};
        shape.begin = shape.end = {2, 2, 0};
        shape.groups = 2;
      }
      if (family == "depthwise") {
        shape.groups = 35;
        shape.in_per_group = shape.out_per_group = 1;
      } else if (family == "conv_grouped") {
        shape.groups = 9;
        shape.in_per_group = shape.out_per_group = 4;
      } else if (family == "conv_few") {
        shape = Same3x3(3, 35, 9, 17);
      } else if (family == "conv_dot") {
        shape = Same3x3(64, 3, 9, 11);
      } else if (family == "conv_inside") {
        shape = Same3x3(64, 35, 9, 11);
        shape.dilation = shape.begin = shape.end = {6, 6, 0};
        shape.dilation[2] = 1;
      } else if (family == "conv_strassen") {
        shape = Points(514, 384, 9, 11, 1);
      } else if (family == "conv_product") {
        shape = Points(513, 512, 9, 10, 1);
      }
      OpTest test;
      ASSERT_TRUE(MakeConv(shape, random, &test));
      test.program_begin = 3;
      MicroProgram& program = test.program;
      const auto r0 = MicroRegister(0), s0 = MicroSource(0);
      if (kind == 0) {
        program.ops[program.num_ops++] = {MicroOp::kHardSwish, 0, r0, 0, 0, {}};
      } else {
        program.num_sources = 1;
        program.ops[program.num_ops++] = {kind == 3 ? MicroOp::kMul : MicroOp::kAdd, 0, r0, s0, 0, {}};
        program.ops[program.num_ops++] = {MicroOp::kMax, 0, r0, MicroConstant(0), 0, {}};
        program.num_constants = 1;
        Shape source = test.dst[0].shape();
        if (kind == 2) source[2] = source[3] = 1;
        if (kind == 3) source[1] = 1;
        test.AddFloats(MakeDense(DataType::kF32, source, Format::kChannelsLast), random);
        if (kind == 1 && family != "conv_few") test.in_place = 3;
      }
      const bool deep = family == "conv_strassen" || family == "conv_product";
      const double tolerance = family == "conv_winograd" ? kWinogradTolerance : deep ? 2e-4 : 3e-5;
      CheckOp(device(), test, Kernel(family), tolerance, family + ", epilogue " + std::to_string(run));
    }
  }
}

TEST_P(Conv, BitIdenticalForAnyNumberOfThreads) {
  std::mt19937 random(15);
  ConvShape strided = Same3x3(32, 48, 80, 80);
  strided.stride = {2, 2, 1};
  ConvShape depthwise = Same3x3(1, 1, 79, 80);
  depthwise.groups = 48;
  ConvShape groups = Same3x3(48, 40, 30, 40);
  groups.groups = 3;
  ConvShape volume = Same3x3(40, 48, 0, 0);
  volume.rank = 3;
  volume.in = {3, 25, 24};
  volume.kernel = {3, 3, 3};
  volume.begin = volume.end = {1, 1, 1};
  for (ConvShape shape :
       {strided, groups, volume, Same3x3(32, 48, 40, 40), Same3x3(3, 48, 60, 75), Same3x3(64, 2, 45, 45), depthwise}) {
    shape.batch = 2;
    OpTest test;
    ASSERT_TRUE(MakeConv(shape, random, &test));
    const OpRun one = RunOp(device(), test, 1);
    ASSERT_GT(one.units, 7);
    for (const int threads : {2, 3, 7}) {
      const OpRun many = RunOp(device(), test, threads);
      EXPECT_EQ(std::memcmp(one.dst[0].data(), many.dst[0].data(), one.dst[0].desc().ExtentBytes()), 0) << threads;
    }
  }
}

TEST_P(Conv, RefusesRowMajorResults) {
  std::mt19937 random(16);
  ConvShape shape;
  shape.out_per_group = 4;
  shape.in = {5, 5, 1};
  OpTest test;
  ASSERT_TRUE(MakeConv(shape, random, &test));
  test.dst = {MakeDense(DataType::kF32, test.dst[0].shape())};
  const OpRun run = RunOp(device(), test);
  EXPECT_EQ(run.kernel, "reference/Conv");
  EXPECT_NE(run.refusals.find("dst: stride of C is 25, not 1"), std::string::npos) << run.refusals;
}

MOKA_ON_EVERY_TARGET(Conv);

}  // namespace
}  // namespace moka

#include "ops/tensor_desc.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "ops/element.h"

namespace moka {
namespace {

// Offsets of all elements in row-major order of the shape.
std::vector<int64_t> Offsets(const TensorDesc& desc) {
  std::vector<int64_t> offsets;
  ForEachIndex(desc, [&](const Index& index) { offsets.push_back(OffsetOf(desc, index)); });
  return offsets;
}

Shape RandomShape(std::mt19937& rng, int max_rank, int64_t max_dim) {
  Shape shape(rng() % static_cast<unsigned>(max_rank + 1));
  for (int64_t& dim : shape) dim = 1 + static_cast<int64_t>(rng() % static_cast<uint64_t>(max_dim));
  return shape;
}

// A shape with the same number of elements: prime factors dealt to random positions.
Shape RandomReshape(std::mt19937& rng, const Shape& shape) {
  int64_t n = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  Shape result(1 + rng() % 5, 1);
  // Half of the time the factors go inwards in order, so that many reshapes are views.
  const bool ordered = rng() % 2 == 0;
  size_t position = 0;
  for (int64_t prime : {2, 3, 5, 7, 11, 13}) {
    for (; n % prime == 0; n /= prime) {
      position = ordered ? std::min(result.size() - 1, position + rng() % 2) : rng() % result.size();
      result[position] *= prime;
    }
  }
  return result;
}

TEST(TensorDesc, MakeDenseKnowsFormatsAndPadding) {
  EXPECT_EQ(ToString(MakeDense(DataType::kF32, {2, 3, 4, 5})), "f32[2,3,4,5]");
  const TensorDesc nhwc = MakeDense(DataType::kF32, {2, 3, 4, 5}, Format::kChannelsLast);
  EXPECT_EQ(ToString(nhwc), "f32[2,3,4,5]{nhwc}");
  EXPECT_EQ(nhwc.strides[0], 60);
  EXPECT_EQ(nhwc.strides[1], 1);
  EXPECT_EQ(nhwc.strides[2], 15);
  EXPECT_EQ(nhwc.strides[3], 3);
  const TensorDesc padded = MakeDense(DataType::kF32, {2, 3, 4, 5}, Format::kChannelsLast, 4);
  EXPECT_EQ(padded.strides[3], 4);
  EXPECT_EQ(padded.Extent(), 2 * 4 * 5 * 4 - 1);
  EXPECT_TRUE(IsDense(padded, Format::kChannelsLast, 4));
  EXPECT_FALSE(IsDense(padded, Format::kChannelsLast));
  EXPECT_EQ(MakeDense(DataType::kF32, {3, 5}, Format::kRowMajor, 4).strides[0], 8);
  EXPECT_EQ(MakeDense(DataType::kF32, {3, 5, 7}, Format::kRowMajor, 4).strides[1], 7);
  EXPECT_EQ(MakeDense(DataType::kI64, {}).NumElements(), 1);
  EXPECT_EQ(MakeDense(DataType::kI64, {0, 3}).Extent(), 0);
  EXPECT_EQ(MakeDense(DataType::kI64, {5}).ExtentBytes(), 40u);
}

TEST(TensorDesc, DenseDescsReachEveryElementOnce) {
  std::mt19937 rng(1);
  for (int i = 0; i < 300; ++i) {
    const Format format = rng() % 2 ? Format::kRowMajor : Format::kChannelsLast;
    const TensorDesc desc = MakeDense(DataType::kF32, RandomShape(rng, 5, 5), format, rng() % 2 ? 1 : 4);
    std::vector<int64_t> offsets = Offsets(desc);
    ASSERT_EQ(static_cast<int64_t>(offsets.size()), desc.NumElements());
    std::sort(offsets.begin(), offsets.end());
    ASSERT_EQ(std::unique(offsets.begin(), offsets.end()), offsets.end()) << ToString(desc);
    ASSERT_EQ(offsets.back() + 1, desc.Extent());
  }
}

// Strides that reproduce `offsets` for `shape`, or none: the reshape cannot be a view.
bool Expressible(const Shape& shape, const std::vector<int64_t>& offsets) {
  TensorDesc candidate = MakeDense(DataType::kF32, shape);
  for (int i = 0; i < candidate.rank; ++i) {
    const int64_t step = MakeDense(DataType::kF32, shape).strides[static_cast<size_t>(i)];
    if (candidate.dims[static_cast<size_t>(i)] > 1) {
      candidate.strides[static_cast<size_t>(i)] = offsets[static_cast<size_t>(step)] - offsets[0];
    }
  }
  return Offsets(candidate) == offsets;
}

TEST(TensorDesc, ReshapeViewIsRightAndFindsEveryView) {
  std::mt19937 rng(2);
  int views = 0, copies = 0;
  for (int i = 0; i < 4000; ++i) {
    const Format format = rng() % 2 ? Format::kRowMajor : Format::kChannelsLast;
    TensorDesc src = MakeDense(DataType::kF32, RandomShape(rng, 5, 6), format, rng() % 2 ? 1 : 4);
    if (rng() % 2) {
      std::array<int, kMaxRank> perm;
      std::iota(perm.begin(), perm.end(), 0);
      std::shuffle(perm.begin(), perm.begin() + src.rank, rng);
      TransposeView(src, perm.data(), &src);
    }
    const Shape shape = RandomReshape(rng, src.shape());
    TensorDesc view;
    const bool ok = ReshapeView(src, shape, &view);
    ASSERT_EQ(ok, Expressible(shape, Offsets(src))) << ToString(src) << " -> " << ToString(shape);
    if (ok) {
      ASSERT_EQ(Offsets(view), Offsets(src)) << ToString(src) << " -> " << ToString(view);
    }
    ++(ok ? views : copies);
  }
  EXPECT_GT(views, 500);
  EXPECT_GT(copies, 500);
}

TEST(TensorDesc, ChannelShuffleIsTwoViewsAndOneCopy) {
  const TensorDesc image = MakeDense(DataType::kF32, {1, 116, 28, 28}, Format::kChannelsLast);
  TensorDesc split, shuffled, merged;
  ASSERT_TRUE(ReshapeView(image, {1, 2, 58, 28, 28}, &split));
  const int perm[] = {0, 2, 1, 3, 4};
  TransposeView(split, perm, &shuffled);
  EXPECT_FALSE(ReshapeView(shuffled, {1, 116, 28, 28}, &merged));
}

TEST(TensorDesc, ReshapeViewOfEmptyAndWrongCount) {
  TensorDesc view;
  EXPECT_TRUE(ReshapeView(MakeDense(DataType::kF32, {0, 3}), {3, 0, 2}, &view));
  EXPECT_EQ(view.NumElements(), 0);
  EXPECT_FALSE(ReshapeView(MakeDense(DataType::kF32, {2, 3}), {7}, &view));
  EXPECT_TRUE(ReshapeView(MakeDense(DataType::kF32, {1, 1}), {}, &view));
  EXPECT_EQ(view.rank, 0);
}

TEST(TensorDesc, BroadcastViewRepeatsByZeroStrides) {
  const TensorDesc channel = MakeDense(DataType::kF32, {3, 1, 1});
  TensorDesc view;
  ASSERT_TRUE(BroadcastView(channel, {2, 3, 4, 5}, &view));
  ForEachIndex(view, [&](const Index& index) { ASSERT_EQ(OffsetOf(view, index), index[1]); });
  EXPECT_FALSE(BroadcastView(channel, {2, 4, 4, 5}, &view));
  EXPECT_FALSE(BroadcastView(channel, {1, 1}, &view));
}

}  // namespace
}  // namespace moka

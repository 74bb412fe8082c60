#include "ops/pool.h"

#include <gtest/gtest.h>

#include "tests/ops/run_op.h"

namespace moka {
namespace {

const AttributeValue kOne = int64_t{1};
using Ints64 = std::vector<int64_t>;

TEST(MaxPool, IgnoresPaddingEvenBelowZero) {
  ExpectOp(
      RunOp("MaxPool", Attrs({{"kernel_shape", Ints64{2}}, {"pads", Ints64{1, 1}}}), {Given({1, 1, 3}, {-5, -3, -4})}),
      {1, 1, 4}, {-5, -3, -3, -4});
}

TEST(MaxPool, CeilModeKeepsPartWindowsButNoneBeyondTheInput) {
  const Attributes attrs = Attrs({{"kernel_shape", Ints64{2}}, {"strides", Ints64{2}}, {"ceil_mode", kOne}});
  ExpectOp(RunOp("MaxPool", attrs, {Counting({1, 1, 5})}), {1, 1, 3}, {2, 4, 5});
  const Attributes sparse = Attrs({{"kernel_shape", Ints64{1}}, {"strides", Ints64{3}}, {"ceil_mode", kOne}});
  ExpectOp(RunOp("MaxPool", sparse, {Counting({1, 1, 5})}), {1, 1, 2}, {1, 4});
}

TEST(MaxPool, IndicesCountTheWholeTensorInEitherOrder) {
  const CaseOperand x = Given({1, 2, 2, 3}, {1, 9, 2, 3, 4, 5, 6, 0, 0, 0, 0, 7});
  Attributes attrs = Attrs({{"kernel_shape", Ints64{2, 3}}});
  ExpectOp(RunOp("MaxPool", attrs, {x}, 1), {1, 2, 1, 1}, {1, 11});
  attrs.Set("storage_order", kOne);
  ExpectOp(RunOp("MaxPool", attrs, {x}, 1), {1, 2, 1, 1}, {2, 11});
}

TEST(MaxPool, FirstOfEqualElementsWinsAndNaNStays) {
  const Attributes attrs = Attrs({{"kernel_shape", Ints64{3}}});
  ExpectOp(RunOp("MaxPool", attrs, {Given({1, 1, 3}, {4, 4, 4})}, 1), {1, 1, 1}, {0});
  const auto got = RunOp("MaxPool", attrs, {Given({1, 1, 3}, {4, std::nan(""), 5})});
  ASSERT_TRUE(got.ok());
  EXPECT_TRUE(std::isnan(got->values[0]));
}

TEST(MaxPool, KeepsSmallIntegerTypes) {
  ExpectOp(RunOp("MaxPool", Attrs({{"kernel_shape", Ints64{2}}}), {Given({1, 1, 3}, {-7, -9, -8}, DataType::kI8)}),
           {1, 1, 2}, {-7, -8});
}

TEST(AveragePool, DividesByInputsOrByThePaddedWindow) {
  const CaseOperand x = Given({1, 1, 4}, {2, 4, 6, 8});
  Attributes attrs = Attrs({{"kernel_shape", Ints64{2}}, {"pads", Ints64{1, 1}}});
  ExpectOp(RunOp("AveragePool", attrs, {x}), {1, 1, 5}, {2, 3, 5, 7, 8});
  attrs.Set("count_include_pad", kOne);
  ExpectOp(RunOp("AveragePool", attrs, {x}), {1, 1, 5}, {1, 3, 5, 7, 4});
}

TEST(AveragePool, CountsNothingThatCeilModeAddsBeyondThePads) {
  // Windows [pad 2 4] [6 8 pad], and with the end pad gone [6 8]: the third position does not exist at all.
  const CaseOperand x = Given({1, 1, 4}, {2, 4, 6, 8});
  Attributes attrs = Attrs({{"kernel_shape", Ints64{3}},
                            {"strides", Ints64{3}},
                            {"pads", Ints64{1, 0}},
                            {"ceil_mode", kOne},
                            {"count_include_pad", kOne}});
  ExpectOp(RunOp("AveragePool", attrs, {x}), {1, 1, 2}, {2, 7});
  attrs.Set("pads", Ints64{1, 1});
  ExpectOp(RunOp("AveragePool", attrs, {Given({1, 1, 4}, {3, 6, 6, 9})}), {1, 1, 2}, {3, 5});
}

TEST(AveragePool, DilatedWindowsSkipElements) {
  ExpectOp(RunOp("AveragePool", Attrs({{"kernel_shape", Ints64{2}}, {"dilations", Ints64{2}}}), {Counting({1, 1, 4})}),
           {1, 1, 2}, {2, 3});
}

TEST(GlobalPool, CoversEverySpatialDimension) {
  ExpectOp(RunOp("GlobalAveragePool", {}, {Counting({1, 2, 2, 2})}), {1, 2, 1, 1}, {2.5, 6.5});
  ExpectOp(RunOp("GlobalMaxPool", {}, {Counting({2, 1, 3})}), {2, 1, 1}, {3, 6});
}

}  // namespace
}  // namespace moka

#include <gtest/gtest.h>

#include "ops/pad.h"
#include "ops/slice.h"
#include "tests/ops/run_op.h"

namespace moka {
namespace {

TEST(Reshape, CopiesZerosInfersMinusOneAndKeepsOrder) {
  ExpectOp(RunOp("Reshape", {}, {Counting({2, 3}), Ints({0, -1, 1})}), {2, 3, 1}, {1, 2, 3, 4, 5, 6});
  ExpectOp(RunOp("Reshape", {}, {Counting({2, 3}), Ints({3, 2})}), {3, 2}, {1, 2, 3, 4, 5, 6});
  ExpectOp(RunOp("Reshape", Attrs({{"allowzero", int64_t{1}}}), {Fed({0, 3}), Ints({3, 0})}), {3, 0}, {});
  ExpectOp(RunOp("Reshape", {}, {Counting({1}), Ints({})}), {}, {1});
}

TEST(Reshape, FlattenSqueezeUnsqueezeChangeTheShapeOnly) {
  ExpectOp(RunOp("Flatten", Attrs({{"axis", int64_t{0}}}), {Counting({2, 2})}), {1, 4}, {1, 2, 3, 4});
  ExpectOp(RunOp("Flatten", Attrs({{"axis", int64_t{-1}}}), {Counting({1, 2, 2})}), {2, 2}, {1, 2, 3, 4});
  ExpectOp(RunOp("Squeeze", {}, {Counting({1, 2, 1}), Ints({-1})}), {1, 2}, {1, 2});
  ExpectOp(RunOp("Squeeze", {}, {Counting({1, 2, 1})}), {2}, {1, 2});
  ExpectOp(RunOp("Unsqueeze", {}, {Counting({2}), Ints({-1, 0})}), {1, 2, 1}, {1, 2});
}

TEST(Transpose, PermutesAndReversesByDefault) {
  ExpectOp(RunOp("Transpose", {}, {Counting({2, 3})}), {3, 2}, {1, 4, 2, 5, 3, 6});
  ExpectOp(RunOp("Transpose", Attrs({{"perm", List({1, 2, 0})}}), {Counting({2, 1, 3})}), {1, 3, 2},
           {1, 4, 2, 5, 3, 6});
}

TEST(Concat, PutsPartsAlongTheAxisAndSplitTakesThemApart) {
  ExpectOp(RunOp("Concat", Attrs({{"axis", int64_t{-1}}}), {Counting({2, 1}), Given({2, 2}, {7, 8, 9, 10})}), {2, 3},
           {1, 7, 8, 2, 9, 10});
  const Attributes axis = Attrs({{"axis", int64_t{1}}});
  ExpectOp(RunOp("Split", axis, {Counting({2, 3})}, 0), {2, 3}, {1, 2, 3, 4, 5, 6});
  ExpectOp(RunOp("Split", axis, {Counting({2, 3})}, 1), {2, 1}, {3, 6});
  ExpectOp(RunOp("Split", axis, {Counting({2, 4}), Ints({1, 3})}, 1), {2, 3}, {2, 3, 4, 6, 7, 8});
}

TEST(Slice, ClampsCountsFromTheEndAndWalksBackwards) {
  const auto slice = [](CaseOperand starts, CaseOperand ends, CaseOperand steps) {
    return RunOp("Slice", {}, {Counting({5}), starts, ends, Ints({0}), steps});
  };
  ExpectOp(slice(Ints({-3}), Ints({INT64_MAX}), Absent()), {3}, {3, 4, 5});
  ExpectOp(slice(Ints({INT64_MIN}), Ints({-1}), Ints({2})), {2}, {1, 3});
  ExpectOp(slice(Ints({-1}), Ints({INT64_MIN}), Ints({-2})), {3}, {5, 3, 1});
  ExpectOp(slice(Ints({INT64_MAX}), Ints({0}), Ints({-1})), {4}, {5, 4, 3, 2});
  ExpectOp(slice(Ints({3}), Ints({3}), Absent()), {0}, {});
  ExpectOp(slice(Ints({1}), Ints({5}), Ints({INT64_MAX})), {1}, {2});
  ExpectOp(slice(Ints({3}), Ints({0}), Ints({INT64_MIN})), {1}, {4});
}

TEST(Slice, ForwardSlicesAreViewsBackwardOnesAreNot) {
  const auto view = [](std::initializer_list<int64_t> start, std::initializer_list<int64_t> end, int64_t step) {
    const auto data = CaseData::Make(
        MakeCase("Slice/", {}, {Fed({4, 6}), Ints(start), Ints(end), Ints({1}), Ints({step})}), CaseLayout{});
    TensorDesc desc;
    int64_t offset = -1;
    const OpCall& call = (*data)->call();
    return call.op->view(call, 0, &desc, &offset) ? StrCat(ToString(desc.shape()), "+", offset, " by ", desc.strides[1])
                                                  : "none";
  };
  EXPECT_EQ(view({1}, {6}, 2), "[4, 3]+1 by 2");
  EXPECT_EQ(view({4}, {1}, -1), "none");
  EXPECT_EQ(view({4}, {3}, -1), "[4, 1]+4 by 1");
}

TEST(Pad, RepeatsByItsMode) {
  const auto pad = [](const char* mode, CaseOperand pads) {
    return RunOp("Pad", Attrs({{"mode", std::string(mode)}}), {Counting({3}), pads});
  };
  ExpectOp(pad("constant", Ints({1, 2})), {6}, {0, 1, 2, 3, 0, 0});
  ExpectOp(pad("edge", Ints({1, 2})), {6}, {1, 1, 2, 3, 3, 3});
  ExpectOp(pad("reflect", Ints({2, 2})), {7}, {3, 2, 1, 2, 3, 2, 1});
  ExpectOp(pad("wrap", Ints({2, 4})), {9}, {2, 3, 1, 2, 3, 1, 2, 3, 1});
  ExpectOp(pad("constant", Ints({-1, 1})), {3}, {2, 3, 0});
  ExpectOp(RunOp("Pad", {}, {Counting({2}), Ints({0, 1}), Given({}, {7})}), {3}, {1, 2, 7});
  ExpectOp(RunOp("Pad", {}, {Counting({1, 2}), Ints({1, 0}), Given({}, {7}), Ints({-2})}), {2, 2}, {7, 7, 1, 2});
}

TEST(Gather, TakesSlicesAndCountsNegativeIndices) {
  const CaseOperand indices = Given({2}, {-1, 0}, DataType::kI64);
  ExpectOp(RunOp("Gather", {}, {Counting({3, 2}), indices}), {2, 2}, {5, 6, 1, 2});
  ExpectOp(RunOp("Gather", Attrs({{"axis", int64_t{1}}}), {Counting({2, 3}), indices}), {2, 2}, {3, 1, 6, 4});
  ExpectOp(RunOp("Gather", {}, {Counting({3}), Given({}, {1}, DataType::kI32)}), {}, {2});
}

TEST(Gather, NamesTheElementThatIsOutOfRange) {
  const auto got = RunOp("Gather", {}, {Counting({3}), Given({2, 2}, {0, 2, -4, 1}, DataType::kI64)});
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(got.status().message(), "src 1 (indices): element 2 is -4, expected -3 to 2");
}

TEST(Shape, GivesDimensionsOfARange) {
  ExpectOp(RunOp("Shape", {}, {Fed({2, 3, 4})}), {3}, {2, 3, 4});
  ExpectOp(RunOp("Shape", Attrs({{"start", int64_t{-2}}, {"end", int64_t{9}}}), {Fed({2, 3, 4})}), {2}, {3, 4});
  ExpectOp(RunOp("Size", {}, {Fed({2, 3, 4})}), {}, {24});
}

TEST(Expand, RepeatsByNumpysRules) {
  ExpectOp(RunOp("Expand", {}, {Given({2, 1}, {1, 2}), Ints({2, 1, 3})}), {2, 2, 3},
           {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2});
  ExpectOp(RunOp("Expand", {}, {Given({}, {4}), Ints({2})}), {2}, {4, 4});
  ExpectOp(RunOp("Expand", {}, {Counting({2, 2}), Ints({1})}), {2, 2}, {1, 2, 3, 4});
}

TEST(ConstantOfShape, FillsWithItsValue) {
  static const int64_t kSeven = 7;
  HostTensor value;
  value.desc = MakeDense(DataType::kI64, {1});
  value.data = &kSeven;
  ExpectOp(RunOp("ConstantOfShape", Attrs({{"value", value}}), {Ints({3})}), {3}, {7, 7, 7});
  ExpectOp(RunOp("ConstantOfShape", {}, {Ints({1, 2})}), {1, 2}, {0, 0});
  ExpectOp(RunOp("ConstantOfShape", {}, {Ints({})}), {}, {0});
}

TEST(Range, CountsUpAndDownAndStopsBeforeTheLimit) {
  const auto scalar = [](double value, DataType type) { return Constant(Given({}, {value}, type)); };
  const auto range = [&](double start, double limit, double delta, DataType type) {
    return RunOp("Range", {}, {scalar(start, type), scalar(limit, type), scalar(delta, type)});
  };
  ExpectOp(range(1, 8, 3, DataType::kI64), {3}, {1, 4, 7});
  ExpectOp(range(5, 0, -2, DataType::kI32), {3}, {5, 3, 1});
  ExpectOp(range(0, 1, 0.25, DataType::kF32), {4}, {0, 0.25, 0.5, 0.75});
  ExpectOp(range(3, 3, 1, DataType::kI64), {0}, {});
  EXPECT_FALSE(range(0, 1, 0, DataType::kI64).ok());
  EXPECT_FALSE(range(0, 3e38, 1e-38, DataType::kF32).ok());
}

}  // namespace
}  // namespace moka

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "base/str_cat.h"
#include "tests/cpu/kernel_check.h"

namespace moka::cpu {
namespace {

using List64 = std::vector<int64_t>;

OpCase Transpose(const std::string& name, Shape x, List64 perm, DataType type = DataType::kF32) {
  return MakeCase(StrCat("Transpose/", name), Attrs({{"perm", std::move(perm)}}), {Fed(std::move(x), type)});
}
OpCase Copy(const std::string& name, Shape x, DataType type = DataType::kF32) {
  return MakeCase(StrCat("moka.Copy/", name), {}, {Fed(std::move(x), type)});
}
OpCase Reshape(const std::string& name, Shape x, CaseOperand shape, DataType type = DataType::kF32) {
  return MakeCase(StrCat("Reshape/", name), {}, {Fed(std::move(x), type), std::move(shape)});
}

constexpr DataType kTypes[] = {DataType::kF32,  DataType::kI32, DataType::kI64,
                               DataType::kBool, DataType::kU8,  DataType::kI16};
constexpr CaseLayout kLayouts[] = {{}, kChannelsLastLayout, kToChannelsLast, kToRowMajor, kStridedRows};

TEST(CopyKernels, MatchOracleInEveryCaseOfTheSuite) { EXPECT_GT(ExpectKernels(CopyRows(), MoveCases()), 200); }

TEST(CopyKernels, TransposeMatricesOfAnySize) {
  for (const int64_t rows : {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 150}) {
    for (const int64_t cols : {1, 2, 3, 4, 5, 8, 15, 16, 17, 33, 150}) {
      const OpCase op_case = Transpose(StrCat(rows, "x", cols), {rows, cols}, {1, 0});
      ExpectKernel(CopyRows(), "copy", op_case);
      ExpectKernel(CopyRows(), "copy", op_case, kStridedRows);
    }
  }
}

TEST(CopyKernels, TransposeRandomShapes) {
  std::mt19937 random(7);
  for (int i = 0; i < 120; ++i) {
    const int rank = 2 + static_cast<int>(random() % 4);
    Shape shape;
    for (int d = 0; d < rank; ++d) shape.push_back(1 + random() % (d == i % rank ? 37 : 9));
    List64 perm(static_cast<size_t>(rank));
    std::iota(perm.begin(), perm.end(), 0);
    std::shuffle(perm.begin(), perm.end(), random);
    const OpCase op_case = Transpose(StrCat("random", i), shape, perm, kTypes[random() % std::size(kTypes)]);
    ExpectKernel(CopyRows(), "copy", op_case, kLayouts[random() % std::size(kLayouts)]);
  }
}

TEST(CopyKernels, ReshapeRandomShapes) {
  std::mt19937 random(8);
  for (int i = 0; i < 120; ++i) {
    List64 factors;
    for (int k = 0; k < 6; ++k) factors.push_back(1 + random() % 6);
    // Neighbours are multiplied into dimensions, on every second turn in another order: then there is no refinement.
    const auto group = [&] {
      Shape shape{1};
      for (const int64_t factor : factors) {
        if (random() % 2 == 0 && shape.size() < 5) shape.push_back(1);
        shape.back() *= factor;
      }
      return shape;
    };
    const Shape from = group();
    if (i % 2 == 0) std::shuffle(factors.begin(), factors.end(), random);
    const Shape to = group();
    CaseOperand target = Ints({});
    target.shape = {static_cast<int64_t>(to.size())};
    target.given.assign(to.begin(), to.end());
    const OpCase op_case = Reshape(StrCat("random", i), from, target, kTypes[random() % std::size(kTypes)]);
    ExpectKernel(CopyRows(), "", op_case, kLayouts[random() % std::size(kLayouts)]);
  }
}

TEST(CopyKernels, TransposeElementsOfAnySize) {
  for (const DataType type : kTypes) {
    ExpectKernel(CopyRows(), "copy", Transpose(StrCat("2d_", NameOf(type)), {45, 70}, {1, 0}, type));
    ExpectKernel(CopyRows(), "copy", Transpose(StrCat("4d_", NameOf(type)), {2, 7, 5, 9}, {3, 1, 0, 2}, type));
  }
}

TEST(CopyKernels, ConvertBetweenLayouts) {
  for (const int64_t channels : {1, 2, 3, 4, 5, 16, 24, 67}) {
    const OpCase op_case = Copy(StrCat("channels", channels), {2, channels, 37, 41});
    ExpectKernel(CopyRows(), "copy", op_case, kToChannelsLast);
    ExpectKernel(CopyRows(), "copy", op_case, kToRowMajor);
    ExpectKernel(CopyRows(), "copy", op_case, kChannelsLastLayout);
  }
  for (const DataType type : kTypes) {
    ExpectKernel(CopyRows(), "copy", Copy(StrCat("type_", NameOf(type)), {1, 9, 30, 31}, type), kToChannelsLast);
  }
}

TEST(CopyKernels, CutLongRunsIntoUnits) {
  ExpectKernel(CopyRows(), "copy", Copy("flat", {300001}));
  ExpectKernel(CopyRows(), "copy", Copy("rows", {5, 70001}), kStridedRows);
  ExpectKernel(CopyRows(), "copy", Transpose("long", {3, 70001}, {1, 0}));
  ExpectKernel(CopyRows(), "copy", Transpose("tall", {70001, 5}, {1, 0}));
  ExpectKernel(CopyRows(), "copy", Transpose("square", {530, 390}, {1, 0}));
}

TEST(CopyKernels, ShuffleChannels) {
  // What is left of a channel shuffle when reshape and transpose are views: a transposition per pixel.
  for (const int64_t groups : {2, 3, 4}) {
    for (const int64_t channels : {3, 16, 29, 58}) {
      const std::string name = StrCat("shuffle", groups, "x", channels);
      ExpectKernel(CopyRows(), "copy", Transpose(name, {1, groups, channels, 14, 14}, {0, 2, 1, 3, 4}),
                   kChannelsLastLayout);
    }
  }
  ExpectKernel(CopyRows(), "copy", Reshape("merge_channels", {1, 2, 29, 14, 14}, Ints({1, 58, 14, 14})),
               kChannelsLastLayout);
}

TEST(CopyKernels, ReshapeByCommonRefinement) {
  ExpectKernel(CopyRows(), "copy", Reshape("refined", {4, 6, 10}, Ints({8, 3, 10})), kStridedRows);
  ExpectKernel(CopyRows(), "copy", Reshape("image", {2, 12, 5, 7}, Ints({2, 3, 4, 35})), kToChannelsLast);
}

TEST(CopyKernels, ReorderWhereShapesHaveNoRefinement) {
  for (const DataType type : kTypes) {
    const OpCase op_case = Reshape(StrCat("odd_", NameOf(type)), {15, 77, 30}, Ints({66, 35, 15}), type);
    ExpectKernel(CopyRows(), "reorder", op_case);
    ExpectKernel(CopyRows(), "reorder", op_case, kChannelsLastLayout);
    ExpectKernel(CopyRows(), "reorder", op_case, kStridedRows);
  }
}

TEST(CopyKernels, SliceBackwardsAndWithSteps) {
  const auto slice = [](const std::string& name, CaseOperand start, CaseOperand end, CaseOperand step) {
    return MakeCase("Slice/" + name, {}, {Fed({6, 50, 34}), start, end, Ints({0, 1, 2}), step});
  };
  ExpectKernel(CopyRows(), "copy", slice("reverse", Ints({-1, -1, -1}), Ints({-100, -100, -100}), Ints({-1, -1, -1})));
  ExpectKernel(CopyRows(), "copy", slice("steps", Ints({1, 40, 33}), Ints({6, 3, 0}), Ints({2, -3, -2})), kStridedRows);
}

TEST(CopyKernels, RepeatElements) {
  const auto expand = [](const std::string& name, Shape x, CaseOperand shape) {
    return MakeCase("Expand/" + name, {}, {Fed(std::move(x)), std::move(shape)});
  };
  ExpectKernel(CopyRows(), "copy", expand("inner", {70, 1}, Ints({70, 33})));
  ExpectKernel(CopyRows(), "copy", expand("outer", {1, 70}, Ints({33, 1})));
  ExpectKernel(CopyRows(), "copy", expand("both", {3, 1, 5, 1}, Ints({2, 3, 4, 5, 6})), kChannelsLastLayout);
}

TEST(CopyKernels, RefuseMorePiecesThanALaunchHolds) {
  std::vector<CaseOperand> parts(33, Fed({2, 3}));
  EXPECT_NE(RefusalOf(CopyRows(), MakeCase("Concat/33", Attrs({{"axis", int64_t{1}}}), parts)), "");
  parts.pop_back();
  ExpectKernel(CopyRows(), "copy", MakeCase("Concat/32", Attrs({{"axis", int64_t{1}}}), parts));
}

TEST(PadKernels, MatchOracleInEveryCaseOfTheSuite) { EXPECT_GT(ExpectKernels(PadRows(), MoveCases()), 40); }

TEST(PadKernels, PadElementsOfAnySizeInEveryMode) {
  for (const char* mode : {"constant", "reflect", "edge", "wrap"}) {
    for (const DataType type : kTypes) {
      const OpCase op_case = MakeCase(StrCat("Pad/", mode, NameOf(type)), Attrs({{"mode", std::string(mode)}}),
                                      {Fed({2, 3, 20, 21}, type), Ints({0, 1, 3, -2, 1, 0, 25, 50})});
      for (const CaseLayout& layout : {CaseLayout{}, kChannelsLastLayout, kToChannelsLast, kStridedRows}) {
        ExpectKernel(PadRows(), "pad", op_case, layout);
      }
    }
  }
}

OpCase Gather(const std::string& name, int64_t axis, CaseOperand x, CaseOperand indices) {
  return MakeCase("Gather/" + name, Attrs({{"axis", axis}}), {std::move(x), std::move(indices)});
}

TEST(GatherKernels, MatchOracleInEveryCaseOfTheSuite) { EXPECT_GT(ExpectKernels(GatherRows(), MoveCases()), 5); }

TEST(GatherKernels, TakeSlicesAlongAnyAxis) {
  for (const DataType type : kTypes) {
    for (int64_t axis = 0; axis < 4; ++axis) {
      for (const DataType index : {DataType::kI64, DataType::kI32}) {
        const OpCase op_case = Gather(StrCat(NameOf(type), axis, NameOf(index)), axis, Fed({4, 5, 7, 9}, type),
                                      Given({2, 3}, {0, -1, 3, 2, -4, 1}, index));
        for (const CaseLayout& layout : {CaseLayout{}, kChannelsLastLayout, kToRowMajor, kStridedRows}) {
          ExpectKernel(GatherRows(), "gather", op_case, layout);
        }
      }
    }
  }
}

TEST(GatherKernels, TakeEmbeddings) {
  CaseOperand tokens = Given({3, 100}, {}, DataType::kI64);
  for (int i = 0; i < 300; ++i) tokens.given.push_back(i * 37 % 91);
  ExpectKernel(GatherRows(), "gather", Gather("embeddings", 0, Fed({91, 200}), tokens));
}

TEST(GatherKernels, NameTheIndexThatIsOutOfRange) {
  const std::string message =
      RunErrorOf(GatherRows(), Gather("beyond", 1, Fed({2, 5}), Given({3}, {0, -5, 5}, DataType::kI32)));
  EXPECT_NE(message.find("element 2 is 5, expected -5 to 4"), std::string::npos) << message;
}

}  // namespace
}  // namespace moka::cpu

// Comparisons, logic, bits, Where, casts: by the reference on literal data.
#include <cmath>
#include <limits>

#include "tests/ops/run_op.h"

namespace moka {
namespace {

constexpr DataType kI32 = DataType::kI32, kI64 = DataType::kI64, kU64 = DataType::kU64, kBool = DataType::kBool;
const double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

AttributeValue Int(int64_t value) { return value; }
AttributeValue Text(const char* value) { return std::string(value); }

TEST(Comparison, FollowsIeeeAndBroadcasts) {
  const CaseOperand a = Given({4}, {1, 2, kNan, -0.0}), b = Given({4}, {1, 3, kNan, 0});
  ExpectOp(RunOp("Equal", {}, {a, b}), {4}, {1, 0, 0, 1});
  ExpectOp(RunOp("Less", {}, {a, b}), {4}, {0, 1, 0, 0});
  ExpectOp(RunOp("LessOrEqual", {}, {a, b}), {4}, {1, 1, 0, 1});
  ExpectOp(RunOp("Greater", {}, {b, a}), {4}, {0, 1, 0, 0});
  ExpectOp(RunOp("GreaterOrEqual", {}, {b, a}), {4}, {1, 1, 0, 1});
  ExpectOp(RunOp("Greater", {}, {Given({2, 1}, {1, 5}, kI32), Given({2}, {0, 3}, kI32)}), {2, 2}, {1, 0, 1, 1});
  ExpectOp(RunOp("Equal", {}, {Given({2}, {1, 0}, kBool), Given({}, {1}, kBool)}), {2}, {1, 0});
}

TEST(Comparison, InfinitiesAndNan) {
  const CaseOperand x = Given({4}, {kInf, -kInf, kNan, 1});
  ExpectOp(RunOp("IsNaN", {}, {x}), {4}, {0, 0, 1, 0});
  ExpectOp(RunOp("IsInf", {}, {x}), {4}, {1, 1, 0, 0});
  ExpectOp(RunOp("IsInf", Attrs({{"detect_negative", Int(0)}}), {x}), {4}, {1, 0, 0, 0});
  ExpectOp(RunOp("IsInf", Attrs({{"detect_positive", Int(0)}}), {x}), {4}, {0, 1, 0, 0});
  ExpectOp(RunOp("IsNaN", {}, {Given({2}, {kNan, 448}, DataType::kF8E4M3FN)}), {2}, {1, 0});
}

// The largest numbers are no doubles: 2^63 and its neighbours come from operations on integers.
TEST(Comparison, UnsignedWordsAreNotSigned) {
  const CaseOperand one = Given({1}, {1}, kU64), zero = Given({1}, {0}, kU64), half = Given({1}, {0x1p63}, kU64);
  ExpectOp(RunOp("Greater", {}, {half, one}), {1}, {1});
  ExpectOp(RunOp("Less", {}, {half, one}), {1}, {0});
  ExpectOp(RunOp("Max", {}, {half, one}), {1}, {0x1p63});
  ExpectOp(RunOp("Min", {}, {half, one}), {1}, {1});
  ExpectOp(RunOp("Div", {}, {half, Given({1}, {2}, kU64)}), {1}, {0x1p62});
  ExpectOp(RunOp("Mod", {}, {half, Given({1}, {10}, kU64)}), {1}, {8});
  ExpectOp(RunOp("Div", {}, {half, zero}), {1}, {0});
  ExpectOp(RunOp("BitShift", Attrs({{"direction", Text("RIGHT")}}), {half, Given({1}, {63}, kU64)}), {1}, {1});
  ExpectOp(RunOp("Sign", {}, {Given({2}, {0x1p63, 0}, kU64)}), {2}, {1, 0});
  ExpectOp(RunOp("Clip", {}, {half, Given({}, {2}, kU64), Given({}, {0x1p62}, kU64)}), {1}, {0x1p62});
}

TEST(Logic, TruthTables) {
  const CaseOperand a = Given({4}, {0, 0, 1, 1}, kBool), b = Given({4}, {0, 1, 0, 1}, kBool);
  ExpectOp(RunOp("And", {}, {a, b}), {4}, {0, 0, 0, 1});
  ExpectOp(RunOp("Or", {}, {a, b}), {4}, {0, 1, 1, 1});
  ExpectOp(RunOp("Xor", {}, {a, b}), {4}, {0, 1, 1, 0});
  ExpectOp(RunOp("Not", {}, {a}), {4}, {1, 1, 0, 0});
}

TEST(Logic, BitsOfEveryWidth) {
  const CaseOperand a = Given({2}, {12, -1}, kI32), b = Given({2}, {10, 6}, kI32);
  ExpectOp(RunOp("BitwiseAnd", {}, {a, b}), {2}, {8, 6});
  ExpectOp(RunOp("BitwiseOr", {}, {a, b}), {2}, {14, -1});
  ExpectOp(RunOp("BitwiseXor", {}, {a, b}), {2}, {6, -7});
  ExpectOp(RunOp("BitwiseNot", {}, {a}), {2}, {-13, 0});
  ExpectOp(RunOp("BitwiseNot", {}, {Given({2}, {0, 200}, DataType::kU8)}), {2}, {255, 55});
}

TEST(Logic, ShiftsBeyondTheTypeLeaveTheSign) {
  const Attributes left = Attrs({{"direction", Text("LEFT")}}), right = Attrs({{"direction", Text("RIGHT")}});
  const CaseOperand x = Given({5}, {-128, 3, -3, -3, 3}, DataType::kI8);
  const CaseOperand by = Given({5}, {1, 1, 8, -1, 100}, DataType::kI8);
  ExpectOp(RunOp("BitShift", left, {x, by}), {5}, {0, 6, 0, 0, 0});
  ExpectOp(RunOp("BitShift", right, {x, by}), {5}, {-64, 1, -1, -1, 0});
}

TEST(Where, ChoosesFromEitherSide) {
  const CaseOperand mask = Given({2, 1}, {1, 0}, kBool);
  ExpectOp(RunOp("Where", {}, {mask, Given({3}, {1, 2, 3}, kI64), Given({}, {9}, kI64)}), {2, 3}, {1, 2, 3, 9, 9, 9});
}

TEST(Arithmetic, RemaindersHaveTheSignOfTheDivisorOrTheDividend) {
  const CaseOperand a = Given({6}, {-4, 7, 5, 4, -7, 8}, kI32), b = Given({6}, {2, -3, 8, -2, 3, 5}, kI32);
  ExpectOp(RunOp("Mod", {}, {a, b}), {6}, {0, -2, 5, 0, 2, 3});
  ExpectOp(RunOp("Mod", Attrs({{"fmod", Int(1)}}), {a, b}), {6}, {0, 1, 5, 0, -1, 3});
  ExpectOp(RunOp("Mod", {}, {Given({2}, {5, -5}, kI32), Given({2}, {0, -1}, kI32)}), {2}, {0, 0});
  const CaseOperand x = Given({4}, {-4.5, 7, kInf, 1}), y = Given({4}, {2, -kInf, 2, 0});
  const auto floor = RunOp("Mod", {}, {x, y});
  ASSERT_TRUE(floor.ok());
  EXPECT_EQ(floor->values[0], 1.5);
  EXPECT_EQ(floor->values[1], -kInf);
  EXPECT_TRUE(std::isnan(floor->values[2]) && std::isnan(floor->values[3]));
  EXPECT_EQ(RunOp("Mod", Attrs({{"fmod", Int(1)}}), {x, y})->values[0], -0.5);
}

TEST(Arithmetic, PowersOfMixedTypes) {
  ExpectOp(RunOp("Pow", {}, {Given({3}, {2, -3, 0}, kI64), Given({3}, {10, 3, 0}, kI64)}), {3}, {1024, -27, 1});
  ExpectOp(RunOp("Pow", {}, {Given({3}, {2, -1, 0}, kI32), Given({1}, {-3}, kI32)}), {3}, {0, -1, 0});
  ExpectOp(RunOp("Pow", {}, {Given({2}, {2, 9}, kI64), Given({1}, {0.5})}), {2}, {1, 3});
  ExpectOp(RunOp("Pow", {}, {Given({2}, {1.5, -2}), Given({1}, {2}, kI64)}), {2}, {2.25, 4});
}

TEST(Arithmetic, SumAndMeanTakeAnyNumber) {
  std::vector<CaseOperand> many;
  for (int i = 1; i <= 7; ++i) many.push_back(Given({2}, {1.0 * i, -1.0 * i}));
  ExpectOp(RunOp("Sum", {}, many), {2}, {28, -28});
  ExpectOp(RunOp("Mean", {}, many), {2}, {4, -4});
  ExpectOp(RunOp("Sum", {}, {many[0]}), {2}, {1, -1});
  ExpectOp(RunOp("Mean", {}, {Given({2, 1}, {1, 3}), Given({2}, {5, 7})}), {2, 2}, {3, 4, 4, 5});
}

TEST(Arithmetic, IntegersOfSignAndMagnitude) {
  ExpectOp(RunOp("Abs", {}, {Given({3}, {-128, -5, 7}, DataType::kI8)}), {3}, {-128, 5, 7});
  ExpectOp(RunOp("Sign", {}, {Given({3}, {-9, 0, 9}, kI64)}), {3}, {-1, 0, 1});
  ExpectOp(RunOp("PRelu", {}, {Given({3}, {-4, 5, -6}, kI64), Given({1}, {3}, kI64)}), {3}, {-12, 5, -18});
  ExpectOp(RunOp("Shrink", Attrs({{"lambd", AttributeValue(1.5f)}, {"bias", AttributeValue(1.0f)}}),
                 {Given({3}, {-2, 1, 3}, kI64)}),
           {3}, {-1, 0, 2});
}

TEST(Casts, EightBitFloatsSaturateUnlessToldOtherwise) {
  const CaseOperand x = Given({5}, {1e6, -1e6, kInf, kNan, 0.3});
  for (const auto& [to, largest] : {std::pair<int64_t, double>{17, 448}, {18, 240}, {19, 57344}, {20, 57344}}) {
    const auto saturated = RunOp("Cast", Attrs({{"to", Int(to)}}), {x});
    ASSERT_TRUE(saturated.ok());
    EXPECT_EQ(saturated->values[0], largest) << to;
    EXPECT_EQ(saturated->values[1], -largest) << to;
    EXPECT_EQ(saturated->values[2], largest) << to;
    EXPECT_TRUE(std::isnan(saturated->values[3])) << to;
    EXPECT_NEAR(saturated->values[4], 0.3, 0.02) << to;
    const auto wild = RunOp("Cast", Attrs({{"to", Int(to)}, {"saturate", Int(0)}}), {x});
    ASSERT_TRUE(wild.ok());
    EXPECT_EQ(std::isinf(wild->values[0]), to == 19) << to;
    EXPECT_EQ(std::isnan(wild->values[0]), to != 19) << to;
  }
}

TEST(Casts, PowersOfTwoRoundAsToldAndSaturate) {
  const CaseOperand x = Given({4}, {1.25, 3, 1e300, 4}, DataType::kF64);
  const auto cast = [&](const char* mode, int64_t saturate) {
    return RunOp("Cast", Attrs({{"to", Int(24)}, {"round_mode", Text(mode)}, {"saturate", Int(saturate)}}), {x});
  };
  ExpectOp(cast("up", 1), {4}, {2, 4, 0x1p127, 4});
  ExpectOp(cast("down", 1), {4}, {1, 2, 0x1p127, 4});
  ExpectOp(cast("nearest", 1), {4}, {1, 4, 0x1p127, 4});
  EXPECT_TRUE(std::isnan(cast("up", 0)->values[2]));
}

TEST(Casts, NarrowIntegersTruncateAndKeepTheirLowBits) {
  const CaseOperand x = Given({4}, {1.9, -1.9, 7, -8});
  ExpectOp(RunOp("Cast", Attrs({{"to", Int(22)}}), {x}), {4}, {1, -1, 7, -8});
  ExpectOp(RunOp("Cast", Attrs({{"to", Int(21)}}), {Given({2}, {15, 17}, kI32)}), {2}, {15, 1});
  ExpectOp(RunOp("Cast", Attrs({{"to", Int(1)}}), {Given({2}, {-8, 7}, DataType::kI4)}), {2}, {-8, 7});
  ExpectOp(RunOp("CastLike", {}, {x, Given({1}, {0}, DataType::kI8)}), {4}, {1, -1, 7, -8});
}

TEST(Casts, BitsAreKept) {
  ExpectOp(RunOp("BitCast", Attrs({{"to", Int(6)}}), {Given({2}, {1, -0.0})}), {2},
           {0x3F800000, static_cast<double>(INT32_MIN)});
  ExpectOp(RunOp("BitCast", Attrs({{"to", Int(21)}}), {Given({2}, {-1, 7}, DataType::kI4)}), {2}, {15, 7});
  ExpectOp(RunOp("BitCast", Attrs({{"to", Int(22)}}), {Given({2}, {15, 7}, DataType::kU4)}), {2}, {-1, 7});
}

}  // namespace
}  // namespace moka

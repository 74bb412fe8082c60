#include "ops/dim.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

namespace moka {
namespace {

const Dim kH = Dim::Symbol(0), kW = Dim::Symbol(1), kN = Dim::Symbol(2);

SymbolTable Names() {
  SymbolTable symbols;
  for (const char* name : {"h", "w", "n"}) symbols.Intern(name);
  return symbols;
}

TEST(SymbolTable, InternFindsAndFreshMakesUnique) {
  SymbolTable symbols = Names();
  EXPECT_EQ(symbols.Intern("w"), 1);
  const SymbolId fresh = symbols.Fresh("w");
  EXPECT_EQ(fresh, 3);
  EXPECT_EQ(symbols.name(fresh), "w_3");
  EXPECT_EQ(symbols.name(symbols.Fresh("w")), "w_4");
}

TEST(Dim, PolynomialsAreCanonical) {
  EXPECT_EQ((kH + kW) * (kH - kW), kH * kH - kW * kW);
  EXPECT_EQ((kH + 1) * (kW + 2) - kH * kW - kH * 2 - kW, Dim(2));
  EXPECT_EQ(kH - kH, Dim(0));
  EXPECT_TRUE((kH * 0).is_constant());
  EXPECT_NE(kH * kW, kH + kW);
  EXPECT_EQ((kN * kH * 3 + kW - 7).ToString(Names()), "3*h*n + w - 7");
}

TEST(Dim, FloorTakesOutWholePartsAndMergesNested) {
  EXPECT_EQ(Dim::FloorDiv(kH * 4 + 6, 2), kH * 2 + 3);
  EXPECT_EQ(Dim::FloorDiv(kH * 2 + kW * 4 + 9, 2), kH + kW * 2 + 4);
  EXPECT_EQ(Dim::FloorDiv(kH + 7, 2), Dim::FloorDiv(kH + 1, 2) + 3);
  EXPECT_EQ(Dim::FloorDiv(Dim::FloorDiv(kH + 1, 2) + 1, 2), Dim::FloorDiv(kH + 3, 4));
  EXPECT_EQ(Dim::FloorDiv(kH * 6 + 5, 4), Dim::FloorDiv(kH * 3 + 2, 2));
  EXPECT_EQ(Dim::CeilDiv(kH, 2), Dim::FloorDiv(kH + 1, 2));
  EXPECT_EQ(Dim::Mod(kH * 4 + 3, 4), Dim(3));
  EXPECT_EQ(Dim::FloorDiv(-7, 2), Dim(-4));
  EXPECT_EQ(Dim::FloorDiv(7, -2), Dim(-4));
}

TEST(Dim, FloorByTheLargestNumbers) {
  const int64_t most = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(*Dim::FloorDiv(kH + 4, most).Evaluate({1, 1, 1}), 0);
  EXPECT_EQ(*Dim::FloorDiv(kH - 4, most).Evaluate({1, 1, 1}), -1);
}

TEST(Dim, DividesPolynomialsExactly) {
  const Dim tokens = Dim::FloorDiv(kH, 16) * Dim::FloorDiv(kW, 16) + 1;
  EXPECT_EQ(Dim::FloorDiv(kN * tokens * 768, kN * tokens * 64), Dim(12));
  EXPECT_EQ(Dim::FloorDiv(kN * tokens * 768, tokens), kN * 768);
  EXPECT_EQ(Dim::FloorDiv(kH * kH - kW * kW, kH + kW), kH - kW);
  EXPECT_EQ(Dim::FloorDiv(kH * kH + 1, kH).ToString(Names()), "floor((h*h + 1)/(h))");
}

TEST(Dim, ExtremaAreDecidedByConstantDifference) {
  EXPECT_EQ(Dim::Max(kH + 2, kH), kH + 2);
  EXPECT_EQ(Dim::Min(kH + 2, kH), kH);
  EXPECT_EQ(Dim::Max(kH, kW), Dim::Max(kW, kH));
  EXPECT_EQ(Dim::Max(kH, 0), kH);
  EXPECT_EQ(Dim::Min(kH + kW, kW), kW);
  EXPECT_FALSE((kH - kW).IsNonNegative());
  EXPECT_EQ(Dim::Max(Dim::Max(kH, kW), kW), Dim::Max(kH, kW));
  EXPECT_NE(Dim::Max(kH, kW), Dim::Min(kH, kW));
}

// An expression built twice: as a Dim, and evaluated at once.
struct Sample {
  Dim dim;
  int64_t value;
};

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0); }

Sample RandomSample(std::mt19937& rng, const std::vector<int64_t>& values, int depth) {
  const auto pick = [&](int n) { return static_cast<int>(rng() % static_cast<unsigned>(n)); };
  if (depth == 0 || pick(6) == 0) {
    if (pick(2) == 0) {
      const int64_t c = pick(21) - 10;
      return {Dim(c), c};
    }
    const int s = pick(3);
    return {Dim::Symbol(s), values[static_cast<size_t>(s)]};
  }
  const Sample a = RandomSample(rng, values, depth - 1), b = RandomSample(rng, values, depth - 1);
  switch (pick(8)) {
    case 0:
      return {a.dim + b.dim, a.value + b.value};
    case 1:
      return {a.dim - b.dim, a.value - b.value};
    case 2:
      return {a.dim * b.dim, a.value * b.value};
    case 3:
      return {Dim::Max(a.dim, b.dim), std::max(a.value, b.value)};
    case 4:
      return {Dim::Min(a.dim, b.dim), std::min(a.value, b.value)};
    case 5: {
      const int64_t c = pick(9) + 1;
      return {Dim::CeilDiv(a.dim, c), -FloorDivide(-a.value, c)};
    }
    case 6: {
      const int64_t c = pick(9) - 10;
      return {Dim::FloorDiv(a.dim, c), FloorDivide(a.value, c)};
    }
    default:
      if (b.value == 0 || b.dim == Dim(0)) return a;
      return {Dim::FloorDiv(a.dim, b.dim), FloorDivide(a.value, b.value)};
  }
}

TEST(Dim, RandomExpressionsEvaluateLikePlainArithmetic) {
  std::mt19937 rng(7);
  int evaluated = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::vector<int64_t> values = {1 + static_cast<int64_t>(rng() % 50), static_cast<int64_t>(rng() % 50),
                                         1 + static_cast<int64_t>(rng() % 9)};
    const Sample sample = RandomSample(rng, values, 4);
    const Result<int64_t> got = sample.dim.Evaluate(values);
    if (!got.ok()) continue;  // a divisor inside a discarded or invalid part
    ++evaluated;
    ASSERT_EQ(*got, sample.value) << sample.dim.ToString(Names());
  }
  EXPECT_GT(evaluated, 19000);
}

TEST(Dim, EvaluateReportsOverflowDivisionByZeroAndMissingValues) {
  EXPECT_FALSE((kH * kW).Evaluate({int64_t{1} << 40, int64_t{1} << 40, 1}).ok());
  EXPECT_FALSE((kH + 1).Evaluate({INT64_MAX}).ok());
  EXPECT_FALSE(Dim::FloorDiv(kW, kH).Evaluate({0, 5}).ok());
  EXPECT_FALSE(kN.Evaluate({1, 2}).ok());
  EXPECT_EQ(*(kH * kW).Evaluate({1 << 20, 1 << 20}), int64_t{1} << 40);
}

TEST(Dim, ConstantOverflowStaysInvalidThroughArithmetic) {
  const Dim large = int64_t{1} << 40;
  const Dim invalid = large * large;
  EXPECT_FALSE(invalid.is_constant());
  EXPECT_FALSE((invalid - invalid).Evaluate({}).ok());
  EXPECT_FALSE((invalid * 0).Evaluate({}).ok());
  EXPECT_FALSE(Dim::FloorDiv(invalid, large).Evaluate({}).ok());
  EXPECT_FALSE(Dim::Max(invalid, kH).Evaluate({1}).ok());
  EXPECT_FALSE(Dim::FloorDiv(kH, 0).Evaluate({1}).ok());
  EXPECT_FALSE((Dim(INT64_MIN) + kH - kW).Evaluate({0, 0}).ok());
}

TEST(Dim, HostileGrowthEndsInvalidNotInExponentialWork) {
  Dim product = kH + kW + kN + 1, nested = kH;
  for (int i = 0; i < 60; ++i) {
    product = product * (kH + kW * 2 + kN + i);
    nested = Dim::Max(Dim::FloorDiv(nested, 3), nested + nested - kW);
  }
  EXPECT_FALSE(product.Evaluate({1, 1, 1}).ok());
  EXPECT_FALSE(nested.Evaluate({1, 1, 1}).ok());
}

}  // namespace
}  // namespace moka

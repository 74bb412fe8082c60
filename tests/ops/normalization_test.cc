// Normalizations, searches and running sums on numbers that one can check by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/ops/run_op.h"

namespace moka {
namespace {

AttributeValue Int(int64_t value) { return value; }

void ExpectNear(const Result<OpResult>& got, const Shape& shape, const Values& values, double tolerance = 1e-6) {
  ASSERT_TRUE(got.ok()) << got.status().message();
  EXPECT_EQ(got->shape, shape);
  ASSERT_EQ(got->values.size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(got->values[i], values[i], tolerance) << "element " << i;
}

TEST(LayerNormalization, StatisticsAndResult) {
  const std::vector<CaseOperand> src = {Given({2, 2}, {1, 3, -2, 2}), Given({2}, {2, 10}), Given({2}, {0, 1})};
  const Attributes attrs = Attrs({{"epsilon", 0.0f}});
  ExpectNear(RunOp("LayerNormalization", attrs, src), {2, 2}, {-2, 11, -2, 11});
  ExpectNear(RunOp("LayerNormalization", attrs, src, 1), {2, 1}, {2, 0});
  ExpectNear(RunOp("LayerNormalization", attrs, src, 2), {2, 1}, {1, 0.5});
}

TEST(LayerNormalization, AxisTakesTheDimensionsFromItOn) {
  const Attributes attrs = Attrs({{"axis", Int(-2)}, {"epsilon", 0.0f}});
  ExpectNear(RunOp("LayerNormalization", attrs, {Given({1, 2, 2}, {1, 1, 3, 3}), Given({2, 1}, {1, 5})}), {1, 2, 2},
             {-1, -1, 5, 5});
}

TEST(RmsNormalization, DividesByTheRootOfTheMeanSquare) {
  ExpectNear(RunOp("RMSNormalization", Attrs({{"epsilon", 0.0f}}), {Given({1, 2}, {1, 7}), Given({2}, {5, 10})}),
             {1, 2}, {1, 14});
}

TEST(GroupNormalization, ScaleOfChannelsAndOfGroups) {
  const CaseOperand x = Given({1, 4, 1, 1}, {1, 3, 10, 30});
  Attributes attrs = Attrs({{"num_groups", Int(2)}, {"epsilon", 0.0f}});
  ExpectNear(RunOp("GroupNormalization", attrs, {x, Given({4}, {1, 2, 3, 4}), Given({4}, {0, 0, 0, 1})}), {1, 4, 1, 1},
             {-1, 2, -3, 5});
  attrs.Set("scale_per_group", int64_t{1});
  ExpectNear(RunOp("GroupNormalization", attrs, {x, Given({2}, {1, 2}), Given({2}, {0, 1})}), {1, 4, 1, 1},
             {-1, 1, -1, 3});
}

TEST(InstanceNormalization, NormalizesEachChannel) {
  ExpectNear(RunOp("InstanceNormalization", Attrs({{"epsilon", 0.0f}}),
                   {Given({1, 2, 2}, {1, 3, 5, 5.5}), Given({2}, {1, 2}), Given({2}, {0, 1})}),
             {1, 2, 2}, {-1, 1, -1, 3});
}

TEST(Lrn, SumsNeighbouringChannels) {
  const Attributes attrs = Attrs({{"size", Int(3)}, {"alpha", 3.0f}, {"beta", 1.0f}, {"bias", 1.0f}});
  ExpectNear(RunOp("LRN", attrs, {Given({1, 3, 1}, {1, 2, 3})}), {1, 3, 1}, {1.0 / 6, 2.0 / 15, 3.0 / 14});
}

TEST(LpNormalization, ZerosStayZeros) {
  ExpectNear(RunOp("LpNormalization", {}, {Given({2, 2}, {3, -4, 0, 0})}), {2, 2}, {0.6, -0.8, 0, 0});
  ExpectNear(RunOp("LpNormalization", Attrs({{"p", Int(1)}, {"axis", Int(0)}}), {Given({2, 2}, {3, -4, 1, 0})}), {2, 2},
             {0.75, -1, 0.25, 0});
}

TEST(LpPool, IsTheNormOfAWindow) {
  const Attributes attrs = Attrs({{"kernel_shape", List({2})}, {"p", Int(2)}});
  ExpectNear(RunOp("LpPool", attrs, {Given({1, 1, 3}, {3, -4, 0})}), {1, 1, 2}, {5, 4});
  ExpectNear(RunOp("GlobalLpPool", Attrs({{"p", Int(3)}}), {Given({1, 1, 3}, {3, -4, 5})}), {1, 1, 1}, {6});
}

TEST(Reduce, Logarithms) {
  ExpectNear(RunOp("ReduceLogSum", {}, {Given({1, 2}, {1, 2}), Ints({1})}), {1, 1}, {std::log(3)});
  ExpectNear(RunOp("ReduceLogSumExp", {}, {Given({2, 2}, {1000, 1000, -1000, -1000}), Ints({1})}), {2, 1},
             {1000 + std::log(2), -1000 + std::log(2)}, 1e-4);
  const double infinity = std::numeric_limits<double>::infinity();
  const Result<OpResult> empty = RunOp("ReduceLogSumExp", {}, {Fed({2, 0}), Ints({1})});
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(empty->values, (Values{-infinity, -infinity}));
  ExpectOp(RunOp("ReduceLogSumExp", {}, {Given({2}, {3, 3}, DataType::kI64), Ints({0})}), {1}, {3});
}

TEST(ArgMax, TiesAndNan) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const CaseOperand x = Given({2, 3}, {2, 5, 5, 1, nan, nan});
  const auto run = [&](const char* op, int64_t last) {
    return RunOp(op, Attrs({{"axis", Int(1)}, {"keepdims", Int(0)}, {"select_last_index", Int(last)}}), {x});
  };
  ExpectOp(run("ArgMax", 0), {2}, {1, 1});
  ExpectOp(run("ArgMax", 1), {2}, {2, 1});
  ExpectOp(run("ArgMin", 0), {2}, {0, 1});
}

TEST(TopK, TiesKeepTheirOrderAndNanIsLargest) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<CaseOperand> src = {Given({5}, {1, nan, 4, 1, 4}), Ints({4})};
  ExpectOp(RunOp("TopK", {}, src, 1), {4}, {1, 2, 4, 0});
  ExpectOp(RunOp("TopK", Attrs({{"largest", Int(0)}}), src, 1), {4}, {0, 3, 2, 4});
  ExpectOp(RunOp("TopK", Attrs({{"axis", Int(0)}}), {Given({3, 2}, {1, 6, 3, 4, 2, 5}), Ints({1})}), {1, 2}, {3, 6});
}

TEST(Cumulative, ExclusiveAndReverse) {
  const auto run = [&](const char* op, int64_t exclusive, int64_t reverse) {
    return RunOp(op, Attrs({{"exclusive", Int(exclusive)}, {"reverse", Int(reverse)}}), {Counting({4}), Ints({0})});
  };
  ExpectOp(run("CumSum", 0, 0), {4}, {1, 3, 6, 10});
  ExpectOp(run("CumSum", 1, 0), {4}, {0, 1, 3, 6});
  ExpectOp(run("CumSum", 0, 1), {4}, {10, 9, 7, 4});
  ExpectOp(run("CumSum", 1, 1), {4}, {9, 7, 4, 0});
  ExpectOp(run("CumProd", 0, 0), {4}, {1, 2, 6, 24});
  ExpectOp(run("CumProd", 1, 1), {4}, {24, 12, 4, 1});
}

TEST(Hardmax, MarksTheFirstOfTheLargest) {
  ExpectOp(RunOp("Hardmax", Attrs({{"axis", Int(0)}}), {Given({2, 2}, {1, 3, 1, 4})}), {2, 2}, {1, 0, 0, 1});
}

TEST(MeanVarianceNormalization, OverGivenAxes) {
  ExpectNear(RunOp("MeanVarianceNormalization", Attrs({{"axes", List({0})}}), {Given({2, 2}, {1, 5, 3, 5})}), {2, 2},
             {-1, 0, 1, 0});
}

TEST(Losses, ReductionsWeightsAndIgnoredClasses) {
  const CaseOperand x = Given({3, 2}, {-1, -2, -3, -4, -5, -6}), y = Given({3}, {0, 1, 1}, DataType::kI64);
  const auto run = [&](const char* reduction, std::vector<CaseOperand> src) {
    return RunOp("NegativeLogLikelihoodLoss", Attrs({{"reduction", std::string(reduction)}, {"ignore_index", Int(0)}}),
                 std::move(src));
  };
  ExpectNear(run("none", {x, y}), {3}, {0, 4, 6});
  ExpectNear(run("sum", {x, y, Given({2}, {7, 0.5})}), {}, {5});
  ExpectNear(run("mean", {x, y, Given({2}, {7, 0.5})}), {}, {5});
  const std::vector<CaseOperand> scores = {Given({1, 2}, {0, 0}), Given({1}, {1}, DataType::kI64)};
  ExpectNear(RunOp("SoftmaxCrossEntropyLoss", {}, scores), {}, {std::log(2)});
  ExpectNear(RunOp("SoftmaxCrossEntropyLoss", {}, scores, 1), {1, 2}, {-std::log(2), -std::log(2)});
  const Result<OpResult> outside = RunOp("NegativeLogLikelihoodLoss", {}, {x, Given({3}, {0, 2, 1}, DataType::kI64)});
  ASSERT_FALSE(outside.ok());
  EXPECT_NE(outside.status().message().find("class 2"), std::string::npos) << outside.status().message();
}

TEST(Dropout, InferenceKeepsEverything) {
  const CaseOperand x = Counting({3});
  ExpectOp(RunOp("Dropout", {}, {x}), {3}, {1, 2, 3});
  ExpectOp(RunOp("Dropout", {}, {x, Given({}, {0.9})}, 1), {3}, {1, 1, 1});
}

TEST(Dropout, TrainingKeepsTheShareAndTheMean) {
  const int64_t n = 20000;
  const CaseOperand x = Given({n}, Values(static_cast<size_t>(n), 1.0)), ratio = Given({}, {0.25});
  const CaseOperand training = Given({}, {1}, DataType::kBool);
  const Attributes seeded = Attrs({{"seed", Int(7)}});
  const Result<OpResult> y = RunOp("Dropout", seeded, {x, ratio, training});
  const Result<OpResult> mask = RunOp("Dropout", seeded, {x, ratio, training}, 1);
  const Result<OpResult> other = RunOp("Dropout", Attrs({{"seed", Int(8)}}), {x, ratio, training}, 1);
  ASSERT_TRUE(y.ok() && mask.ok() && other.ok());
  double kept = 0, both = 0;
  for (size_t i = 0; i < mask->values.size(); ++i) {
    EXPECT_NEAR(y->values[i], mask->values[i] / 0.75, 1e-6);
    kept += mask->values[i];
    both += mask->values[i] * other->values[i];
  }
  // Five standard deviations of a binomial distribution.
  EXPECT_NEAR(kept / static_cast<double>(n), 0.75, 5 * std::sqrt(0.75 * 0.25 / static_cast<double>(n)));
  EXPECT_NEAR(both / static_cast<double>(n), 0.5625, 0.02);
}

}  // namespace
}  // namespace moka

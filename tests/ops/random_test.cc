// Random operators: type, shape, seed, distribution.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/random_source.h"
#include "tests/ops/run_op.h"

namespace moka {
namespace {

AttributeValue Int(int64_t value) { return value; }
AttributeValue Float(float value) { return value; }

struct Moments {
  double mean = 0, variance = 0, skewness = 0, lowest = INFINITY, highest = -INFINITY;
};
Moments MomentsOf(const std::vector<double>& values) {
  Moments m;
  const auto n = static_cast<double>(values.size());
  for (const double x : values) m.mean += x / n;
  for (const double x : values) {
    m.variance += (x - m.mean) * (x - m.mean) / n;
    m.skewness += std::pow(x - m.mean, 3) / n;
    m.lowest = std::min(m.lowest, x);
    m.highest = std::max(m.highest, x);
  }
  return m;
}

Values Draw(const std::string& op, Attributes attrs, std::vector<CaseOperand> src = {}) {
  const Result<OpResult> result = RunOp(op, std::move(attrs), std::move(src));
  EXPECT_TRUE(result.ok()) << result.status().message();
  return result.ok() ? result->values : Values{};
}

TEST(Random, UniformHasItsMoments) {
  const Moments m = MomentsOf(
      Draw("RandomUniform",
           Attrs({{"shape", List({100, 1000})}, {"low", Float(-1)}, {"high", Float(3)}, {"seed", Float(1)}})));
  EXPECT_NEAR(m.mean, 1, 0.02);
  EXPECT_NEAR(m.variance, 16.0 / 12, 0.02);
  EXPECT_GE(m.lowest, -1);
  EXPECT_LE(m.highest, 3);
  EXPECT_GT(m.highest - m.lowest, 3.99);
}

TEST(Random, NormalHasItsMoments) {
  const Values values = Draw(
      "RandomNormal", Attrs({{"shape", List({100000})}, {"mean", Float(2)}, {"scale", Float(3)}, {"seed", Float(1)}}));
  const Moments m = MomentsOf(values);
  EXPECT_NEAR(m.mean, 2, 0.05);
  EXPECT_NEAR(m.variance, 9, 0.15);
  EXPECT_NEAR(m.skewness, 0, 1);
  const auto inside = std::count_if(values.begin(), values.end(), [](double x) { return std::abs(x - 2) < 3; });
  EXPECT_NEAR(static_cast<double>(inside) / 1e5, 0.6827, 0.01);
}

TEST(Random, BernoulliFollowsProbabilities) {
  Values p(20000);
  for (size_t i = 0; i < p.size(); ++i) p[i] = i < 10000 ? 0.1 : 0.75;
  const Values drawn = Draw("Bernoulli", Attrs({{"seed", Float(5)}}), {Given({20000}, p)});
  const auto ones = [&](size_t first) { return std::accumulate(&drawn[first], &drawn[first] + 10000, 0.0) / 1e4; };
  EXPECT_NEAR(ones(0), 0.1, 0.02);
  EXPECT_NEAR(ones(10000), 0.75, 0.02);
  EXPECT_TRUE(std::all_of(drawn.begin(), drawn.end(), [](double x) { return x == 0 || x == 1; }));
  EXPECT_EQ(Draw("Bernoulli", {}, {Given({3}, {0, 1, 1})}), (Values{0, 1, 1}));
}

TEST(Random, MultinomialFollowsLogarithms) {
  const Attributes attrs = Attrs({{"sample_size", Int(20000)}, {"dtype", Int(7)}, {"seed", Float(5)}});
  const Result<OpResult> result =
      RunOp("Multinomial", attrs, {Given({2, 3}, {std::log(1), std::log(2), std::log(5), 0, -INFINITY, -INFINITY})});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->shape, (Shape{2, 20000}));
  const auto share = [&](double value) {
    return static_cast<double>(std::count(result->values.begin(), result->values.begin() + 20000, value)) / 2e4;
  };
  EXPECT_NEAR(share(0), 0.125, 0.01);
  EXPECT_NEAR(share(1), 0.25, 0.01);
  EXPECT_NEAR(share(2), 0.625, 0.01);
  EXPECT_EQ(std::count(result->values.begin() + 20000, result->values.end(), 0), 20000);
}

TEST(Random, ASeedNamesTheNumbers) {
  for (const char* op : {"RandomUniformLike", "RandomNormalLike"}) {
    const auto run = [&](Attributes attrs) { return Draw(op, std::move(attrs), {Fed({64})}); };
    EXPECT_EQ(run(Attrs({{"seed", Float(3)}})), run(Attrs({{"seed", Float(3)}})));
    EXPECT_NE(run(Attrs({{"seed", Float(3)}})), run(Attrs({{"seed", Float(4)}})));
    EXPECT_NE(run({}), run({}));
  }
}

TEST(Random, TypesFollowDtypeAndSource) {
  const auto type_of = [](const std::string& op, Attributes attrs, std::vector<CaseOperand> src) {
    const auto data = CaseData::Make(MakeCase(op + "/", std::move(attrs), std::move(src)), CaseLayout{});
    return data.ok() ? (*data)->call().dst[0].type : DataType::kNone;
  };
  EXPECT_EQ(type_of("RandomNormal", Attrs({{"shape", List({2})}}), {}), DataType::kF32);
  EXPECT_EQ(type_of("RandomNormal", Attrs({{"shape", List({2})}, {"dtype", Int(11)}}), {}), DataType::kF64);
  EXPECT_EQ(type_of("RandomUniformLike", {}, {Fed({2}, DataType::kF64)}), DataType::kF64);
  EXPECT_EQ(type_of("RandomUniformLike", Attrs({{"dtype", Int(10)}}), {Fed({2}, DataType::kI32)}), DataType::kF16);
  EXPECT_EQ(type_of("Bernoulli", Attrs({{"dtype", Int(9)}}), {Fed({2})}), DataType::kBool);
  EXPECT_EQ(type_of("Multinomial", {}, {Fed({2, 2})}), DataType::kI32);
}

TEST(Random, UnseededNodesVary) {
  for (const char* op : {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform"}) {
    EXPECT_TRUE(Varies(*FindOp("", op), {})) << op;
    EXPECT_FALSE(Varies(*FindOp("", op), Attrs({{"seed", Float(1)}}))) << op;
  }
  EXPECT_FALSE(Varies(*FindOp("", "Add"), {}));
}

}  // namespace
}  // namespace moka

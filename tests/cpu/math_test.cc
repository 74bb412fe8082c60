// Accuracy of the vector functions over all exponents of float, in units in the last place.
#include <bit>
#include <cfloat>
#include <cmath>
#include <limits>

#include "ops/micro.h"
#include "tests/cpu/run_op.h"

namespace moka {
namespace {

class VectorMath : public OnEveryTarget {
 protected:
  std::vector<float> Apply(MicroOp op, const std::vector<float>& x) {
    OpTest test;
    test.op = "moka.Elementwise";
    test.src.emplace_back(MakeDense(DataType::kF32, {static_cast<int64_t>(x.size())}));
    std::memcpy(test.src[0].data(), x.data(), x.size() * sizeof(float));
    test.dst = {test.src[0].desc()};
    test.program_begin = 0;
    test.program.num_ops = 1;
    test.program.num_sources = 1;
    test.program.ops[0] = {op, 0, MicroSource(0), 0, 0, {}};
    const OpRun run = RunOp(device(), test);
    EXPECT_EQ(run.kernel, Kernel("micro"));
    std::vector<float> y(x.size());
    std::memcpy(y.data(), run.dst[0].data(), y.size() * sizeof(float));
    return y;
  }
};

std::vector<float> AllExponents() {
  std::vector<float> x;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 4099) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (std::isfinite(value)) x.push_back(value);
  }
  return x;
}

// The distance of floats around `want`, the smallest denormal at least.
double Ulp(double want) {
  const double magnitude = std::abs(want);
  if (magnitude < FLT_MIN) return std::numeric_limits<float>::denorm_min();
  return std::ldexp(1.0, std::ilogb(magnitude) - 23);
}

struct Function {
  const char* name;
  MicroOp op;
  double (*f)(double);
  double max_ulp;
};

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST_P(VectorMath, StaysWithinItsUlps) {
  const Function functions[] = {
      {"exp", MicroOp::kExp, &std::exp, 1.5},
      {"tanh", MicroOp::kTanh, &std::tanh, 6},
      {"erf", MicroOp::kErf, &std::erf, 7},
      {"sigmoid", MicroOp::kSigmoid, &Sigmoid, 3},
  };
  const std::vector<float> x = AllExponents();
  for (const Function& function : functions) {
    const std::vector<float> y = Apply(function.op, x);
    double worst = 0;
    float worst_x = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double want = function.f(x[i]);
      if (want > FLT_MAX) {
        ASSERT_GT(y[i], 3.4e38f) << function.name << "(" << x[i] << ")";
        continue;
      }
      const double error = std::abs(static_cast<double>(y[i]) - want) / Ulp(want);
      if (!(error <= worst)) {
        worst = error;
        worst_x = x[i];
      }
    }
    EXPECT_LE(worst, function.max_ulp) << function.name << "(" << worst_x << ")";
  }
}

TEST_P(VectorMath, ComposedFunctionsStayClose) {
  const std::vector<float> all = AllExponents();
  for (const MicroOp op : {MicroOp::kSilu, MicroOp::kGelu, MicroOp::kHardSwish}) {
    std::vector<float> x;
    for (const float value : all) {
      if (std::abs(value) < 1e30f) x.push_back(value);
    }
    const std::vector<float> y = Apply(op, x);
    for (size_t i = 0; i < x.size(); ++i) {
      const double want = MicroApply(op, x[i], 0, 0);
      ASSERT_LE(std::abs(y[i] - want), 1e-6 * (1 + std::abs(want))) << NameOf(op) << "(" << x[i] << ")";
    }
  }
}

TEST_P(VectorMath, SpecialValues) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> x = {kInfinity, -kInfinity, kNan, 0.0f, -0.0f, 1e-40f, -1e-40f};
  struct Case {
    MicroOp op;
    float at_infinity, at_minus_infinity, at_zero;
  };
  for (const Case& c : {Case{MicroOp::kExp, kInfinity, 0, 1}, Case{MicroOp::kTanh, 1, -1, 0},
                        Case{MicroOp::kErf, 1, -1, 0}, Case{MicroOp::kSigmoid, 1, 0, 0.5f}}) {
    const std::vector<float> y = Apply(c.op, x);
    EXPECT_EQ(y[0], c.at_infinity) << NameOf(c.op);
    EXPECT_NEAR(y[1], c.at_minus_infinity, 1e-44) << NameOf(c.op);
    EXPECT_TRUE(std::isnan(y[2])) << NameOf(c.op);
    for (size_t i = 3; i < x.size(); ++i) EXPECT_NEAR(y[i], c.at_zero, 2e-40) << NameOf(c.op);
  }
}

TEST_P(VectorMath, ResultsStayInRange) {
  std::vector<float> x;
  for (int i = -60000; i <= 60000; ++i) x.push_back(static_cast<float>(i) * 2e-4f);
  for (const MicroOp op : {MicroOp::kTanh, MicroOp::kErf}) {
    for (const float y : Apply(op, x)) ASSERT_LE(std::abs(y), 1.0f) << NameOf(op);
  }
  for (const float y : Apply(MicroOp::kSigmoid, x)) ASSERT_TRUE(y >= 0 && y <= 1);
}

MOKA_ON_EVERY_TARGET(VectorMath);

}  // namespace
}  // namespace moka

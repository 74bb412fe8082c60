// Accuracy of the vector functions over all exponents of float, in units in the last place.
#include <bit>
#include <cfloat>
#include <cmath>
#include <limits>
#include <string>

#include "ops/micro.h"
#include "tests/cpu/run_op.h"

namespace moka {
namespace {

class VectorMath : public OnEveryTarget {
 protected:
  // `second`: the other operand of an operation on two.
  std::vector<float> Apply(MicroOp op, const std::vector<float>& x, const std::vector<float>* second = nullptr) {
    OpTest test;
    test.op = "moka.Elementwise";
    for (const std::vector<float>* operand : {&x, second}) {
      if (operand == nullptr) continue;
      test.src.emplace_back(MakeDense(DataType::kF32, {static_cast<int64_t>(x.size())}));
      std::memcpy(test.src.back().data(), operand->data(), x.size() * sizeof(float));
    }
    test.dst = {test.src[0].desc()};
    test.program_begin = 0;
    test.program.num_ops = 1;
    test.program.num_sources = static_cast<int>(test.src.size());
    test.program.ops[0] = {op, 0, MicroSource(0), MicroSource(1), 0, {}};
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
  bool flushes = false;  // denormal results become 0
};

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double Softplus(double x) { return MicroSoftplus(x); }

TEST_P(VectorMath, StaysWithinItsUlps) {
  const Function functions[] = {
      {"exp", MicroOp::kExp, &std::exp, 1.5},     {"tanh", MicroOp::kTanh, &std::tanh, 6},
      {"erf", MicroOp::kErf, &std::erf, 7},       {"sigmoid", MicroOp::kSigmoid, &Sigmoid, 3, true},
      {"sqrt", MicroOp::kSqrt, &std::sqrt, 0.5},  {"log", MicroOp::kLog, &std::log, 4},
      {"sin", MicroOp::kSin, &std::sin, 4},       {"cos", MicroOp::kCos, &std::cos, 4},
      {"tan", MicroOp::kTan, &std::tan, 8},       {"asin", MicroOp::kAsin, &std::asin, 3},
      {"acos", MicroOp::kAcos, &std::acos, 3},    {"atan", MicroOp::kAtan, &std::atan, 3},
      {"sinh", MicroOp::kSinh, &std::sinh, 8},    {"cosh", MicroOp::kCosh, &std::cosh, 5},
      {"asinh", MicroOp::kAsinh, &std::asinh, 5}, {"acosh", MicroOp::kAcosh, &std::acosh, 5},
      {"atanh", MicroOp::kAtanh, &std::atanh, 5}, {"softplus", MicroOp::kSoftplus, &Softplus, 5},
  };
  const std::vector<float> x = AllExponents();
  for (const Function& function : functions) {
    const std::vector<float> y = Apply(function.op, x);
    double worst = 0;
    float worst_x = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double want = function.f(x[i]);
      if (std::isnan(want)) {
        ASSERT_TRUE(std::isnan(y[i])) << function.name << "(" << x[i] << ")";
        continue;
      }
      if (std::abs(want) > FLT_MAX) {
        ASSERT_GT(want > 0 ? y[i] : -y[i], 3.4e38f) << function.name << "(" << x[i] << ")";
        continue;
      }
      if (function.flushes && std::abs(want) < FLT_MIN && y[i] == 0) continue;
      const double error = std::abs(static_cast<double>(y[i]) - want) / Ulp(want);
      if (!(error <= worst)) {
        worst = error;
        worst_x = x[i];
      }
    }
    EXPECT_LE(worst, function.max_ulp) << function.name << "(" << worst_x << ")";
  }
}

// Against std::pow in double, over all exponents of both operands, and the cases that C lists.
TEST_P(VectorMath, PowFollowsItsDefinition) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> bases = {0.0f,  -0.0f,     1,          -1,   2,      -2,      0.5f,
                              -0.5f, kInfinity, -kInfinity, kNan, 1e-40f, -3e-39f, 3e38f};
  std::vector<float> exponents = {0.0f, -0.0f, 1,  -1,        2,          3,    -3,    0.5f,       -0.5f,
                                  1.5f, 7,     -8, kInfinity, -kInfinity, kNan, 1e10f, 16777215.0f};
  for (int i = -40; i <= 40; ++i) {
    bases.push_back(std::ldexp(1.37f, 3 * i));
    bases.push_back(-std::ldexp(1.1f, 3 * i));
    exponents.push_back(static_cast<float>(i) * 0.31f);
  }
  std::vector<float> x, y;
  for (const float base : bases) {
    for (const float exponent : exponents) {
      x.push_back(base);
      y.push_back(exponent);
    }
  }
  const std::vector<float> got = Apply(MicroOp::kPow, x, &y);
  for (size_t i = 0; i < x.size(); ++i) {
    const double want = std::pow(static_cast<double>(x[i]), static_cast<double>(y[i]));
    const std::string what = std::to_string(x[i]) + " to the power of " + std::to_string(y[i]);
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(got[i])) << what;
    } else if (std::abs(want) > FLT_MAX) {
      EXPECT_GT(want > 0 ? got[i] : -got[i], 3.4e38f) << what;
    } else {
      EXPECT_LE(std::abs(static_cast<double>(got[i]) - want) / Ulp(want), 1) << what;
    }
  }
}

TEST_P(VectorMath, ComposedFunctionsStayClose) {
  const std::vector<float> all = AllExponents();
  for (const MicroOp op : {MicroOp::kSilu, MicroOp::kGelu, MicroOp::kHardSwish, MicroOp::kMish, MicroOp::kGeluTanh}) {
    std::vector<float> x;
    for (const float value : all) {
      if (std::abs(value) < 1e30f) x.push_back(value);
    }
    const std::vector<float> y = Apply(op, x);
    for (size_t i = 0; i < x.size(); ++i) {
      const double want = MicroApply(op, x[i], 0, 0);
      ASSERT_LE(std::abs(y[i] - want), 1e-6 * (1 + std::abs(want))) << NameOf(op) << "(" << x[i] << ")";
      if (op != MicroOp::kSilu || x[i] < -80) continue;
      const double silu = x[i] * Sigmoid(x[i]);
      ASSERT_LE(std::abs(y[i] - silu), 4 * Ulp(silu)) << "Silu(" << x[i] << ")";
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

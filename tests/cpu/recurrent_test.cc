#include "cpu/recurrent.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "cpu/pack.h"
#include "cpu/recurrent_ahead.h"
#include "cpu/simd.h"
#include "tests/cpu/run_op.h"

namespace moka {
namespace {

class Recurrent : public OnEveryTarget {};

void ExpectSameBits(const OpRun& got, const OpRun& want, const std::string& what) {
  ASSERT_TRUE(got.status.ok()) << what << ": " << got.status.message();
  for (size_t i = 0; i < want.dst.size(); ++i) {
    EXPECT_EQ(std::memcmp(got.dst[i].data(), want.dst[i].data(), want.dst[i].desc().ExtentBytes()), 0)
        << what << ", result " << i;
  }
}

TEST_P(Recurrent, BatchesAreDividedAmongWorkersWithoutATrace) {
  constexpr int64_t kSteps = 3, kInput = 7, kHidden = 20;
  std::mt19937 random(31);
  for (const int64_t directions : {1, 2}) {
    for (const int64_t batch : {1, 4, 8, 9, 13, 26}) {
      OpTest test;
      test.op = "LSTM";
      test.attrs.Set("hidden_size", kHidden);
      if (directions == 2) test.attrs.Set("direction", std::string("bidirectional"));
      test.AddFloats(MakeDense(DataType::kF32, {kSteps, batch, kInput}), random);
      test.AddFloats(MakeDense(DataType::kF32, {directions, 4 * kHidden, kInput}), random, 0.5f);
      test.AddFloats(MakeDense(DataType::kF32, {directions, 4 * kHidden, kHidden}), random, 0.5f);
      test.constant = {false, true, true};
      test.dst = {MakeDense(DataType::kF32, {kSteps, directions, batch, kHidden})};
      const OpRun one = CheckOp(device(), test, Kernel("lstm"), 1e-5, "LSTM");
      for (const int threads : {2, 3, 7}) {
        const OpRun many = RunOp(device(), test, threads);
        if (batch >= 8) {
          EXPECT_GE(many.units, 2) << batch;
        }
        ExpectSameBits(many, one, std::to_string(batch) + " rows, " + std::to_string(threads) + " threads");
      }
    }
  }
}

struct SharedCase {
  const char* op;
  int64_t hidden, batch, steps;
  const char* direction = "forward";
  bool reset_after = false;  // linear_before_reset
  bool lengths = false, states = false, peepholes = false;
};

OpTest MakeTest(const SharedCase& c) {
  constexpr int64_t kInput = 70;
  std::mt19937 random(32);
  const std::string op = c.op;
  const int64_t gates = op == "LSTM" ? 4 : op == "GRU" ? 3 : 1, columns = gates * c.hidden;
  const int64_t directions = std::string(c.direction) == "bidirectional" ? 2 : 1;
  const float scale = 1.0f / std::sqrt(static_cast<float>(c.hidden));
  const TensorDesc absent, state = MakeDense(DataType::kF32, {directions, c.batch, c.hidden});
  OpTest test;
  test.op = op;
  test.attrs.Set("hidden_size", c.hidden);
  test.attrs.Set("direction", std::string(c.direction));
  if (c.reset_after) test.attrs.Set("linear_before_reset", int64_t{1});
  test.AddFloats(MakeDense(DataType::kF32, {c.steps, c.batch, kInput}), random);
  test.AddFloats(MakeDense(DataType::kF32, {directions, columns, kInput}), random, scale);
  test.AddFloats(MakeDense(DataType::kF32, {directions, columns, c.hidden}), random, scale);
  test.AddFloats(MakeDense(DataType::kF32, {directions, 2 * columns}), random, scale);
  test.constant = {false, true, true};
  test.src.emplace_back(c.lengths ? MakeDense(DataType::kI32, {c.batch}) : absent);
  for (int64_t row = 0; c.lengths && row < c.batch; ++row) {
    StoreRaw<int32_t>(test.src.back().data(), row, static_cast<int32_t>(std::max<int64_t>(c.steps - 7 * row, 0)));
  }
  if (c.states) {
    test.AddFloats(state, random);
    if (op == "LSTM") test.AddFloats(state, random);
  }
  if (c.peepholes) test.AddFloats(MakeDense(DataType::kF32, {directions, 3 * c.hidden}), random, scale);
  test.dst = {MakeDense(DataType::kF32, {c.steps, directions, c.batch, c.hidden}), state};
  if (op == "LSTM") test.dst.push_back(state);
  return test;
}

TEST_P(Recurrent, WorkersShareStepsWithoutATrace) {
  const SharedCase cases[] = {
      {"LSTM", 256, 1, 50},
      {"LSTM", 256, 1, 16},
      {"LSTM", 192, 1, 17, "reverse", false, true, true, true},
      {"LSTM", 200, 3, 22, "forward", false, true, true, true},
      {"LSTM", 250, 1, 18, "bidirectional"},
      {"LSTM", 128, 8, 9, "bidirectional", false, true},
      {"GRU", 320, 1, 35},
      {"GRU", 320, 1, 35, "reverse", true, false, true},
      {"GRU", 257, 2, 20, "bidirectional", false, true, true},
      {"GRU", 257, 2, 20, "forward", true, true, true},
      {"RNN", 512, 1, 40, "forward", false, true},
      {"RNN", 300, 4, 7, "bidirectional", false, false, true},
  };
  for (const SharedCase& c : cases) {
    const std::string what = std::string(c.op) + " of " + std::to_string(c.hidden) + ", " + c.direction + ", " +
                             std::to_string(c.batch) + " rows";
    const OpTest test = MakeTest(c);
    std::string family = c.op;
    std::transform(family.begin(), family.end(), family.begin(), [](char x) { return static_cast<char>(x | 0x20); });
    const OpRun one = CheckOp(device(), test, Kernel(family), 2e-5, what);
    EXPECT_LE(one.units, 2) << what;
    for (const int threads : {2, 3, 4, 7}) {
      const OpRun many = RunOp(device(), test, threads);
      ExpectSameBits(many, one, what + ", " + std::to_string(threads) + " threads");
      if (threads == 7) {
        EXPECT_GE(many.units, std::string(c.direction) == "bidirectional" ? 2 : 3) << what;
      }
    }
  }
}

TEST_P(Recurrent, SharedStepsReportALengthThatIsWrong) {
  OpTest test = MakeTest({"LSTM", 256, 2, 5, "forward", false, true});
  StoreRaw<int32_t>(test.src[4].data(), 1, 6);
  for (const int threads : {1, 2, 4}) EXPECT_FALSE(RunOp(device(), test, threads).status.ok());
}

TEST_P(Recurrent, SmallStepsAreNotShared) {
  EXPECT_EQ(RunOp(device(), MakeTest({"LSTM", 64, 1, 5}), 4).units, 1);
  EXPECT_EQ(RunOp(device(), MakeTest({"RNN", 128, 1, 5}), 4).units, 1);
}

// Whatever is asked of it, in whichever calls: each of them is a product, and all of them together another one.
TEST_P(Recurrent, InputsAreMultipliedAhead) {
  const cpu::Simd simd = cpu::SimdForTarget(GetParam());
  const cpu::RecurrentTable& table = *simd.recurrent;
  if (table.product == nullptr) GTEST_SKIP() << "no such loop";
  const int rows = table.ahead_rows, widest = table.widest;
  std::mt19937 random(33);
  std::normal_distribution<float> normal;
  const auto fill = [&](int64_t n) {
    std::vector<float> values(static_cast<size_t>(n));
    for (float& value : values) value = normal(random);
    return values;
  };
  for (const int64_t calls : {1, 3, 40}) {
    for (const int64_t input : {1, 5, 64}) {
      for (const int64_t k : {1, 2, 33, 128}) {
        const int64_t columns = 3 * widest, vectors = columns / table.lanes;
        const cpu::AheadVectors part = {1, 3, vectors / 3};
        const std::vector<float> x = fill(input * rows), w = fill(input * columns), bias = fill(columns);
        std::vector<float> gates(static_cast<size_t>(rows * columns), -1.0f);
        std::vector<float> sums(static_cast<size_t>(rows * table.lanes));
        cpu::RecurrentAhead ahead(table, w.data(), input, part, bias.data(), sums.data());
        ahead.Begin(x.data(), gates.data(), columns, calls);
        for (int64_t call = 0; call < calls + 1; ++call) {
          const std::vector<float> a = fill(k), b = fill(k * widest), old = fill(widest);
          std::vector<float> dst = old;
          ahead.Multiply(a.data(), k, b.data(), dst.data());
          for (int j = 0; j < widest; ++j) {
            double want = old[static_cast<size_t>(j)], size = std::abs(want);
            for (int64_t i = 0; i < k; ++i) {
              const double term = double{a[static_cast<size_t>(i)]} * b[static_cast<size_t>(i * widest + j)];
              want += term;
              size += std::abs(term);
            }
            ASSERT_NEAR(dst[static_cast<size_t>(j)], want, 1e-6 * size) << "call " << call << " of " << calls;
          }
        }
        for (int row = 0; row < rows; ++row) {
          for (int64_t col = 0; col < columns; ++col) {
            const float got = gates[static_cast<size_t>(row * columns + col)];
            if (col / table.lanes % part.stride != part.first) {
              ASSERT_EQ(got, -1.0f) << "column " << col << " is of another part";
              continue;
            }
            double want = bias[static_cast<size_t>(col)], size = std::abs(want);
            for (int64_t i = 0; i < input; ++i) {
              const auto weight = w[static_cast<size_t>(col / widest * widest * input + i * widest + col % widest)];
              const double term = double{x[static_cast<size_t>(i * rows + row)]} * weight;
              want += term;
              size += std::abs(term);
            }
            ASSERT_NEAR(got, want, 1e-6 * size) << "row " << row << ", column " << col;
          }
        }
      }
    }
  }
}

MOKA_ON_EVERY_TARGET(Recurrent);

}  // namespace
}  // namespace moka

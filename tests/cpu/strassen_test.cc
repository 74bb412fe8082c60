#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>

#include "tests/cpu/run_op.h"

namespace moka {
namespace {

class Strassen : public OnEveryTarget {
 protected:
  void SetUp() override {
    if (!HasStrassen()) GTEST_SKIP() << "its tiles make no sums: products are plain";
  }
};

OpTest Product(int64_t m, int64_t k, int64_t n, std::mt19937& random) {
  OpTest test;
  test.op = "MatMul";
  test.AddFloats(MakeDense(DataType::kF32, {m, k}), random);
  test.AddFloats(MakeDense(DataType::kF32, {k, n}), random, 1 / std::sqrt(static_cast<float>(k)));
  test.constant = {false, true};
  test.dst = {MakeDense(DataType::kF32, {m, n})};
  return test;
}

void AddProgram(std::initializer_list<MicroInstruction> ops, const Shape& source, std::mt19937& random, OpTest* test) {
  for (const MicroInstruction& op : ops) test->program.ops[test->program.num_ops++] = op;
  test->program.num_sources = 1;
  test->program_begin = 2;
  test->AddFloats(MakeDense(DataType::kF32, source), random);
}

float At(const Memory& memory, int64_t i) { return LoadRaw<float>(memory.data(), i); }
void Scale(Memory& memory, int64_t i, float factor) { StoreRaw<float>(memory.data(), i, factor * At(memory, i)); }

// The largest error of row i against f64, by the length of that row of A.
double ErrorOfRow(const OpTest& test, const Memory& dst, int64_t i) {
  const int64_t k = test.src[0].desc().dims[1], n = test.src[1].desc().dims[1];
  double squares = 0, worst = 0;
  for (int64_t s = 0; s < k; ++s) squares += std::pow(At(test.src[0], i * k + s), 2.0);
  for (int64_t j = 0; j < n; ++j) {
    double sum = 0;
    for (int64_t s = 0; s < k; ++s) {
      sum += static_cast<double>(At(test.src[0], i * k + s)) * At(test.src[1], s * n + j);
    }
    worst = std::max(worst, std::abs(At(dst, i * n + j) - sum));
  }
  return worst / std::sqrt(squares / static_cast<double>(k));
}

TEST_P(Strassen, Shapes) {
  std::mt19937 random(1);
  const std::array<int64_t, 3> shapes[] = {
      {96, 192, 384}, {97, 386, 768}, {197, 770, 384}, {250, 192, 768}, {500, 192, 384}};
  for (const auto& [m, k, n] : shapes) {
    CheckOp(device(), Product(m, k, n, random), Kernel("matmul_strassen"), 2e-5,
            std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n));
  }
}

TEST_P(Strassen, Epilogues) {
  std::mt19937 random(2);
  const auto r0 = MicroRegister(0), s0 = MicroSource(0);
  for (const Shape& source : {Shape{101, 768}, Shape{768}, Shape{101, 1}}) {
    for (const MicroOp last : {MicroOp::kMov, MicroOp::kGelu}) {
      OpTest test = Product(101, 194, 768, random);
      AddProgram({{MicroOp::kAdd, 0, r0, s0, 0, {}}, {last, 0, r0, 0, 0, {}}}, source, random, &test);
      CheckOp(device(), test, Kernel("matmul_strassen"), 2e-5, ToString(source));
    }
  }
  OpTest test = Product(101, 194, 768, random);
  AddProgram({{MicroOp::kAdd, 0, r0, s0, 0, {}}, {MicroOp::kMax, 0, r0, s0, 0, {}}}, {101, 768}, random, &test);
  CheckOp(device(), test, Kernel("matmul_strassen"), 2e-5, "a source twice");
  OpTest in_place = Product(101, 770, 768, random);
  AddProgram({{MicroOp::kAdd, 0, r0, s0, 0, {}}}, {101, 768}, random, &in_place);
  in_place.in_place = 2;
  CheckOp(device(), in_place, Kernel("matmul_strassen"), 2e-5, "in place");
}

TEST_P(Strassen, BiasOfGemm) {
  std::mt19937 random(3);
  OpTest test = Product(140, 194, 768, random);
  test.op = "Gemm";
  test.AddFloats(MakeDense(DataType::kF32, {768}), random);
  CheckOp(device(), test, Kernel("gemm_strassen"), 2e-5, "bias");
}

TEST_P(Strassen, SmallProductsAndThoseWithNarrowPanelsArePlain) {
  std::mt19937 random(4);
  for (const auto& [m, k, n] :
       {std::array<int64_t, 3>{95, 768, 768}, {128, 190, 768}, {128, 768, 64}, {101, 194, 1001}}) {
    CheckOp(device(), Product(m, k, n, random), Kernel("matmul"), 2e-5, std::to_string(m));
  }
}

// Errors of the algorithm are relative to the longer row of a pair and the longest column of a pair of panels.
TEST_P(Strassen, RowsAndColumnsOfOtherLengthsKeepTheirPrecision) {
  std::mt19937 random(5);
  constexpr int64_t kM = 128, kK = 192, kN = 384;
  OpTest rows = Product(kM, kK, kN, random);
  for (int64_t s = 0; s < kK; ++s) Scale(rows.src[0], 3 * kK + s, 1e5f);
  const OpRun run = RunOp(device(), rows, 2);
  EXPECT_EQ(run.kernel, Kernel("matmul_strassen"));
  for (const int64_t i : {2, 3, 4, 67, 127}) EXPECT_LT(ErrorOfRow(rows, run.dst[0], i), 4e-6) << i;

  OpTest columns = Product(kM, kK, kN, random);
  for (int64_t s = 0; s < kK; ++s) Scale(columns.src[1], s * kN + 5, 1e5f);
  const OpRun other = RunOp(device(), columns, 2);
  for (int64_t s = 0; s < kK; ++s) Scale(columns.src[1], s * kN + 5, 0);
  for (int64_t i = 0; i < kM; ++i) Scale(const_cast<Memory&>(other.dst[0]), i * kN + 5, 0);
  for (const int64_t i : {0, 63, 64, 127}) EXPECT_LT(ErrorOfRow(columns, other.dst[0], i), 4e-6) << i;
}

TEST_P(Strassen, WhatIsNotFiniteStaysInItsRow) {
  std::mt19937 random(6);
  for (const float value : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    OpTest test = Product(128, 192, 384, random);
    StoreRaw<float>(test.src[0].data(), 70 * 192 + 11, value);
    const OpRun run = RunOp(device(), test, 2);
    EXPECT_EQ(run.kernel, Kernel("matmul_strassen"));
    for (const int64_t i : {0, 6, 69, 71, 127}) EXPECT_LT(ErrorOfRow(test, run.dst[0], i), 4e-6) << i;
    EXPECT_FALSE(std::isfinite(At(run.dst[0], 70 * 384)));
  }
}

TEST_P(Strassen, BitIdenticalForAnyNumberOfThreads) {
  std::mt19937 random(7);
  const auto r0 = MicroRegister(0), s0 = MicroSource(0);
  const auto check = [&](const OpTest& test, const std::string& what) {
    const OpRun one = RunOp(device(), test, 1);
    EXPECT_EQ(one.kernel, Kernel("matmul_strassen"));
    for (const int threads : {2, 3, 4, 7}) {
      const OpRun many = RunOp(device(), test, threads);
      EXPECT_EQ(std::memcmp(one.dst[0].data(), many.dst[0].data(), one.dst[0].desc().ExtentBytes()), 0)
          << what << ", threads: " << threads;
    }
  };
  for (const auto& [m, n] : {std::array<int64_t, 2>{197, 384}, {197, 768}, {96, 1536}, {251, 768}}) {
    OpTest test = Product(m, 386, n, random);
    check(test, "pairs");
    // Rows that leave their pairs: of both halves, the one without a partner, then all of one worker's.
    for (const int64_t i : {int64_t{0}, m / 2 + 9, (m - 1) / 2}) Scale(test.src[0], i * 386, 1e6f);
    AddProgram({{MicroOp::kAdd, 0, r0, s0, 0, {}}, {MicroOp::kGelu, 0, r0, 0, 0, {}}}, {m, n}, random, &test);
    check(test, "rows of other lengths");
    for (int64_t i = 0; i < (m + 1) / 4; ++i) Scale(test.src[0], i * 386, 1e6f);
    check(test, "a half of other lengths");
  }
}

MOKA_ON_EVERY_TARGET(Strassen);

}  // namespace
}  // namespace moka

#include "ops/reduce.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "base/str_cat.h"
#include "tests/cpu/kernel_check.h"
#include "tests/cpu/run_op.h"

namespace moka::cpu {
namespace {

constexpr const char* kOps[] = {
#define MOKA_NAME(name, start, step, end) #name,
    MOKA_REDUCE_OPS(MOKA_NAME)
#undef MOKA_NAME
};

OpCase Reduce(const char* op, const std::string& name, CaseOperand x, CaseOperand axes, int64_t keepdims = 1) {
  return MakeCase(StrCat(op, "/", name), Attrs({{"keepdims", keepdims}}), {std::move(x), std::move(axes)});
}

TEST(ReduceKernels, MatchOracleInEveryCaseOfTheSuite) {
  EXPECT_GT(ExpectKernels(ReduceRows(), RowCases()), 50);
  EXPECT_GT(ExpectKernels(ReduceRows(), PoolCases()), 20);
}

TEST(ReduceKernels, FoldRowsAndColumnsOfAnyLength) {
  for (const char* op : kOps) {
    for (const int64_t n : {1, 2, 15, 16, 17, 33, 64, 67}) {
      ExpectKernel(ReduceRows(), "reduce", Reduce(op, StrCat("row", n), Fed({3, n}), Ints({1})));
      ExpectKernel(ReduceRows(), "reduce", Reduce(op, StrCat("column", n), Fed({7, n}), Ints({0})), kStridedRows);
    }
  }
}

TEST(ReduceKernels, FoldAnyAxes) {
  for (uint32_t mask = 0; mask < 32; ++mask) {
    CaseOperand axes = Ints({});
    for (int64_t d = 0; d < 5; ++d) {
      if ((mask >> d & 1) != 0) axes.given.push_back(static_cast<double>(d));
    }
    axes.shape = {static_cast<int64_t>(axes.given.size())};
    for (const int64_t keepdims : {0, 1}) {
      const OpCase op_case = Reduce("ReduceSum", StrCat("mask", mask), Fed({2, 3, 4, 5, 6}), axes, keepdims);
      ExpectKernel(ReduceRows(), "reduce", op_case);
      ExpectKernel(ReduceRows(), "reduce", op_case, kChannelsLastLayout);
      ExpectKernel(ReduceRows(), "reduce", op_case, kToRowMajor);
    }
  }
}

TEST(ReduceKernels, AverageLargeImages) {
  for (const char* op : {"GlobalAveragePool", "GlobalMaxPool"}) {
    const OpCase op_case = MakeCase(StrCat(op, "/large"), {}, {Fed({2, 300, 31, 33})});
    ExpectKernel(ReduceRows(), "reduce", op_case);
    ExpectKernel(ReduceRows(), "reduce", op_case, kChannelsLastLayout);
  }
  ExpectKernel(ReduceRows(), "reduce", Reduce("ReduceMean", "all", Fed({100, 1000}), Absent()));
}

// A running sum of a million floats would be off by far more than the tolerance.
TEST(ReduceKernels, AddManyElementsWithoutDrift) {
  std::vector<double> values(1 << 20, 0.1f);
  ExpectKernel(ReduceRows(), "reduce", Reduce("ReduceMean", "drift", Given({1, 1 << 20}, values), Ints({1})));
}

TEST(ReduceKernels, KeepNan) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> values(3 * 40, 1.0);
  values[5] = values[40 + 39] = nan;
  for (const char* op : {"ReduceMax", "ReduceMin", "ReduceSum"}) {
    ExpectKernel(ReduceRows(), "reduce", Reduce(op, "nan_rows", Given({3, 40}, values), Ints({1})));
    ExpectKernel(ReduceRows(), "reduce", Reduce(op, "nan_columns", Given({3, 40}, values), Ints({0})));
  }
}

TEST(ReduceKernels, FoldNothingToTheStart) {
  for (const char* op : kOps) {
    ExpectKernel(ReduceRows(), "reduce", Reduce(op, "empty", Fed({3, 0}), Ints({1})));
    ExpectKernel(ReduceRows(), "reduce", Reduce(op, "no_rows", Fed({0, 3}), Ints({0})));
  }
}

TEST(ReduceKernels, LeaveIntegersToTheReference) {
  EXPECT_NE(RefusalOf(ReduceRows(), Reduce("ReduceSum", "i64", Fed({2, 3}, DataType::kI64), Ints({1}))), "");
}

class LongColumns : public OnEveryTarget {};

// Running sums of so many elements are off by 2e-4 here, and by 1e-5 where they differ.
TEST_P(LongColumns, AddUpWithoutDrift) {
  std::mt19937 random(1);
  OpTest mean;
  mean.op = "ReduceMean";
  mean.AddFloats(MakeDense(DataType::kF32, {1 << 18, 3}), random, 0);
  for (int64_t i = 0; i < 3 << 18; ++i) StoreRaw<float>(mean.src[0].data(), i, 0.1f);
  mean.AddInts({0});
  mean.constant = {false, true};
  mean.dst = {MakeDense(DataType::kF32, {1, 3})};
  CheckOp(device(), mean, Kernel("reduce"), 2e-6, "mean");

  OpTest norm;
  norm.op = "InstanceNormalization";
  const TensorDesc image = MakeDense(DataType::kF32, {1, 5, 200, 200}, Format::kChannelsLast);
  norm.AddFloats(image, random);
  for (int64_t i = 0; i < image.NumElements(); ++i) {
    StoreRaw<float>(norm.src[0].data(), i, LoadRaw<float>(norm.src[0].data(), i) + 3);
  }
  norm.AddFloats(MakeDense(DataType::kF32, {5}), random);
  norm.AddFloats(MakeDense(DataType::kF32, {5}), random);
  norm.dst = {image};
  CheckOp(device(), norm, Kernel("group_norm_columns"), 2e-6, "normalized");
}

MOKA_ON_EVERY_TARGET(LongColumns);

TEST(BatchNormKernels, MatchOracleInEveryCaseOfTheSuite) { EXPECT_GT(ExpectKernels(BatchNormRows(), RowCases()), 20); }

TEST(BatchNormKernels, CutLargeImagesIntoUnits) {
  const OpCase op_case = MakeCase("BatchNormalization/large", {},
                                  {Fed({2, 37, 30, 31}), Weight({37}), Weight({37}), Weight({37}), Positive({37})});
  ExpectKernel(BatchNormRows(), "batch_norm", op_case);
  ExpectKernel(BatchNormRows(), "batch_norm", op_case, kChannelsLastLayout);
}

}  // namespace
}  // namespace moka::cpu

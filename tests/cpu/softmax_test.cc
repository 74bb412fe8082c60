#include <gtest/gtest.h>

#include <limits>

#include "base/str_cat.h"
#include "tests/cpu/kernel_check.h"

namespace moka::cpu {
namespace {

OpCase Softmax(const char* op, const std::string& name, CaseOperand x, int64_t axis) {
  return MakeCase(StrCat(op, "/", name), Attrs({{"axis", axis}}), {std::move(x)});
}

TEST(SoftmaxKernels, MatchOracleInEveryCaseOfTheSuite) { EXPECT_GT(ExpectKernels(SoftmaxRows(), RowCases()), 30); }

TEST(SoftmaxKernels, TakeRowsOfAnyLength) {
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    for (const int64_t n : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 67, 1000, 5001}) {
      ExpectKernel(SoftmaxRows(), "softmax", Softmax(op, StrCat("row", n), Fed({5, n}), 1));
      ExpectKernel(SoftmaxRows(), "softmax", Softmax(op, StrCat("strided", n), Fed({5, n}), 1), kStridedRows);
      ExpectKernel(SoftmaxRows(), "softmax", Softmax(op, StrCat("heads", n), Fed({2, 4, 3, n}), 3), kToRowMajor);
    }
  }
}

TEST(SoftmaxKernels, TakeColumnsOfAnyNumber) {
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    for (const int64_t cols : {1, 3, 8, 15, 16, 17, 33, 130}) {
      ExpectKernel(SoftmaxRows(), "softmax", Softmax(op, StrCat("column", cols), Fed({3, 19, cols}), 1));
    }
    ExpectKernel(SoftmaxRows(), "softmax", Softmax(op, "image", Fed({2, 21, 9, 7}), 1), kChannelsLastLayout);
    ExpectKernel(SoftmaxRows(), "softmax", Softmax(op, "image", Fed({2, 21, 9, 7}), 2), kChannelsLastLayout);
  }
}

TEST(SoftmaxKernels, CutManyRowsIntoUnits) {
  ExpectKernel(SoftmaxRows(), "softmax", Softmax("Softmax", "attention", Fed({3, 4, 50, 50}), -1));
  ExpectKernel(SoftmaxRows(), "softmax", Softmax("Softmax", "planes", Fed({1, 21, 50, 50}), 1));
}

TEST(SoftmaxKernels, SurviveLargeMaskedAndMissingValues) {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> values = {3e38, -3e38,     88,  1e-40, -infinity, -infinity, -infinity, -infinity,
                                      nan,  1,         2,   3,     infinity,  0,         1,         -infinity,
                                      -90,  -infinity, -87, 0,     1e30,      1e30,      1e30,      1e30};
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    ExpectKernel(SoftmaxRows(), "softmax", Softmax(op, "rows", Given({6, 4}, values), 1));
    ExpectKernel(SoftmaxRows(), "softmax", Softmax(op, "columns", Given({6, 4}, values), 0));
  }
}

}  // namespace
}  // namespace moka::cpu

#include <gtest/gtest.h>

#include "ops/matmul.h"
#include "tests/ops/run_op.h"

namespace moka {
namespace {

TEST(Gemm, TransposesScalesAndBroadcastsByHand) {
  const CaseOperand a = Given({2, 2}, {1, 2, 3, 4}), b = Given({2, 2}, {5, 6, 7, 8});
  ExpectOp(RunOp("Gemm", {}, {a, b}), {2, 2}, {19, 22, 43, 50});
  ExpectOp(RunOp("Gemm", Attrs({{"transA", int64_t{1}}}), {a, b}), {2, 2}, {26, 30, 38, 44});
  ExpectOp(RunOp("Gemm", Attrs({{"transB", int64_t{1}}}), {a, b}), {2, 2}, {17, 23, 39, 53});
  const Attributes scaled = Attrs({{"alpha", 2.0f}, {"beta", -1.0f}});
  ExpectOp(RunOp("Gemm", scaled, {a, b, Given({2}, {1, 2})}), {2, 2}, {37, 42, 85, 98});
  ExpectOp(RunOp("Gemm", scaled, {a, b, Given({2, 1}, {1, 2})}), {2, 2}, {37, 43, 84, 98});
}

TEST(Gemm, IntegersAreExact) {
  const double large = static_cast<double>(int64_t{1} << 52);
  ExpectOp(RunOp("Gemm", {}, {Given({1, 2}, {large, 1}, DataType::kI64), Given({2, 1}, {1, 1}, DataType::kI64)}),
           {1, 1}, {large + 1});
}

TEST(MatMul, FollowsNumpysRules) {
  const CaseOperand row = Counting({2}), matrix = Counting({2, 3}), batch = Counting({2, 2, 3});
  ExpectOp(RunOp("MatMul", {}, {row, matrix}), {3}, {9, 12, 15});
  ExpectOp(RunOp("MatMul", {}, {Counting({3, 2}), row}), {3}, {5, 11, 17});
  ExpectOp(RunOp("MatMul", {}, {row, row}), {}, {5});
  ExpectOp(RunOp("MatMul", {}, {row, batch}), {2, 3}, {9, 12, 15, 27, 30, 33});
  ExpectOp(RunOp("MatMul", {}, {Counting({2, 1, 1, 2}), batch}), {2, 2, 1, 3},
           {9, 12, 15, 27, 30, 33, 19, 26, 33, 61, 68, 75});
}

TEST(MatMul, ParamsGiveZeroStridesToBroadcastBatches) {
  const auto data = CaseData::Make(MakeCase("MatMul/", {}, {Fed({2, 1, 4, 5}), Fed({3, 5, 6})}), CaseLayout{});
  ASSERT_TRUE(data.ok());
  const auto params = MatMulParams::From((*data)->call());
  ASSERT_TRUE(params.ok());
  EXPECT_EQ(params->Batches(), 6);
  EXPECT_EQ(params->a_batch[0], 20);
  EXPECT_EQ(params->a_batch[1], 0);
  EXPECT_EQ(params->b_batch[0], 0);
  EXPECT_EQ(params->b_batch[1], 30);
}

TEST(BatchNormalization, NormalisesEachChannel) {
  ExpectOp(RunOp("BatchNormalization", Attrs({{"epsilon", 0.0f}}),
                 {Given({1, 2, 2}, {1, 3, 10, 20}), Given({2}, {2, 1}), Given({2}, {0.5, 0}), Given({2}, {1, 20}),
                  Given({2}, {4, 25})}),
           {1, 2, 2}, {0.5, 2.5, -2, 0});
}

TEST(Softmax, SumsToOneAlongItsAxisOnly) {
  const auto got = RunOp("Softmax", Attrs({{"axis", int64_t{1}}}), {Fed({2, 5, 3})});
  ASSERT_TRUE(got.ok());
  for (size_t n = 0; n < 2; ++n) {
    for (size_t i = 0; i < 3; ++i) {
      double sum = 0;
      for (size_t c = 0; c < 5; ++c) sum += got->values[n * 15 + c * 3 + i];
      EXPECT_NEAR(sum, 1, 1e-6);
    }
  }
  ExpectOp(RunOp("Softmax", {}, {Given({1, 2}, {1e30, 1e30})}), {1, 2}, {0.5, 0.5});
  ExpectOp(RunOp("LogSoftmax", {}, {Given({1, 2}, {0, 1e4})}), {1, 2}, {-1e4, 0});
}

TEST(Reduce, EveryReductionByHand) {
  const CaseOperand x = Given({2, 3}, {1, -2, 3, 4, 5, -6});
  struct Row {
    const char* op;
    Values sums;
  };
  const Row rows[] = {{"ReduceSum", {2, 3}},           {"ReduceMax", {3, 5}},         {"ReduceMin", {-2, -6}},
                      {"ReduceProd", {-6, -120}},      {"ReduceSumSquare", {14, 77}}, {"ReduceL1", {6, 15}},
                      {"ReduceMean", {2.0f / 3.0f, 1}}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.op);
    ExpectOp(RunOp(row.op, {}, {x, Ints({-1})}), {2, 1}, row.sums);
  }
  ExpectOp(RunOp("ReduceL2", {}, {Given({2}, {3, 4}), Ints({0})}), {1}, {5});
}

TEST(Reduce, AxesDefaultToAllOrNone) {
  const CaseOperand x = Counting({2, 2});
  const AttributeValue zero = int64_t{0}, one = int64_t{1};
  ExpectOp(RunOp("ReduceMean", Attrs({{"keepdims", zero}}), {x}), {}, {2.5});
  ExpectOp(RunOp("ReduceSum", Attrs({{"noop_with_empty_axes", one}}), {x, Ints({})}), {2, 2}, {1, 2, 3, 4});
  ExpectOp(RunOp("ReduceSum", Attrs({{"keepdims", zero}}), {x, Ints({0})}), {2}, {4, 6});
}

TEST(Reduce, EmptySetsGiveTheNeutralElement) {
  const double infinity = std::numeric_limits<double>::infinity();
  ExpectOp(RunOp("ReduceSum", {}, {Fed({2, 0}), Ints({1})}), {2, 1}, {0, 0});
  ExpectOp(RunOp("ReduceProd", {}, {Fed({1, 0}), Ints({1})}), {1, 1}, {1});
  ExpectOp(RunOp("ReduceMax", {}, {Fed({1, 0}), Ints({1})}), {1, 1}, {-infinity});
  ExpectOp(RunOp("ReduceMin", {}, {Fed({1, 0}, DataType::kI32), Ints({1})}), {1, 1}, {2147483647});
  ExpectOp(RunOp("ReduceMin", {}, {Fed({1, 0}, DataType::kBool), Ints({1})}), {1, 1}, {1});
  ExpectOp(RunOp("ReduceMax", {}, {Given({3}, {0, 1, 0}, DataType::kBool), Ints({0})}), {1}, {1});
}

}  // namespace
}  // namespace moka

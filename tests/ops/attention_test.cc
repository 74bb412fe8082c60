// Attention and its relatives, and Einsum, on numbers that one can check by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/ops/run_op.h"

namespace moka {
namespace {

AttributeValue Int(int64_t value) { return value; }
AttributeValue Text(const char* value) { return std::string(value); }
const DataType kI64 = DataType::kI64;

void ExpectNear(const Result<OpResult>& got, const Shape& shape, const Values& values, double tolerance = 1e-6) {
  ASSERT_TRUE(got.ok()) << got.status().message();
  EXPECT_EQ(got->shape, shape);
  ASSERT_EQ(got->values.size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(got->values[i], values[i], tolerance) << "element " << i;
}

// Keys of zeros weigh all values that are seen equally: the result is their mean.
CaseOperand Zeros(const Shape& shape) {
  int64_t count = 1;
  for (const int64_t dim : shape) count *= dim;
  return Given(shape, Values(static_cast<size_t>(count)));
}

TEST(Attention, CausalSeesWhatCameBefore) {
  const std::vector<CaseOperand> src = {Zeros({1, 1, 3, 2}), Zeros({1, 1, 3, 2}), Given({1, 1, 3, 1}, {3, 5, 10})};
  ExpectNear(RunOp("Attention", {}, src), {1, 1, 3, 1}, {6, 6, 6});
  ExpectNear(RunOp("Attention", Attrs({{"is_causal", Int(1)}}), src), {1, 1, 3, 1}, {3, 4, 6});
  ExpectNear(RunOp("Attention", Attrs({{"left_window_size", Int(1)}, {"right_window_size", Int(0)}}), src),
             {1, 1, 3, 1}, {3, 4, 7.5});
}

TEST(Attention, PastComesFirstAndMovesTheDiagonal) {
  const std::vector<CaseOperand> src = {Zeros({1, 1, 2, 1}),         Zeros({1, 1, 2, 1}),
                                        Given({1, 1, 2, 1}, {6, 9}), Absent(),
                                        Zeros({1, 1, 1, 1}),         Given({1, 1, 1, 1}, {3})};
  ExpectNear(RunOp("Attention", Attrs({{"is_causal", Int(1)}}), src), {1, 1, 2, 1}, {4.5, 6});
  ExpectNear(RunOp("Attention", {}, src, 2), {1, 1, 3, 1}, {3, 6, 9});
}

TEST(Attention, MaskedRowsAreZero) {
  const CaseOperand mask = Given({2, 2}, {0, 1, 0, 0}, DataType::kBool);
  ExpectNear(RunOp("Attention", {}, {Zeros({1, 1, 2, 1}), Zeros({1, 1, 2, 1}), Given({1, 1, 2, 1}, {3, 5}), mask}),
             {1, 1, 2, 1}, {5, 0});
}

TEST(Attention, HeadsShareKeysInGroups) {
  const CaseOperand v = Given({1, 1, 4}, {1, 2, 3, 4});  // two heads of two
  const std::vector<CaseOperand> src = {Zeros({1, 1, 4}), Zeros({1, 1, 2}), v};
  ExpectNear(RunOp("Attention", Attrs({{"q_num_heads", Int(4)}, {"kv_num_heads", Int(2)}}), src), {1, 1, 8},
             {1, 2, 1, 2, 3, 4, 3, 4});
}

TEST(Attention, ScoresBeforeAndAfterCapMaskAndSoftmax) {
  const std::vector<CaseOperand> src = {Given({1, 1, 1, 1}, {2}), Given({1, 1, 2, 1}, {1, 3}), Zeros({1, 1, 2, 1}),
                                        Given({1, 2}, {0.5, 0})};
  const auto scores = [&](int64_t mode) {
    return RunOp("Attention", Attrs({{"scale", 1.0f}, {"softcap", 4.0f}, {"qk_matmul_output_mode", Int(mode)}}), src,
                 3);
  };
  const double a = 4 * std::tanh(0.5), b = 4 * std::tanh(1.5), p = 1 / (1 + std::exp(b - a - 0.5));
  ExpectNear(scores(0), {1, 1, 1, 2}, {2, 6});
  ExpectNear(scores(1), {1, 1, 1, 2}, {a, b});
  ExpectNear(scores(2), {1, 1, 1, 2}, {a + 0.5, b});
  ExpectNear(scores(3), {1, 1, 1, 2}, {p, 1 - p});
}

TEST(RotaryEmbedding, RotatesPairs) {
  const CaseOperand x = Given({1, 1, 1, 4}, {1, 2, 3, 4}), cosine = Given({2, 2}, {1, 1, 0, 0});
  const CaseOperand sine = Given({2, 2}, {0, 0, 1, 1}), position = Given({1, 1}, {1}, kI64);
  ExpectNear(RunOp("RotaryEmbedding", {}, {x, cosine, sine, position}), {1, 1, 1, 4}, {-3, -4, 1, 2});
  ExpectNear(RunOp("RotaryEmbedding", Attrs({{"interleaved", Int(1)}}), {x, cosine, sine, position}), {1, 1, 1, 4},
             {-2, 1, -4, 3});
  const Result<OpResult> outside = RunOp("RotaryEmbedding", {}, {x, cosine, sine, Given({1, 1}, {2}, kI64)});
  ASSERT_FALSE(outside.ok());
  EXPECT_NE(outside.status().message().find("position_ids"), std::string::npos);
}

TEST(LinearAttention, AccumulatesOuterProducts) {
  const std::vector<CaseOperand> src = {Given({1, 2, 1}, {1, 2}), Given({1, 2, 1}, {3, 1}), Given({1, 2, 1}, {5, 7})};
  Attributes attrs = Attrs({{"q_num_heads", Int(1)}, {"kv_num_heads", Int(1)}, {"scale", 1.0f}});
  attrs.Set("update_rule", std::string("linear"));
  ExpectNear(RunOp("LinearAttention", attrs, src), {1, 2, 1}, {15, 44});
  attrs.Set("update_rule", std::string("delta"));
  std::vector<CaseOperand> delta = src;
  delta.resize(5, Absent());
  delta.push_back(Given({1, 2, 1}, {1, 0.5}));
  // S = 15; then S + 0.5 * (7 - 15) = 11.
  ExpectNear(RunOp("LinearAttention", attrs, delta, 1), {1, 1, 1, 1}, {11});
}

TEST(CausalConvWithState, StateStandsBeforeTheInput) {
  const std::vector<CaseOperand> src = {Given({1, 1, 2}, {1, 2}), Given({1, 1, 3}, {100, 10, 1}), Given({1}, {0.5}),
                                        Given({1, 1, 2}, {8, 9})};
  ExpectNear(RunOp("CausalConvWithState", {}, src), {1, 1, 2}, {891.5, 912.5});
  ExpectNear(RunOp("CausalConvWithState", {}, src, 1), {1, 1, 2}, {1, 2});
}

TEST(TensorScatter, WritesAndWrapsAround) {
  const CaseOperand cache = Given({2, 3, 1}, {1, 2, 3, 4, 5, 6}), update = Given({2, 2, 1}, {10, 20, 30, 40});
  ExpectOp(RunOp("TensorScatter", {}, {cache, update, Given({2}, {1, 0}, kI64)}), {2, 3, 1}, {1, 10, 20, 30, 40, 6});
  ExpectOp(RunOp("TensorScatter", Attrs({{"mode", Text("circular")}}), {cache, update, Given({2}, {2, 4}, kI64)}),
           {2, 3, 1}, {20, 2, 10, 4, 30, 40});
  const Result<OpResult> beyond = RunOp("TensorScatter", {}, {cache, update, Given({2}, {2, 0}, kI64)});
  ASSERT_FALSE(beyond.ok());
  EXPECT_NE(beyond.status().message().find("write_indices"), std::string::npos);
}

TEST(Einsum, EllipsisDiagonalsAndOuterProducts) {
  const auto run = [&](const char* equation, std::vector<CaseOperand> src) {
    return RunOp("Einsum", Attrs({{"equation", Text(equation)}}), std::move(src));
  };
  const CaseOperand a = Counting({2, 2}), v = Given({2}, {5, 7});
  ExpectOp(run("ij->ji", {a}), {2, 2}, {1, 3, 2, 4});
  ExpectOp(run("ii", {a}), {}, {5});
  ExpectOp(run("ii->i", {a}), {2}, {1, 4});
  ExpectOp(run("ij, j -> i", {a, v}), {2}, {19, 43});
  ExpectOp(run("i,j", {v, v}), {2, 2}, {25, 35, 35, 49});
  ExpectOp(run("...j,j->...", {Counting({2, 1, 2}), v}), {2, 1}, {19, 43});
  ExpectOp(run("...,...", {a, Given({1, 2}, {1, 10})}), {2, 2}, {1, 20, 3, 40});
  ExpectOp(run("ij,jk,k->", {a, a, v}), {}, {1 * 19 + 2 * 43 + 3 * 19 + 4 * 43});
  ExpectOp(run("b...a", {Counting({2, 3})}), {3, 2}, {1, 4, 2, 5, 3, 6});  // the ellipsis, then a, b
}

}  // namespace
}  // namespace moka

// What normalizations, searches, losses, attention and Einsum refuse, and that the message names attribute or operand.
#include <gtest/gtest.h>

#include "tests/ops/bad_case.h"

namespace moka {
namespace {

const DataType kI64 = DataType::kI64;
const DataType kF64 = DataType::kF64;
AttributeValue Int(int64_t value) { return value; }
AttributeValue Text(const char* value) { return std::string(value); }

TEST(BadInput, Normalizations) {
  const CaseOperand x = Fed({2, 4, 3}), c = Fed({4});
  const Attributes two = Attrs({{"num_groups", Int(2)}});
  ExpectRefused({
      {"LayerNormalization", Attrs({{"axis", Int(3)}}), {x, Fed({3})}, "attribute 'axis' 3"},
      {"LayerNormalization", {}, {x, Fed({2})}, "dimension 0 of src 1: 2 does not broadcast to 3"},
      {"LayerNormalization", {}, {x, Fed({3}), Fed({1, 1, 1, 3})}, "src 2: rank 4"},
      {"LayerNormalization", {}, {Fed({3}, kI64), Fed({3}, kI64)}, "src 0 is i64"},
      {"LayerNormalization", Attrs({{"stash_type", Int(7)}}), {x, Fed({3})}, "attribute 'stash_type' is i64"},
      {"LayerNormalization", {}, {Fed({}), Fed({})}, "src 0: rank 0"},
      {"RMSNormalization", Attrs({{"epsilon", Int(1)}}), {x, Fed({3})}, "'epsilon' has the wrong type"},
      {"GroupNormalization", {}, {x, c, c}, "'num_groups' is 0"},
      {"GroupNormalization", Attrs({{"num_groups", Int(3)}}), {x, c, c}, "'num_groups' = 3"},
      {"GroupNormalization", two, {x, Fed({2}), c}, "elements of src 1 (scale)"},
      {"GroupNormalization", two, {Fed({4}), c, c}, "src 0: rank 1"},
      {"InstanceNormalization", {}, {Fed({2, 4}), c, c}, "src 0: rank 2"},
      {"InstanceNormalization", {}, {x, c, Fed({3})}, "elements of src 2 (bias)"},
      {"MeanVarianceNormalization", {}, {x}, "attribute 'axes' 3"},
      {"LRN", {}, {x}, "'size' is 0"},
      {"LpNormalization", Attrs({{"p", Int(3)}}), {x}, "'p' is 3"},
      {"LpPool", Attrs({{"kernel_shape", List({2})}, {"p", Int(0)}}), {x}, "'p' is 0"},
      {"Hardmax", Attrs({{"axis", Int(-4)}}), {x}, "attribute 'axis' -4"},
  });
}

TEST(BadInput, Searches) {
  const CaseOperand x = Fed({2, 4});
  ExpectRefused({
      {"ArgMax", Attrs({{"axis", Int(2)}}), {x}, "attribute 'axis' 2"},
      {"ArgMax", Attrs({{"axis", Int(1)}}), {Fed({2, 0})}, "dimension 1 is empty"},
      {"ArgMin", {}, {Fed({2}, DataType::kBool)}, "src 0 is bool"},
      {"TopK", {}, {x, Ints({5})}, "src 1 (K) is 5 of 4"},
      {"TopK", {}, {x, Ints({-1})}, "src 1 (K) is -1"},
      {"TopK", {}, {x, Ints({1, 2})}, "src 1 (K) has 2 elements"},
      {"TopK", {}, {x, Fed({1}, kI64)}, "src 1 determines a shape"},
      {"TopK", {}, {Fed({}), Ints({1})}, "attribute 'axis' -1"},
      {"CumSum", {}, {x, Ints({2})}, "src 1 (axis) 2"},
      {"CumSum", {}, {x, Ints({0, 1})}, "src 1 (axis) has 2 elements"},
      {"CumProd", {}, {Fed({2}, DataType::kU8), Ints({0})}, "src 0 is u8"},
      {"ReduceLogSum", {}, {Fed({2}, DataType::kI8)}, "src 0 is i8"},
  });
}

TEST(BadInput, Losses) {
  const CaseOperand x = Fed({2, 3, 4}), y = Fed({2, 4}, kI64);
  ExpectRefused({
      {"NegativeLogLikelihoodLoss", Attrs({{"reduction", Text("all")}}), {x, y}, "'reduction' is 'all'"},
      {"NegativeLogLikelihoodLoss", {}, {x, Fed({2, 3}, kI64)}, "dimension 1 of src 1"},
      {"NegativeLogLikelihoodLoss", {}, {x, Fed({2, 4})}, "src 1 is f32"},
      {"SoftmaxCrossEntropyLoss", {}, {x, y, Fed({2})}, "src 2 (weights)"},
      {"SoftmaxCrossEntropyLoss", {}, {Fed({3}), Fed({}, kI64)}, "src 0: rank 1"},
      {"Dropout", {}, {x, Fed({2})}, "src 1: rank 1"},
      {"Dropout", {}, {x, Fed({}), Fed({}, kI64)}, "src 2 is i64"},
  });
}

TEST(BadInput, Attention) {
  const CaseOperand q = Fed({1, 4, 3, 8}), k = Fed({1, 2, 5, 8}), v = Fed({1, 2, 5, 6}), none = Absent();
  const CaseOperand past = Fed({1, 2, 7, 8}), packed = Fed({1, 3, 8});
  ExpectRefused({
      {"Attention", {}, {packed, packed, packed}, "'q_num_heads' is 0"},
      {"Attention", Attrs({{"q_num_heads", Int(3)}, {"kv_num_heads", Int(1)}}), {packed, packed, packed}, "in 3 heads"},
      {"Attention", {}, {q, Fed({1, 3, 5, 8}), Fed({1, 3, 5, 8})}, "heads of src 0"},
      {"Attention", {}, {q, Fed({1, 2, 5, 7}), v}, "head size of src 1"},
      {"Attention", {}, {q, k, Fed({1, 2, 4, 6})}, "src 2"},
      {"Attention", {}, {q, k, v, Fed({3, 6})}, "src 3 (attn_mask): 6 keys of 5"},
      {"Attention", {}, {q, k, v, Fed({2, 3, 5})}, "src 3: 2 does not broadcast to 4"},
      {"Attention", {}, {q, k, v, none, past}, "past_value"},
      {"Attention", {}, {q, k, v, none, past, Fed({1, 2, 6, 6})}, "dimension 2 of src 5"},
      {"Attention", {}, {q, k, v, none, past, Fed({1, 2, 7, 6}), Fed({1}, kI64)}, "nonpad_kv_seqlen"},
      {"Attention", {}, {q, k, v, none, none, none, Fed({2}, kI64)}, "dimension 0 of src 6"},
      {"Attention", Attrs({{"qk_matmul_output_mode", Int(4)}}), {q, k, v}, "'qk_matmul_output_mode' is 4"},
      {"Attention", Attrs({{"left_window_size", Int(-2)}}), {q, k, v}, "'left_window_size' is -2"},
      {"Attention", Attrs({{"softmax_precision", Int(6)}}), {q, k, v}, "'softmax_precision' is i32"},
      {"Attention", {}, {q, k, Fed({1, 2, 5}, kF64)}, "src 2: rank 3"},
      {"RotaryEmbedding", {}, {packed, Fed({1, 3, 4}), Fed({1, 3, 4})}, "'num_heads' is 0"},
      {"RotaryEmbedding", Attrs({{"rotary_embedding_dim", Int(3)}}), {q, q, q}, "'rotary_embedding_dim' is 3"},
      {"RotaryEmbedding", {}, {q, Fed({1, 3, 3}), Fed({1, 3, 4})}, "last dimension of src 1"},
      {"LinearAttention", {}, {packed, packed, packed}, "'kv_num_heads' is 0"},
      {"LinearAttention",
       Attrs({{"q_num_heads", Int(2)}, {"kv_num_heads", Int(2)}, {"update_rule", Text("linear")}}),
       {packed, packed, packed, none, packed},
       "src 4 (decay) has no meaning"},
      {"CausalConvWithState", {}, {packed, Fed({3, 2, 1})}, "dimension 1 of src 1"},
      {"CausalConvWithState",
       Attrs({{"activation", Text("relu")}}),
       {packed, Fed({3, 1, 2})},
       "'activation' is 'relu'"},
      {"TensorScatter", Attrs({{"axis", Int(0)}}), {packed, packed}, "'axis' is 0"},
      {"TensorScatter", {}, {packed, Fed({1, 4, 8})}, "dimension 1 of src 1 (update): 4 of 3"},
      {"TensorScatter", Attrs({{"mode", Text("ring")}}), {packed, packed}, "'mode' is 'ring'"},
  });
}

TEST(BadInput, Einsum) {
  const CaseOperand x = Fed({2, 3});
  const auto equation = [](const char* text) { return Attrs({{"equation", Text(text)}}); };
  ExpectRefused({
      {"Einsum", {}, {x}, "src 0: rank 2"},
      {"Einsum", equation("ij,jk"), {x}, "has 2 operands, the node 1"},
      {"Einsum", equation("i"), {x}, "src 0: rank 2"},
      {"Einsum", equation("ij,ij"), {x, Fed({2, 4})}, "dimension 1 of src 1"},
      {"Einsum", equation("ii"), {x}, "dimension 1 of src 0"},
      {"Einsum", equation("ij->k"), {x}, "in no source"},
      {"Einsum", equation("ij->ii"), {x}, "appears twice in the result"},
      {"Einsum", equation("ij->..."), {x}, "the ellipsis of the result"},
      {"Einsum", equation("......"), {x}, "two ellipses"},
      {"Einsum", equation("i1"), {x}, "has a '1'"},
      {"Einsum", equation("...,..."), {x, Fed({3, 3})}, "broadcast"},
      {"Einsum", equation("ij,ij"), {x, Fed({2, 3}, kF64)}, "src 1 is f64"},
  });
}

}  // namespace
}  // namespace moka

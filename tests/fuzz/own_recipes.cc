// Calls of operators that the cases of tests/conformance do not have by name: elementwise ones (those are
// micro-programs there), operators between plans, strings, and those of other domains.
#include <cstring>

#include "tests/fuzz/recipes.h"

namespace moka::fuzz {
namespace {

template <class T>
Operand Make(DataType type, std::vector<int64_t> dims, const std::vector<T>& values) {
  Operand operand;
  operand.type = type;
  operand.dims = std::move(dims);
  operand.raw.resize(values.size() * sizeof(T));
  std::memcpy(operand.raw.data(), values.data(), operand.raw.size());
  operand.fed = true;
  return operand;
}

int64_t CountOf(const std::vector<int64_t>& dims) {
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  return count;
}

// 0.25, 0.5, ... 1, over and over.
Operand F(std::vector<int64_t> dims) {
  std::vector<float> values(static_cast<size_t>(CountOf(dims)));
  for (size_t i = 0; i < values.size(); ++i) values[i] = 0.25f * static_cast<float>(i % 4 + 1);
  return Make(DataType::kF32, std::move(dims), values);
}
Operand F(std::vector<int64_t> dims, const std::vector<float>& values) {
  return Make(DataType::kF32, std::move(dims), values);
}
Operand I(std::vector<int64_t> dims, const std::vector<int64_t>& values) {
  return Make(DataType::kI64, std::move(dims), values);
}
Operand I32(std::vector<int64_t> dims, const std::vector<int32_t>& values) {
  return Make(DataType::kI32, std::move(dims), values);
}
Operand U8(std::vector<int64_t> dims, const std::vector<uint8_t>& values) {
  return Make(DataType::kU8, std::move(dims), values);
}
Operand B(std::vector<int64_t> dims, const std::vector<uint8_t>& values) {
  return Make(DataType::kBool, std::move(dims), values);
}
Operand S(std::vector<int64_t> dims, std::vector<std::string> values) {
  Operand operand;
  operand.type = DataType::kString;
  operand.dims = std::move(dims);
  operand.strings = std::move(values);
  operand.fed = true;
  return operand;
}
Operand Sequence(Operand element) {
  element.sequence = true;
  return element;
}
Operand Constant(Operand operand) {
  operand.fed = false;
  return operand;
}
using Floats = std::vector<float>;
using Texts = std::vector<std::string>;
using Value = test::AttributeSpec::Value;

void AddElementwise(std::vector<Recipe>& recipes) {
  for (const char* op : {"Acos",
                         "Asin",
                         "Asinh",
                         "Atan",
                         "Atanh",
                         "Ceil",
                         "Celu",
                         "Cos",
                         "Cosh",
                         "Elu",
                         "Erf",
                         "Exp",
                         "Floor",
                         "Gelu",
                         "Hardmax",
                         "Log",
                         "Mean",
                         "Mish",
                         "Relu",
                         "Round",
                         "Selu",
                         "Shrink",
                         "Sign",
                         "Sin",
                         "Sinh",
                         "Softplus",
                         "Sqrt",
                         "Sum",
                         "Swish",
                         "Tan",
                         "Tanh",
                         "Abs",
                         "Neg",
                         "Identity",
                         "HardSigmoid",
                         "HardSwish",
                         "LeakyRelu",
                         "Reciprocal",
                         "Sigmoid",
                         "Softsign",
                         "ThresholdedRelu",
                         "Bernoulli",
                         "RandomNormalLike",
                         "RandomUniformLike",
                         "Dropout"}) {
    recipes.push_back({"", op, {F({2, 3, 5})}, {}});
  }
  recipes.push_back({"", "Acosh", {F({3}, {1, 2, 3})}, {}});
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Pow", "PRelu", "Max", "Min", "Mean", "Sum"}) {
    recipes.push_back({"", op, {F({2, 3, 5}), F({3, 1})}, {}});
  }
  recipes.push_back({"", "Clip", {F({2, 3}), Constant(F({}, {0})), Constant(F({}, {1}))}, {}});
  recipes.push_back({"", "Dropout", {F({2, 3}), Constant(F({}, {0.5f})), Constant(B({}, {1}))}, {{"seed", 1}}, 2});
  recipes.push_back({"", "BitShift", {U8({3}, {1, 2, 4}), U8({3}, {1, 2, 9})}, {{"direction", "LEFT"}}});
  recipes.push_back({"", "BitCast", {F({2, 3})}, {{"to", 6}}});
  recipes.push_back({"", "CastLike", {F({2, 3}), I({1}, {1})}, {}});
}

void AddHost(std::vector<Recipe>& recipes) {
  const Operand pair = Sequence(F({2, 3}));
  recipes.push_back({"", "Compress", {F({3, 2}), B({3}, {1, 0, 1})}, {{"axis", 0}}});
  recipes.push_back({"", "NonZero", {F({2, 3}, {0, 1, 0, 2, 0, 3})}, {}});
  recipes.push_back({"", "Unique", {F({2, 3}, {2, 1, 2, 2, 1, 2})}, {{"axis", 1}, {"sorted", 1}}, 4});
  recipes.push_back({"",
                     "NonMaxSuppression",
                     {F({1, 3, 4}, {0, 0, 1, 1, 0, 0, 1, 0.9f, 2, 2, 3, 3}), F({1, 1, 3}), I({1}, {2}), F({1}, {0.5f})},
                     {}});
  recipes.push_back({"", "ConcatFromSequence", {pair}, {{"axis", 1}}});
  recipes.push_back({"", "ConcatFromSequence", {pair}, {{"axis", 0}, {"new_axis", 1}}});
  recipes.push_back({"", "SequenceAt", {pair, I({}, {-1})}, {}});
  recipes.push_back({"", "SequenceConstruct", {F({2, 3}), F({3})}, {}});
  recipes.push_back({"", "SequenceEmpty", {}, {{"dtype", 1}}});
  recipes.push_back({"", "SequenceErase", {pair, I({}, {0})}, {}});
  recipes.push_back({"", "SequenceInsert", {pair, F({3}), I({}, {1})}, {}});
  recipes.push_back({"", "SequenceLength", {pair}, {}});
  recipes.push_back({"", "SplitToSequence", {F({4, 2}), Constant(I({2}, {1, 3}))}, {{"axis", 0}}});
  recipes.push_back({"", "SplitToSequence", {F({4, 2})}, {{"axis", 1}, {"keepdims", 0}}});
  recipes.push_back({"", "Optional", {F({2})}, {}});
  recipes.push_back({"", "OptionalGetElement", {F({2})}, {}});
  recipes.push_back({"", "OptionalHasElement", {pair}, {}});
  recipes.push_back({"", "StringConcat", {S({2}, {"a", "bc"}), S({1}, {"d"})}, {}});
  recipes.push_back({"",
                     "StringNormalizer",
                     {S({3}, {"Monday", "tuesday", "\xC3\x84"})},
                     {{"case_change_action", "UPPER"}, {"stopwords", Value(Texts{"monday"})}}});
  recipes.push_back({"", "StringSplit", {S({2}, {"a b  c", "d"})}, {{"maxsplit", 2}}, 2});
  recipes.push_back({"", "StringSplit", {S({2}, {"a,b", ",d"})}, {{"delimiter", ","}}, 2});
  recipes.push_back({"", "RegexFullMatch", {S({2}, {"a1@b.cd", "x"})}, {{"pattern", "[a-z0-9]+@(b|c)*\\.\\w{2,3}"}}});
  recipes.push_back({"",
                     "TfIdfVectorizer",
                     {I32({2, 4}, {1, 1, 3, 3, 3, 7, 8, 6})},
                     {{"mode", "TF"},
                      {"min_gram_length", 1},
                      {"max_gram_length", 2},
                      {"max_skip_count", 1},
                      {"ngram_counts", {0, 3}},
                      {"ngram_indexes", {0, 1, 2, 3, 4}},
                      {"pool_int64s", {2, 3, 5, 5, 6, 7, 8}}}});
}

void AddRest(std::vector<Recipe>& recipes) {
  recipes.push_back(
      {"", "CausalConvWithState", {F({1, 2, 5}), F({2, 1, 3}), F({2}), F({1, 2, 2})}, {{"activation", "silu"}}, 2});
  recipes.push_back({"", "Einsum", {F({2, 3}), F({3, 4})}, {{"equation", "ij,jk->ik"}}});
  recipes.push_back({"", "Einsum", {F({2, 3, 3})}, {{"equation", "...ii->...i"}}});
  recipes.push_back({"", "Multinomial", {F({2, 3})}, {{"sample_size", 4}, {"seed", 1.0f}}});
  recipes.push_back(
      {"", "NegativeLogLikelihoodLoss", {F({2, 3, 2}), I({2, 2}, {0, 1, 2, 1}), F({3})}, {{"reduction", "mean"}}});
  recipes.push_back({"", "SoftmaxCrossEntropyLoss", {F({2, 3}), I({2}, {0, 2})}, {{"ignore_index", 0}}, 2});
  recipes.push_back({"", "RandomNormal", {}, {{"shape", {2, 3}}, {"seed", 1.0f}}});
  recipes.push_back({"", "RandomUniform", {}, {{"shape", {7}}}});
  recipes.push_back({"", "SwiGLU", {F({2, 6}), F({2, 6})}, {}});
  recipes.push_back({"", "TensorScatter", {F({2, 4, 3}), F({2, 1, 3}), I({2}, {0, 3})}, {{"mode", "circular"}}});
  const std::string training = "ai.onnx.preview.training";
  recipes.push_back(
      {training, "Adagrad", {F({}, {0.1f}), I({}, {1}), F({2}), F({2}), F({2})}, {{"decay_factor", 0.1f}}, 2});
  recipes.push_back(
      {training, "Adam", {F({}, {0.1f}), I({}, {1}), F({2}), F({2}), F({2}), F({2})}, {{"alpha", 0.9f}}, 3});
  recipes.push_back({training,
                     "Momentum",
                     {F({}, {0.1f}), I({}, {1}), F({2}), F({2}), F({2})},
                     {{"alpha", 0.9f}, {"beta", 1.0f}, {"norm_coefficient", 0.01f}, {"mode", "nesterov"}},
                     2});
  recipes.push_back(
      {"ai.onnx.preview", "FlexAttention", {F({1, 2, 1, 2}), F({1, 1, 3, 2}), F({1, 1, 3, 2})}, {{"scale", 0.5f}}});
}

void AddMicrosoft(std::vector<Recipe>& recipes) {
  const std::string domain = "com.microsoft";
  const Operand x = F({2, 3, 4}), gamma = Constant(F({4}));
  recipes.push_back({domain, "Inverse", {F({1, 2, 2}, {1, 2, 3, 5})}, {}});
  recipes.push_back({domain, "QuantizeLinear", {x, Constant(F({}, {0.5f})), Constant(U8({}, {3}))}, {}});
  recipes.push_back(
      {domain, "DequantizeLinear", {U8({3}, {1, 2, 3}), Constant(F({}, {0.5f})), Constant(U8({}, {3}))}, {}});
  recipes.push_back({domain,
                     "GroupQueryAttention",
                     {F({1, 1, 8}), F({1, 1, 4}), F({1, 1, 4}), F({1, 1, 2, 4}), F({1, 1, 2, 4}), I32({1, 1}, {2}),
                      Constant(I32({1}, {3}))},
                     {{"num_heads", 2}, {"kv_num_heads", 1}},
                     3});
  recipes.push_back({domain, "FusedMatMul", {F({2, 3}), F({2, 4})}, {{"transA", 1}, {"alpha", 0.5f}}});
  recipes.push_back({domain, "FusedGemm", {F({2, 3}), F({3, 4}), F({4})}, {{"activation", "Relu"}}});
  recipes.push_back({domain, "FusedConv", {F({1, 2, 4, 4}), F({3, 2, 3, 3}), F({3})}, {{"activation", "Relu"}}});
  recipes.push_back({domain, "Gelu", {x}, {}});
  recipes.push_back({domain, "QuickGelu", {x}, {}});
  recipes.push_back({domain, "FastGelu", {x, gamma}, {}});
  recipes.push_back({domain, "BiasGelu", {x, gamma}, {}});
  recipes.push_back({domain, "SkipLayerNormalization", {x, x, gamma, gamma, gamma}, {{"epsilon", 0.01f}}});
  recipes.push_back({domain, "SkipSimplifiedLayerNormalization", {x, x, gamma}, {}});
  recipes.push_back({domain, "SimplifiedLayerNormalization", {x, gamma}, {{"axis", -1}}});
  recipes.push_back({domain,
                     "EmbedLayerNormalization",
                     {I32({1, 2}, {0, 1}), I32({1, 2}, {0, 0}), Constant(F({3, 4})), Constant(F({5, 4})),
                      Constant(F({2, 4})), gamma, gamma},
                     {},
                     1});
  recipes.push_back({domain, "Attention", {F({1, 2, 4}), Constant(F({4, 12})), Constant(F({12}))}, {{"num_heads", 2}}});
  recipes.push_back({domain, "MultiHeadAttention", {F({1, 2, 4}), F({1, 3, 4}), F({1, 3, 4})}, {{"num_heads", 2}}});
  recipes.push_back({domain,
                     "RotaryEmbedding",
                     {F({1, 2, 4}), I({1, 2}, {0, 1}), Constant(F({5, 2})), Constant(F({5, 2}))},
                     {{"num_heads", 1}}});
}

test::AttributeSpecs Tree(const std::string& votes) {
  return {{"nodes_treeids", {0, 0, 0}},
          {"nodes_nodeids", {0, 1, 2}},
          {"nodes_featureids", {0, 0, 0}},
          {"nodes_values", Value(Floats{0.5f, 0, 0})},
          {"nodes_modes", Value(Texts{"BRANCH_LEQ", "LEAF", "LEAF"})},
          {"nodes_truenodeids", {1, 0, 0}},
          {"nodes_falsenodeids", {2, 0, 0}},
          {votes + "_treeids", {0, 0}},
          {votes + "_nodeids", {1, 2}},
          {votes + "_ids", {0, 1}},
          {votes + "_weights", Value(Floats{10, 20})}};
}

void AddMl(std::vector<Recipe>& recipes) {
  const std::string domain = "ai.onnx.ml";
  const Operand x = F({2, 3});
  const auto add = [&](const char* op, std::vector<Operand> src, test::AttributeSpecs attrs, int num_dst = 1) {
    recipes.push_back({domain, op, std::move(src), std::move(attrs), num_dst});
  };
  add("ArrayFeatureExtractor", {x, I({1, 2}, {0, 2})}, {});
  add("Binarizer", {x}, {{"threshold", 0.5f}});
  add("CategoryMapper", {S({2}, {"a", "b"})},
      {{"cats_strings", Value(Texts{"b"})}, {"cats_int64s", {7}}, {"default_int64", 3}});
  add("CategoryMapper", {I({2}, {7, 8})},
      {{"cats_strings", Value(Texts{"b"})}, {"cats_int64s", {7}}, {"default_string", "z"}});
  add("FeatureVectorizer", {x, F({2, 1})}, {{"inputdimensions", {3, 1}}});
  add("Imputer", {x}, {{"imputed_value_floats", Value(Floats{1})}, {"replaced_value_float", 0.5f}});
  add("LabelEncoder", {I({3}, {2, 9, 1})}, {{"keys_int64s", {1, 2}}, {"values_strings", Value(Texts{"one", "two"})}});
  add("LabelEncoder", {S({2}, {"a", "b"})}, {{"keys_strings", Value(Texts{"b"})}, {"values_floats", Value(Floats{2})}});
  add("LinearClassifier", {F({2, 2})},
      {{"coefficients", Value(Floats{1, 0, 0, 1})}, {"intercepts", Value(Floats{0, 0})}, {"classlabels_ints", {3, 4}}},
      2);
  add("LinearRegressor", {F({2, 2})},
      {{"coefficients", Value(Floats{1, 2})}, {"intercepts", Value(Floats{1})}, {"targets", 1}});
  add("Normalizer", {x}, {{"norm", "L2"}});
  add("OneHotEncoder", {I({3}, {1, 2, 5})}, {{"cats_int64s", {1, 2}}});
  add("Scaler", {x}, {{"offset", Value(Floats{1})}, {"scale", Value(Floats{2, 2, 2})}});
  add("SVMClassifier", {F({2, 2})},
      {{"kernel_type", "RBF"},
       {"kernel_params", Value(Floats{0.5f, 0, 3})},
       {"coefficients", Value(Floats{1, -1})},
       {"support_vectors", Value(Floats{1, 0, 0, 1})},
       {"rho", Value(Floats{0.1f})},
       {"vectors_per_class", {1, 1}},
       {"classlabels_ints", {0, 1}}},
      2);
  add("SVMRegressor", {F({2, 2})},
      {{"kernel_type", "LINEAR"},
       {"coefficients", Value(Floats{1, -1})},
       {"support_vectors", Value(Floats{1, 0, 0, 1})},
       {"rho", Value(Floats{0.1f})},
       {"n_supports", 2}});
  test::AttributeSpecs regressor = Tree("target"), classifier = Tree("class");
  regressor.emplace_back("n_targets", 2);
  classifier.emplace_back("classlabels_int64s", Value(std::vector<int64_t>{5, 6}));
  add("TreeEnsembleRegressor", {F({3, 1})}, regressor);
  add("TreeEnsembleClassifier", {F({3, 1})}, classifier, 2);
  const auto floats = [](std::vector<int64_t> dims, const Floats& values) {
    return Value(test::TensorSpec::Of<float>(std::move(dims), values));
  };
  add("TreeEnsemble", {F({3, 1})},
      {{"nodes_featureids", {0}},
       {"nodes_modes", Value(test::TensorSpec::Of<uint8_t>({1}, {0}))},
       {"nodes_splits", floats({1}, {0.5f})},
       {"nodes_truenodeids", {0}},
       {"nodes_falsenodeids", {1}},
       {"nodes_trueleafs", {1}},
       {"nodes_falseleafs", {1}},
       {"tree_roots", {0}},
       {"leaf_targetids", {0, 0}},
       {"leaf_weights", floats({2}, {10, 20})},
       {"n_targets", 1}});
}

}  // namespace

std::vector<Recipe> OwnRecipes() {
  std::vector<Recipe> recipes;
  AddElementwise(recipes);
  AddHost(recipes);
  AddRest(recipes);
  AddMicrosoft(recipes);
  AddMl(recipes);
  return recipes;
}

}  // namespace moka::fuzz

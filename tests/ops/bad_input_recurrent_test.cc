// What recurrent, random, training and ai.onnx.ml operators refuse.
#include "tests/ops/bad_case.h"

namespace moka {
namespace {

const DataType kI32 = DataType::kI32;
const DataType kI64 = DataType::kI64;
const DataType kF64 = DataType::kF64;
AttributeValue Int(int64_t value) { return value; }
AttributeValue Float(float value) { return value; }
AttributeValue Text(const char* value) { return std::string(value); }
AttributeValue Texts(std::vector<std::string> values) { return values; }
AttributeValue Floats(std::vector<float> values) { return values; }

TEST(BadInput, Recurrent) {
  const CaseOperand x = Fed({3, 2, 5}), w = Fed({1, 16, 5}), r = Fed({1, 16, 4});
  const CaseOperand b = Fed({1, 32}), state = Fed({1, 2, 4});
  const auto with = [](const char* name, AttributeValue value) { return Attrs({{name, std::move(value)}}); };
  ExpectRefused({
      {"LSTM", {}, {Fed({3, 2}), w, r}, "src 0: rank 2"},
      {"LSTM", {}, {x, Fed({16, 5}), r}, "src 1: rank 2"},
      {"LSTM", {}, {x, w, Fed({16, 4})}, "src 2: rank 2"},
      {"LSTM", {}, {x, w, Absent()}, "src 2 (R) is missing"},
      {"LSTM", {}, {x, Fed({1, 12, 5}), r}, "dim 1 of src 1 (W): 12, expected 16"},
      {"LSTM", {}, {x, Fed({1, 16, 6}), r}, "dim 2 of src 1 (W): 6, expected 5"},
      {"LSTM", {}, {x, w, Fed({1, 15, 4})}, "dim 1 of src 2 (R): 15, expected 16"},
      {"LSTM", {}, {x, w, r, Fed({1, 16})}, "dim 1 of src 3 (B): 16, expected 32"},
      {"LSTM", {}, {x, w, r, b, Given({3}, {1, 1, 1}, kI32)}, "dim 0 of src 4 (sequence_lens): 3, expected 2"},
      {"LSTM", {}, {x, w, r, b, Given({2}, {1, 1}, kI64)}, "src 4 is i64"},
      {"LSTM", {}, {x, w, r, b, Absent(), Fed({1, 3, 4})}, "src 5 (initial_h): 3, expected 2"},
      {"LSTM", {}, {x, w, r, b, Absent(), state, Fed({2, 2, 4})}, "src 6 (initial_c): 2, expected 1"},
      {"LSTM", {}, {x, w, r, b, Absent(), state, state, Fed({1, 16})}, "src 7 (P): 16, expected 12"},
      {"LSTM", {}, {x, Fed({1, 16, 5}, kF64), r}, "src 1 is f64"},
      {"LSTM", {}, {Fed({3, 2, 5}, kI64), w, r}, "src 0 is i64"},
      {"LSTM", with("hidden_size", Int(5)), {x, w, r}, "attribute 'hidden_size': 4, expected 5"},
      {"LSTM", with("direction", Text("both")), {x, w, r}, "attribute 'direction' is 'both'"},
      {"LSTM", with("direction", Text("bidirectional")), {x, w, r}, "dim 0 of src 1 (W): 1, expected 2"},
      {"LSTM", with("activations", Texts({"Tanh"})), {x, w, r}, "'activations' has 1 elements, expected 3"},
      {"LSTM", with("activations", Texts({"Tanh", "Tan", "Tanh"})), {x, w, r}, "no function is called 'Tan'"},
      {"LSTM", with("activations", Int(1)), {x, w, r}, "attribute 'activations' has the wrong type"},
      {"LSTM", with("activation_alpha", Int(1)), {x, w, r}, "attribute 'activation_alpha' has the wrong type"},
      {"LSTM", with("clip", Float(-1)), {x, w, r}, "attribute 'clip' is -1"},
      {"LSTM", with("layout", Int(1)), {x, w, r, b, Absent(), state}, "src 5 (initial_h)"},
      {"GRU", {}, {x, w, r}, "dim 1 of src 1 (W): 16, expected 12"},
      {"RNN", {}, {x, w, r}, "dim 1 of src 1 (W): 16, expected 4"},
  });
}

TEST(BadInput, SequenceLengthsAreReadWhenRun) {
  const auto data = CaseData::Make(
      MakeCase("RNN/lengths", {}, {Fed({3, 2, 5}), Fed({1, 4, 5}), Fed({1, 4, 4}), Absent(), Given({2}, {3, 4}, kI32)}),
      CaseLayout{});
  ASSERT_TRUE(data.ok()) << data.status().message();
  const auto results = (*data)->Reference(true);
  ASSERT_FALSE(results.ok());
  EXPECT_EQ(results.status().message(), "src 4 (sequence_lens): element 1 is 4, expected 0 to 3");
}

TEST(BadInput, Random) {
  const AttributeValue shape = List({2, 3});
  ExpectRefused({
      {"RandomNormal", {}, {}, "attribute 'shape' is missing"},
      {"RandomNormal", Attrs({{"shape", List({2, -3})}}), {}, "'shape' has an element of -3"},
      {"RandomNormal", Attrs({{"shape", List({1, 1, 1, 1, 1, 1, 1, 1, 1})}}), {}, "rank 9, at most 8"},
      {"RandomNormal", Attrs({{"shape", shape}, {"dtype", Int(7)}}), {}, "a result of type i64"},
      {"RandomUniform", Attrs({{"shape", shape}, {"dtype", Int(77)}}), {}, "attribute 'dtype' is 77"},
      {"RandomUniform", Attrs({{"shape", shape}, {"low", Int(1)}}), {}, "attribute 'low' has the wrong type"},
      {"RandomUniformLike", {}, {Fed({2}, kI64)}, "a result of type i64"},
      {"Bernoulli", {}, {Fed({2}, kI64)}, "src 0 is i64"},
      {"Bernoulli", Attrs({{"seed", Text("x")}}), {Fed({2})}, "attribute 'seed' has the wrong type"},
      {"Multinomial", {}, {Fed({2})}, "src 0: rank 1"},
      {"Multinomial", {}, {Fed({2, 0})}, "src 0: no classes"},
      {"Multinomial", Attrs({{"sample_size", Int(0)}}), {Fed({2, 3})}, "'sample_size' is 0"},
      {"Multinomial", Attrs({{"dtype", Int(1)}}), {Fed({2, 3})}, "a result of type f32"},
  });
}

TEST(BadInput, Training) {
  const CaseOperand rate = Fed({}), count = Fed({}, kI64), x = Fed({2});
  Attributes momentum =
      Attrs({{"alpha", Float(1)}, {"beta", Float(1)}, {"norm_coefficient", Float(0)}, {"mode", Text("standard")}});
  Attributes mode = momentum;
  mode.Set("mode", std::string("fast"));
  const std::string domain = "ai.onnx.preview.training.";
  const std::string m = domain + "Momentum", a = domain + "Adam", g = domain + "Adagrad";
  ExpectRefused({
      {m.c_str(), {}, {rate, count, x, x, x}, "attribute 'alpha' is missing", 2},
      {m.c_str(), mode, {rate, count, x, x, x}, "attribute 'mode' is 'fast'", 2},
      {m.c_str(), momentum, {rate, count, x, x}, "4 sources and 2 results", 2},
      {m.c_str(), momentum, {x, count, x, x, x}, "src 0 (R) is no scalar", 2},
      {m.c_str(), momentum, {rate, rate, x, x, x}, "src 1 is f32", 2},
      {a.c_str(), {}, {rate, count, x, x, x, Fed({3})}, "dim 0 of src 5: 3, expected 2", 3},
      {a.c_str(), {}, {rate, count, x, x, x, Fed({2}, kF64)}, "src 5 is f64", 3},
      {g.c_str(), {}, {rate, count, x, Fed({2, 1}), x}, "src 3: rank 2", 2},
  });
}

TEST(BadInput, StringOperatorsOfPlans) {
  const CaseOperand texts = Fed({2}, DataType::kString);
  const Attributes grams = Attrs({{"mode", Text("TF")},
                                  {"min_gram_length", Int(1)},
                                  {"max_gram_length", Int(1)},
                                  {"max_skip_count", Int(0)},
                                  {"ngram_counts", List({0})},
                                  {"ngram_indexes", List({0, 1})},
                                  {"pool_int64s", List({5, 6})}});
  const auto with = [&](const char* name, AttributeValue value) {
    Attributes attrs = grams;
    attrs.Set(name, std::move(value));
    return attrs;
  };
  const CaseOperand ints = Fed({4}, kI64);
  ExpectRefused({
      {"RegexFullMatch", {}, {texts}, "attribute 'pattern' is missing"},
      {"RegexFullMatch", Attrs({{"pattern", Text("(")}}), {texts}, "missing ) at byte 1"},
      {"RegexFullMatch", Attrs({{"pattern", Text("a")}}), {ints}, "src 0 is i64"},
      {"TfIdfVectorizer", grams, {Fed({1, 2, 3}, kI64)}, "src 0: rank 3"},
      {"TfIdfVectorizer", grams, {texts}, "but the pool holds integers"},
      {"TfIdfVectorizer", with("mode", Text("X")), {ints}, "attribute 'mode' is 'X'"},
      {"TfIdfVectorizer", with("max_gram_length", Int(2)), {ints}, "'ngram_counts' has 1 elements, expected 2"},
      {"TfIdfVectorizer", with("max_gram_length", Int(0)), {ints}, "'max_gram_length'"},
      {"TfIdfVectorizer", with("ngram_counts", List({3})), {ints}, "go from 3 to 2"},
      {"TfIdfVectorizer", with("ngram_indexes", List({0})), {ints}, "has 1 elements for 2 n-grams"},
      {"TfIdfVectorizer", with("ngram_indexes", List({0, -1})), {ints}, "'ngram_indexes' has an element of -1"},
      {"TfIdfVectorizer", with("weights", Floats({1})), {ints}, "'weights' has 1 elements, expected 2"},
      {"TfIdfVectorizer", with("pool_strings", Texts({"a"})), {ints}, "one of the attributes"},
  });
}

Attributes Tree() {
  return Attrs({{"nodes_treeids", List({0, 0, 0})},
                {"nodes_nodeids", List({0, 1, 2})},
                {"nodes_featureids", List({1, 0, 0})},
                {"nodes_values", Floats({0.5f, 0, 0})},
                {"nodes_modes", Texts({"BRANCH_LEQ", "LEAF", "LEAF"})},
                {"nodes_truenodeids", List({1, 0, 0})},
                {"nodes_falsenodeids", List({2, 0, 0})},
                {"target_treeids", List({0, 0})},
                {"target_nodeids", List({1, 2})},
                {"target_ids", List({0, 0})},
                {"target_weights", Floats({1, 2})}});
}

TEST(BadInput, Trees) {
  const auto with = [&](const char* name, AttributeValue value) {
    Attributes attrs = Tree();
    attrs.Set(name, std::move(value));
    return attrs;
  };
  const CaseOperand x = Fed({4, 2});
  const char* const op = "ai.onnx.ml.TreeEnsembleRegressor";
  ExpectRefused({
      {op, {}, {x}, "attribute 'nodes_nodeids' is missing"},
      {op, Tree(), {Fed({4, 1})}, "src 0 has 1 features, the trees use feature 1"},
      {op, Tree(), {Fed({4, 2, 1})}, "src 0: rank 3"},
      {op, with("nodes_values", Floats({1})), {x}, "'nodes_values' has 1 elements, expected 3"},
      {op, with("nodes_modes", Texts({"LESS", "LEAF", "LEAF"})), {x}, "attribute 'nodes_modes': 'LESS'"},
      {op, with("nodes_modes", List({1, 2, 3})), {x}, "'nodes_modes' has the wrong type"},
      {op, with("nodes_nodeids", List({0, 1, 1})), {x}, "node 1 of tree 0 is there twice"},
      {op, with("nodes_truenodeids", List({7, 0, 0})), {x}, "a child that is not there"},
      {op, with("nodes_featureids", List({-1, 0, 0})), {x}, "'nodes_featureids' has an element of -1"},
      {op, with("target_nodeids", List({0, 2})), {x}, "node 0 of tree 0 is no leaf"},
      {op, with("target_ids", List({0, 3})), {x}, "a leaf votes for target 3 of 1"},
      {op, with("n_targets", Int(0)), {x}, "attribute 'n_targets' is 0"},
      {op, with("base_values", Floats({1, 2})), {x}, "'base_values' has 2 elements, expected 1"},
      {op, with("aggregate_function", Text("MEDIAN")), {x}, "'aggregate_function' is 'MEDIAN'"},
      {op, with("post_transform", Text("X")), {x}, "'post_transform' is 'X'"},
      {"ai.onnx.ml.TreeEnsemble", {}, {x}, "attribute 'nodes_featureids' is missing"},
      {"ai.onnx.ml.TreeEnsembleClassifier", {}, {x}, "'classlabels_int64s' or 'classlabels_strings' is missing", 2},
  });
}

// A child that is its own ancestor.
TEST(BadInput, TreesThatAreCircles) {
  Attributes circle = Tree();
  circle.Set("nodes_truenodeids", std::vector<int64_t>{0, 0, 0});
  circle.Set("nodes_falsenodeids", std::vector<int64_t>{0, 0, 0});
  const auto data =
      CaseData::Make(MakeCase("ai.onnx.ml.TreeEnsembleRegressor/circle", circle, {Fed({1, 2})}), CaseLayout{});
  ASSERT_TRUE(data.ok()) << data.status().message();
  const auto results = (*data)->Reference(true);
  ASSERT_FALSE(results.ok());
  EXPECT_EQ(results.status().message(), "the nodes of tree 0 form a circle");
}

TEST(BadInput, MachineLearning) {
  const CaseOperand x = Fed({4, 2});
  const AttributeValue two = Floats({1, 2}), labels = List({1, 2});
  ExpectRefused({
      {"ai.onnx.ml.ArrayFeatureExtractor", {}, {x, Fed({2})}, "src 1 is f32"},
      {"ai.onnx.ml.ArrayFeatureExtractor", {}, {Fed({}), Fed({2}, kI64)}, "src 0: rank 0"},
      {"ai.onnx.ml.Binarizer", Attrs({{"threshold", Int(1)}}), {x}, "attribute 'threshold' has the wrong type"},
      {"ai.onnx.ml.Scaler", Attrs({{"scale", Floats({1, 2, 3})}}), {x}, "elements of attribute 'scale': 3, expected 2"},
      {"ai.onnx.ml.Normalizer", Attrs({{"norm", Text("L3")}}), {x}, "attribute 'norm' is 'L3'"},
      {"ai.onnx.ml.Imputer", {}, {x}, "attribute 'imputed_value_floats' is missing"},
      {"ai.onnx.ml.Imputer", Attrs({{"imputed_value_int64s", List({1, 2, 3})}}), {Fed({4, 2}, kI64)}, "3, expected 2"},
      {"ai.onnx.ml.OneHotEncoder", {}, {x}, "attribute 'cats_int64s' is missing"},
      {"ai.onnx.ml.FeatureVectorizer", Attrs({{"inputdimensions", List({2})}}), {x, x}, "has 1 elements, expected 2"},
      {"ai.onnx.ml.FeatureVectorizer", Attrs({{"inputdimensions", List({2, -1})}}), {x, x}, "an element of -1"},
      {"ai.onnx.ml.FeatureVectorizer", {}, {x, Fed({3, 2})}, "rows of src 1: 3, expected 4"},
      {"ai.onnx.ml.LabelEncoder", {}, {x}, "attribute 'keys_*' is missing"},
      {"ai.onnx.ml.LabelEncoder", Attrs({{"keys_floats", two}}), {x}, "attribute 'values_*' is missing"},
      {"ai.onnx.ml.LabelEncoder", Attrs({{"keys_floats", two}, {"values_int64s", List({1})}}), {x}, "have 2 and 1"},
      {"ai.onnx.ml.LabelEncoder", Attrs({{"keys_int64s", labels}, {"values_int64s", labels}}), {x}, "the keys are i64"},
      {"ai.onnx.ml.CategoryMapper", Attrs({{"cats_int64s", labels}}), {Fed({2}, kI64)}, "have 2 and 0 elements"},
      {"ai.onnx.ml.LinearRegressor", {}, {x}, "attribute 'coefficients' is missing"},
      {"ai.onnx.ml.LinearRegressor", Attrs({{"coefficients", Floats({1, 2, 3})}}), {x}, "features of src 0"},
      {"ai.onnx.ml.LinearRegressor", Attrs({{"coefficients", two}, {"targets", Int(3)}}), {x}, "for 3 outputs"},
      {"ai.onnx.ml.LinearRegressor", Attrs({{"coefficients", two}, {"targets", Int(0)}}), {x}, "for 0 outputs"},
      {"ai.onnx.ml.LinearRegressor", Attrs({{"coefficients", two}, {"intercepts", two}}), {x}, "expected 1"},
      {"ai.onnx.ml.LinearClassifier", Attrs({{"coefficients", two}}), {x}, "'classlabels_ints'", 2},
      {"ai.onnx.ml.SVMRegressor", {}, {x}, "attribute 'coefficients' is missing"},
      {"ai.onnx.ml.SVMRegressor", Attrs({{"coefficients", two}}), {x}, "attribute 'rho' is missing"},
      {"ai.onnx.ml.SVMRegressor",
       Attrs({{"coefficients", two}, {"rho", two}, {"n_supports", Int(2)}, {"support_vectors", Floats({1, 2, 3})}}),
       {x},
       "'support_vectors' has 3 elements for 2 rows"},
      {"ai.onnx.ml.SVMRegressor",
       Attrs({{"coefficients", two}, {"rho", two}, {"kernel_type", Text("X")}}),
       {x},
       "'kernel_type' is 'X'"},
      {"ai.onnx.ml.SVMClassifier",
       Attrs({{"coefficients", two}, {"rho", two}, {"classlabels_ints", labels}, {"vectors_per_class", List({-1, 2})}}),
       {x},
       "'vectors_per_class': -1",
       2},
  });
}

TEST(BadInput, GroupQueryAttention) {
  const CaseOperand q = Fed({1, 3, 32}), k = Fed({1, 3, 16}), lengths = Given({1}, {2}, kI32);
  const CaseOperand total = Constant(Given({}, {3}, kI32));
  const Attributes heads = Attrs({{"num_heads", Int(4)}, {"kv_num_heads", Int(2)}});
  Attributes rotary = heads;
  rotary.Set("do_rotary", int64_t{1});
  const CaseOperand none = Absent(), past = Fed({1, 2, 4, 8});
  const char* const op = "com.microsoft.GroupQueryAttention";
  ExpectRefused({
      {op, {}, {q, k, k, none, none, lengths, total}, "'num_heads', 'kv_num_heads': 0, 0"},
      {op, heads, {q, k, k}, "src 5 is missing"},
      {op, heads, {q, k, none, none, none, lengths, total}, "src 1 (key) without src 2 (value)"},
      {op, heads, {q, k, k, past, none, lengths, total}, "src 3 (past_key) without src 4 (past_value)"},
      {op, heads, {q, Fed({1, 3, 8}), k, none, none, lengths, total}, "dim 2 of src 1: 8, expected 16"},
      {op, heads, {Fed({1, 3, 33}), k, k, none, none, lengths, total}, "dim 2 of src 0 (query): 33"},
      {op, heads, {q, k, k, past, Fed({1, 2, 5, 8}), lengths, total}, "dim 2 of src 4: 5, expected 4"},
      {op, rotary, {q, k, k, none, none, lengths, total}, "'do_rotary' is set"},
      {op,
       heads,
       {q, k, k, none, none, lengths, total, none, none, none, Fed({1, 3, 3, 3})},
       "dimension 1 of src 10: 3 does not broadcast to 4"},
      {op,
       heads,
       {q, k, k, none, none, Given({2}, {2, 2}, kI32), total},
       "elements of src 5 (seqlens_k): 2, expected 1"},
  });
}

}  // namespace
}  // namespace moka

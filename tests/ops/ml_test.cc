// Operators of ai.onnx.ml whose results are strings: pointers into the node's attributes.
#include "ops/string_tensor.h"
#include "tests/ops/run_op.h"

namespace moka {
namespace {

using Texts = std::vector<std::string>;
AttributeValue Words(Texts values) { return values; }
AttributeValue Floats(std::vector<float> values) { return values; }

// Result 0, which holds strings. The case outlives the pointers.
Texts RunTexts(const std::string& op, Attributes attrs, std::vector<CaseOperand> src) {
  const auto data = CaseData::Make(MakeCase(op + "/", std::move(attrs), std::move(src)), CaseLayout{});
  EXPECT_TRUE(data.ok()) << data.status().message();
  if (!data.ok()) return {};
  EXPECT_EQ((*data)->call().dst[0].type, DataType::kString);
  const auto results = (*data)->Reference(true);
  EXPECT_TRUE(results.ok()) << results.status().message();
  if (!results.ok()) return {};
  const CaseMemory& memory = results->at(0);
  Texts texts;
  for (int64_t i = 0; i < memory.desc.NumElements(); ++i) {
    texts.push_back(StringAt(LoadRaw<StringPointer>(memory.data(), i)));
  }
  return texts;
}

TEST(LabelEncoder, GivesStrings) {
  const CaseOperand x = Given({3}, {2, 9, 1}, DataType::kI64);
  Attributes attrs = Attrs({{"keys_int64s", List({1, 2})}, {"values_strings", Words({"one", "two"})}});
  EXPECT_EQ(RunTexts("ai.onnx.ml.LabelEncoder", attrs, {x}), (Texts{"two", "_Unused", "one"}));
  attrs.Set("default_string", std::string("many"));
  EXPECT_EQ(RunTexts("ai.onnx.ml.LabelEncoder", attrs, {x}), (Texts{"two", "many", "one"}));
  EXPECT_TRUE(Varies(*FindOp("ai.onnx.ml", "LabelEncoder"), attrs));  // so it is not folded into a constant
}

TEST(LabelEncoder, OldFormNumbersTheClasses) {
  const Attributes attrs = Attrs({{"classes_strings", Words({"zero", "one"})}});
  EXPECT_EQ(RunTexts("ai.onnx.ml.LabelEncoder", attrs, {Given({2}, {1, 0}, DataType::kI64)}), (Texts{"one", "zero"}));
}

TEST(LabelEncoder, TheLastOfEqualKeysCountsAndNanIsAKey) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Attributes attrs = Attrs({{"keys_floats", Floats({1, nan, 1, 0})}, {"values_int64s", List({10, 20, 30, 40})}});
  const auto result = RunOp("ai.onnx.ml.LabelEncoder", attrs, {Given({4}, {1, -nan, -0.0, 7})});
  ExpectOp(result, {4}, {30, 20, 40, -1});
  EXPECT_FALSE(Varies(*FindOp("ai.onnx.ml", "LabelEncoder"), attrs));
}

TEST(LinearClassifier, GivesLabels) {
  const Attributes attrs = Attrs({{"coefficients", Floats({1, 0, 0, 1})},
                                  {"intercepts", Floats({0, 0})},
                                  {"classlabels_strings", Words({"left", "right"})}});
  EXPECT_EQ(RunTexts("ai.onnx.ml.LinearClassifier", attrs, {Given({2, 2}, {2, 1, 0, 5})}), (Texts{"left", "right"}));
}

TEST(TreeEnsemble, SendsNanWhereTheNodeSays) {
  const auto tree = [](int64_t missing) {
    return Attrs({{"nodes_treeids", List({0, 0, 0})},
                  {"nodes_nodeids", List({0, 1, 2})},
                  {"nodes_featureids", List({0, 0, 0})},
                  {"nodes_values", Floats({0.5f, 0, 0})},
                  {"nodes_modes", Words({"BRANCH_LEQ", "LEAF", "LEAF"})},
                  {"nodes_truenodeids", List({1, 0, 0})},
                  {"nodes_falsenodeids", List({2, 0, 0})},
                  {"nodes_missing_value_tracks_true", List({missing, 0, 0})},
                  {"target_treeids", List({0, 0})},
                  {"target_nodeids", List({1, 2})},
                  {"target_ids", List({0, 0})},
                  {"target_weights", Floats({10, 20})}});
  };
  const CaseOperand x = Given({3, 1}, {0.5, 0.6, std::nan("")});
  ExpectOp(RunOp("ai.onnx.ml.TreeEnsembleRegressor", tree(0), {x}), {3, 1}, {10, 20, 20});
  ExpectOp(RunOp("ai.onnx.ml.TreeEnsembleRegressor", tree(1), {x}), {3, 1}, {10, 20, 10});
}

}  // namespace
}  // namespace moka

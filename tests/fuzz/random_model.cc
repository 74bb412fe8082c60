#include "tests/fuzz/random_model.h"

#include <algorithm>
#include <cstdint>

#include "tests/fuzz/choices.h"
#include "tests/fuzz/damage.h"

namespace moka::fuzz {
namespace {

using test::AttributeSpecs;
using test::GraphBuilder;
using test::ModelBuilder;

test::TensorSpec SpecOf(const Operand& operand) {
  test::TensorSpec spec;
  spec.data_type = onnx::ToOnnx(operand.type);
  spec.dims = operand.dims;
  spec.raw = operand.raw;
  for (const std::string& text : operand.strings) {
    protozero::pbf_writer(spec.extra).add_bytes(onnx::TensorFields::kStringData, text);
  }
  return spec;
}

Datum DatumOf(const Operand& operand) {
  Result<Tensor> tensor = Tensor::Create(operand.type, operand.dims);
  if (!tensor.ok()) return {};
  if (operand.type == DataType::kString) {
    std::copy(operand.strings.begin(), operand.strings.end(), tensor->as<std::string>());
  } else {
    std::copy(operand.raw.begin(), operand.raw.end(), static_cast<char*>(tensor->data()));
  }
  return Datum(std::move(*tensor));
}

// A model in the making. Nodes go into `graph`, which is the model's own or the one of a branch or loop; graph inputs
// are always the model's, so branches and loops capture them.
class Builder {
 public:
  explicit Builder(int64_t opset) : model_(opset) {
    for (const char* domain : {"com.microsoft", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training"}) {
      model_.AddOpset(domain, 1);
    }
  }

  GraphBuilder& model() { return model_; }
  std::string NewName(const char* prefix) { return prefix + std::to_string(names_++); }

  // `symbolic`: its dimensions have names.
  std::string AddInput(const Operand& operand, bool symbolic) {
    std::string name = NewName("x");
    test::DimSpecs dims;
    for (const int64_t dim : operand.dims) {
      if (symbolic) dims.emplace_back(NewName("d").c_str());
      if (!symbolic) dims.emplace_back(dim);
    }
    model_.AddInput(name, dims, operand.type);
    inputs_.push_back(DatumOf(operand));
    return name;
  }

  std::string AddOperand(const Operand& operand, GraphBuilder& graph, bool symbolic) {
    if (operand.type == DataType::kNone) return "";
    std::string name = operand.fed ? AddInput(operand, symbolic) : NewName("c");
    if (!operand.fed) graph.AddTensor(name, SpecOf(operand));
    if (!operand.sequence) return name;
    const std::string sequence = NewName("q");
    graph.AddNode("SequenceConstruct", {name, name}, {sequence});
    return sequence;
  }

  // The names of the results. src[i] replaces the recipe's source i where it is not empty.
  std::vector<std::string> AddCall(const Recipe& recipe, GraphBuilder& graph, const std::vector<std::string>& given,
                                   bool symbolic) {
    std::vector<std::string> src, dst;
    for (size_t i = 0; i < recipe.src.size(); ++i) {
      const bool is_given = i < given.size() && !given[i].empty();
      src.push_back(is_given ? given[i] : AddOperand(recipe.src[i], graph, symbolic));
    }
    for (int i = 0; i < recipe.num_dst; ++i) dst.push_back(NewName("y"));
    graph.AddNode(recipe.op, src, dst, recipe.attrs, "", recipe.domain);
    return dst;
  }

  RandomModel Finish() { return {model_.Serialize(), std::move(inputs_)}; }

 private:
  ModelBuilder model_;
  std::vector<Datum> inputs_;
  int names_ = 0;
};

enum class Around { kNothing, kIf, kLoop, kScan, kMap };

// The graph of an attribute that runs the calls; `results` are theirs, and become those of the node around it.
void Wrap(Around around, Choices& choices, Builder& builder, const std::shared_ptr<GraphBuilder>& body,
          std::vector<std::string>* results) {
  std::vector<std::string> outer;
  for (size_t i = 0; i < results->size(); ++i) outer.push_back(builder.NewName("w"));
  const auto number = [](DataType type, int64_t value) {
    Operand operand;
    operand.type = type;
    operand.raw.assign(reinterpret_cast<const char*>(&value), SizeOf(type));
    operand.fed = true;
    return operand;
  };
  if (around == Around::kIf) {
    auto other = std::make_shared<GraphBuilder>();
    for (const std::string& result : *results) {
      body->AddOutput(result, DataType::kNone);
      const std::string copy = builder.NewName("e");
      other->AddNode("Identity", {"anchor"}, {copy});
      other->AddOutput(copy, DataType::kNone);
    }
    const std::string condition = builder.AddInput(number(DataType::kBool, choices.Below(4) != 0), false);
    builder.model().AddNode(
        "If", {condition}, outer,
        {{"then_branch", test::AttributeSpec::Value(body)}, {"else_branch", test::AttributeSpec::Value(other)}});
  } else if (around == Around::kLoop) {
    body->AddInput("trip", {}, DataType::kI64);
    body->AddInput("go_on", {}, DataType::kBool);
    body->AddInput("state", {});
    body->AddNode("Identity", {"go_on"}, {"still"});
    body->AddNode("Identity", {choices.OneIn(2) ? "state" : results->front()}, {"next"});
    body->AddOutput("still", DataType::kBool);
    body->AddOutput("next", DataType::kNone);
    for (const std::string& result : *results) body->AddOutput(result, DataType::kNone);
    const std::string trips = builder.AddInput(number(DataType::kI64, choices.Below(5)), false);
    outer.insert(outer.begin(), builder.NewName("w"));
    builder.model().AddNode("Loop", {trips, "", "anchor"}, outer, {{"body", test::AttributeSpec::Value(body)}});
  } else if (around == Around::kScan) {
    body->AddInput("state", {});
    body->AddInput("element", {});
    body->AddNode("Add", {"state", "element"}, {"next"});
    body->AddOutput("next", DataType::kNone);
    for (const std::string& result : *results) body->AddOutput(result, DataType::kNone);
    outer.insert(outer.begin(), builder.NewName("w"));
    builder.model().AddNode("Scan", {"one", "anchor"}, outer,
                            {{"body", test::AttributeSpec::Value(body)}, {"num_scan_inputs", choices.Between(0, 2)}});
  } else {
    body->AddInput("element", {});
    for (const std::string& result : *results) body->AddOutput(result, DataType::kNone);
    const std::string sequence = builder.NewName("q");
    builder.model().AddNode("SequenceConstruct", {"anchor", "one"}, {sequence});
    builder.model().AddNode("SequenceMap", {sequence}, outer, {{"body", test::AttributeSpec::Value(body)}});
  }
  *results = outer;
}

Operand FloatsOf(std::vector<int64_t> dims, size_t count) {
  Operand operand;
  operand.type = DataType::kF32;
  operand.dims = std::move(dims);
  operand.raw.assign(count * sizeof(float), '\0');
  operand.fed = true;
  return operand;
}

}  // namespace

RandomModel MakeRandomModel(std::string_view bytes) {
  Choices choices(bytes);
  Builder builder(choices.OneIn(8) ? choices.Between(1, 28) : 28);
  const bool symbolic = choices.OneIn(2);
  const int64_t kind = choices.Below(16);
  const Around around = kind < 11   ? Around::kNothing
                        : kind < 13 ? Around::kIf
                        : kind < 14 ? Around::kLoop
                        : kind < 15 ? Around::kScan
                                    : Around::kMap;
  auto body = std::make_shared<GraphBuilder>();
  GraphBuilder& graph = around == Around::kNothing ? builder.model() : *body;
  if (around != Around::kNothing) {
    builder.model().AddNode("Identity", {builder.AddInput(FloatsOf({3}, 3), symbolic)}, {"anchor"});
    builder.model().AddNode("Identity", {builder.AddInput(FloatsOf({}, 1), symbolic)}, {"one"});
  }
  std::vector<std::string> results;
  for (int64_t n = choices.Between(1, 4); n > 0; --n) {
    const int64_t op = choices.Word();
    Recipe recipe = ChooseRecipe(op, choices.Word());
    for (int64_t damages = std::max<int64_t>(choices.Below(6) - 2, 0); damages > 0; --damages) Damage(choices, &recipe);
    std::vector<std::string> given(recipe.src.size());
    if (!results.empty() && !given.empty() && choices.OneIn(2)) {
      given[choices.IndexOf(given.size())] = results[choices.IndexOf(results.size())];
    }
    for (std::string& result : builder.AddCall(recipe, graph, given, symbolic)) results.push_back(std::move(result));
  }
  if (choices.OneIn(4)) results = {results.back()};
  if (around != Around::kNothing) Wrap(around, choices, builder, body, &results);
  for (const std::string& result : results) builder.model().AddOutput(result, DataType::kNone);
  return builder.Finish();
}

RandomModel ModelOf(const Recipe& recipe) {
  Builder builder(28);
  for (const std::string& result : builder.AddCall(recipe, builder.model(), {}, false)) {
    builder.model().AddOutput(result, DataType::kNone);
  }
  return builder.Finish();
}

}  // namespace moka::fuzz

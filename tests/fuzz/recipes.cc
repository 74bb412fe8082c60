#include "tests/fuzz/recipes.h"

#include <functional>
#include <map>
#include <numeric>

#include "tests/conformance/cases.h"

namespace moka::fuzz {
namespace {

constexpr int64_t kMaxElements = 1500;  // of an operand: larger ones only take time

uint16_t HashOf(const std::string& text) {  // FNV-1a, folded
  uint32_t hash = 2166136261u;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619u;
  return static_cast<uint16_t>(hash ^ hash >> 16);
}

using Make = std::function<Recipe()>;
using Ring = std::multimap<uint16_t, Make>;  // by the hash of the case's name

struct Tables {
  std::map<std::string, Ring> cases;                      // by operator
  std::multimap<uint16_t, const std::string*> operators;  // by the hash of the name
};

bool IsSmall(const OpCase& op_case) {
  for (const CaseOperand& operand : op_case.src) {
    if (std::accumulate(operand.shape.begin(), operand.shape.end(), int64_t{1}, std::multiplies<>()) > kMaxElements) {
      return false;
    }
  }
  return true;
}

void Split(const std::string& name, Recipe* recipe) {
  const size_t dot = name.rfind('.');
  recipe->op = dot == std::string::npos ? name : name.substr(dot + 1);
  recipe->domain = dot == std::string::npos ? "" : name.substr(0, dot);
}

test::AttributeSpec SpecOf(const std::string& name, const AttributeValue& value) {
  return std::visit(
      [&](const auto& held) -> test::AttributeSpec {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, HostTensor>) {
          test::TensorSpec tensor;
          tensor.data_type = onnx::ToOnnx(held.desc.type);
          tensor.dims = held.desc.shape();
          tensor.raw.assign(static_cast<const char*>(held.data), held.desc.ExtentBytes());
          return {name, test::AttributeSpec::Value(tensor)};
        } else if constexpr (std::is_same_v<T, std::shared_ptr<const SubgraphAttribute>>) {
          return {name, int64_t{0}};
        } else {
          return {name, test::AttributeSpec::Value(held)};
        }
      },
      value);
}

Recipe RecipeOf(const OpCase& op_case) {
  Recipe recipe;
  Split(op_case.op, &recipe);
  recipe.num_dst = op_case.num_dst;
  for (const auto& [name, value] : op_case.attrs.all()) recipe.attrs.push_back(SpecOf(name, value));
  const auto data = CaseData::Make(op_case, CaseLayout{});
  for (size_t i = 0; i < op_case.src.size(); ++i) {
    Operand operand;
    operand.type = op_case.src[i].type;
    operand.dims = op_case.src[i].shape;
    operand.fed = !op_case.src[i].constant;
    if (data.ok() && operand.type != DataType::kNone) {
      const CaseMemory& memory = (*data)->src()[i];
      operand.raw.assign(static_cast<const char*>(memory.data()), memory.desc.ExtentBytes());
    }
    recipe.src.push_back(std::move(operand));
  }
  return recipe;
}

Tables MakeTables() {
  Tables tables;
  for (const CaseFamily& family : CaseFamilies()) {
    for (const OpCase& op_case : family.cases()) {
      if (op_case.program_begin >= 0 || op_case.op.rfind("moka.", 0) == 0 || !IsSmall(op_case)) continue;
      tables.cases[op_case.op].emplace(HashOf(op_case.name), [op_case] { return RecipeOf(op_case); });
    }
  }
  int count = 0;
  for (const Recipe& recipe : OwnRecipes()) {
    const std::string name = recipe.domain.empty() ? recipe.op : recipe.domain + "." + recipe.op;
    tables.cases[name].emplace(HashOf(name + std::to_string(count++)), [recipe] { return recipe; });
  }
  for (const auto& [name, cases] : tables.cases) tables.operators.emplace(HashOf(name), &name);
  return tables;
}

const Tables& AllTables() {
  static const Tables tables = MakeTables();
  return tables;
}

// The next entry of the ring.
template <class Map>
const auto& At(const Map& ring, int64_t choice) {
  const auto it = ring.lower_bound(static_cast<uint16_t>(choice));
  return (it == ring.end() ? ring.begin() : it)->second;
}

}  // namespace

std::vector<std::string> RecipeOperators() {
  std::vector<std::string> names;
  for (const auto& [name, cases] : AllTables().cases) names.push_back(name);
  return names;
}

Recipe ChooseRecipe(int64_t operator_choice, int64_t case_choice) {
  const Tables& tables = AllTables();
  return At(tables.cases.at(*At(tables.operators, operator_choice)), case_choice)();
}

Recipe FirstRecipe(const std::string& name) { return AllTables().cases.at(name).begin()->second(); }

}  // namespace moka::fuzz

// One sound call of each operator, and more of most: the own cases of tests/conformance and a table of what they lack.
#ifndef MOKA_TESTS_FUZZ_RECIPES_H_
#define MOKA_TESTS_FUZZ_RECIPES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/formats/onnx_writer.h"

namespace moka::fuzz {

struct Operand {
  DataType type = DataType::kNone;  // kNone: an absent optional
  std::vector<int64_t> dims;
  std::string raw;                   // elements, little-endian
  std::vector<std::string> strings;  // those of a tensor of strings
  bool fed = false;                  // an input of the graph, not a constant
  bool sequence = false;             // a sequence that holds the tensor twice
};

struct Recipe {
  std::string domain, op;
  std::vector<Operand> src;
  test::AttributeSpecs attrs;
  int num_dst = 1;
};

// The operators that recipes know: "Conv", "com.microsoft.QGemm".
std::vector<std::string> RecipeOperators();

// Any two numbers of 16 bits choose one. What they choose changes for few of them when operators or cases are added, so
// that a kept corpus stays useful.
Recipe ChooseRecipe(int64_t operator_choice, int64_t case_choice);
// The first case of an operator.
Recipe FirstRecipe(const std::string& name);

// Recipes of operators that the cases of tests/conformance do not have.
std::vector<Recipe> OwnRecipes();

}  // namespace moka::fuzz

#endif  // MOKA_TESTS_FUZZ_RECIPES_H_

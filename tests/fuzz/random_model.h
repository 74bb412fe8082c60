// Small models of random operators: sound calls (recipes.h), some of them damaged, chained and put into branches and
// loops.
#ifndef MOKA_TESTS_FUZZ_RANDOM_MODEL_H_
#define MOKA_TESTS_FUZZ_RANDOM_MODEL_H_

#include <string>
#include <string_view>
#include <vector>

#include "moka/datum.h"
#include "tests/fuzz/recipes.h"

namespace moka::fuzz {

struct RandomModel {
  std::string bytes;  // of an ONNX file
  std::vector<Datum> inputs;
};

// What `bytes` choose; the same bytes, the same model.
RandomModel MakeRandomModel(std::string_view bytes);
// The one call, whose sources are inputs of the graph or constants as the recipe says.
RandomModel ModelOf(const Recipe& recipe);

}  // namespace moka::fuzz

#endif  // MOKA_TESTS_FUZZ_RANDOM_MODEL_H_

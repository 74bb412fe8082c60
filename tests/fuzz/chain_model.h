// Convolutions behind each other, as bytes choose them: what the planner makes chains of.
#ifndef MOKA_TESTS_FUZZ_CHAIN_MODEL_H_
#define MOKA_TESTS_FUZZ_CHAIN_MODEL_H_

#include <cstdint>
#include <string>

#include "tests/fuzz/choices.h"

namespace moka::fuzz {

struct ChainModel {
  std::string bytes;  // of a file: one input of f32, fixed shapes
  int64_t input_elements = 0;
};
ChainModel MakeChainModel(Choices& choices);

}  // namespace moka::fuzz

#endif  // MOKA_TESTS_FUZZ_CHAIN_MODEL_H_

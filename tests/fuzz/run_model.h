// What both fuzzers do with the bytes of a model: read, plan, run once on small inputs, all within small limits.
#ifndef MOKA_TESTS_FUZZ_RUN_MODEL_H_
#define MOKA_TESTS_FUZZ_RUN_MODEL_H_

#include <string_view>

namespace moka::fuzz {

// Never fails: what is wrong with the model is a Status inside.
void RunModel(std::string_view bytes);

}  // namespace moka::fuzz

#endif  // MOKA_TESTS_FUZZ_RUN_MODEL_H_

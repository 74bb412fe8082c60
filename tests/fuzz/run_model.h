// What two fuzzers do with the bytes of a model: read, plan, run once on small inputs, all within small limits, with
// options that the bytes choose.
#ifndef MOKA_TESTS_FUZZ_RUN_MODEL_H_
#define MOKA_TESTS_FUZZ_RUN_MODEL_H_

#include <string_view>
#include <vector>

#include "moka/datum.h"
#include "moka/status.h"

namespace moka::fuzz {

// `inputs`: what the model runs on; null: small numbers of the types and shapes that it declares.
Status RunModel(std::string_view bytes, const std::vector<Datum>* inputs = nullptr);

}  // namespace moka::fuzz

#endif  // MOKA_TESTS_FUZZ_RUN_MODEL_H_

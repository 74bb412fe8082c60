// Small, well-formed models of operators with operands and attributes that mostly make sense.
#ifndef MOKA_TESTS_FUZZ_RANDOM_MODEL_H_
#define MOKA_TESTS_FUZZ_RANDOM_MODEL_H_

#include <string>
#include <string_view>

namespace moka::fuzz {

// The bytes of an ONNX file that `bytes` choose; the same bytes, the same model.
std::string RandomModel(std::string_view bytes);

}  // namespace moka::fuzz

#endif  // MOKA_TESTS_FUZZ_RANDOM_MODEL_H_

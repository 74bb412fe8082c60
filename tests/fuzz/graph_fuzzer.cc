// libFuzzer target: the bytes choose a small graph, which is read and run. Reaches kernels and references that random
// bytes of a file seldom do.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/random_model.h"
#include "tests/fuzz/run_model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const moka::fuzz::RandomModel model = moka::fuzz::MakeRandomModel({reinterpret_cast<const char*>(data), size});
  (void)moka::fuzz::RunModel(model.bytes, &model.inputs);
  return 0;
}

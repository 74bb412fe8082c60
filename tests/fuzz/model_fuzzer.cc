// libFuzzer target: any bytes as an ONNX file. Reader, converter, inference, passes, planner, verifier and a run.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/run_model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)moka::fuzz::RunModel({reinterpret_cast<const char*>(data), size});
  return 0;
}

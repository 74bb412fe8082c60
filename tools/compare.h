// Comparing tensors as onnx's backend test runner does.
#ifndef MOKA_TOOLS_COMPARE_H_
#define MOKA_TOOLS_COMPARE_H_

#include <string>

#include "moka/datum.h"

namespace moka::tools {

struct Tolerance {
  double relative = 1e-3, absolute = 1e-7;
};

// "" when `got` has the type and shape of `want` and every element satisfies |got - want| <= absolute + relative *
// |want| (NaN equals NaN, an infinity its like; integers and bools are equal exactly); else one line that says where
// not.
std::string Difference(const Tensor& got, const Tensor& want, const Tolerance& tolerance);

std::string Difference(const Datum& got, const Datum& want, const Tolerance& tolerance);

}  // namespace moka::tools

#endif  // MOKA_TOOLS_COMPARE_H_

// An operator that ONNX does not have: com.example.Histogram counts the elements of a float tensor in `bins` equal
// intervals of [low, high); what lies outside is not counted.
#ifndef MOKA_EXAMPLES_CUSTOM_OP_HISTOGRAM_H_
#define MOKA_EXAMPLES_CUSTOM_OP_HISTOGRAM_H_

#include <memory>

#include "moka/custom_op.h"

std::unique_ptr<const moka::CustomOp> MakeHistogram();

#endif  // MOKA_EXAMPLES_CUSTOM_OP_HISTOGRAM_H_

// Numbers as text and back, as Cast has them: independent of the locale's digits, round-trip exact.
#ifndef MOKA_OPS_CAST_TEXT_H_
#define MOKA_OPS_CAST_TEXT_H_

#include <string>

#include "base/status.h"
#include "moka/tensor.h"

namespace moka {

// The shortest decimal that reads back as the same number of `type`: "3.1415927", "1.0", "1e+20", "inf", "nan".
std::string TextOfFloat(double value, DataType type);
// "3.14", " 1e-5 ", "+INF", "-inf", "NaN" in any case.
Result<double> FloatOfText(const std::string& text);

}  // namespace moka

#endif  // MOKA_OPS_CAST_TEXT_H_

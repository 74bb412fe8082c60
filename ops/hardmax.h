#ifndef MOKA_OPS_HARDMAX_H_
#define MOKA_OPS_HARDMAX_H_

#include "ops/op.h"

namespace moka {

Result<int> HardmaxAxis(const Attributes& attrs, int rank);

}  // namespace moka

#endif  // MOKA_OPS_HARDMAX_H_

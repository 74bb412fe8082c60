// Operators that products register (moka/custom_op.h), as schemas.
#ifndef MOKA_OPS_CUSTOM_OP_H_
#define MOKA_OPS_CUSTOM_OP_H_

#include <string_view>

#include "ops/op.h"

namespace moka {

const OpSchema* FindCustomOp(std::string_view domain, std::string_view name);  // null when unknown

}  // namespace moka

#endif  // MOKA_OPS_CUSTOM_OP_H_

// The schemas of all operators, XSchema() of each. Each is a function in the file of its operator that returns one
// address, and whoever opens the library calls them all: as cold functions they lie side by side, in a few pages of
// the program, not in every page that has an operator.
#ifndef MOKA_OPS_SCHEMAS_H_
#define MOKA_OPS_SCHEMAS_H_

#include "ops/op.h"

namespace moka {

#define MOKA_OP(name) [[gnu::cold]] const OpSchema* name##Schema();
#include "ops/ops.inc"
#undef MOKA_OP

}  // namespace moka

#endif  // MOKA_OPS_SCHEMAS_H_

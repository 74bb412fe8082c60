// Functions of one float as a table: operator, micro-operation.
#include "ops/elementwise.h"

namespace moka {

#define MOKA_FUNCTIONS(X) \
  X(Acos)                 \
  X(Acosh)                \
  X(Asin)                 \
  X(Asinh)                \
  X(Atan)                 \
  X(Atanh)                \
  X(Ceil)                 \
  X(Cos)                  \
  X(Cosh)                 \
  X(Erf)                  \
  X(Exp)                  \
  X(Floor)                \
  X(Log)                  \
  X(Round)                \
  X(Sin)                  \
  X(Sinh)                 \
  X(Sqrt)                 \
  X(Tan)                  \
  X(Tanh)

#define MOKA_DEFINE(op)                                                     \
  MOKA_ELEMENTWISE_SCHEMA(op, 1, 1, InferFloat, LowerUnary<MicroOp::k##op>, \
                          ElementwiseReference<NoIntegers>::template Run)
MOKA_FUNCTIONS(MOKA_DEFINE)
#undef MOKA_DEFINE
#undef MOKA_FUNCTIONS

}  // namespace moka

// Running the scalar reference of an operator, epilogue included.
#ifndef MOKA_OPS_REFERENCE_H_
#define MOKA_OPS_REFERENCE_H_

#include "ops/op.h"

// The two references of a schema from one template over the accumulator of f32 operands:
//   template <class Float> Status ReluReference(const ReferenceCall& reference);
//   const OpSchema kSchema = {..., MOKA_REFERENCES(ReluReference) .cost = ...};
#ifdef MOKA_REFERENCE
#define MOKA_REFERENCES(function) .reference = function<float>, .oracle = function<double>,
#else
#define MOKA_REFERENCES(function)
#endif

namespace moka {

// Runs the operator's reference (or its oracle) and then the epilogue of call.program, so operators know nothing of
// epilogues: their reference sees its own sources only. The epilogue is computed in double from the operator's result
// as stored (f32). kUnsupported where the library has no references.
Status RunReference(const ReferenceCall& reference, bool oracle);

// call.program over dst[0], in double. Register 0 starts as the element of dst[0] (`has_result`), or as 0.
Status ApplyProgram(const ReferenceCall& reference, bool has_result);

}  // namespace moka

#endif  // MOKA_OPS_REFERENCE_H_

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
// epilogues: their reference sees its own sources only. kUnsupported where the library has no references. With
// `oracle` an epilogue sees the operator's result rounded to the type of dst[0].
Status RunReference(const ReferenceCall& reference, bool oracle);

// The program over dst[0] in place: r0 is the element, source k is src[program_begin + k], broadcast.
Status ApplyProgram(const ReferenceCall& reference, bool oracle);

}  // namespace moka

#endif  // MOKA_OPS_REFERENCE_H_

#ifndef MOKA_OPS_CONSTANT_OF_SHAPE_H_
#define MOKA_OPS_CONSTANT_OF_SHAPE_H_

#include "ops/op.h"

namespace moka {

// Attribute `value` of ConstantOfShape: one element; null, which is an f32 zero, where it is absent.
Status ReadFillValue(const Attributes& attrs, const HostTensor** value);

}  // namespace moka

#endif  // MOKA_OPS_CONSTANT_OF_SHAPE_H_

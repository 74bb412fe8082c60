// What operators that run between plans share (HostCall in ops/op.h).
#ifndef MOKA_OPS_HOST_H_
#define MOKA_OPS_HOST_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ops/op.h"
#include "ops/schemas.h"

namespace moka {

// Source i, which must be a sequence or a tensor of strings; the Status names it otherwise.
Result<const std::vector<Datum>*> SrcSequence(const HostCall& call, size_t i);
Result<const Tensor*> SrcStrings(const HostCall& call, size_t i);
// The one element of an i32 or i64 tensor.
Result<int64_t> SrcScalar(const HostCall& call, size_t i, std::string_view operand);
// A tensor of one element.
Result<Tensor> MakeScalar(DataType type, int64_t value);

// Copies `count` elements of equal type, strings included.
void CopyRange(const Tensor& src, int64_t src_at, Tensor* dst, int64_t dst_at, int64_t count);

// Elements of the dimensions [first, last).
int64_t ElementsOf(const Shape& shape, size_t first, size_t last);

}  // namespace moka

#endif  // MOKA_OPS_HOST_H_

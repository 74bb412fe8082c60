// What the quantized operators share: ranges, rounding, and scales and zero points as operands. All of them compute in
// the precision that the standard names, so that the reference, the oracle and the kernels agree in every bit.
#ifndef MOKA_OPS_QUANTIZATION_H_
#define MOKA_OPS_QUANTIZATION_H_

#include <initializer_list>
#include <string_view>

#include "ops/element.h"
#include "ops/op.h"

namespace moka {

inline constexpr std::initializer_list<DataType> kByteTypes = {DataType::kU8, DataType::kI8};

struct QuantRange {
  int64_t lo = 0, hi = 0;
};
// Of an integer type that values are quantized to; empty for other types.
QuantRange QuantRangeOf(DataType type);

// Rounds half to even, adds `zero` and saturates. NaN becomes the lowest value.
int64_t QuantizeScaled(double scaled, int64_t zero, QuantRange range);

// `value` as the nearest value of a floating type.
double RoundToType(DataType type, double value);

// ---- Inference ----------------------------------------------------------------------------------------------------

// Source i, if present, is of one of the types and has one element, or one per element of `channels` where that is not
// null. `what` names it in messages: "scale of src 3".
Status CheckParameter(InferContext& ctx, size_t i, std::initializer_list<DataType> types, const Dim* channels,
                      std::string_view what);
// A scale (f32) at source i and, at i + 1, a zero point of the type of the quantized source `quantized`.
Status CheckScaleAndZero(InferContext& ctx, size_t i, size_t quantized, const Dim* channels = nullptr);
// The same for result 0, whose type is that of the zero point, or u8 without one.
Status InferQuantizedType(InferContext& ctx, size_t i);

// ---- References ---------------------------------------------------------------------------------------------------

// A scale or a zero point (source i; -1 is absent), which has an element for each element of a result: one for all of
// them, one per index of a dimension, or what numpy broadcasts. An absent operand reads as `fallback`.
template <class T>
class Parameter {
 public:
  Parameter(const ReferenceCall& reference, int i, const TensorDesc& dst, int dim, T fallback = T{})
      : fallback_(fallback) {
    if (i < 0 || !reference.call.has_src(i)) return;
    desc_ = reference.call.src[static_cast<size_t>(i)];
    data_ = reference.src[static_cast<size_t>(i)];
    const int64_t count = desc_.NumElements();
    view_.rank = dst.rank;
    if (count == 1) return;
    if (desc_.rank == 1 && dim >= 0) {
      view_.strides[static_cast<size_t>(dim)] = desc_.strides[0];
    } else {
      valid_ = BroadcastView(desc_, dst.shape(), &view_);
    }
  }
  bool valid() const { return valid_; }
  T operator[](const Index& at) const {
    return data_ == nullptr ? fallback_ : Load<T>(desc_, data_, OffsetOf(view_, at));
  }

 private:
  T fallback_;
  TensorDesc desc_, view_;
  const void* data_ = nullptr;
  bool valid_ = true;
};

// Element 0 of source i, or `fallback` where it is absent.
template <class T>
T ScalarSource(const ReferenceCall& reference, int i, T fallback = T{}) {
  if (i < 0 || !reference.call.has_src(i)) return fallback;
  return Load<T>(reference.call.src[static_cast<size_t>(i)], reference.src[static_cast<size_t>(i)], 0);
}

// A product's accumulator: i32 that wraps around.
inline int32_t WrapToI32(int64_t sum) {
  return static_cast<int32_t>(static_cast<uint32_t>(static_cast<uint64_t>(sum)));
}

}  // namespace moka

#endif  // MOKA_OPS_QUANTIZATION_H_

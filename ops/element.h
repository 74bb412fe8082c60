// Elements of strided, possibly unaligned tensors: what references are written with.
#ifndef MOKA_OPS_ELEMENT_H_
#define MOKA_OPS_ELEMENT_H_

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/narrow_float.h"
#include "base/status.h"
#include "ops/tensor_desc.h"

namespace moka {

using Index = std::array<int64_t, kMaxRank>;

// The element `offset` elements after `data`, which may be unaligned.
template <class T>
T LoadRaw(const void* data, int64_t offset) {
  T value;
  std::memcpy(&value, static_cast<const std::byte*>(data) + offset * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}
template <class T>
void StoreRaw(void* data, int64_t offset, T value) {
  std::memcpy(static_cast<std::byte*>(data) + offset * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

// static_cast without undefined behaviour: a floating value outside an integer type is clamped, NaN becomes 0 there.
template <class To, class From>
To ConvertElement(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (kIsNarrowFloat<From>) {
    return ConvertElement<To>(static_cast<float>(value));
  } else if constexpr (kIsNarrowFloat<To>) {
    return To(static_cast<double>(value));
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    if (std::isnan(value)) return 0;
    // 2^digits is exact in From, the largest integer itself may not be.
    constexpr From kEnd = static_cast<From>(uint64_t{1} << (std::numeric_limits<To>::digits - 1)) * 2;
    if (value >= kEnd) return std::numeric_limits<To>::max();
    if (value <= static_cast<From>(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

// Calls f(T{}) with the C++ type of `type` (uint8_t for bool; Half and BFloat16 only convert). Refuses strings and the
// types narrower than a byte or f16.
template <class F>
Status WithElementType(DataType type, F&& f) {
  switch (type) {
    case DataType::kF32:
      return f(float{});
    case DataType::kF64:
      return f(double{});
    case DataType::kF16:
      return f(Half{});
    case DataType::kBF16:
      return f(BFloat16{});
    case DataType::kI8:
      return f(int8_t{});
    case DataType::kI16:
      return f(int16_t{});
    case DataType::kI32:
      return f(int32_t{});
    case DataType::kI64:
      return f(int64_t{});
    case DataType::kU8:
    case DataType::kBool:
      return f(uint8_t{});
    case DataType::kU16:
      return f(uint16_t{});
    case DataType::kU32:
      return f(uint32_t{});
    case DataType::kU64:
      return f(uint64_t{});
    default:
      return Unsupported("type ", NameOf(type), " has no reference");
  }
}

// Calls f(T{}) with an unsigned integer as large as an element of `type`, for copies: any type, strings too.
template <class F>
Status WithStorageType(DataType type, F&& f) {
  switch (SizeOf(type)) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(uint32_t{});
    case 8:
      return f(uint64_t{});
    default:
      return Unsupported("type ", NameOf(type), " has no elements");
  }
}

// Calls f(Acc{}) with the accumulator that a reference computes `type` in: Float for f32, f16 and bf16, double for f64,
// uint64_t for u64, int64_t for other integers and bool.
template <class Float, class F>
Status WithAccumulator(DataType type, F&& f) {
  switch (type) {
    case DataType::kF32:
    case DataType::kF16:
    case DataType::kBF16:
      return f(Float{});
    case DataType::kF64:
      return f(double{});
    case DataType::kI8:
    case DataType::kI16:
    case DataType::kI32:
    case DataType::kI64:
    case DataType::kU8:
    case DataType::kU16:
    case DataType::kU32:
    case DataType::kBool:
      return f(int64_t{});
    case DataType::kU64:
      return f(uint64_t{});
    default:
      return Unsupported("type ", NameOf(type), " has no reference");
  }
}

// The element at `offset` as Acc; 0 for strings.
template <class Acc>
Acc Load(const TensorDesc& desc, const void* data, int64_t offset) {
  Acc value{};
  if (desc.type == DataType::kF32) return ConvertElement<Acc>(LoadRaw<float>(data, offset));
  if (IsNarrow(desc.type)) return ConvertElement<Acc>(LoadNarrow(desc.type, data, offset));
  (void)WithElementType(desc.type, [&](auto element) {
    value = ConvertElement<Acc>(LoadRaw<decltype(element)>(data, offset));
    return Status();
  });
  return value;
}

// Rounds `value` to the type of desc; bool is value != 0.
template <class Acc>
void Store(const TensorDesc& desc, void* data, int64_t offset, Acc value) {
  if (desc.type == DataType::kF32) return StoreRaw(data, offset, static_cast<float>(value));
  if (desc.type == DataType::kBool) return StoreRaw<uint8_t>(data, offset, value != Acc{} ? 1 : 0);
  if (IsNarrow(desc.type)) return StoreNarrow(desc.type, data, offset, static_cast<double>(value));
  (void)WithElementType(desc.type, [&](auto element) {
    StoreRaw(data, offset, ConvertElement<decltype(element)>(value));
    return Status();
  });
}

inline int64_t OffsetOf(const TensorDesc& desc, const Index& index) {
  int64_t offset = 0;
  for (int i = 0; i < desc.rank; ++i) {
    offset += index[static_cast<size_t>(i)] * desc.strides[static_cast<size_t>(i)];
  }
  return offset;
}

// Calls f(index) for every index of desc's shape in row-major order. Once, with no dimension, for a scalar.
template <class F>
void ForEachIndex(const TensorDesc& desc, F&& f) {
  if (desc.NumElements() == 0) return;
  Index index{};
  for (;;) {
    f(static_cast<const Index&>(index));
    int i = desc.rank - 1;
    while (i >= 0 && ++index[static_cast<size_t>(i)] == desc.dims[static_cast<size_t>(i)]) {
      index[static_cast<size_t>(i--)] = 0;
    }
    if (i < 0) return;
  }
}

// Calls f(offsets) for every index of descs[0]'s shape in row-major order: offsets[k] is the element's offset in
// descs[k]. All descs have that shape (see BroadcastView).
template <size_t N, class F>
void ForEachOffset(const std::array<TensorDesc, N>& descs, F&& f) {
  ForEachIndex(descs[0], [&](const Index& index) {
    std::array<int64_t, N> offsets;
    for (size_t k = 0; k < N; ++k) offsets[k] = OffsetOf(descs[k], index);
    f(static_cast<const std::array<int64_t, N>&>(offsets));
  });
}

// Copies every element between two layouts of one shape and type, SizeOf(type) bytes each.
Status CopyElements(const TensorDesc& src_desc, const void* src, const TensorDesc& dst_desc, void* dst);

}  // namespace moka

#endif  // MOKA_OPS_ELEMENT_H_

// How a tensor lies in memory. Dimensions are always in the operator's (ONNX) order: a Conv sees N, C, H, W whatever
// the memory order is; the strides say the rest. So no pass ever rewrites an axis, Transpose, Squeeze and most Slices
// are views, and channels-last is nothing but strides (H*W*C, 1, W*C, C).
#ifndef MOKA_OPS_TENSOR_DESC_H_
#define MOKA_OPS_TENSOR_DESC_H_

#include <array>
#include <cstdint>
#include <string>

#include "moka/tensor.h"

namespace moka {

inline constexpr int kMaxRank = 8;

// Memory order of a dense value. kChannelsLast: dimension 1 innermost, the others in order (N, D, H, W, C). For rank 2
// and less both are the same.
enum class Format : uint8_t { kRowMajor, kChannelsLast };

struct TensorDesc {
  DataType type = DataType::kNone;
  int rank = 0;
  std::array<int64_t, kMaxRank> dims{};
  std::array<int64_t, kMaxRank> strides{};  // in elements; 0 repeats (a broadcast view)

  bool present() const { return type != DataType::kNone; }
  int64_t NumElements() const;
  // Elements from the first to one past the last that the strides reach; 0 when empty.
  int64_t Extent() const;
  uint64_t ExtentBytes() const { return static_cast<uint64_t>(Extent()) * SizeOf(type); }
  Shape shape() const { return Shape(dims.begin(), dims.begin() + rank); }
};

// A dense desc. With channel_alignment > 1 the rows of the innermost dimension (the last one, or C for kChannelsLast)
// start at multiples of it: the stride of the next dimension is rounded up. The lanes between are *padding lanes*; a
// kernel that writes a padded destination writes zeros there, so that readers may load whole vectors. Only rank 2
// and kChannelsLast values are ever padded.
TensorDesc MakeDense(DataType type, const Shape& shape, Format format = Format::kRowMajor, int channel_alignment = 1);

// True when the strides are those of MakeDense(..., format, channel_alignment); dimensions of size 1 are ignored.
bool IsDense(const TensorDesc& desc, Format format = Format::kRowMajor, int channel_alignment = 1);

bool SameShape(const TensorDesc& a, const TensorDesc& b);

// Views, without touching elements. Each returns false where strides cannot express the result.
bool ReshapeView(const TensorDesc& src, const Shape& shape, TensorDesc* dst);
void TransposeView(const TensorDesc& src, const int* perm, TensorDesc* dst);
// Repeats src to `shape` by zero strides (numpy rules).
bool BroadcastView(const TensorDesc& src, const Shape& shape, TensorDesc* dst);

// "f32[1,64,56,56]{nhwc}" or with explicit strides where no format fits.
std::string ToString(const TensorDesc& desc);

}  // namespace moka

#endif  // MOKA_OPS_TENSOR_DESC_H_

#include "graph/layout_rules.h"

namespace moka {
namespace {

// The innermost dimension: stride 1, and longer than 1 where there is such a one. -1: none.
int InnermostDim(const TensorDesc& desc) {
  for (int i = desc.rank - 1; i >= 0; --i) {
    const auto d = static_cast<size_t>(i);
    if (desc.strides[d] == 1 && desc.dims[d] > 1) return i;
  }
  return -1;
}

bool OuterStridesAligned(const TensorDesc& desc, int innermost, int alignment) {
  for (int i = 0; i < desc.rank; ++i) {
    const auto d = static_cast<size_t>(i);
    if (i != innermost && desc.dims[d] > 1 && desc.strides[d] % alignment != 0) return false;
  }
  return true;
}

}  // namespace

bool HasPadding(const TensorDesc& desc, int alignment) {
  if (alignment == 1 || desc.NumElements() == 0) return false;
  const int innermost = InnermostDim(desc);
  const int64_t size = innermost < 0 ? 1 : desc.dims[static_cast<size_t>(innermost)];
  return size % alignment != 0 && OuterStridesAligned(desc, innermost, alignment);
}

uint64_t PaddedBytes(const TensorDesc& desc, int alignment) {
  int64_t extent = desc.Extent();
  if (HasPadding(desc, alignment)) extent = (extent + alignment - 1) / alignment * alignment;
  return static_cast<uint64_t>(extent) * SizeOf(desc.type);
}

bool ViewAllowed(const TensorDesc& view, int64_t offset, const TensorDesc& base, int alignment) {
  if (alignment == 1 || view.NumElements() == 0) return true;
  if (offset % alignment != 0) return false;
  // Lanes past the end of a row must be zeros or belong to no vector load: the row is a whole row of the base, or a
  // multiple of the alignment, or rows are packed and kernels read them by the element.
  if (!HasPadding(view, alignment)) {
    const int innermost = InnermostDim(view);
    if (innermost >= 0 && OuterStridesAligned(view, innermost, alignment)) return true;
    return view.rank >= 3 && IsDense(view, Format::kRowMajor);
  }
  const int inner = InnermostDim(view), base_inner = InnermostDim(base);
  return inner >= 0 && base_inner >= 0 && HasPadding(base, alignment) &&
         view.dims[static_cast<size_t>(inner)] == base.dims[static_cast<size_t>(base_inner)];
}

bool SameLayout(const TensorDesc& a, const TensorDesc& b) {
  if (a.type != b.type || !SameShape(a, b)) return false;
  for (int i = 0; i < a.rank; ++i) {
    const auto d = static_cast<size_t>(i);
    if (a.dims[d] > 1 && a.strides[d] != b.strides[d]) return false;
  }
  return true;
}

}  // namespace moka

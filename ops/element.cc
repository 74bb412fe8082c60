#include "ops/element.h"

#include <cstring>

namespace moka {

Status CopyElements(const TensorDesc& src_desc, const void* src, const TensorDesc& dst_desc, void* dst) {
  const size_t bytes = SizeOf(src_desc.type);
  if (bytes == 0 || src_desc.type != dst_desc.type || !SameShape(src_desc, dst_desc)) {
    return Internal("copy from ", ToString(src_desc), " to ", ToString(dst_desc));
  }
  const auto* from = static_cast<const std::byte*>(src);
  auto* to = static_cast<std::byte*>(dst);
  if (IsDense(src_desc) && IsDense(dst_desc)) {
    if (src_desc.NumElements() > 0) std::memcpy(to, from, static_cast<size_t>(src_desc.NumElements()) * bytes);
    return Status();
  }
  const auto size = static_cast<int64_t>(bytes);
  ForEachOffset<2>({dst_desc, src_desc}, [&](const std::array<int64_t, 2>& at) {
    std::memcpy(to + at[0] * size, from + at[1] * size, bytes);
  });
  return Status();
}

}  // namespace moka

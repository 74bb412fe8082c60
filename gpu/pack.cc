#include <algorithm>

#include "base/status.h"
#include "gpu/gemm.h"
#include "ops/element.h"

namespace moka::gpu {

Status Pack(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) {
  if (spec.format != kRowsFormat) return Internal("unknown pack format '", std::string(spec.format), "'");
  const auto& [groups, taps, rows, cols, group_stride, tap_stride, row_stride, col_stride, a, b, c, d] = spec.params;
  const int64_t all_rows = RoundUp(rows, kVectorLanes), all_cols = RoundUp(cols, kVectorLanes);
  if (dst.size() != static_cast<size_t>(groups * taps * all_rows * all_cols) * sizeof(float)) {
    return Internal("pack of ", dst.size(), " bytes");
  }
  const int64_t last =
      (groups - 1) * group_stride + (taps - 1) * tap_stride + (rows - 1) * row_stride + (cols - 1) * col_stride;
  if (src.desc.type != DataType::kF32 || last >= src.desc.NumElements()) {
    return Internal("weight of ", src.desc.NumElements(), " elements for a pack that reads element ", last);
  }
  std::fill(dst.begin(), dst.end(), std::byte{0});
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t t = 0; t < taps; ++t) {
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t from = g * group_stride + t * tap_stride + r * row_stride;
        const int64_t to = ((g * taps + t) * all_rows + r) * all_cols;
        for (int64_t col = 0; col < cols; ++col) {
          StoreRaw(dst.data(), to + col, LoadRaw<float>(src.data, from + col * col_stride));
        }
      }
    }
  }
  return Status();
}

}  // namespace moka::gpu

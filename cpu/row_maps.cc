#include "cpu/row_maps.h"

#include <algorithm>

namespace moka::cpu {

std::vector<RowMap> ConvRowMaps(const OpCall& call, const ConvParams& params, const MicroLaunch& epilogue) {
  if (params.rank != 2) return {};
  std::vector<RowMap> maps(call.src.size());
  const Window window = params.Expanded(2);
  maps[0] = {window.strides[0], window.pads_begin[0], (window.kernel[0] - 1) * window.dilations[0] + 1};
  const int64_t height = call.dst[0].dims[2];
  for (int k = 0; k < epilogue.num_sources; ++k) {
    const auto i = static_cast<size_t>(epilogue.src_index[k]);
    const TensorDesc& src = call.src[i];
    if (i == 0) return {};
    if (src.NumElements() == 1 || src.rank < 2) continue;
    const int64_t rows = src.dims[static_cast<size_t>(src.rank - 2)];
    if (rows == 1) continue;
    if (src.rank != call.dst[0].rank || rows != height) return {};
    maps[i] = {1, 0, 1};
  }
  return maps;
}

}  // namespace moka::cpu

#include "cpu/row_maps.h"

#include <algorithm>

namespace moka::cpu {

namespace {

// False where a source does not go row by row with the result.
bool AddProgram(const OpCall& call, const MicroLaunch& program, std::vector<RowMap>* maps) {
  for (int k = 0; k < program.num_sources; ++k) {
    const auto i = static_cast<size_t>(program.src_index[k]);
    const TensorDesc& src = call.src[i];
    if (src.NumElements() == 1 || src.rank < 2) continue;
    const int64_t rows = src.dims[static_cast<size_t>(src.rank - 2)];
    if (rows == 1) continue;
    if (src.rank != call.dst[0].rank || rows != call.dst[0].dims[2]) return false;
    (*maps)[i] = {1, 0, 1};
  }
  return true;
}

}  // namespace

std::vector<RowMap> ConvRowMaps(const OpCall& call, const ConvParams& params, const MicroLaunch& epilogue) {
  if (params.rank != 2) return {};
  std::vector<RowMap> maps(call.src.size());
  const Window window = params.Expanded(2);
  const auto* end = epilogue.src_index + epilogue.num_sources;
  if (std::find(epilogue.src_index, end, 0) != end || !AddProgram(call, epilogue, &maps)) return {};
  maps[0] = {window.strides[0], window.pads_begin[0], (window.kernel[0] - 1) * window.dilations[0] + 1};
  return maps;
}

std::vector<RowMap> ProgramRowMaps(const OpCall& call, const MicroLaunch& program) {
  std::vector<RowMap> maps(call.src.size());
  if (call.dst[0].rank != 4 || !AddProgram(call, program, &maps)) return {};
  return maps;
}

}  // namespace moka::cpu

#include "cpu/pack.h"

#include <algorithm>
#include <cstring>

#include "cpu/kernel.h"
#include "ops/element.h"

namespace moka::cpu {
namespace {

constexpr std::string_view kFormat = "cpu/panels.1";

// PackSpec::params.
enum Param { kN, kGroups, kGroupStride, kLanes, kWide, kDim0, kDim1, kDim2, kDim3, kStride3, kNStride, kScale };

float LoadFloat(const std::byte* base, int64_t element) {
  float value;
  std::memcpy(&value, base + element * static_cast<int64_t>(sizeof(float)), sizeof(float));
  return value;
}

}  // namespace

// Columns go in groups of a cache line: as many streams are read as prefetching follows, and whole lines are written.
// The last dimension of k is the outer loop because it has the largest stride in the weights of convolutions.
void PackPanel(const void* weight, const PanelSource& source, const Panel& panel, int lanes, float* dst) {
  constexpr int64_t kGroup = 16;
  const auto* base = static_cast<const std::byte*>(weight);
  const int64_t width = int64_t{panel.vectors} * lanes, first = panel.col * source.n_stride;
  const int64_t* dims = source.k_dims;
  const int64_t* strides = source.k_strides;
  for (int64_t n0 = 0; n0 < width; n0 += kGroup) {
    const int64_t end = std::min(n0 + kGroup, width), filled = std::clamp(panel.cols, n0, end);
    for (int64_t c = 0; c < dims[3]; ++c) {
      for (int64_t i = 0; i < dims[0]; ++i) {
        for (int64_t j = 0; j < dims[1]; ++j) {
          for (int64_t l = 0; l < dims[2]; ++l) {
            const int64_t from = first + i * strides[0] + j * strides[1] + l * strides[2] + c * strides[3];
            float* to = dst + (((i * dims[1] + j) * dims[2] + l) * dims[3] + c) * width;
            int64_t n = n0;
            for (; n < filled; ++n) to[n] = source.scale * LoadFloat(base, from + n * source.n_stride);
            for (; n < end; ++n) to[n] = 0;
          }
        }
      }
    }
  }
}

int64_t PackedFloats(const TileTable& table, int64_t k, int64_t n) { return k * RoundUp(n, table.lanes); }

PackSpec PanelPackSpec(int src, const TileTable& table, const PanelSource& dense, int64_t n, int64_t groups,
                       int64_t group_stride) {
  PackSpec spec;
  spec.src = src;
  spec.format = kFormat;
  spec.params = {n,
                 groups,
                 group_stride,
                 table.lanes,
                 table.wide,
                 dense.k_dims[0],
                 dense.k_dims[1],
                 dense.k_dims[2],
                 dense.k_dims[3],
                 dense.k_strides[3],
                 dense.n_stride,
                 LoadRaw<int32_t>(&dense.scale, 0)};
  spec.bytes = static_cast<uint64_t>(groups * PackedFloats(table, dense.K(), n)) * sizeof(float);
  return spec;
}

Status PackPanels(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) {
  const auto& p = spec.params;
  TileTable table{};
  table.lanes = static_cast<int>(p[kLanes]);
  table.wide = static_cast<int>(p[kWide]);
  const auto scale_bits = static_cast<int32_t>(p[kScale]);
  const PanelSource source = {{p[kDim0], p[kDim1], p[kDim2], p[kDim3]},
                              {p[kDim1] * p[kDim2], p[kDim2], 1, p[kStride3]},
                              p[kNStride],
                              LoadRaw<float>(&scale_bits, 0)};
  const int64_t k = source.K(), group_floats = PackedFloats(table, k, p[kN]);
  if (dst.size() != static_cast<uint64_t>(p[kGroups] * group_floats) * sizeof(float)) {
    return Internal("pack '", spec.format, "': ", dst.size(), " bytes");
  }
  auto* out = reinterpret_cast<float*>(dst.data());
  const auto* weight = static_cast<const std::byte*>(src.data);
  for (int64_t group = 0; group < p[kGroups]; ++group) {
    for (int64_t i = 0; i < NumPanels(table, p[kN]); ++i) {
      const Panel panel = PanelAt(table, p[kN], i);
      PackPanel(weight + group * p[kGroupStride] * static_cast<int64_t>(sizeof(float)), source, panel, table.lanes,
                out + group * group_floats + panel.col * k);
    }
  }
  return {};
}

void RunPanel(const Block& block, const Panel& panel, const float* b, int64_t first_col) {
  TileFn const* fns = TileFns(*block.table, panel.vectors);
  TileArgs args;
  args.segments = block.segments;
  args.num_segments = block.num_segments;
  args.k_len = block.k_len;
  args.b = b;
  args.bias = block.bias;
  args.lo = block.lo;
  args.hi = block.hi;
  args.col = first_col + panel.col;
  args.cols = panel.cols;
  for (int64_t row = 0; row < block.rows;) {
    const int rows = TileRows(fns, block.rows - row);
    args.rows = block.a + row;
    args.dst = block.dst + row;
    args.residual = block.residual != nullptr ? block.residual + row : nullptr;
    fns[rows](args);
    row += rows;
  }
}

}  // namespace moka::cpu

#include "cpu/pack.h"

#include <bit>
#include <cstring>

#include "cpu/kernel.h"

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

void PackPanel(const void* weight, const PanelSource& source, const Panel& panel, int lanes, float* dst) {
  const auto* base = static_cast<const std::byte*>(weight);
  const int64_t width = int64_t{panel.vectors} * lanes, first = panel.col * source.n_stride;
  for (int64_t i = 0; i < source.k_dims[0]; ++i) {
    for (int64_t j = 0; j < source.k_dims[1]; ++j) {
      for (int64_t l = 0; l < source.k_dims[2]; ++l) {
        int64_t offset = first + i * source.k_strides[0] + j * source.k_strides[1] + l * source.k_strides[2];
        for (int64_t c = 0; c < source.k_dims[3]; ++c, offset += source.k_strides[3], dst += width) {
          int64_t n = 0;
          for (; n < panel.cols; ++n) dst[n] = source.scale * LoadFloat(base, offset + n * source.n_stride);
          for (; n < width; ++n) dst[n] = 0;
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
                 std::bit_cast<int32_t>(dense.scale)};
  spec.bytes = static_cast<uint64_t>(groups * PackedFloats(table, dense.K(), n)) * sizeof(float);
  return spec;
}

Status PackPanels(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) {
  const auto& p = spec.params;
  TileTable table{};
  table.lanes = static_cast<int>(p[kLanes]);
  table.wide = static_cast<int>(p[kWide]);
  const PanelSource source = {{p[kDim0], p[kDim1], p[kDim2], p[kDim3]},
                              {p[kDim1] * p[kDim2], p[kDim2], 1, p[kStride3]},
                              p[kNStride],
                              std::bit_cast<float>(static_cast<int32_t>(p[kScale]))};
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

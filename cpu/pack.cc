#include "cpu/pack.h"

#include <algorithm>
#include <cstring>

#include "cpu/kernel.h"
#include "cpu/panel_spec.h"
#include "ops/element.h"

namespace moka::cpu {
namespace {

constexpr std::string_view kFormat = "cpu/panels.1";

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
  PanelSpec spec{
      table.lanes, table.wide, n, groups, group_stride, {}, {}, dense.n_stride, LoadRaw<int32_t>(&dense.scale, 0)};
  std::copy_n(dense.k_dims, 4, spec.k_dims);
  std::copy_n(dense.k_strides, 4, spec.k_strides);
  return spec.Write(src, kFormat, groups * PackedFloats(table, dense.K(), n) * static_cast<int64_t>(sizeof(float)));
}

Status PackPanels(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) {
  const PanelSpec panels = PanelSpec::Read(spec);
  const auto scale_bits = static_cast<int32_t>(panels.detail);
  PanelSource source{{}, {}, panels.n_stride, LoadRaw<float>(&scale_bits, 0)};
  std::copy_n(panels.k_dims, 4, source.k_dims);
  std::copy_n(panels.k_strides, 4, source.k_strides);
  const int64_t k = source.K(), group_floats = k * RoundUp(panels.n, panels.lanes);
  if (dst.size() != static_cast<uint64_t>(panels.groups * group_floats) * sizeof(float)) {
    return Internal("pack '", spec.format, "': ", dst.size(), " bytes");
  }
  auto* out = reinterpret_cast<float*>(dst.data());
  const auto* weight = static_cast<const std::byte*>(src.data);
  panels.ForEachPanel([&](int64_t group, const Panel& panel) {
    PackPanel(weight + group * panels.group_stride * static_cast<int64_t>(sizeof(float)), source, panel, panels.lanes,
              out + group * group_floats + panel.col * k);
  });
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

#include "cpu/panel_spec.h"

namespace moka::cpu {
namespace {

// PackSpec::params.
enum Param { kN, kGroups, kGroupStride, kGranule, kWidest, kDim0, kDim1, kDim2, kDim3, kStride3, kNStride, kDetail };

}  // namespace

PanelSpec PanelSpec::Read(const PackSpec& spec) {
  const auto& p = spec.params;
  return {{static_cast<int>(p[kGranule]), static_cast<int>(p[kWidest])},
          p[kN],
          p[kGroups],
          p[kGroupStride],
          {p[kDim0], p[kDim1], p[kDim2], p[kDim3]},
          {p[kDim1] * p[kDim2], p[kDim2], 1, p[kStride3]},
          p[kNStride],
          p[kDetail]};
}

PackSpec PanelSpec::Write(int src, std::string_view format, int64_t bytes) const {
  PackSpec spec;
  spec.src = src;
  spec.format = format;
  spec.params = {n,         groups,    group_stride, widths.granule, widths.widest, k_dims[0],
                 k_dims[1], k_dims[2], k_dims[3],    k_strides[3],   n_stride,      detail};
  spec.bytes = static_cast<uint64_t>(bytes);
  return spec;
}

}  // namespace moka::cpu

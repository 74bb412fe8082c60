// The spec of a constant weight that becomes panels of columns (cpu/tile.h), whatever their elements are.
#ifndef MOKA_CPU_PANEL_SPEC_H_
#define MOKA_CPU_PANEL_SPEC_H_

#include <cstdint>
#include <string_view>

#include "cpu/tile.h"
#include "ops/device.h"

namespace moka::cpu {

// `groups` blocks of n columns each, group_stride elements apart. Element (k, n) of a block: k runs through four nested
// dimensions, the last one fastest; of their strides the spec holds the last one only, the others follow from the dims
// as in a convolution's weights.
struct PanelSpec {
  PanelWidths widths;
  int64_t n, groups, group_stride;
  int64_t k_dims[4], k_strides[4], n_stride;
  int64_t detail;  // what the kind of panel adds

  static PanelSpec Read(const PackSpec& spec);
  PackSpec Write(int src, std::string_view format, int64_t bytes) const;

  // Calls f(group, panel) for all panels.
  template <class F>
  void ForEachPanel(F&& f) const {
    for (int64_t group = 0; group < groups; ++group) {
      for (int64_t i = 0; i < NumPanels(widths, n); ++i) f(group, PanelAt(widths, n, i));
    }
  }
};

}  // namespace moka::cpu

#endif  // MOKA_CPU_PANEL_SPEC_H_

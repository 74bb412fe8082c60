// What LSTM, GRU and RNN run with. A sequence is one direction of some rows of the batch, over all steps. Its hidden
// units are divided into parts, which depend on shapes only: a part makes its columns of all gates, and from them its
// states, of one step after the other. Where there are more workers than sequences, they share the parts of each step.
#ifndef MOKA_CPU_RECURRENT_LAUNCH_H_
#define MOKA_CPU_RECURRENT_LAUNCH_H_

#include <algorithm>
#include <cstdint>

#include "base/math.h"
#include "cpu/kernel.h"
#include "cpu/pack.h"
#include "cpu/recurrent.h"
#include "cpu/recurrent_ahead.h"

namespace moka::cpu {

// One weight, [directions][gates][slices][n columns][k]: columns in panels, those of a slice together.
struct RecurrentWeight {
  int32_t packed;
  int32_t gates;  // that are multiplied apart
  int64_t slices, n, k;
  int64_t slice_panels, slice_floats;
  int64_t direction_stride, n_stride, k_stride;  // of the operand, where it is not packed

  int64_t Panels() const { return slices * slice_panels; }  // of one gate
  int64_t Columns() const { return slices * n; }
  int64_t Floats() const { return gates * slices * slice_floats; }
};

struct RecurrentPanel {
  Panel panel;     // of its slice
  int64_t col;     // the first column of its slice
  int64_t offset;  // of its floats in the packed weight

  RecurrentPanel(const PanelWidths& widths, const RecurrentWeight& weight, int64_t gate, int64_t index) {
    const int64_t slice = gate * weight.slices + index / weight.slice_panels;
    panel = PanelAt(widths, weight.n, index % weight.slice_panels);
    col = slice * weight.n;
    offset = slice * weight.slice_floats + panel.col * weight.k;
  }
  int64_t FirstColumn() const { return col + panel.col; }  // of all gates
};

// The memory of a sequence, in floats from its start.
struct RecurrentLayout {
  int64_t gates, h, c, extra, bias, x, w, r, parts;
  int64_t pointers, sums, part_floats;  // of a part: pointers to rows, then what it needs to multiply ahead
  int64_t floats;
};

struct RecurrentLaunch {
  RecurrentParams params;
  RecurrentCell cells[2];
  RecurrentSizes sizes;
  RecurrentWeight w, r;
  RecurrentStrides x, y, h0, c0, yh, yc;
  int64_t b_direction, p_direction;
  int32_t has_b, has_lens, has_h0, has_c0, has_p, has_y, has_yh, has_yc;
  int64_t block_rows, blocks, chunk;
  int64_t parts, part_panels;  // panels of each gate in a part
  int32_t ahead;               // inputs are multiplied beside states
  int32_t shared;              // workers share the parts of a step
  RecurrentLayout layout;

  int64_t Columns() const { return params.gates() * sizes.hidden; }
  int64_t Sequences() const { return params.directions * blocks; }
  // The candidate of a GRU needs all states times its reset gates first.
  bool InHalves() const { return params.kind == RecurrentKind::kGru && !params.linear_before_reset; }
  int64_t PhasesPerStep() const { return InHalves() ? 2 : 1; }
  int64_t Phases() const { return 1 + sizes.steps * PhasesPerStep(); }  // the first one begins
};

void RunRecurrent(const KernelArgs& args, int64_t begin, int64_t end, int worker);

}  // namespace moka::cpu

#endif  // MOKA_CPU_RECURRENT_LAUNCH_H_

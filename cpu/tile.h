// The inner kernel of GEMM and convolution: a few rows of A times a panel of packed weights.
#ifndef MOKA_CPU_TILE_H_
#define MOKA_CPU_TILE_H_

#include <cstdint>

#include "ops/micro.h"

namespace moka::cpu {

inline constexpr int kMaxTileRows = 12;
inline constexpr int64_t kPrefetchStep = 16;  // floats of a cache line
inline constexpr int kTileWidths = 3;         // panels of 4, 2 and 1 vectors

// dst[i][j] = clip(sum over segments s, k of rows[i][segments[s] + k] * b[s * k_len + k][j] + bias[j] +
// residual[i][j]).
struct TileArgs {
  const float* const* rows;  // one pointer per row; as b, to what the table says where that is not f32
  const int64_t* segments;   // element offsets from it
  int64_t num_segments, k_len;
  const float* b;  // [num_segments * k_len][width], width = vectors * lanes
  // What a later tile will read: a cache line for each step of this one is fetched into the L2 cache, and what this one
  // will store and add. Null: nothing is fetched.
  const float* next = nullptr;
  float* const* dst;
  const float* bias;             // null: none
  const float* const* residual;  // null: none
  float lo, hi;                  // -inf, inf: no clip
  int64_t col;                   // first column in dst, bias, residual
  int64_t cols;                  // columns to write, at most the width
};
using TileFn = void (*)(const TileArgs& args);

// dst[i] = op(a[i], b[i], c[i]) for n floats; dst may be a, b or c.
using MicroLoopFn = void (*)(float* dst, const float* a, const float* b, const float* c, int64_t n);

struct TileTable {
  int lanes;
  int wide;                                  // vectors of the widest panel: 4 or 2
  TileFn fn[kTileWidths][kMaxTileRows + 1];  // [0: 4, 1: 2, 2: 1 vectors][rows]; null where there is none
  // One row among others, summed as theirs are, where fn[.][1] sums in another order, for blocks of one row; or null.
  TileFn among[kTileWidths] = {};
  MicroLoopFn (*loop)(MicroOp op, int scalars) = nullptr;  // bit 1, 2 of `scalars`: b, c is one float for all elements
  int64_t panel() const { return int64_t{wide} * lanes; }
};
const TileTable* ChosenTileTable();  // null where no target was compiled

// Panels of `cols` columns: as many of the widest as fit, then narrower ones. vectors is 4, 2 or 1.
struct Panel {
  int64_t col, cols;
  int vectors;
};
template <class Table>
int64_t NumPanels(const Table& table, int64_t cols) {
  const int64_t vectors = (cols + table.lanes - 1) / table.lanes;
  const int64_t rest = vectors % table.wide;
  return vectors / table.wide + (rest >> 1) + (rest & 1);
}
template <class Table>
Panel PanelAt(const Table& table, int64_t cols, int64_t index) {
  const int64_t vectors = (cols + table.lanes - 1) / table.lanes;
  const int64_t full = vectors / table.wide;
  Panel panel;
  if (index < full) {
    panel = {index * table.panel(), 0, table.wide};
  } else {
    const int64_t rest = vectors % table.wide;
    const bool two = rest >= 2 && index == full;
    panel = {full * table.panel() + (rest == 3 && !two ? 2 * table.lanes : 0), 0, two ? 2 : 1};
  }
  const int64_t width = int64_t{panel.vectors} * table.lanes;
  panel.cols = cols - panel.col < width ? cols - panel.col : width;
  return panel;
}
template <class Table>
auto TileFns(const Table& table, int vectors) -> decltype(&table.fn[0][0]) {
  return table.fn[vectors == 4 ? 0 : vectors == 2 ? 1 : 2];
}
// Rows of the next tile, `left` > 0 of them left: the largest tile there is, the last two balanced.
template <class Fn>
int TileRows(Fn const* fns, int64_t left) {
  int most = kMaxTileRows;
  while (fns[most] == nullptr) --most;
  int rows = left >= 2 * most ? most : left > most ? static_cast<int>((left + 1) / 2) : static_cast<int>(left);
  while (fns[rows] == nullptr) --rows;
  return rows;
}

}  // namespace moka::cpu

#endif  // MOKA_CPU_TILE_H_

// The inner kernel of GEMM and convolution: a few rows of A times a panel of packed weights.
#ifndef MOKA_CPU_TILE_H_
#define MOKA_CPU_TILE_H_

#include <algorithm>
#include <cstdint>

#include "base/math.h"
#include "ops/micro.h"

namespace moka::cpu {

inline constexpr int kMaxTileRows = 12;
inline constexpr int64_t kPrefetchStep = 16;  // floats of a cache line
inline constexpr int kMaxTileWidths = 8;

// dst[i] = a[i] + b[i], or a[i] - b[i], for some whole vectors.
struct VectorSum {
  const float *a, *b;
  float* dst;
  bool negative;
};

// dst[i][j] = clip(sum over segments s, k of rows[i][segments[s] + k] * b[s * k_len + k][j] + bias[j] +
// residual[i][j]).
struct TileArgs {
  const float* const* rows;  // one pointer per row; as b, to what the table says where that is not f32
  const int64_t* segments;   // element offsets from it
  int64_t num_segments, k_len;
  const float* b;  // [num_segments * k_len][width], or the transpose where the table says so
  // What a later tile will read: a cache line for each step of this one is fetched into the L2 cache, and what this one
  // will store and add. Null: nothing is fetched.
  const float* next = nullptr;
  VectorSum sum;  // of TileTable::summing: one vector for each step
  float* const* dst;
  const float* bias;             // null: none
  const float* const* residual;  // null: none
  float lo, hi;                  // -inf, inf: no clip
  int64_t col;                   // first column in dst, bias, residual
  int64_t cols;                  // columns to write: the width, or less by less than a granule
};
using TileFn = void (*)(const TileArgs& args);

// dst[i] = op(a[i], b[i], c[i]) for n floats; dst may be a, b or c.
using MicroLoopFn = void (*)(float* dst, const float* a, const float* b, const float* c, int64_t n);

// Columns go into panels of at most `widest`, all as wide as the others but for a granule. The last one is padded to
// whole granules. Where that leaves them wide enough there is an even number of them, for two workers to share.
struct PanelWidths {
  int granule, widest;
};
struct Panel {
  int64_t col, cols, width;  // cols: without the padding
};
inline int64_t NumPanels(const PanelWidths& widths, int64_t cols) {
  const int64_t panels = CeilDiv(cols, widths.widest);
  return panels > 2 && widths.widest >= 4 * widths.granule ? RoundUp(panels, 2) : panels;
}
inline Panel PanelAt(const PanelWidths& widths, int64_t cols, int64_t index) {
  const int64_t granules = CeilDiv(cols, widths.granule), panels = std::max<int64_t>(NumPanels(widths, cols), 1);
  const int64_t each = granules / panels, wider = granules % panels;
  const int64_t col = (index * each + std::min(index, wider)) * widths.granule;
  const int64_t width = (each + (index < wider ? 1 : 0)) * widths.granule;
  return {col, std::min(width, cols - col), width};
}

struct TileTable {
  PanelWidths widths;
  TileFn fn[kMaxTileWidths + 1][kMaxTileRows + 1];  // [granules][rows]; null where there is none
  // One row among others, summed as theirs are, where fn[.][1] sums in another order, for blocks of one row; or null.
  TileFn among[kMaxTileWidths + 1] = {};
  MicroLoopFn (*loop)(MicroOp op, int scalars) = nullptr;  // bit 1, 2 of `scalars`: b, c is one float for all elements
  // [granules]; where the panel stays in the L1 cache, tiles of no more rows: they leave registers in which the next
  // tile may begin while one ends. 0: any.
  int short_rows[kMaxTileWidths + 1] = {};
  // Of the widest panel, fetches what TileArgs::next says, which is not null, and makes TileArgs::sum meanwhile, in
  // units that products leave idle; null where they leave none.
  int lanes = 0;  // floats of a vector of it
  TileFn summing[kMaxTileRows + 1] = {};
  bool columns_apart = false;  // panels are [width][num_segments * k_len]
  // As fn, of panels in which half of the last vector or more is padding; null where there is nothing to gain.
  TileFn padded[kMaxTileWidths + 1][kMaxTileRows + 1] = {};
  // The tables of which machines with this target take one each: with tiles of half a vector, and with none; null: one.
  const TileTable* (*variant)(bool halves) = nullptr;
  int step = 1;  // elements of K, for which a packed column has one float

  PanelWidths PackWidths() const { return columns_apart ? PanelWidths{1, 1} : widths; }
};
const TileTable* ChosenTileTable();  // null where no target was compiled

// Rows of the next tile, `left` > 0 of them left: as many tiles as the largest up to `most` make, all balanced where
// those have more than four rows and there are some of one less, else the last two. What a larger tile can finish is
// one tile.
template <class Fn>
int TileRows(Fn const* fns, int64_t left, int most = kMaxTileRows) {
  while (fns[most] == nullptr) --most;
  if (most > 4 && fns[most - 1] != nullptr && left > 2 * most) {
    return static_cast<int>(CeilDiv(left, CeilDiv(left, most)));
  }
  if (left >= 2 * most) return most;
  if (left <= kMaxTileRows && fns[left] != nullptr) return static_cast<int>(left);
  int rows = static_cast<int>(left > most ? (left + 1) / 2 : left);
  while (fns[rows] == nullptr) --rows;
  return rows;
}

}  // namespace moka::cpu

#endif  // MOKA_CPU_TILE_H_

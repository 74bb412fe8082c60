// The inner kernels of products of bytes: a few rows of A (u8, or i8 with its sign bit flipped) times a panel of packed
// weights (i8), summed in i32 without saturation, and what becomes of the sums.
#ifndef MOKA_CPU_BYTE_TILE_H_
#define MOKA_CPU_BYTE_TILE_H_

#include <cstdint>

#include "cpu/tile.h"

namespace moka::cpu {

// What becomes of sums. Arrays are by column of a panel (or by lane of a depthwise block) and as long as it is wide.
//   t = sum + offset - b_zero * (sum of the row of A)
//   kI32: t;  kF32: t * scale + bias;  kBytes: y = round(clip(t * scale, lo, hi)), result y + zero, or, with a
//   residual, round(clip(y * ratio + (residual - residual_zero) * residual_ratio, sum_lo, sum_hi)) + sum_zero.
// saturates: the last clip from above may be left to the type of the result, and nothing leaves i32.
struct ByteFinish {
  enum Kind : int32_t { kI32, kF32, kBytes } kind;
  int32_t dst_signed, residual_signed, saturates;
  const int32_t* offset;
  const int32_t* b_zero;  // null: all zero
  const float* scale;
  const float* bias;  // null: none
  float lo, hi;       // relative to zero
  int32_t zero;
  float ratio, residual_ratio;
  int32_t residual_zero;
  float sum_lo, sum_hi;  // relative to sum_zero
  int32_t sum_zero;
};

struct ByteTileArgs {
  const uint8_t* const* rows;  // one pointer per row
  const int64_t* segments;     // offsets from it
  int64_t num_segments;
  int64_t quads;                   // whole groups of 4 elements of a segment
  int64_t rest;                    // elements behind them, fewer than 4
  uint32_t flip;                   // 0x80808080 where A is i8, else 0
  const int8_t* b;                 // [num_segments][quads, and one if there is a rest][width][4]
  void* const* dst;                // per row
  const int32_t* sums;             // per row: of the elements of A; read where finish.b_zero is not null
  const uint8_t* const* residual;  // per row; null: none
  ByteFinish finish;
  int64_t col;   // first column in dst and residual
  int64_t cols;  // columns to write, at most the width
};
using ByteTileFn = void (*)(const ByteTileArgs& args);

// Neighbouring results of a depthwise convolution, `channels` bytes: one pixel, or a part of a row whose pixels are
// next to each other. taps: pointers to the inputs of the first, a multiple of 4. Weights are [block of 4 * lanes
// bytes][taps / 4][4][lanes][4 taps], where lane i of vector j is byte 16 * (i / 4) + 4 * j + i % 4 of the block: the
// order into which interleaving brings them. After `period` bytes weights and arrays begin anew.
struct ByteDepthwiseArgs {
  const uint8_t* const* taps;
  int64_t quads;  // of taps
  uint32_t flip;
  const int8_t* weights;
  uint8_t* dst;
  const uint8_t* residual;  // null: none
  ByteFinish finish;        // arrays of `period` elements in the order of lanes; kBytes only
  int64_t channels, period;
  int64_t pixels, tap_step, dst_step, residual_step;
};
using ByteDepthwiseFn = void (*)(const ByteDepthwiseArgs& args);

// One line of results of a depthwise convolution whose kernel is 3 wide and at most 3 high, with a stride of 1 or 2.
// Weights are as in ByteDepthwiseArgs, with the 3 columns as groups of 4 taps: the rows, and zeros. If the last block
// has at most 4 * tail_lanes channels (ByteTable), it is one of vectors of so many lanes.
struct ByteLineArgs {
  const uint8_t* rows[3];   // of the kernel: pixel 0 of the input
  int64_t pixel_steps[3];   // 0 where a row lies outside or is not there: then it is a pixel of padding
  const uint8_t* padding;   // a pixel
  int64_t in, out, stride;  // pixels of a line
  int64_t pad;              // on the left
  uint32_t flip;
  const int8_t* weights;
  uint8_t* dst;
  int64_t dst_step;   // between pixels
  ByteFinish finish;  // arrays in the order of lanes, as long as all blocks; kBytes only
  int64_t channels;
};
using ByteLineFn = void (*)(const ByteLineArgs& args);
using ByteLinePartFn = void (*)(const ByteLineArgs& args, int64_t channel);

struct ByteTable {
  int lanes;
  PanelWidths widths;
  ByteTileFn fn[kMaxTileWidths + 1][kMaxTileRows + 1];  // as in TileTable
  ByteDepthwiseFn depthwise;
  ByteLineFn depthwise_line;
  int tail_lanes;
  const ByteTable* (*plain)();  // with the instructions of the Highway target alone; null: this one
};
const ByteTable* ChosenByteTable();  // null where no target was compiled

}  // namespace moka::cpu

#endif  // MOKA_CPU_BYTE_TILE_H_

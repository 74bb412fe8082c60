// Products of bf16 summed in f32: tiles (cpu/tile.h) whose weights are stored as pairs of bf16, and the rounding of
// what they meet.
#ifndef MOKA_CPU_BF16_TILE_H_
#define MOKA_CPU_BF16_TILE_H_

#include <cstdint>

#include "cpu/tile.h"

namespace moka::cpu {

struct Bf16Table {
  // TileArgs::b is [num_segments][k_len in pairs][width][2] of bf16, with a zero behind an odd k_len; TileArgs::rows
  // are what `round` makes, their elements are `element` bytes.
  TileTable tile;
  int64_t element;  // 2: bf16, where the CPU has its dot product; else 4: f32 that was rounded to bf16
  // To nearest, ties to even. NaN stays NaN; a table for dot products rounds denormals to zero.
  void (*round)(const float* src, int64_t n, void* dst);
  // For packing: puts n rounded weights into the first or the second place of pairs that are 0 there.
  void (*merge)(const float* src, int64_t n, bool second, uint16_t* dst);
  const Bf16Table* (*plain)();  // with the instructions of the Highway target alone; null: this one
};
const Bf16Table* ChosenBf16Table();  // null where no target was compiled

}  // namespace moka::cpu

#endif  // MOKA_CPU_BF16_TILE_H_

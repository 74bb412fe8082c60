// Products with few columns: inner products along K, where the columns would leave most of a vector empty.
#ifndef MOKA_CPU_DOT_TILE_H_
#define MOKA_CPU_DOT_TILE_H_

#include <cstdint>

#include "cpu/tile.h"

namespace moka::cpu {

// Tiles of 1 to 4 columns, whose panels hold column after column; null where no target was compiled. A sum of k_len
// products is made in as many parts as a vector has lanes, which are added pair by pair.
const TileTable* ChosenDotTable();

// True where `dots` take less time than `tiles` for that many columns.
bool DotsPay(const TileTable& dots, const TileTable& tiles, int64_t columns, int64_t num_segments, int64_t k_len);

}  // namespace moka::cpu

#endif  // MOKA_CPU_DOT_TILE_H_

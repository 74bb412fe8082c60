#include "cpu/dot_tile.h"

#include <algorithm>

#include "cpu/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/dot_tile.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "cpu/simd-inl.h"
#include "cpu/tile.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// The sums of neighbouring lanes, those of `a` first.
HWY_INLINE V SumPairs(V a, V b) {
  const D d;
  return hn::Add(hn::ConcatEven(d, b, a), hn::ConcatOdd(d, b, a));
}

// kCount vectors become one with as many parts of each of them as fit.
template <int kCount>
HWY_INLINE V SumTogether(const V* v) {
  if constexpr (kCount == 1) {
    return v[0];
  } else {
    V half[kCount / 2];
    MOKA_UNROLL for (int i = 0; i < kCount / 2; ++i) half[i] = SumPairs(v[2 * i], v[2 * i + 1]);
    return SumTogether<kCount / 2>(half);
  }
}

// The sums of the lanes of each vector; always neighbours first, so that they do not depend on kCount.
template <int kCount>
HWY_INLINE void SumLanes(const V (&v)[kCount], float* sums) {
  constexpr int kTogether = kCount < kLanes ? kCount : kLanes;
  MOKA_UNROLL for (int first = 0; first < kCount; first += kTogether) {
    V sum = SumTogether<kTogether>(v + first);
    MOKA_UNROLL for (int parts = kLanes / kTogether; parts > 1; parts /= 2) sum = SumPairs(sum, sum);
    HWY_ALIGN float lanes[kLanes];
    hn::Store(sum, D(), lanes);
    std::copy_n(lanes, kTogether, sums + first);
  }
}

template <int kRows, int kCols>
void DotTile(const TileArgs& args) {
  V acc[kCols][kRows];
  MOKA_UNROLL for (int c = 0; c < kCols; ++c) { MOKA_UNROLL for (int i = 0; i < kRows; ++i) acc[c][i] = hn::Zero(D()); }
  const int64_t column = args.num_segments * args.k_len;
  for (int64_t s = 0; s < args.num_segments; ++s) {
    const float* a[kRows];
    MOKA_UNROLL for (int i = 0; i < kRows; ++i) a[i] = args.rows[i] + args.segments[s];
    const float* b = args.b + s * args.k_len;
    ForEachVector(args.k_len, [&](auto part, int64_t k) HWY_ATTR {
      V weights[kCols];
      MOKA_UNROLL for (int c = 0; c < kCols; ++c) weights[c] = InRegister(Load(part, b + c * column + k));
      MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
        const V x = InRegister(Load(part, a[i] + k));
        MOKA_UNROLL for (int c = 0; c < kCols; ++c) acc[c][i] = hn::MulAdd(x, weights[c], acc[c][i]);
      }
    });
  }
  float sums[kCols][kRows];
  MOKA_UNROLL for (int c = 0; c < kCols; ++c) SumLanes(acc[c], sums[c]);
  for (int i = 0; i < kRows; ++i) {
    for (int c = 0; c < kCols; ++c) {
      const int64_t col = args.col + c;
      float y = sums[c][i];
      if (args.bias != nullptr) y += args.bias[col];
      if (args.residual != nullptr) y += args.residual[i][col];
      args.dst[i][col] = y < args.lo ? args.lo : y > args.hi ? args.hi : y;
    }
  }
}

// In cpu/micro_run.cc.
MicroLoopFn PickMicroLoop(MicroOp op, int scalars);

const TileTable* GetDotTable() {
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
  constexpr bool kManyRegisters = true;
#else
  constexpr bool kManyRegisters = false;
#endif
  static constexpr TileTable kTable = [] {
    TileTable table = {};
    table.widths = {1, 4};
    table.columns_apart = true;
    table.loop = &PickMicroLoop;
    table.lanes = kLanes;
    const auto set = [&table](int cols, TileFn one, TileFn two, TileFn four, TileFn eight) {
      table.fn[cols][1] = one;
      table.fn[cols][2] = two;
      table.fn[cols][4] = four;
      table.fn[cols][8] = eight;
    };
    set(1, &DotTile<1, 1>, &DotTile<2, 1>, &DotTile<4, 1>, &DotTile<8, 1>);
    set(2, &DotTile<1, 2>, &DotTile<2, 2>, &DotTile<4, 2>, kManyRegisters ? &DotTile<8, 2> : nullptr);
    set(3, &DotTile<1, 3>, &DotTile<2, 3>, &DotTile<4, 3>, kManyRegisters ? &DotTile<8, 3> : nullptr);
    set(4, &DotTile<1, 4>, &DotTile<2, 4>, kManyRegisters ? &DotTile<4, 4> : nullptr, nullptr);
    return table;
  }();
  return &kTable;
}

#else
const TileTable* GetDotTable() { return nullptr; }
#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moka::cpu {
HWY_EXPORT(GetDotTable);
const TileTable* ChosenDotTable() { return HWY_DYNAMIC_DISPATCH(GetDotTable)(); }

bool DotsPay(const TileTable& dots, const TileTable& tiles, int64_t columns, int64_t num_segments, int64_t k_len) {
  constexpr int64_t kEnd = 4;  // vectors of work after the products of a sum
  if (columns > dots.widths.widest) return false;
  const int64_t by_lanes = columns * (num_segments * CeilDiv(k_len, dots.lanes) + kEnd) * dots.lanes;
  // The choice is the same on all machines with this target.
  const TileTable& others = tiles.variant != nullptr ? *tiles.variant(true) : tiles;
  return by_lanes < num_segments * k_len * RoundUp(columns, others.widths.granule);
}
}  // namespace moka::cpu
#endif

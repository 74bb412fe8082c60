#include "cpu/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/tile.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "cpu/simd-inl.h"
#include "cpu/tile.h"
#include "cpu/tile_store-inl.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// Adds the products to the sums. `kFetch`: a cache line of args.next each step.
template <int kRows, int kVectors, bool kFetch>
HWY_INLINE void MultiplyRows(const TileArgs& args, V (&acc)[kRows][kVectors]) {
  const D d;
  constexpr int64_t N = kLanes;
  const float* b = args.b;
  const float* next = args.next;
  for (int64_t s = 0; s < args.num_segments; ++s) {
    const float* a[kRows];
    MOKA_UNROLL for (int i = 0; i < kRows; ++i) a[i] = args.rows[i] + args.segments[s];
    for (int64_t k = 0; k < args.k_len; ++k) {
      V panel[kVectors];
      MOKA_UNROLL for (int j = 0; j < kVectors; ++j) panel[j] = hn::LoadU(d, b + j * N);
      MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
        const V x = hn::Set(d, a[i][k]);
        MOKA_UNROLL for (int j = 0; j < kVectors; ++j) acc[i][j] = hn::MulAdd(x, panel[j], acc[i][j]);
      }
      b += kVectors * N;
      if constexpr (kFetch) {
        __builtin_prefetch(next, 0, 2);
        next += kPrefetchStep;
      }
    }
  }
}

// What a tile stores, and adds then, arrives while it computes.
template <int kRows, int kVectors>
HWY_INLINE void FetchResult(const TileArgs& args) {
  MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
    MOKA_UNROLL for (int j = 0; j < kVectors; ++j) hwy::Prefetch(args.dst[i] + args.col + j * kLanes);
  }
  if (args.residual == nullptr) return;
  MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
    MOKA_UNROLL for (int j = 0; j < kVectors; ++j) hwy::Prefetch(args.residual[i] + args.col + j * kLanes);
  }
}

template <int kRows, int kVectors>
void Tile(const TileArgs& args) {
  V acc[kRows][kVectors];
  MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
    MOKA_UNROLL for (int j = 0; j < kVectors; ++j) acc[i][j] = hn::Zero(D());
  }
  if (args.next != nullptr) {
    FetchResult<kRows, kVectors>(args);
    MultiplyRows<kRows, kVectors, true>(args, acc);
  } else {
    MultiplyRows<kRows, kVectors, false>(args, acc);
  }
  MOKA_UNROLL for (int i = 0; i < kRows; ++i) StoreRow<kVectors>(args, i, acc[i]);
}

// One row is bound by the latency of its additions unless several sums run beside each other.
template <int kVectors>
void RowTile(const TileArgs& args) {
  const D d;
  constexpr int64_t N = kLanes;
  constexpr int kSums = 4;  // of every width, so that all columns round alike
  V acc[kSums][kVectors];
  MOKA_UNROLL for (int u = 0; u < kSums; ++u) {
    MOKA_UNROLL for (int j = 0; j < kVectors; ++j) acc[u][j] = hn::Zero(d);
  }
  const float* b = args.b;
  for (int64_t s = 0; s < args.num_segments; ++s) {
    const float* a = args.rows[0] + args.segments[s];
    int64_t k = 0;
    for (; k + kSums <= args.k_len; k += kSums) {
      MOKA_UNROLL for (int u = 0; u < kSums; ++u) {
        const V x = hn::Set(d, a[k + u]);
        MOKA_UNROLL for (int j = 0; j < kVectors; ++j) {
          acc[u][j] = hn::MulAdd(x, hn::LoadU(d, b + (u * kVectors + j) * N), acc[u][j]);
        }
      }
      b += kSums * kVectors * N;
    }
    for (; k < args.k_len; ++k) {
      const V x = hn::Set(d, a[k]);
      MOKA_UNROLL for (int j = 0; j < kVectors; ++j) acc[0][j] = hn::MulAdd(x, hn::LoadU(d, b + j * N), acc[0][j]);
      b += kVectors * N;
    }
  }
  MOKA_UNROLL for (int u = 1; u < kSums; ++u) {
    MOKA_UNROLL for (int j = 0; j < kVectors; ++j) acc[0][j] = hn::Add(acc[0][j], acc[u][j]);
  }
  StoreRow<kVectors>(args, 0, acc[0]);
}

// In cpu/micro_run.cc.
MicroLoopFn PickMicroLoop(MicroOp op, int scalars);

// Tiles fill the registers: 32 with AVX-512 and NEON, 16 elsewhere.
const TileTable* GetTileTable() {
#if HWY_TARGET <= HWY_AVX3
  static constexpr TileTable kTable = {
      kLanes,
      4,
      {{nullptr, &RowTile<4>, &Tile<2, 4>, &Tile<3, 4>, &Tile<4, 4>, &Tile<5, 4>, &Tile<6, 4>},
       {nullptr, &RowTile<2>, &Tile<2, 2>, nullptr, &Tile<4, 2>, nullptr, nullptr, nullptr, &Tile<8, 2>, nullptr,
        nullptr, nullptr, &Tile<12, 2>},
       {nullptr, &RowTile<1>, &Tile<2, 1>, nullptr, &Tile<4, 1>, nullptr, nullptr, nullptr, &Tile<8, 1>, nullptr,
        nullptr, nullptr, &Tile<12, 1>}},
      {&Tile<1, 4>, &Tile<1, 2>, &Tile<1, 1>},
      &PickMicroLoop};
#elif HWY_TARGET == HWY_AVX2
  static constexpr TileTable kTable = {
      kLanes,
      2,
      {{},
       {nullptr, &RowTile<2>, &Tile<2, 2>, &Tile<3, 2>, &Tile<4, 2>, &Tile<5, 2>, &Tile<6, 2>},
       {nullptr, &RowTile<1>, &Tile<2, 1>, nullptr, &Tile<4, 1>, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
        nullptr, &Tile<12, 1>}},
      {nullptr, &Tile<1, 2>, &Tile<1, 1>},
      &PickMicroLoop};
#elif HWY_ARCH_ARM_A64
  static constexpr TileTable kTable = {
      kLanes,
      2,
      {{},
       {nullptr, &RowTile<2>, &Tile<2, 2>, &Tile<3, 2>, &Tile<4, 2>, &Tile<5, 2>, &Tile<6, 2>, &Tile<7, 2>,
        &Tile<8, 2>},
       {nullptr, &RowTile<1>, &Tile<2, 1>, nullptr, &Tile<4, 1>, nullptr, nullptr, nullptr, &Tile<8, 1>}},
      {nullptr, &Tile<1, 2>, &Tile<1, 1>},
      &PickMicroLoop};
#else
  static constexpr TileTable kTable = {
      kLanes,
      2,
      {{},
       {nullptr, &RowTile<2>, &Tile<2, 2>, &Tile<3, 2>, &Tile<4, 2>},
       {nullptr, &RowTile<1>, &Tile<2, 1>, nullptr, &Tile<4, 1>, nullptr, nullptr, nullptr, &Tile<8, 1>}},
      {nullptr, &Tile<1, 2>, &Tile<1, 1>},
      &PickMicroLoop};
#endif
  return &kTable;
}

#else
const TileTable* GetTileTable() { return nullptr; }
#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moka::cpu {
HWY_EXPORT(GetTileTable);
const TileTable* ChosenTileTable() { return HWY_DYNAMIC_DISPATCH(GetTileTable)(); }
}  // namespace moka::cpu
#endif

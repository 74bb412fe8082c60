// How tiles of f32 sums end: bias, residual, clip and the store of the columns that there are.
#if defined(MOKA_CPU_TILE_STORE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_TILE_STORE_INL_H_
#undef MOKA_CPU_TILE_STORE_INL_H_
#else
#define MOKA_CPU_TILE_STORE_INL_H_
#endif

#include "cpu/simd-inl.h"
#include "cpu/tile.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// Finishes one row of a tile: bias, residual, clip, store of `cols` columns.
template <int kVectors>
HWY_INLINE void StoreRow(const TileArgs& args, int row, V* acc) {
  const D d;
  constexpr int64_t N = kLanes;
  const V lo = hn::Set(d, args.lo), hi = hn::Set(d, args.hi);
  float* dst = args.dst[row] + args.col;
  const float* bias = args.bias != nullptr ? args.bias + args.col : nullptr;
  const float* residual = args.residual != nullptr ? args.residual[row] + args.col : nullptr;
  MOKA_UNROLL for (int j = 0; j < kVectors; ++j) {
    const int64_t left = args.cols - j * N;
    if (left >= N) {
      if (bias != nullptr) acc[j] = hn::Add(acc[j], hn::LoadU(d, bias + j * N));
      if (residual != nullptr) acc[j] = hn::Add(acc[j], hn::LoadU(d, residual + j * N));
      hn::StoreU(ClipNan(acc[j], lo, hi), d, dst + j * N);
    } else if (left > 0) {
      if (bias != nullptr) acc[j] = hn::Add(acc[j], LoadPart(bias + j * N, left));
      if (residual != nullptr) acc[j] = hn::Add(acc[j], LoadPart(residual + j * N, left));
      StorePart(ClipNan(acc[j], lo, hi), dst + j * N, left);
    }
  }
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

// How tiles of f32 sums end: bias, residual, clip and the store of the columns that there are.
#if defined(MOKA_CPU_TILE_STORE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_TILE_STORE_INL_H_
#undef MOKA_CPU_TILE_STORE_INL_H_
#else
#define MOKA_CPU_TILE_STORE_INL_H_
#endif

#include <limits>

#include "cpu/simd-inl.h"
#include "cpu/tile.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

// All vectors of a row but the last are whole; of the last one `count` lanes are stored.
template <bool kWhole, int kRows, int kVectors>
HWY_INLINE void StoreRows(const TileArgs& args, int64_t count, V (&acc)[kRows][kVectors]) {
  const D d;
  constexpr int64_t N = kLanes;
  const auto load = [count](const float* p, int j) HWY_ATTR {
    return kWhole || j + 1 < kVectors ? hn::LoadU(D(), p + j * N) : LoadPart(p + j * N, count);
  };
  float* const* dst = args.dst;
  const float* const* residual = args.residual;
  const int64_t col = args.col;
  if (args.bias != nullptr) {
    V bias[kVectors];
    MOKA_UNROLL for (int j = 0; j < kVectors; ++j) bias[j] = load(args.bias + col, j);
    MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
      MOKA_UNROLL for (int j = 0; j < kVectors; ++j) acc[i][j] = hn::Add(acc[i][j], bias[j]);
    }
  }
  if (residual != nullptr) {
    MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
      MOKA_UNROLL for (int j = 0; j < kVectors; ++j) acc[i][j] = hn::Add(acc[i][j], load(residual[i] + col, j));
    }
  }
  const auto finish = [&](auto clip) HWY_ATTR {
    MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
      float* row = dst[i] + col;
      MOKA_UNROLL for (int j = 0; j < kVectors; ++j) {
        const V y = clip(acc[i][j]);
        if (kWhole || j + 1 < kVectors) {
          hn::StoreU(y, D(), row + j * N);
        } else {
          StorePart(y, row + j * N, count);
        }
      }
    }
  };
  // Minima and maxima take turns with multiplications on one unit of a processor.
  const V lo = hn::Set(d, args.lo), hi = hn::Set(d, args.hi);
  if (args.hi < kInfinity) {
    finish([&](V x) HWY_ATTR { return ClipNan(x, lo, hi); });
  } else if (args.lo > -kInfinity) {
    finish([&](V x) HWY_ATTR { return AtLeastNan(x, lo); });
  } else {
    finish([](V x) HWY_ATTR { return x; });
  }
}

// What a tile stores, and adds then, arrives while it computes.
template <int kRows, int kParts>
HWY_INLINE void FetchResult(const TileArgs& args) {
  MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
    MOKA_UNROLL for (int j = 0; j < kParts; ++j) hwy::Prefetch(args.dst[i] + args.col + j * kLanes);
  }
  if (args.residual == nullptr) return;
  MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
    MOKA_UNROLL for (int j = 0; j < kParts; ++j) hwy::Prefetch(args.residual[i] + args.col + j * kLanes);
  }
}

// Finishes a tile: bias, residual, clip, store.
template <int kRows, int kVectors>
HWY_INLINE void StoreTile(const TileArgs& args, V (&acc)[kRows][kVectors]) {
  const int64_t count = args.cols - (kVectors - 1) * int64_t{kLanes};
  if (count == kLanes) {
    StoreRows<true>(args, count, acc);
  } else {
    StoreRows<false>(args, count, acc);
  }
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

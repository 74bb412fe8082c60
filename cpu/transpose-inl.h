// Transposition of a matrix of 4-byte elements, through registers.
#if defined(MOKA_CPU_TRANSPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_TRANSPOSE_INL_H_
#undef MOKA_CPU_TRANSPOSE_INL_H_
#else
#define MOKA_CPU_TRANSPOSE_INL_H_
#endif

#include "cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

template <int kSize>
using Tag = hn::CappedTag<float, kSize>;

// Four floats from each of kSize / 4 places, `step` apart.
template <int kSize>
HWY_INLINE hn::Vec<Tag<kSize>> LoadQuads(const float* p, int64_t step) {
  if constexpr (kSize == 4) {
    return hn::LoadU(Tag<4>(), p);
  } else {
    return hn::Combine(Tag<kSize>(), LoadQuads<kSize / 2>(p + kSize / 8 * step, step), LoadQuads<kSize / 2>(p, step));
  }
}

// kSize rows, 4 columns. Block b of vector j holds row 4 b + j; transposed within blocks, vector j is column j.
template <int kSize>
HWY_INLINE void TransposeBlock(const float* src, int64_t src_step, float* dst, int64_t dst_step) {
  const Tag<kSize> d;
  const auto a = LoadQuads<kSize>(src, 4 * src_step);
  const auto b = LoadQuads<kSize>(src + src_step, 4 * src_step);
  const auto c = LoadQuads<kSize>(src + 2 * src_step, 4 * src_step);
  const auto e = LoadQuads<kSize>(src + 3 * src_step, 4 * src_step);
  const auto ac_low = hn::InterleaveLower(d, a, c), ac_high = hn::InterleaveUpper(d, a, c);
  const auto be_low = hn::InterleaveLower(d, b, e), be_high = hn::InterleaveUpper(d, b, e);
  hn::StoreU(hn::InterleaveLower(d, ac_low, be_low), d, dst);
  hn::StoreU(hn::InterleaveUpper(d, ac_low, be_low), d, dst + dst_step);
  hn::StoreU(hn::InterleaveLower(d, ac_high, be_high), d, dst + 2 * dst_step);
  hn::StoreU(hn::InterleaveUpper(d, ac_high, be_high), d, dst + 3 * dst_step);
}

HWY_INLINE void TransposeRest(const float* src, int64_t src_step, float* dst, int64_t dst_step, int64_t rows,
                              int64_t cols) {
  for (int64_t c = 0; c < cols; ++c) {
    for (int64_t r = 0; r < rows; ++r) std::memcpy(dst + c * dst_step + r, src + r * src_step + c, sizeof(float));
  }
}

// Sixteen rows: whole cache lines of dst.
HWY_INLINE void TransposeSixteen(const float* src, int64_t src_step, float* dst, int64_t dst_step, int64_t cols) {
  int64_t c = 0;
  for (; c + 4 <= cols; c += 4) {
    MOKA_UNROLL for (int64_t r = 0; r < 16; r += kLanes) {
      TransposeBlock<kLanes>(src + r * src_step + c, src_step, dst + c * dst_step + r, dst_step);
    }
  }
  TransposeRest(src + c, src_step, dst + c * dst_step, dst_step, 16, cols - c);
}

// Rows [*row, rows) as far as blocks of kSize rows go.
template <int kSize>
HWY_INLINE void TransposeRows(const float* src, int64_t src_step, float* dst, int64_t dst_step, int64_t rows,
                              int64_t cols, int64_t* row) {
  if constexpr (kSize <= kLanes) {
    for (; *row + kSize <= rows; *row += kSize) {
      const float* from = src + *row * src_step;
      float* to = dst + *row;
      int64_t c = 0;
      for (; c + 4 <= cols; c += 4) TransposeBlock<kSize>(from + c, src_step, to + c * dst_step, dst_step);
      TransposeRest(from + c, src_step, to + c * dst_step, dst_step, kSize, cols - c);
    }
  }
}

// Up to 16 columns. Of a block of 16 rows each cache line is read once; where they are so far apart that their lines
// share few sets of the L1 cache, the block is copied first.
HWY_INLINE void TransposeTile(const float* src, int64_t src_step, float* dst, int64_t dst_step, int64_t rows,
                              int64_t cols) {
  constexpr int64_t kSize = 16, kAliasing = 512;
  const bool aliases = src_step % kAliasing == 0 && cols == kSize;
  int64_t r = 0;
  for (; r + kSize <= rows; r += kSize) {
    const float* from = src + r * src_step;
    if (!aliases) {
      TransposeSixteen(from, src_step, dst + r, dst_step, cols);
      continue;
    }
    HWY_ALIGN float block[kSize * kSize];
    for (int64_t i = 0; i < kSize; ++i) {
      std::memcpy(block + i * kSize, from + i * src_step, kSize * sizeof(float));
    }
    TransposeSixteen(block, kSize, dst + r, dst_step, kSize);
  }
  TransposeRows<8>(src, src_step, dst, dst_step, rows, cols, &r);
  TransposeRows<4>(src, src_step, dst, dst_step, rows, cols, &r);
  TransposeRest(src + r * src_step, src_step, dst + r, dst_step, rows - r, cols);
}

// Calls f(i) for the first elements of vectors that cover n elements; the last one overlaps the one before, as elements
// may be moved twice. Returns how many are covered: none where n is less than a vector.
template <class F>
HWY_INLINE int64_t CoverByVectors(int64_t n, F&& f) {
  if (n < kLanes) return 0;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(i);
  if (i < n) f(n - kLanes);
  return n;
}

// A few rows whose elements alternate in a dense result: planes become pixels, halves of channels are shuffled.
template <int kRows>
HWY_INLINE int64_t InterleaveRows(const float* src, int64_t src_step, float* dst, int64_t cols) {
  const D d;
  return CoverByVectors(cols, [&](int64_t c) HWY_ATTR {
    const auto load = [&](int64_t row) HWY_ATTR { return hn::LoadU(d, src + row * src_step + c); };
    if constexpr (kRows == 2) hn::StoreInterleaved2(load(0), load(1), d, dst + 2 * c);
    if constexpr (kRows == 3) hn::StoreInterleaved3(load(0), load(1), load(2), d, dst + 3 * c);
    if constexpr (kRows == 4) hn::StoreInterleaved4(load(0), load(1), load(2), load(3), d, dst + 4 * c);
  });
}
template <int kCols>
HWY_INLINE int64_t DeinterleaveColumns(const float* src, float* dst, int64_t dst_step, int64_t rows) {
  const D d;
  return CoverByVectors(rows, [&](int64_t r) HWY_ATTR {
    V v[4];
    if constexpr (kCols == 2) hn::LoadInterleaved2(d, src + 2 * r, v[0], v[1]);
    if constexpr (kCols == 3) hn::LoadInterleaved3(d, src + 3 * r, v[0], v[1], v[2]);
    if constexpr (kCols == 4) hn::LoadInterleaved4(d, src + 4 * r, v[0], v[1], v[2], v[3]);
    MOKA_UNROLL for (int col = 0; col < kCols; ++col) hn::StoreU(v[col], d, dst + col * dst_step + r);
  });
}

void Transpose(const float* src, int64_t src_step, float* dst, int64_t dst_step, int64_t rows, int64_t cols) {
  if (rows >= 2 && rows <= 4 && dst_step == rows) {
    const int64_t c = rows == 2   ? InterleaveRows<2>(src, src_step, dst, cols)
                      : rows == 3 ? InterleaveRows<3>(src, src_step, dst, cols)
                                  : InterleaveRows<4>(src, src_step, dst, cols);
    return TransposeRest(src + c, src_step, dst + c * dst_step, dst_step, rows, cols - c);
  }
  if (cols >= 2 && cols <= 4 && src_step == cols) {
    const int64_t r = cols == 2   ? DeinterleaveColumns<2>(src, dst, dst_step, rows)
                      : cols == 3 ? DeinterleaveColumns<3>(src, dst, dst_step, rows)
                                  : DeinterleaveColumns<4>(src, dst, dst_step, rows);
    return TransposeRest(src + r * src_step, src_step, dst + r, dst_step, rows - r, cols);
  }
  // Few rows at a time, so that their pages stay in the TLB from tile to tile.
  constexpr int64_t kTileRows = 128, kTileCols = 16;
  for (int64_t r = 0; r < rows; r += kTileRows) {
    for (int64_t c = 0; c < cols; c += kTileCols) {
      TransposeTile(src + r * src_step + c, src_step, dst + c * dst_step + r, dst_step,
                    rows - r < kTileRows ? rows - r : kTileRows, cols - c < kTileCols ? cols - c : kTileCols);
    }
  }
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

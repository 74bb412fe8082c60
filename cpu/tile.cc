#include "cpu/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/tile.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "cpu/simd-inl.h"
#include "cpu/tile.h"
#include "cpu/tile_store-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// What a tile multiplies besides kVectors whole ones: half a vector of a panel that ends there, or the first half of a
// panel's last one, whose others are padding. Two rows share a vector of sums for these.
enum class Last { kNone, kHalf, kShared };
using DHalf = hn::Half<D>;
using VHalf = hn::Vec<DHalf>;
template <int kVectors, Last kLast>
inline constexpr int kParts = kVectors + (kLast == Last::kNone ? 0 : 1);
template <int kVectors, Last kLast>
inline constexpr int64_t kWidth = kParts<kVectors, kLast>* kLanes - (kLast == Last::kHalf ? kLanes / 2 : 0);

// What each step of a product does besides: nothing, fetch a cache line of args.next, that and make a vector of
// args.sum.
enum class Besides { kNothing, kFetch, kSum };

// Adds the products to the sums.
template <int kRows, int kVectors, Last kLast, Besides kBesides>
HWY_INLINE void MultiplyRows(const TileArgs& args, V (&acc)[kRows][kParts<kVectors, kLast>]) {
  const D d;
  constexpr int64_t N = kLanes;
  constexpr bool kHalf = kLast == Last::kHalf, kShared = kLast == Last::kShared;
  static_assert(!kShared || kRows % 2 == 0);
  V shared[CeilDiv(kRows, 2)];
  if constexpr (kShared) {
    MOKA_UNROLL for (int i = 0; i < kRows / 2; ++i) shared[i] = hn::Zero(d);
  }
  VHalf halves[kRows];
  if constexpr (kHalf) {
    MOKA_UNROLL for (int i = 0; i < kRows; ++i) halves[i] = hn::Zero(DHalf());
  }
  const float* b = args.b;
  const float* next = args.next;
  VectorSum sum = args.sum;
  const V sign = hn::Set(d, kBesides == Besides::kSum && sum.negative ? -0.0f : 0.0f);
  for (int64_t s = 0; s < args.num_segments; ++s) {
    const float* a[kRows];
    MOKA_UNROLL for (int i = 0; i < kRows; ++i) a[i] = args.rows[i] + args.segments[s];
    for (int64_t k = 0; k < args.k_len; ++k) {
      V panel[kParts<kVectors, kLast>];
      MOKA_UNROLL for (int j = 0; j < kVectors; ++j) panel[j] = hn::LoadU(d, b + j * N);
      VHalf last;
      if constexpr (kHalf || kShared) last = hn::LoadU(DHalf(), b + kVectors * N);
      if constexpr (kShared) panel[kVectors] = hn::Combine(d, last, last);
      V before = hn::Zero(d);
      MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
        const V x = hn::Set(d, a[i][k]);
        MOKA_UNROLL for (int j = 0; j < kVectors; ++j) acc[i][j] = hn::MulAdd(x, panel[j], acc[i][j]);
        if constexpr (kHalf) halves[i] = hn::MulAdd(hn::LowerHalf(DHalf(), x), last, halves[i]);
        if constexpr (kShared) {
          if (i % 2 != 0) {
            shared[i / 2] = hn::MulAdd(hn::ConcatUpperLower(d, x, before), panel[kVectors], shared[i / 2]);
          }
          before = x;
        }
      }
      b += kWidth<kVectors, kLast>;
      if constexpr (kBesides != Besides::kNothing) {
        __builtin_prefetch(next, 0, 2);
        next += kPrefetchStep;
      }
      if constexpr (kBesides == Besides::kSum) {
        hn::StoreU(hn::Add(hn::LoadU(d, sum.a), hn::Xor(hn::LoadU(d, sum.b), sign)), d, sum.dst);
        sum.a += N;
        sum.b += N;
        sum.dst += N;
      }
    }
  }
  if constexpr (kHalf) {
    MOKA_UNROLL for (int i = 0; i < kRows; ++i) acc[i][kVectors] = hn::ZeroExtendVector(d, halves[i]);
  }
  if constexpr (kShared) {
    MOKA_UNROLL for (int i = 0; i < kRows; i += 2) {
      acc[i][kVectors] = shared[i / 2];
      acc[i + 1][kVectors] = hn::ConcatUpperUpper(d, shared[i / 2], shared[i / 2]);
    }
  }
}

template <int kRows, int kVectors, Last kLast = Last::kNone>
void Tile(const TileArgs& args) {
  constexpr int kAll = kParts<kVectors, kLast>;
  V acc[kRows][kAll];
  MOKA_UNROLL for (int i = 0; i < kRows; ++i) { MOKA_UNROLL for (int j = 0; j < kAll; ++j) acc[i][j] = hn::Zero(D()); }
  // What is added may come from memory; what is only stored can wait.
  if (args.next != nullptr || args.residual != nullptr) FetchResult<kRows, kAll>(args);
  if (args.next != nullptr) {
    MultiplyRows<kRows, kVectors, kLast, Besides::kFetch>(args, acc);
  } else {
    MultiplyRows<kRows, kVectors, kLast, Besides::kNothing>(args, acc);
  }
  StoreTile(args, acc);
}

template <int kRows, int kVectors>
void SummingTile(const TileArgs& args) {
  V acc[kRows][kVectors];
  MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
    MOKA_UNROLL for (int j = 0; j < kVectors; ++j) acc[i][j] = hn::Zero(D());
  }
  FetchResult<kRows, kVectors>(args);
  MultiplyRows<kRows, kVectors, Last::kNone, Besides::kSum>(args, acc);
  StoreTile(args, acc);
}

// One row is bound by the latency of its additions unless several sums run beside each other.
template <int kVectors, Last kLast = Last::kNone>
void RowTile(const TileArgs& args) {
  const D d;
  constexpr int64_t N = kLanes, kStep = kWidth<kVectors, kLast>;
  constexpr int kSums = 4;  // of every width, so that all columns round alike
  constexpr int kAll = kParts<kVectors, kLast>;
  V acc[kSums][1][kAll];
  MOKA_UNROLL for (int u = 0; u < kSums; ++u) { MOKA_UNROLL for (int j = 0; j < kAll; ++j) acc[u][0][j] = hn::Zero(d); }
  const auto add = [](const float* b, float a, V(&sums)[kAll]) HWY_ATTR {
    const V x = hn::Set(D(), a);
    MOKA_UNROLL for (int j = 0; j < kVectors; ++j) sums[j] = hn::MulAdd(x, hn::LoadU(D(), b + j * N), sums[j]);
    if constexpr (kLast == Last::kHalf) {
      const V last = hn::ZeroExtendVector(D(), hn::LoadU(DHalf(), b + kVectors * N));
      sums[kVectors] = hn::MulAdd(x, last, sums[kVectors]);
    }
  };
  const float* b = args.b;
  for (int64_t s = 0; s < args.num_segments; ++s) {
    const float* a = args.rows[0] + args.segments[s];
    int64_t k = 0;
    for (; k + kSums <= args.k_len; k += kSums, b += kSums * kStep) {
      MOKA_UNROLL for (int u = 0; u < kSums; ++u) add(b + u * kStep, a[k + u], acc[u][0]);
    }
    for (; k < args.k_len; ++k, b += kStep) add(b, a[k], acc[0][0]);
  }
  MOKA_UNROLL for (int u = 1; u < kSums; ++u) {
    MOKA_UNROLL for (int j = 0; j < kAll; ++j) acc[0][0][j] = hn::Add(acc[0][0][j], acc[u][0][j]);
  }
  StoreTile(args, acc[0]);
}

// In cpu/micro_run.cc.
MicroLoopFn PickMicroLoop(MicroOp op, int scalars);

// Large tiles fill the registers: 32 with AVX-512 and NEON, 16 elsewhere.
#if HWY_TARGET <= HWY_AVX3
// Where multiplying half a vector takes half of the time, half a vector more is worth tiles of its own. Where a core
// multiplies as fast as its L2 cache can feed sums besides, products do not make any.
const TileTable* VariantOf(bool halves) {
  constexpr Last kHalf = Last::kHalf, kShared = Last::kShared;
  static constexpr TileTable kWhole = {
      {kLanes, 4 * kLanes},
      {{},
       {nullptr, &RowTile<1>, &Tile<2, 1>, &Tile<3, 1>, &Tile<4, 1>, nullptr, nullptr, nullptr, &Tile<8, 1>, nullptr,
        nullptr, nullptr, &Tile<12, 1>},
       {nullptr, &RowTile<2>, &Tile<2, 2>, &Tile<3, 2>, &Tile<4, 2>, nullptr, nullptr, nullptr, &Tile<8, 2>},
       {nullptr, &RowTile<3>, &Tile<2, 3>, &Tile<3, 3>, &Tile<4, 3>, nullptr, nullptr, nullptr, &Tile<8, 3>},
       {nullptr, &RowTile<4>, &Tile<2, 4>, &Tile<3, 4>, &Tile<4, 4>, &Tile<5, 4>, &Tile<6, 4>}},
      {nullptr, &Tile<1, 1>, &Tile<1, 2>, &Tile<1, 3>, &Tile<1, 4>},
      &PickMicroLoop,
      {0, 12, 8, 4, 4},
      kLanes,
      {},
      false,
      {{},
       {},
       {nullptr, &RowTile<2>, &Tile<2, 1, kShared>, &Tile<3, 2>, &Tile<4, 1, kShared>, nullptr, nullptr, nullptr,
        &Tile<8, 1, kShared>},
       {nullptr, &RowTile<3>, &Tile<2, 2, kShared>, &Tile<3, 3>, &Tile<4, 2, kShared>, nullptr, nullptr, nullptr,
        &Tile<8, 2, kShared>},
       {nullptr, &RowTile<4>, &Tile<2, 3, kShared>, &Tile<3, 4>, &Tile<4, 3, kShared>, &Tile<5, 4>,
        &Tile<6, 3, kShared>}},
      &VariantOf};
  static constexpr TileTable kHalves = {
      {kLanes / 2, 4 * kLanes},
      {{},
       {nullptr, &RowTile<0, kHalf>, &Tile<2, 0, kHalf>, &Tile<3, 0, kHalf>, &Tile<4, 0, kHalf>, nullptr, nullptr,
        nullptr, &Tile<8, 0, kHalf>},
       {nullptr, &RowTile<1>, &Tile<2, 1>, &Tile<3, 1>, &Tile<4, 1>, nullptr, nullptr, nullptr, &Tile<8, 1>},
       {nullptr, &RowTile<1, kHalf>, &Tile<2, 1, kHalf>, &Tile<3, 1, kHalf>, &Tile<4, 1, kHalf>, nullptr, nullptr,
        nullptr, &Tile<8, 1, kHalf>},
       {nullptr, &RowTile<2>, &Tile<2, 2>, &Tile<3, 2>, &Tile<4, 2>, nullptr, nullptr, nullptr, &Tile<8, 2>},
       {nullptr, &RowTile<2, kHalf>, &Tile<2, 2, kHalf>, &Tile<3, 2, kHalf>, &Tile<4, 2, kHalf>, nullptr, nullptr,
        nullptr, &Tile<8, 2, kHalf>},
       {nullptr, &RowTile<3>, &Tile<2, 3>, &Tile<3, 3>, &Tile<4, 3>, nullptr, nullptr, nullptr, &Tile<8, 3>},
       {nullptr, &RowTile<3, kHalf>, &Tile<2, 3, kHalf>, &Tile<3, 3, kHalf>, &Tile<4, 3, kHalf>, &Tile<5, 3, kHalf>,
        &Tile<6, 3, kHalf>},
       {nullptr, &RowTile<4>, &Tile<2, 4>, &Tile<3, 4>, &Tile<4, 4>, &Tile<5, 4>, &Tile<6, 4>}},
      {nullptr, &Tile<1, 0, kHalf>, &Tile<1, 1>, &Tile<1, 1, kHalf>, &Tile<1, 2>, &Tile<1, 2, kHalf>, &Tile<1, 3>,
       &Tile<1, 3, kHalf>, &Tile<1, 4>},
      &PickMicroLoop,
      {0, 4, 4, 4, 4, 4, 4, 4, 4},
      kLanes,
      {nullptr, &SummingTile<1, 4>, &SummingTile<2, 4>, &SummingTile<3, 4>, &SummingTile<4, 4>, &SummingTile<5, 4>,
       &SummingTile<6, 4>},
      false,
      {},
      &VariantOf};
  return halves ? &kHalves : &kWhole;
}

// Zen 4 multiplies whole vectors as two halves; Zen 5 and Intel's processors take as long for either.
const TileTable* GetTileTable() { return VariantOf(__builtin_cpu_is("amdfam19h")); }
#else
const TileTable* GetTileTable() {
#if HWY_TARGET == HWY_AVX2
  static constexpr TileTable kTable = {
      {kLanes, 3 * kLanes},
      {{},
       {nullptr, &RowTile<1>, &Tile<2, 1>, nullptr, &Tile<4, 1>, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
        nullptr, &Tile<12, 1>},
       {nullptr, &RowTile<2>, &Tile<2, 2>, &Tile<3, 2>, &Tile<4, 2>, &Tile<5, 2>, &Tile<6, 2>},
       {nullptr, &RowTile<3>, &Tile<2, 3>, &Tile<3, 3>, &Tile<4, 3>}},
      {nullptr, &Tile<1, 1>, &Tile<1, 2>, &Tile<1, 3>},
      &PickMicroLoop,
      {},
      kLanes,
      {nullptr, &SummingTile<1, 3>, &SummingTile<2, 3>, &SummingTile<3, 3>, &SummingTile<4, 3>}};
#elif HWY_ARCH_ARM_A64
  static constexpr TileTable kTable = {
      {kLanes, 2 * kLanes},
      {{},
       {nullptr, &RowTile<1>, &Tile<2, 1>, nullptr, &Tile<4, 1>, nullptr, nullptr, nullptr, &Tile<8, 1>},
       {nullptr, &RowTile<2>, &Tile<2, 2>, &Tile<3, 2>, &Tile<4, 2>, &Tile<5, 2>, &Tile<6, 2>, &Tile<7, 2>,
        &Tile<8, 2>}},
      {nullptr, &Tile<1, 1>, &Tile<1, 2>},
      &PickMicroLoop,
      {},
      kLanes,
      {nullptr, &SummingTile<1, 2>, &SummingTile<2, 2>, &SummingTile<3, 2>, &SummingTile<4, 2>, &SummingTile<5, 2>,
       &SummingTile<6, 2>, &SummingTile<7, 2>, &SummingTile<8, 2>}};
#else
  static constexpr TileTable kTable = {
      {kLanes, 2 * kLanes},
      {{},
       {nullptr, &RowTile<1>, &Tile<2, 1>, nullptr, &Tile<4, 1>, nullptr, nullptr, nullptr, &Tile<8, 1>},
       {nullptr, &RowTile<2>, &Tile<2, 2>, &Tile<3, 2>, &Tile<4, 2>}},
      {nullptr, &Tile<1, 1>, &Tile<1, 2>},
      &PickMicroLoop,
      {},
      kLanes,
      {nullptr, &SummingTile<1, 2>, &SummingTile<2, 2>, &SummingTile<3, 2>, &SummingTile<4, 2>}};
#endif
  return &kTable;
}
#endif

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

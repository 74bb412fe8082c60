#include "cpu/bf16_tile.h"

#include "cpu/targets.h"
// After targets.h.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/bf16_tile.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "cpu/simd-inl.h"
#include "cpu/tile_store-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

using DU = hn::RebindToUnsigned<D>;
using VU = hn::Vec<DU>;

// Without a dot product. bf16 is the upper half of f32: weights become f32 by a shift or a mask.
static constexpr int64_t kElement = 4;
static constexpr int kParts = 2;
using Input = V;
using Weight = V;
template <int kPart, bool kWhole>
static HWY_INLINE Input LoadInput(const char* a) {
  return hn::Set(D(), reinterpret_cast<const float*>(a)[kPart]);
}
template <int kPart>
static HWY_INLINE Weight LoadWeight(const uint16_t* b) {
  const DU d;
  const VU pairs = hn::BitCast(d, hn::LoadU(hn::Repartition<uint16_t, D>(), b));
  return hn::BitCast(D(), kPart == 0 ? hn::ShiftLeft<16>(pairs) : hn::And(pairs, hn::Set(d, 0xFFFF0000u)));
}
static HWY_INLINE V Dot(V sum, Input x, Weight weight) { return hn::MulAdd(x, weight, sum); }

// The upper halves of lanes rounded to bf16. Adding half of what is cut off, less one where the bit above is 0, carries
// as rounding to even demands; NaN becomes quiet.
static HWY_INLINE VU RoundLanes(V x) {
  const DU d;
  const VU bits = hn::BitCast(d, x), odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 1u));
  const V sum = hn::BitCast(D(), hn::Add(bits, hn::Add(odd, hn::Set(d, 0x7FFFu))));
  const V quiet = hn::BitCast(D(), hn::Or(bits, hn::Set(d, 0x00400000u)));
  return hn::And(hn::BitCast(d, hn::IfThenElse(hn::IsNaN(x), quiet, sum)), hn::Set(d, 0xFFFF0000u));
}
static void Round(const float* src, int64_t n, void* dst) {
  auto* to = static_cast<float*>(dst);
  ForEachVector(n, [&](auto part, int64_t i)
                       HWY_ATTR { Store(part, hn::BitCast(D(), RoundLanes(Load(part, src + i))), to + i); });
}
static void Merge(const float* src, int64_t n, bool second, uint16_t* dst) {
  auto* pairs = reinterpret_cast<float*>(dst);
  ForEachVector(n, [&](auto part, int64_t i) HWY_ATTR {
    const VU rounded = RoundLanes(Load(part, src + i));
    const V placed = hn::BitCast(D(), second ? rounded : hn::ShiftRight<16>(rounded));
    Store(part, hn::Or(Load(part, pairs + i), placed), pairs + i);
  });
}

#include "cpu/bf16_tile-inl.h"

// Each step takes a pair of elements of K.
constexpr TileTable InPairs(TileTable tiles) {
  tiles.step = 2;
  return tiles;
}

const Bf16Table* GetPlainBf16Table() {
#if HWY_TARGET <= HWY_AVX3
  static constexpr TileTable kTiles = {{kLanes, 4 * kLanes},
                                       {{},
                                        {nullptr, &Bf16Tile<1, 1>, &Bf16Tile<2, 1>, nullptr, &Bf16Tile<4, 1>, nullptr,
                                         nullptr, nullptr, &Bf16Tile<8, 1>},
                                        {nullptr, &Bf16Tile<1, 2>, &Bf16Tile<2, 2>, nullptr, &Bf16Tile<4, 2>, nullptr,
                                         nullptr, nullptr, &Bf16Tile<8, 2>},
                                        {nullptr, &Bf16Tile<1, 3>, &Bf16Tile<2, 3>, nullptr, &Bf16Tile<4, 3>, nullptr,
                                         nullptr, nullptr, &Bf16Tile<8, 3>},
                                        {nullptr, &Bf16Tile<1, 4>, &Bf16Tile<2, 4>, &Bf16Tile<3, 4>, &Bf16Tile<4, 4>,
                                         &Bf16Tile<5, 4>, &Bf16Tile<6, 4>}}};
#elif HWY_TARGET == HWY_AVX2
  static constexpr TileTable kTiles = {{kLanes, 2 * kLanes},
                                       {{},
                                        {nullptr, &Bf16Tile<1, 1>, &Bf16Tile<2, 1>, nullptr, &Bf16Tile<4, 1>, nullptr,
                                         nullptr, nullptr, &Bf16Tile<8, 1>},
                                        {nullptr, &Bf16Tile<1, 2>, &Bf16Tile<2, 2>, &Bf16Tile<3, 2>, &Bf16Tile<4, 2>,
                                         &Bf16Tile<5, 2>, &Bf16Tile<6, 2>}}};
#elif HWY_ARCH_ARM_A64
  static constexpr TileTable kTiles = {{kLanes, 2 * kLanes},
                                       {{},
                                        {nullptr, &Bf16Tile<1, 1>, &Bf16Tile<2, 1>, nullptr, &Bf16Tile<4, 1>, nullptr,
                                         nullptr, nullptr, &Bf16Tile<8, 1>},
                                        {nullptr, &Bf16Tile<1, 2>, &Bf16Tile<2, 2>, &Bf16Tile<3, 2>, &Bf16Tile<4, 2>,
                                         nullptr, &Bf16Tile<6, 2>, nullptr, &Bf16Tile<8, 2>}}};
#else
  static constexpr TileTable kTiles = {{kLanes, 2 * kLanes},
                                       {{},
                                        {nullptr, &Bf16Tile<1, 1>, &Bf16Tile<2, 1>, nullptr, &Bf16Tile<4, 1>, nullptr,
                                         nullptr, nullptr, &Bf16Tile<8, 1>},
                                        {nullptr, &Bf16Tile<1, 2>, &Bf16Tile<2, 2>, &Bf16Tile<3, 2>, &Bf16Tile<4, 2>}}};
#endif
  static constexpr Bf16Table kTable = {InPairs(kTiles), kElement, &Round, &Merge, nullptr};
  return &kTable;
}

#else
const Bf16Table* GetPlainBf16Table() { return nullptr; }
#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

// As with VNNI (cpu/byte_tile.cc): a variant of AVX3, chosen at run time.
#if HWY_TARGET == HWY_AVX3
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512bf16")
namespace moka::cpu {
namespace N_AVX3_BF16 {
namespace hn = hwy::HWY_NAMESPACE;
using HWY_NAMESPACE::D;
using HWY_NAMESPACE::DU;
using HWY_NAMESPACE::FetchResult;
using HWY_NAMESPACE::kLanes;
using HWY_NAMESPACE::LoadPart;
using HWY_NAMESPACE::StoreTile;
using HWY_NAMESPACE::V;
using HWY_NAMESPACE::VU;

static constexpr int64_t kElement = 2;
static constexpr int kParts = 1;
using Input = VU;
using Weight = VU;
template <int kPart, bool kWhole>
static HWY_INLINE Input LoadInput(const char* a) {
  uint32_t pair = 0;
  std::memcpy(&pair, a, kWhole ? 4 : 2);
  return hn::Set(DU(), pair);
}
template <int kPart>
static HWY_INLINE Weight LoadWeight(const uint16_t* b) {
  return hn::BitCast(DU(), hn::LoadU(hn::Repartition<uint16_t, D>(), b));
}
static HWY_INLINE V Dot(V sum, Input x, Weight weight) {
  return V{_mm512_dpbf16_ps(sum.raw, (__m512bh)x.raw, (__m512bh)weight.raw)};
}

static HWY_INLINE __m512i RoundPair(V lower, V upper) { return (__m512i)_mm512_cvtne2ps_pbh(upper.raw, lower.raw); }
static void Round(const float* src, int64_t n, void* dst) {
  constexpr int64_t kStep = 2 * kLanes;
  const D d;
  auto* to = static_cast<uint16_t*>(dst);
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    _mm512_storeu_si512(to + i, RoundPair(hn::LoadU(d, src + i), hn::LoadU(d, src + i + kLanes)));
  }
  const int64_t left = n - i;
  if (left == 0) return;
  const V lower = left >= kLanes ? hn::LoadU(d, src + i) : LoadPart(src + i, left);
  const V upper = left > kLanes ? LoadPart(src + i + kLanes, left - kLanes) : hn::Zero(d);
  _mm512_mask_storeu_epi16(to + i, (__mmask32{1} << left) - 1, RoundPair(lower, upper));
}

#include "cpu/bf16_tile-inl.h"

static const Bf16Table* GetTable() {
  static constexpr TileTable kTiles = {
      {kLanes, 4 * kLanes},
      {{},
       {nullptr, &Bf16Tile<1, 1>, &Bf16Tile<2, 1>, nullptr, &Bf16Tile<4, 1>, nullptr, nullptr, nullptr, &Bf16Tile<8, 1>,
        nullptr, nullptr, nullptr, &Bf16Tile<12, 1>},
       {nullptr, &Bf16Tile<1, 2>, &Bf16Tile<2, 2>, nullptr, &Bf16Tile<4, 2>, nullptr, nullptr, nullptr, &Bf16Tile<8, 2>,
        nullptr, nullptr, nullptr, &Bf16Tile<12, 2>},
       {nullptr, &Bf16Tile<1, 3>, &Bf16Tile<2, 3>, nullptr, &Bf16Tile<4, 3>, nullptr, nullptr, nullptr,
        &Bf16Tile<8, 3>},
       {nullptr, &Bf16Tile<1, 4>, &Bf16Tile<2, 4>, &Bf16Tile<3, 4>, &Bf16Tile<4, 4>, &Bf16Tile<5, 4>,
        &Bf16Tile<6, 4>}}};
  static constexpr Bf16Table kTable = {HWY_NAMESPACE::InPairs(kTiles), kElement, &Round, &HWY_NAMESPACE::Merge,
                                       &HWY_NAMESPACE::GetPlainBf16Table};
  return &kTable;
}
}  // namespace N_AVX3_BF16
}  // namespace moka::cpu
HWY_POP_ATTRIBUTES
#endif

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
const Bf16Table* GetBf16Table() {
#if HWY_TARGET == HWY_AVX3
  if (__builtin_cpu_supports("avx512bf16")) return N_AVX3_BF16::GetTable();
#endif
  return GetPlainBf16Table();
}
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moka::cpu {
HWY_EXPORT(GetBf16Table);
const Bf16Table* ChosenBf16Table() { return HWY_DYNAMIC_DISPATCH(GetBf16Table)(); }
}  // namespace moka::cpu
#endif

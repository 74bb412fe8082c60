#include "cpu/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/byte_tile.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "cpu/byte_tile.h"
#include "cpu/simd-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

using DI = hn::RebindToSigned<D>;
using VI = hn::Vec<DI>;
using DBytes = hn::Repartition<uint8_t, D>;
using VBytes = hn::Vec<DBytes>;

// Bytes become i16: those at even places and those at odd places of the 4, whose products are added by pairs.
using D16 = hn::Repartition<int16_t, D>;
using V16 = hn::Vec<D16>;
// With a constructor of its own: an implicit one would lack the attributes of the target, and GCC would refuse to
// inline.
struct Halves {
  HWY_INLINE Halves() {}
  HWY_INLINE Halves(V16 even_bytes, V16 odd_bytes) : even(even_bytes), odd(odd_bytes) {}
  V16 even, odd;
};
using Weights = Halves;
using Inputs = Halves;
static HWY_INLINE Weights Load(const int8_t* p) {
  const D16 d;
  const V16 bytes = hn::BitCast(d, hn::LoadU(hn::Repartition<int8_t, D>(), p));
  return {hn::ShiftRight<8>(hn::ShiftLeft<8>(bytes)), hn::ShiftRight<8>(bytes)};
}
static HWY_INLINE Inputs Make(VI bytes) {
  const D16 d;
  const hn::RebindToUnsigned<D16> du;
  const V16 pairs = hn::BitCast(d, bytes);
  return {hn::And(pairs, hn::Set(d, 0xFF)), hn::BitCast(d, hn::ShiftRight<8>(hn::BitCast(du, pairs)))};
}
// a[2i] * b[2i] + a[2i + 1] * b[2i + 1]. No product or sum of two leaves i32.
static HWY_INLINE VI AddPairs(VI sum, V16 a, V16 b) {
  const DI d;
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4
  auto unused = hn::Zero(d);
  return hn::ReorderWidenMulAccumulate(d, a, b, sum, unused);
#else
  auto upper = hn::Zero(d);
  const auto lower = hn::ReorderWidenMulAccumulate(d, a, b, hn::Zero(d), upper);
  return hn::Add(sum, hn::RearrangeToOddPlusEven(lower, upper));
#endif
}
static HWY_INLINE VI Dot4(VI sum, const Inputs& a, const Weights& b) {
  return AddPairs(AddPairs(sum, a.even, b.even), a.odd, b.odd);
}
// Highway's conversion mends what is too large, which costs as much as all the rest.
static HWY_INLINE VI RoundInRange(V x) {
#if HWY_TARGET == HWY_AVX3
  return VI{_mm512_cvtps_epi32(x.raw)};
#elif HWY_TARGET == HWY_AVX2
  return VI{_mm256_cvtps_epi32(x.raw)};
#elif HWY_TARGET == HWY_SSE4
  return VI{_mm_cvtps_epi32(x.raw)};
#else
  return hn::NearestInt(x);
#endif
}
static HWY_INLINE VBytes PackLanes(const VI (&values)[4], VI bias) {
  const DBytes d;
  const DI di;
  const VI lowest = hn::Zero(di), highest = hn::Set(di, 255);
  alignas(16) static constexpr uint8_t kFrom[4][16] = {
      {0, 4, 8, 12, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128},
      {128, 128, 128, 128, 0, 4, 8, 12, 128, 128, 128, 128, 128, 128, 128, 128},
      {128, 128, 128, 128, 128, 128, 128, 128, 0, 4, 8, 12, 128, 128, 128, 128},
      {128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 0, 4, 8, 12}};
  VBytes result = hn::Zero(d);
  MOKA_UNROLL for (int j = 0; j < 4; ++j) {
    result = hn::Or(
        result,
        hn::TableLookupBytesOr0(
            hn::BitCast(d, hn::Min(hn::Max(hn::Add(hn::Max(values[j], hn::Set(di, -512)), bias), lowest), highest)),
            hn::LoadDup128(d, kFrom[j])));
  }
  return result;
}

static constexpr ByteLinePartFn kLineTail = nullptr;
#include "cpu/byte_finish-inl.h"
// Behind it.
#include "cpu/byte_depthwise-inl.h"
#include "cpu/byte_tile-inl.h"

const ByteTable* GetPlainByteTable() {
  static constexpr ByteTable kTable = {kLanes,
                                       {kLanes, 2 * kLanes},
                                       {{},
                                        {nullptr, &ByteTile<1, 1>, &ByteTile<2, 1>, nullptr, &ByteTile<4, 1>},
                                        {nullptr, &ByteTile<1, 2>, &ByteTile<2, 2>, nullptr, &ByteTile<4, 2>, nullptr,
                                         nullptr, nullptr, HWY_TARGET <= HWY_AVX3 ? &ByteTile<8, 2> : nullptr}},
                                       &ByteDepthwise,
                                       &ByteLine,
                                       kLanes,
                                       nullptr};
  return &kTable;
}

#else
const ByteTable* GetPlainByteTable() { return nullptr; }
#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

// Highway 1.0.3 has no target with VNNI that can be used (its AVX3_DL lacks the flag), and later versions' targets
// would cost build time for all other files: so this is a variant of AVX3, chosen at run time.
#if HWY_TARGET == HWY_AVX3
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")
namespace moka::cpu {

// Vectors of half the length, for the last channels of depthwise convolutions.
namespace N_AVX3_VNNI_HALF {
namespace hn = hwy::HWY_NAMESPACE;
inline constexpr int kLanes = HWY_NAMESPACE::kLanes / 2;
using D = hn::CappedTag<float, kLanes>;
using V = hn::Vec<D>;
using DI = hn::RebindToSigned<D>;
using VI = hn::Vec<DI>;
using DBytes = hn::Repartition<uint8_t, D>;
using VBytes = hn::Vec<DBytes>;

using Weights = VI;
using Inputs = VI;
static HWY_INLINE Weights Load(const int8_t* p) {
  return hn::BitCast(DI(), hn::LoadU(hn::Repartition<int8_t, D>(), p));
}
static HWY_INLINE Inputs Make(Inputs bytes) { return bytes; }
static HWY_INLINE VI Dot4(VI sum, VI a, VI b) { return VI{_mm256_dpbusd_epi32(sum.raw, a.raw, b.raw)}; }
static HWY_INLINE VI RoundInRange(V x) { return VI{_mm256_cvtps_epi32(x.raw)}; }
static HWY_INLINE VBytes PackLanes(const VI (&lanes)[4], VI bias) {
  const __m256i biases = _mm256_packs_epi32(bias.raw, bias.raw);
  const __m256i lower = _mm256_adds_epi16(_mm256_packs_epi32(lanes[0].raw, lanes[1].raw), biases);
  const __m256i upper = _mm256_adds_epi16(_mm256_packs_epi32(lanes[2].raw, lanes[3].raw), biases);
  return VBytes{_mm256_packus_epi16(lower, upper)};
}
static constexpr ByteLinePartFn kLineTail = nullptr;
#include "cpu/byte_finish-inl.h"
// Behind it.
#include "cpu/byte_depthwise-inl.h"
}  // namespace N_AVX3_VNNI_HALF
}  // namespace moka::cpu
HWY_POP_ATTRIBUTES

HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")
namespace moka::cpu {
namespace N_AVX3_VNNI {
namespace hn = hwy::HWY_NAMESPACE;
using HWY_NAMESPACE::D;
using HWY_NAMESPACE::kLanes;
using HWY_NAMESPACE::StorePart;
using HWY_NAMESPACE::V;

using HWY_NAMESPACE::DBytes;
using HWY_NAMESPACE::DI;
using HWY_NAMESPACE::VBytes;
using HWY_NAMESPACE::VI;

using Weights = VI;
using Inputs = VI;
static HWY_INLINE Weights Load(const int8_t* p) {
  return hn::BitCast(hn::RebindToSigned<D>(), hn::LoadU(hn::Repartition<int8_t, D>(), p));
}
static HWY_INLINE Inputs Make(Inputs bytes) { return bytes; }
static HWY_INLINE Weights Dot4(Weights sum, Inputs a, Weights b) {
  return Weights{_mm512_dpbusd_epi32(sum.raw, a.raw, b.raw)};
}
static HWY_INLINE VI RoundInRange(V x) { return VI{_mm512_cvtps_epi32(x.raw)}; }
static HWY_INLINE VBytes PackLanes(const VI (&lanes)[4], VI bias) {
  const __m512i biases = _mm512_packs_epi32(bias.raw, bias.raw);
  const __m512i lower = _mm512_adds_epi16(_mm512_packs_epi32(lanes[0].raw, lanes[1].raw), biases);
  const __m512i upper = _mm512_adds_epi16(_mm512_packs_epi32(lanes[2].raw, lanes[3].raw), biases);
  return VBytes{_mm512_packus_epi16(lower, upper)};
}
static constexpr ByteLinePartFn kLineTail = &N_AVX3_VNNI_HALF::ByteLinePart;
#include "cpu/byte_finish-inl.h"
// Behind it.
#include "cpu/byte_depthwise-inl.h"
#include "cpu/byte_tile-inl.h"

static const ByteTable* GetTable() {
  static constexpr ByteTable kTable = {
      kLanes,
      {kLanes, 4 * kLanes},
      {{},
       {nullptr, &ByteTile<1, 1>, &ByteTile<2, 1>, nullptr, &ByteTile<4, 1>, nullptr, nullptr, nullptr, &ByteTile<8, 1>,
        nullptr, nullptr, nullptr, &ByteTile<12, 1>},
       {nullptr, &ByteTile<1, 2>, &ByteTile<2, 2>, nullptr, &ByteTile<4, 2>, nullptr, nullptr, nullptr, &ByteTile<8, 2>,
        nullptr, nullptr, nullptr, &ByteTile<12, 2>},
       {nullptr, &ByteTile<1, 3>, &ByteTile<2, 3>, nullptr, &ByteTile<4, 3>, nullptr, nullptr, nullptr,
        &ByteTile<8, 3>},
       {nullptr, &ByteTile<1, 4>, &ByteTile<2, 4>, &ByteTile<3, 4>, &ByteTile<4, 4>, &ByteTile<5, 4>, &ByteTile<6, 4>}},
      &ByteDepthwise,
      &ByteLine,
      kLanes / 2,
      &HWY_NAMESPACE::GetPlainByteTable};
  return &kTable;
}
}  // namespace N_AVX3_VNNI
}  // namespace moka::cpu
HWY_POP_ATTRIBUTES
#endif

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
const ByteTable* GetByteTable() {
#if HWY_TARGET == HWY_AVX3
  if (__builtin_cpu_supports("avx512vnni")) return N_AVX3_VNNI::GetTable();
#endif
  return GetPlainByteTable();
}
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moka::cpu {
HWY_EXPORT(GetByteTable);
const ByteTable* ChosenByteTable() { return HWY_DYNAMIC_DISPATCH(GetByteTable)(); }
}  // namespace moka::cpu
#endif

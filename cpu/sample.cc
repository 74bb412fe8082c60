#include "cpu/sample.h"

#include "cpu/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/sample.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "cpu/simd-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

void Gather(const float* src, const TapTable& table, float* dst, int64_t count) {
  const D d;
  const hn::RebindToSigned<D> di;
  constexpr int64_t N = kLanes;
  int64_t i = 0;
  for (; i + N <= count; i += N) {
    V sum = hn::Zero(d);
    for (int64_t t = 0; t < table.taps; ++t) {
      const V weight = hn::LoadU(d, table.weights + t * table.stride + i);
      const V x = hn::GatherIndex(d, src, hn::LoadU(di, table.places + t * table.stride + i));
      sum = hn::Add(sum, hn::IfThenZeroElse(hn::Eq(weight, hn::Zero(d)), hn::Mul(weight, x)));
    }
    hn::StoreU(sum, d, dst + i);
  }
  for (; i < count; ++i) {
    float sum = 0;
    for (int64_t t = 0; t < table.taps; ++t) {
      const float weight = table.weights[t * table.stride + i];
      if (weight != 0) sum += weight * src[table.places[t * table.stride + i]];
    }
    dst[i] = sum;
  }
}

// One pixel's vectors from `c` on; `part`: floats of the only vector where it is not full.
template <int kVectors, bool kPart>
HWY_INLINE void BlendPixel(const float* src, const TapTable& table, int64_t i, float* dst, int64_t part) {
  const D d;
  constexpr int64_t N = kLanes;
  V sum[kVectors];
  MOKA_UNROLL for (int u = 0; u < kVectors; ++u) sum[u] = hn::Zero(d);
  for (int64_t t = 0; t < table.taps; ++t) {
    const float weight = table.weights[t * table.stride + i];
    if (weight == 0) continue;
    const V w = hn::Set(d, weight);
    const float* p = src + table.places[t * table.stride + i];
    MOKA_UNROLL for (int u = 0; u < kVectors; ++u) {
      sum[u] = hn::MulAdd(w, kPart ? LoadPart(p, part) : hn::LoadU(d, p + u * N), sum[u]);
    }
  }
  MOKA_UNROLL for (int u = 0; u < kVectors; ++u) {
    if (kPart) {
      StorePart(sum[u], dst, part);
    } else {
      hn::StoreU(sum[u], d, dst + u * N);
    }
  }
}

void BlendPixels(const float* src, const TapTable& table, float* dst, int64_t dst_step, int64_t count,
                 int64_t channels) {
  constexpr int64_t N = kLanes;
  for (int64_t i = 0; i < count; ++i, dst += dst_step) {
    int64_t c = 0;
    for (; c + 4 * N <= channels; c += 4 * N) BlendPixel<4, false>(src + c, table, i, dst + c, 0);
    for (; c + N <= channels; c += N) BlendPixel<1, false>(src + c, table, i, dst + c, 0);
    if (c < channels) BlendPixel<1, true>(src + c, table, i, dst + c, channels - c);
  }
}

void BlendRows(const float* const* src, const float* weights, int64_t rows, float* dst, int64_t count) {
  ForEachVector(count, [&](auto part, int64_t i) HWY_ATTR {
    V sum = hn::Mul(hn::Set(D(), weights[0]), Load(part, src[0] + i));
    for (int64_t k = 1; k < rows; ++k) sum = hn::MulAdd(hn::Set(D(), weights[k]), Load(part, src[k] + i), sum);
    Store(part, sum, dst + i);
  });
}

template <class T>
void MaxBytes(const T* src, T* dst, int64_t count) {
  const hn::CappedTag<T, HWY_MAX_BYTES> d;
  constexpr int64_t N = HWY_MAX_BYTES;
  int64_t i = 0;
  for (; i + N <= count; i += N) hn::StoreU(hn::Max(hn::LoadU(d, src + i), hn::LoadU(d, dst + i)), d, dst + i);
  for (; i < count; ++i) dst[i] = src[i] > dst[i] ? src[i] : dst[i];
}

const SampleTable* GetSampleTable() {
  static constexpr SampleTable kTable = {&Gather, &BlendPixels, &BlendRows, &MaxBytes<uint8_t>, &MaxBytes<int8_t>};
  return &kTable;
}

#else
const SampleTable* GetSampleTable() { return nullptr; }
#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moka::cpu {

HWY_EXPORT(GetSampleTable);
const SampleTable* ChosenSampleTable() { return HWY_DYNAMIC_DISPATCH(GetSampleTable)(); }

}  // namespace moka::cpu
#endif

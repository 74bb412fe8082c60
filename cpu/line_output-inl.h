// What becomes of the sums of a pixel: LineOutput of cpu/depthwise.h.
#if defined(MOKA_CPU_LINE_OUTPUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_LINE_OUTPUT_INL_H_
#undef MOKA_CPU_LINE_OUTPUT_INL_H_
#else
#define MOKA_CPU_LINE_OUTPUT_INL_H_
#endif

#include <cstdint>

#include "cpu/depthwise.h"
#include "cpu/simd-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// `left` channels from here on: whole vectors are the rule.
HWY_INLINE V LoadChannels(const float* p, int64_t left) {
  return left >= kLanes ? hn::LoadU(D(), p) : LoadPart(p, left);
}

// Pixel x, the vector of channels from c on.
HWY_INLINE void FinishPixel(const LineOutput& out, int64_t x, int64_t c, V acc) {
  const D d;
  const int64_t left = out.channels - c;
  if (out.bias != nullptr) acc = hn::Add(acc, LoadChannels(out.bias + c, left));
  if (out.residual != nullptr) acc = hn::Add(acc, LoadChannels(out.residual + x * out.residual_pixel + c, left));
  acc = ClipNan(acc, hn::Set(d, out.lo), hn::Set(d, out.hi));
  float* dst = out.dst + x * out.pixel + c;
  if (left >= kLanes) {
    hn::StoreU(acc, d, dst);
  } else {
    StorePart(acc, dst, left);
  }
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

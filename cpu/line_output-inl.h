// What becomes of the sums of a pixel: LineOutput of cpu/depthwise.h.
#if defined(MOKA_CPU_LINE_OUTPUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_LINE_OUTPUT_INL_H_
#undef MOKA_CPU_LINE_OUTPUT_INL_H_
#else
#define MOKA_CPU_LINE_OUTPUT_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "cpu/depthwise.h"
#include "cpu/simd-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// The same pointer, of which the compiler no longer knows that the last step of a loop read beside it. GCC would rather
// keep what it read in the stack, and read it from there.
HWY_INLINE const float* NewPointer(const float* p) {
#if HWY_ARCH_X86 && !HWY_COMPILER_MSVC
  asm("" : "+r"(p));
#endif
  return p;
}

// The kernel rows of a line that lie inside, and the input row of the first of them.
struct RowsInside {
  int64_t begin, end, y;

  template <class Lines>
  RowsInside(const Lines& lines, int64_t line) {
    const int64_t y0 = lines.y + line * lines.stride_h;
    end = std::clamp<int64_t>(CeilDiv(lines.in_h - y0, lines.dilation_h), 0, lines.kernel_h);
    begin = std::min(y0 < 0 ? CeilDiv(-y0, lines.dilation_h) : 0, end);
    y = y0 + begin * lines.dilation_h;
  }
};

// What the sums of the vector of channels from c on start from.
template <class Part>
HWY_INLINE V StartOfSums(const LineOutput& out, Part part, int64_t c) {
  return out.bias != nullptr ? Load(part, out.bias + c) : hn::Zero(D());
}

// Pixels [x, x + kPixels) of line y, the vector of channels from c on.
template <int kPixels, class Part>
HWY_INLINE void FinishPixels(const LineOutput& out, int64_t y, int64_t x, Part part, int64_t c, V (&acc)[kPixels]) {
  const D d;
  if (out.residual != nullptr) {
    const float* residual = out.residual + y * out.residual_line + x * out.residual_pixel + c;
    MOKA_UNROLL for (int p = 0; p < kPixels; ++p) {
      acc[p] = hn::Add(acc[p], Load(part, residual));
      residual += out.residual_pixel;
    }
  }
  const V lo = hn::Set(d, out.lo), hi = hn::Set(d, out.hi);
  float* dst = out.dst + y * out.line + x * out.pixel + c;
  const int64_t step = out.pixel;
  MOKA_UNROLL for (int p = 0; p < kPixels; ++p) {
    Store(part, ClipNan(acc[p], lo, hi), dst);
    dst += step;
  }
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

#include <algorithm>

#include "cpu/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/winograd.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "cpu/simd-inl.h"
#include "cpu/winograd.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

constexpr float kA = static_cast<float>(kWinogradA), kB = static_cast<float>(kWinogradB);
constexpr float kA2 = 0.5f, kB2 = 2.0f, kSum = kA2 + kB2;

// B^T.
static HWY_INLINE void TransformInput(V (&d)[6]) {
  const D t;
  const V a2 = hn::Set(t, kA2), b2 = hn::Set(t, kB2), sum = hn::Set(t, kSum);
  const V even_a = hn::NegMulAdd(b2, d[2], d[4]), odd_a = hn::Mul(hn::Set(t, kA), hn::NegMulAdd(b2, d[1], d[3]));
  const V even_b = hn::NegMulAdd(a2, d[2], d[4]), odd_b = hn::Mul(hn::Set(t, kB), hn::NegMulAdd(a2, d[1], d[3]));
  d[0] = hn::Add(d[0], hn::NegMulAdd(sum, d[2], d[4]));
  d[5] = hn::Add(d[1], hn::NegMulAdd(sum, d[3], d[5]));
  d[1] = hn::Add(even_a, odd_a);
  d[2] = hn::Sub(even_a, odd_a);
  d[3] = hn::Add(even_b, odd_b);
  d[4] = hn::Sub(even_b, odd_b);
}

static HWY_INLINE void TransformInput(V (&d)[4]) {
  const V d1 = d[1];
  d[0] = hn::Sub(d[0], d[2]);
  d[1] = hn::Add(d[2], d1);
  d[2] = hn::Sub(d[2], d1);
  d[3] = hn::Sub(d[3], d1);
}

// A^T: the first ones, all but two, are the result.
static HWY_INLINE void TransformOutput(V (&m)[6]) {
  const D t;
  const V even_a = hn::Add(m[1], m[2]), odd_a = hn::Mul(hn::Set(t, kA), hn::Sub(m[1], m[2]));
  const V even_b = hn::Add(m[3], m[4]), odd_b = hn::Mul(hn::Set(t, kB), hn::Sub(m[3], m[4]));
  const V a2 = hn::Set(t, kA2), b2 = hn::Set(t, kB2);
  m[0] = hn::Add(m[0], hn::Add(even_a, even_b));
  m[1] = hn::Add(odd_a, odd_b);
  m[2] = hn::MulAdd(a2, even_a, hn::Mul(b2, even_b));
  m[3] = hn::Add(hn::MulAdd(a2, odd_a, hn::Mul(b2, odd_b)), m[5]);
}

static HWY_INLINE void TransformOutput(V (&m)[4]) {
  m[0] = hn::Add(m[0], hn::Add(m[1], m[2]));
  m[1] = hn::Add(hn::Sub(m[1], m[2]), m[3]);
}

template <int kOut, class Part>
static HWY_INLINE void InputVector(const float* const* pixels, Part part, int64_t c, float* dst, int64_t step) {
  const D d;
  constexpr int kIn = kOut + 2;
  HWY_ALIGN float columns[kIn * kIn * kLanes];
  for (int x = 0; x < kIn; ++x) {
    V line[kIn];
    MOKA_UNROLL for (int y = 0; y < kIn; ++y) line[y] = Load(part, pixels[y * kIn + x] + c);
    TransformInput(line);
    MOKA_UNROLL for (int y = 0; y < kIn; ++y) hn::Store(line[y], d, columns + (y * kIn + x) * kLanes);
  }
  for (int y = 0; y < kIn; ++y) {
    V line[kIn];
    MOKA_UNROLL for (int x = 0; x < kIn; ++x) line[x] = hn::Load(d, columns + (y * kIn + x) * kLanes);
    TransformInput(line);
    MOKA_UNROLL for (int x = 0; x < kIn; ++x) hn::StoreU(line[x], d, dst + (y * kIn + x) * step + c);
  }
}

template <int kOut>
void Input(const float* const* pixels, int64_t channels, float* dst, int64_t step) {
  ForEachVector(channels, [&](auto part, int64_t c) HWY_ATTR { InputVector<kOut>(pixels, part, c, dst, step); });
}

template <int kOut, class Part>
static HWY_INLINE void OutputVector(const WinogradOutput& args, Part part, int64_t c) {
  const D d;
  constexpr int kIn = kOut + 2;
  HWY_ALIGN float columns[kOut * kIn * kLanes];
  for (int x = 0; x < kIn; ++x) {
    V line[kIn];
    MOKA_UNROLL for (int y = 0; y < kIn; ++y) { line[y] = Load(part, args.sums + (y * kIn + x) * args.step + c); }
    TransformOutput(line);
    MOKA_UNROLL for (int y = 0; y < kOut; ++y) hn::Store(line[y], d, columns + (y * kIn + x) * kLanes);
  }
  const V bias = args.bias != nullptr ? Load(part, args.bias + c) : hn::Zero(d);
  const V lo = hn::Set(d, args.lo), hi = hn::Set(d, args.hi);
  for (int64_t y = 0; y < args.rows; ++y) {
    V line[kIn];
    MOKA_UNROLL for (int x = 0; x < kIn; ++x) line[x] = hn::Load(d, columns + (y * kIn + x) * kLanes);
    TransformOutput(line);
    MOKA_UNROLL for (int x = 0; x < kOut; ++x) {
      if (x >= args.cols) break;
      V result = hn::Add(line[x], bias);
      if (args.residual != nullptr) {
        result = hn::Add(result, Load(part, args.residual + y * args.residual_row + x * args.residual_pixel + c));
      }
      Store(part, ClipNan(result, lo, hi), args.dst + y * args.dst_row + x * args.dst_pixel + c);
    }
  }
}

template <int kOut>
void Output(const WinogradOutput& args) {
  ForEachVector(args.channels, [&](auto part, int64_t c) HWY_ATTR { OutputVector<kOut>(args, part, c); });
}

// Kernels side by side, in f64 so that weights are rounded once. The compiler makes vectors of these loops: Highway has
// no f64 for WebAssembly.
constexpr int64_t kSide = 16;
using Side = double[kSide];

// G of three: src are `step` apart, dst `dst_step`.
template <int kOut>
HWY_INLINE void TransformKernels(const Side* src, int step, Side* dst, int dst_step) {
  constexpr double a = kWinogradA, b = kWinogradB, a2 = 0.5, b2 = 2;
  constexpr double at_a = 1 / (2 * a2 * (a2 - b2)), at_b = 1 / (2 * b2 * (b2 - a2));
  for (int64_t n = 0; n < kSide; ++n) {
    const double g0 = src[0][n], g1 = src[step][n], g2 = src[2 * step][n];
    dst[0][n] = g0;
    dst[(kOut + 1) * dst_step][n] = g2;
    if constexpr (kOut == 2) {
      dst[dst_step][n] = (g0 + g2 + g1) / 2;
      dst[2 * dst_step][n] = (g0 + g2 - g1) / 2;
      continue;
    }
    dst[dst_step][n] = (g0 + a2 * g2 + a * g1) * at_a;
    dst[2 * dst_step][n] = (g0 + a2 * g2 - a * g1) * at_a;
    dst[3 * dst_step][n] = (g0 + b2 * g2 + b * g1) * at_b;
    dst[4 * dst_step][n] = (g0 + b2 * g2 - b * g1) * at_b;
  }
}

// Points are far apart and none of their lines is in a cache: whole lines are written past it.
static HWY_INLINE void StoreSide(const Side& line, int64_t count, bool aligned, float* dst) {
  HWY_ALIGN float rounded[kSide];
  for (int64_t n = 0; n < kSide; ++n) rounded[n] = static_cast<float>(line[n]);
  if (aligned) {
    const D d;
    for (int64_t n = 0; n < kSide; n += kLanes) hn::Stream(hn::Load(d, rounded + n), d, dst + n);
  } else {
    std::memcpy(dst, rounded, static_cast<size_t>(count) * sizeof(float));
  }
}

template <int kOut>
void Weights(const float* taps, int64_t width, float* dst, int64_t step) {
  constexpr int kIn = kOut + 2;
  constexpr size_t kAlignment = kLanes * sizeof(float);
  Side g[9] = {}, rows[3 * kIn], points[kIn];
  const bool even = reinterpret_cast<uintptr_t>(dst) % kAlignment == 0 && step % kLanes == 0;
  for (int64_t first = 0; first < width; first += kSide) {
    const int64_t count = std::min(width - first, kSide);
    for (int i = 0; i < 9; ++i) {
      float line[kSide] = {};
      std::memcpy(line, taps + i * width + first, static_cast<size_t>(count) * sizeof(float));
      for (int64_t n = 0; n < kSide; ++n) g[i][n] = line[n];
    }
    for (int x = 0; x < 3; ++x) TransformKernels<kOut>(g + x, 3, rows + x, 3);
    for (int y = 0; y < kIn; ++y) {
      TransformKernels<kOut>(rows + 3 * y, 1, points, 1);
      for (int x = 0; x < kIn; ++x) {
        StoreSide(points[x], count, even && count == kSide, dst + (y * kIn + x) * step + first);
      }
    }
  }
}

const WinogradTable* GetWinogradTable() {
  static constexpr WinogradTable kTable = {
      {{4, &Input<4>, &Output<4>, &Weights<4>}, {2, &Input<2>, &Output<2>, &Weights<2>}}};
  return &kTable;
}

#else
const WinogradTable* GetWinogradTable() { return nullptr; }
#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moka::cpu {
HWY_EXPORT(GetWinogradTable);
const WinogradTable* ChosenWinogradTable() { return HWY_DYNAMIC_DISPATCH(GetWinogradTable)(); }
}  // namespace moka::cpu
#endif

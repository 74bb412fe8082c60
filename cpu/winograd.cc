#include <algorithm>

#include "cpu/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/winograd.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "cpu/simd-inl.h"
#include "cpu/winograd.h"
#include "hwy/cache_control.h"
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

// Strides of 2: of the even inputs by the points, then the odd ones.
static HWY_INLINE void TransformInput(V (&d)[9]) {
  const D t;
  const V a2 = hn::Set(t, kA2), b2 = hn::Set(t, kB2);
  const V even_a = hn::NegMulAdd(b2, d[2], d[6]), odd_a = hn::Mul(hn::Set(t, kA), hn::NegMulAdd(b2, d[0], d[4]));
  const V even_b = hn::NegMulAdd(a2, d[2], d[6]), odd_b = hn::Mul(hn::Set(t, kB), hn::NegMulAdd(a2, d[0], d[4]));
  const V last = hn::Add(d[0], hn::NegMulAdd(hn::Set(t, kSum), d[4], d[8]));
  d[6] = d[3];
  d[8] = d[7];
  d[7] = d[5];
  d[5] = d[1];
  d[0] = hn::Add(even_a, odd_a);
  d[1] = hn::Sub(even_a, odd_a);
  d[2] = hn::Add(even_b, odd_b);
  d[3] = hn::Sub(even_b, odd_b);
  d[4] = last;
}

static HWY_INLINE void TransformInput(V (&d)[5]) {
  const V odd = d[1];
  d[0] = hn::Sub(d[0], d[2]);
  d[1] = d[2];
  d[2] = hn::Sub(d[4], d[2]);
  d[4] = d[3];
  d[3] = odd;
}

static HWY_INLINE void TransformInput(V (&d)[4]) {
  const V d1 = d[1];
  d[0] = hn::Sub(d[0], d[2]);
  d[1] = hn::Add(d[2], d1);
  d[2] = hn::Sub(d[2], d1);
  d[3] = hn::Sub(d[3], d1);
}

// A^T: the first ones are the result.
template <int kOut>
static HWY_INLINE void TransformOutput(V (&m)[6]) {
  const D t;
  const V even_a = hn::Add(m[1], m[2]), odd_a = hn::Sub(m[1], m[2]);
  const V even_b = hn::Add(m[3], m[4]), odd_b = hn::Sub(m[3], m[4]);
  m[0] = hn::Add(m[0], hn::Add(even_a, even_b));
  if constexpr (kOut == 2) {
    m[1] = hn::MulAdd(hn::Set(t, kA), odd_a, hn::MulAdd(hn::Set(t, kB), odd_b, m[5]));
    return;
  }
  m[1] = hn::MulAdd(hn::Set(t, kA), odd_a, hn::Mul(hn::Set(t, kB), odd_b));
  m[2] = hn::MulAdd(hn::Set(t, kA2), even_a, hn::Mul(hn::Set(t, kB2), even_b));
  m[3] = hn::MulAdd(hn::Set(t, kA * kA2), odd_a, hn::MulAdd(hn::Set(t, kB * kB2), odd_b, m[5]));
}

template <int kOut>
static HWY_INLINE void TransformOutput(V (&m)[4]) {
  m[0] = hn::Add(m[0], hn::Add(m[1], m[2]));
  m[1] = hn::Add(hn::Sub(m[1], m[2]), m[3]);
}

template <int kOut>
static HWY_INLINE void TransformOutput(V (&m)[9]) {
  const D t;
  const V even_a = hn::Add(m[0], m[1]), odd_a = hn::Sub(m[0], m[1]);
  const V even_b = hn::Add(m[2], m[3]), odd_b = hn::Sub(m[2], m[3]);
  m[0] = hn::Add(m[5], hn::Add(even_a, even_b));
  m[1] = hn::MulAdd(hn::Set(t, kA), odd_a, hn::MulAdd(hn::Set(t, kB), odd_b, m[6]));
  m[2] = hn::MulAdd(hn::Set(t, kA2), even_a, hn::MulAdd(hn::Set(t, kB2), even_b, m[7]));
  const V last = hn::Add(m[4], m[8]);
  m[3] = hn::MulAdd(hn::Set(t, kA * kA2), odd_a, hn::MulAdd(hn::Set(t, kB * kB2), odd_b, last));
}

template <int kOut>
static HWY_INLINE void TransformOutput(V (&m)[5]) {
  m[0] = hn::Add(m[0], hn::Add(m[1], m[3]));
  m[1] = hn::Add(m[1], hn::Add(m[2], m[4]));
}

// Inputs of a tile along a side.
template <int kOut, int kStride, int kTaps>
inline constexpr int kInputs = (kOut - 1) * kStride + kTaps;

// Rows of B^T that share their sums are made together. With strides of 1 the first and the last one are the pair of 0
// and infinity.
template <int kIn, int kPair>
inline constexpr int kRowOf[2] = {2 * kPair, 2 * kPair + 1};
template <int kPair>
inline constexpr int kRowOf<6, kPair>[2] = {kPair == 0 ? 0 : 2 * kPair - 1, kPair == 0 ? 5 : 2 * kPair};
template <int kPair>
inline constexpr int kRowOf<4, kPair>[2] = {kPair == 0 ? 0 : 1, kPair == 0 ? 3 : 2};

// Two rows of the result stay in registers between the passes. The compiler leaves out what only other rows need.
template <int kIn, int kPair, class Part>
static HWY_INLINE void InputRows(const WinogradInput& args, Part part, int64_t c) {
  constexpr int kRows = kIn % 2 != 0 && kPair == kIn / 2 ? 1 : 2;
  V rows[kRows][kIn];
  MOKA_UNROLL for (int x = 0; x < kIn; ++x) {
    V line[kIn];
    MOKA_UNROLL for (int y = 0; y < kIn; ++y) line[y] = Load(part, args.pixels[y * kIn + x] + c);
    TransformInput(line);
    MOKA_UNROLL for (int i = 0; i < kRows; ++i) rows[i][x] = line[kRowOf<kIn, kPair>[i]];
  }
  MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
    TransformInput(rows[i]);
    float* dst = args.dst + kRowOf<kIn, kPair>[i] * kIn * args.step + c;
    MOKA_UNROLL for (int x = 0; x < kIn; ++x) hn::StoreU(rows[i][x], D(), dst + x * args.step);
  }
}

// Pixels from kFresh on are not in the tile before.
template <int kIn, int kFresh, class Part>
static HWY_INLINE void InputVector(const WinogradInput& args, Part part, int64_t c) {
  if (args.ahead != 0) {
    MOKA_UNROLL for (int y = 0; y < kIn; ++y) {
      MOKA_UNROLL for (int x = kFresh; x < kIn; ++x) { hwy::Prefetch(args.pixels[y * kIn + x] + args.ahead + c); }
    }
  }
  InputRows<kIn, 0>(args, part, c);
  InputRows<kIn, 1>(args, part, c);
  if constexpr (kIn > 4) InputRows<kIn, 2>(args, part, c);
  if constexpr (kIn > 6) InputRows<kIn, 3>(args, part, c);
  if constexpr (kIn > 8) InputRows<kIn, 4>(args, part, c);
}

template <int kIn, int kFresh>
void Input(const WinogradInput& args) {
  ForEachVector(args.channels, [&](auto part, int64_t c) HWY_ATTR { InputVector<kIn, kFresh>(args, part, c); });
}

template <int kCols, class Part>
static HWY_INLINE void FinishLine(const WinogradOutput& args, int64_t y, int64_t cols, Part part, int64_t c,
                                  V (&line)[kCols]) {
  const D d;
  float* dst = args.dst + y * args.dst_row + c;
  const float* residual = args.residual + y * args.residual_row + c;
  const V bias = args.bias != nullptr ? Load(part, args.bias + c) : hn::Zero(d);
  const V lo = hn::Set(d, args.lo), hi = hn::Set(d, args.hi);
  MOKA_UNROLL for (int x = 0; x < kCols; ++x) {
    if (x >= cols) break;
    V result = hn::Add(line[x], bias);
    if (args.residual != nullptr) {
      result = hn::Add(result, Load(part, residual));
      residual += args.residual_pixel;
    }
    Store(part, ClipNan(result, lo, hi), dst);
    dst += args.dst_pixel;
  }
}

// Two rows, kFirst and half of the outputs further.
template <int kOut, int kIn, int kFirst, bool kWhole, class Part>
static HWY_INLINE void OutputRows(const WinogradOutput& args, Part part, int64_t c) {
  V rows[2][kIn];
  MOKA_UNROLL for (int x = 0; x < kIn; ++x) {
    V line[kIn];
    const float* sums = args.sums + x * args.step + c;
    MOKA_UNROLL for (int y = 0; y < kIn; ++y) line[y] = Load(part, sums + y * kIn * args.step);
    TransformOutput<kOut>(line);
    MOKA_UNROLL for (int i = 0; i < 2; ++i) rows[i][x] = line[i * kOut / 2 + kFirst];
  }
  MOKA_UNROLL for (int i = 0; i < 2; ++i) {
    const int64_t y = i * kOut / 2 + kFirst;
    if (!kWhole && y >= args.rows) return;
    TransformOutput<kOut>(rows[i]);
    V line[kOut];
    MOKA_UNROLL for (int x = 0; x < kOut; ++x) line[x] = rows[i][x];
    FinishLine(args, y, kWhole ? kOut : args.cols, part, c, line);
  }
}

template <int kOut, int kIn, bool kWhole, class Part>
static HWY_INLINE void OutputVector(const WinogradOutput& args, Part part, int64_t c) {
  OutputRows<kOut, kIn, 0, kWhole>(args, part, c);
  if constexpr (kOut > 2) OutputRows<kOut, kIn, 1, kWhole>(args, part, c);
}

template <int kOut, int kIn>
void Output(const WinogradOutput& args) {
  const bool whole = args.rows == kOut && args.cols == kOut;
  ForEachVector(args.channels, [&](auto part, int64_t c) HWY_ATTR {
    if (whole && part.full) {
      OutputVector<kOut, kIn, true>(args, FullVector(), c);
    } else {
      OutputVector<kOut, kIn, false>(args, part, c);
    }
  });
}

// Kernels side by side, in f64 so that weights are rounded once. The compiler makes vectors of these loops: Highway has
// no f64 for WebAssembly.
constexpr int64_t kSide = 16;
using Side = double[kSide];

constexpr double kAtA = 1 / (2 * 0.5 * (0.5 - 2)), kAtB = 1 / (2 * 2 * (2 - 0.5));  // 1 / (2 a^2 (a^2 - b^2)) and so on

// G of three: src are `step` apart, dst `dst_step`. With strides of 2 that of the outer two, then the one between them,
// by which all odd inputs are multiplied.
template <int kOut, int kStride>
HWY_INLINE void TransformThree(const Side* src, int step, Side* dst, int dst_step) {
  constexpr double a = kWinogradA, b = kWinogradB, a2 = 0.5, b2 = 2;
  for (int64_t n = 0; n < kSide; ++n) {
    const double g0 = src[0][n], g1 = src[step][n], g2 = src[2 * step][n];
    if constexpr (kStride == 2 && kOut == 2) {
      dst[0][n] = g0;
      dst[dst_step][n] = g0 + g2;
      dst[2 * dst_step][n] = g2;
      dst[3 * dst_step][n] = g1;
    } else if constexpr (kStride == 2) {
      dst[0][n] = (g0 + a * g2) * (a * kAtA);
      dst[dst_step][n] = (g0 - a * g2) * (-a * kAtA);
      dst[2 * dst_step][n] = (g0 + b * g2) * (b * kAtB);
      dst[3 * dst_step][n] = (g0 - b * g2) * (-b * kAtB);
      dst[4 * dst_step][n] = g2;
      dst[5 * dst_step][n] = g1;
    } else if constexpr (kOut == 2) {
      dst[0][n] = g0;
      dst[dst_step][n] = (g0 + g2 + g1) / 2;
      dst[2 * dst_step][n] = (g0 + g2 - g1) / 2;
      dst[3 * dst_step][n] = g2;
    } else {
      dst[0][n] = g0;
      dst[dst_step][n] = (g0 + a2 * g2 + a * g1) * kAtA;
      dst[2 * dst_step][n] = (g0 + a2 * g2 - a * g1) * kAtA;
      dst[3 * dst_step][n] = (g0 + b2 * g2 + b * g1) * kAtB;
      dst[4 * dst_step][n] = (g0 + b2 * g2 - b * g1) * kAtB;
      dst[5 * dst_step][n] = g2;
    }
  }
}

// The same of five, whose two outputs share the points of four.
HWY_INLINE void TransformFive(const Side* src, int step, Side* dst, int dst_step) {
  constexpr double a = kWinogradA, b = kWinogradB, a2 = 0.5, b2 = 2;
  for (int64_t n = 0; n < kSide; ++n) {
    const double g0 = src[0][n], g1 = src[step][n], g2 = src[2 * step][n], g3 = src[3 * step][n], g4 = src[4 * step][n];
    const double even_a = g0 + a2 * (g2 + a2 * g4), odd_a = a * (g1 + a2 * g3);
    const double even_b = g0 + b2 * (g2 + b2 * g4), odd_b = b * (g1 + b2 * g3);
    dst[0][n] = g0;
    dst[dst_step][n] = (even_a + odd_a) * kAtA;
    dst[2 * dst_step][n] = (even_a - odd_a) * kAtA;
    dst[3 * dst_step][n] = (even_b + odd_b) * kAtB;
    dst[4 * dst_step][n] = (even_b - odd_b) * kAtB;
    dst[5 * dst_step][n] = g4;
  }
}

template <int kOut, int kStride, int kTaps>
HWY_INLINE void TransformKernels(const Side* src, int step, Side* dst, int dst_step) {
  if constexpr (kTaps == 5) {
    TransformFive(src, step, dst, dst_step);
  } else {
    TransformThree<kOut, kStride>(src, step, dst, dst_step);
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

template <int kOut, int kStride, int kTaps>
void Weights(const float* taps, int64_t width, float* dst, int64_t step) {
  constexpr int kKernels = kOut + kTaps - 1;  // along a side
  constexpr size_t kAlignment = kLanes * sizeof(float);
  Side g[kTaps * kTaps] = {}, rows[kTaps * kKernels], points[kKernels];
  const bool even = reinterpret_cast<uintptr_t>(dst) % kAlignment == 0 && step % kLanes == 0;
  for (int64_t first = 0; first < width; first += kSide) {
    const int64_t count = std::min(width - first, kSide);
    for (int i = 0; i < kTaps * kTaps; ++i) {
      float line[kSide] = {};
      std::memcpy(line, taps + i * width + first, static_cast<size_t>(count) * sizeof(float));
      for (int64_t n = 0; n < kSide; ++n) g[i][n] = line[n];
    }
    for (int x = 0; x < kTaps; ++x) TransformKernels<kOut, kStride, kTaps>(g + x, kTaps, rows + x, kTaps);
    for (int y = 0; y < kKernels; ++y) {
      TransformKernels<kOut, kStride, kTaps>(rows + kTaps * y, 1, points, 1);
      for (int x = 0; x < kKernels; ++x) {
        StoreSide(points[x], count, even && count == kSide, dst + (y * kKernels + x) * step + first);
      }
    }
  }
}

template <int kOut, int kStride, int kTaps>
constexpr WinogradSize SizeOf(int kernels) {
  constexpr int kIn = kInputs<kOut, kStride, kTaps>;
  return {kOut,
          kStride,
          kTaps,
          kIn,
          kernels,
          &Input<kIn, kIn - kOut * kStride>,
          &Output<kOut, kIn>,
          &Weights<kOut, kStride, kTaps>};
}

const WinogradTable* GetWinogradTable() {
  static constexpr WinogradTable kTable = {
      {SizeOf<4, 1, 3>(6), SizeOf<2, 1, 3>(4), SizeOf<4, 2, 3>(6), SizeOf<2, 2, 3>(4), SizeOf<2, 1, 5>(6)}};
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

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

// B^T of six.
static HWY_INLINE void TransformInput(V (&d)[kWinogradIn]) {
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

// A^T of six: the four first are the result.
static HWY_INLINE void TransformOutput(V (&m)[kWinogradIn]) {
  const D t;
  const V even_a = hn::Add(m[1], m[2]), odd_a = hn::Mul(hn::Set(t, kA), hn::Sub(m[1], m[2]));
  const V even_b = hn::Add(m[3], m[4]), odd_b = hn::Mul(hn::Set(t, kB), hn::Sub(m[3], m[4]));
  const V a2 = hn::Set(t, kA2), b2 = hn::Set(t, kB2);
  m[0] = hn::Add(m[0], hn::Add(even_a, even_b));
  m[1] = hn::Add(odd_a, odd_b);
  m[2] = hn::MulAdd(a2, even_a, hn::Mul(b2, even_b));
  m[3] = hn::Add(hn::MulAdd(a2, odd_a, hn::Mul(b2, odd_b)), m[5]);
}

template <class Part>
static HWY_INLINE void InputVector(const float* const* pixels, Part part, int64_t c, float* dst, int64_t step) {
  const D d;
  HWY_ALIGN float columns[kWinogradPoints * kLanes];
  for (int x = 0; x < kWinogradIn; ++x) {
    V line[kWinogradIn];
    MOKA_UNROLL for (int y = 0; y < kWinogradIn; ++y) line[y] = Load(part, pixels[y * kWinogradIn + x] + c);
    TransformInput(line);
    MOKA_UNROLL for (int y = 0; y < kWinogradIn; ++y) hn::Store(line[y], d, columns + (y * kWinogradIn + x) * kLanes);
  }
  for (int y = 0; y < kWinogradIn; ++y) {
    V line[kWinogradIn];
    MOKA_UNROLL for (int x = 0; x < kWinogradIn; ++x) line[x] = hn::Load(d, columns + (y * kWinogradIn + x) * kLanes);
    TransformInput(line);
    MOKA_UNROLL for (int x = 0; x < kWinogradIn; ++x) hn::StoreU(line[x], d, dst + (y * kWinogradIn + x) * step + c);
  }
}

static void Input(const float* const* pixels, int64_t channels, float* dst, int64_t step) {
  ForEachVector(channels, [&](auto part, int64_t c) HWY_ATTR { InputVector(pixels, part, c, dst, step); });
}

template <class Part>
static HWY_INLINE void OutputVector(const WinogradOutput& args, Part part, int64_t c) {
  const D d;
  HWY_ALIGN float columns[kWinogradOut * kWinogradIn * kLanes];
  for (int x = 0; x < kWinogradIn; ++x) {
    V line[kWinogradIn];
    MOKA_UNROLL for (int y = 0; y < kWinogradIn; ++y) {
      line[y] = Load(part, args.sums + (y * kWinogradIn + x) * args.step + c);
    }
    TransformOutput(line);
    MOKA_UNROLL for (int y = 0; y < kWinogradOut; ++y) hn::Store(line[y], d, columns + (y * kWinogradIn + x) * kLanes);
  }
  const V bias = args.bias != nullptr ? Load(part, args.bias + c) : hn::Zero(d);
  const V lo = hn::Set(d, args.lo), hi = hn::Set(d, args.hi);
  for (int64_t y = 0; y < args.rows; ++y) {
    V line[kWinogradIn];
    MOKA_UNROLL for (int x = 0; x < kWinogradIn; ++x) line[x] = hn::Load(d, columns + (y * kWinogradIn + x) * kLanes);
    TransformOutput(line);
    MOKA_UNROLL for (int x = 0; x < kWinogradOut; ++x) {
      if (x >= args.cols) break;
      V result = hn::Add(line[x], bias);
      if (args.residual != nullptr) {
        result = hn::Add(result, Load(part, args.residual + y * args.residual_row + x * args.residual_pixel + c));
      }
      Store(part, ClipNan(result, lo, hi), args.dst + y * args.dst_row + x * args.dst_pixel + c);
    }
  }
}

static void Output(const WinogradOutput& args) {
  ForEachVector(args.channels, [&](auto part, int64_t c) HWY_ATTR { OutputVector(args, part, c); });
}

const WinogradTable* GetWinogradTable() {
  static constexpr WinogradTable kTable = {kLanes, &Input, &Output};
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

// Each micro-operation as a loop over a tile of floats in the L1 cache.
#if defined(MOKA_CPU_MICRO_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_MICRO_INL_H_
#undef MOKA_CPU_MICRO_INL_H_
#else
#define MOKA_CPU_MICRO_INL_H_
#endif

#include "cpu/functions-inl.h"
#include "cpu/math-inl.h"
#include "cpu/simd-inl.h"
#include "cpu/tile.h"
#include "ops/micro.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

template <MicroOp kOp>
HWY_INLINE V Trigonometric(V a) {
  if constexpr (kOp == MicroOp::kSin) return VectorSin(a);
  if constexpr (kOp == MicroOp::kCos) return VectorCos(a);
  if constexpr (kOp == MicroOp::kTan) return VectorTan(a);
  if constexpr (kOp == MicroOp::kAsin) return VectorAsin(a);
  if constexpr (kOp == MicroOp::kAcos) return VectorAcos(a);
  if constexpr (kOp == MicroOp::kAtan) return VectorAtan(a);
  if constexpr (kOp == MicroOp::kSinh) return VectorSinh(a);
  if constexpr (kOp == MicroOp::kCosh) return VectorCosh(a);
  if constexpr (kOp == MicroOp::kAsinh) return VectorAsinh(a);
  if constexpr (kOp == MicroOp::kAcosh) return VectorAcosh(a);
  if constexpr (kOp == MicroOp::kAtanh) return VectorAtanh(a);
}

template <MicroOp kOp>
HWY_INLINE V Compute(V a, V b, V c) {
  const D d;
  const V one = hn::Set(d, 1.0f), zero = hn::Zero(d);
  if constexpr (kOp == MicroOp::kMov) return a;
  if constexpr (kOp == MicroOp::kAdd) return hn::Add(a, b);
  if constexpr (kOp == MicroOp::kSub) return hn::Sub(a, b);
  if constexpr (kOp == MicroOp::kMul) return hn::Mul(a, b);
  if constexpr (kOp == MicroOp::kDiv) return hn::Div(a, b);
  if constexpr (kOp == MicroOp::kMin) return MinNan(a, b);
  if constexpr (kOp == MicroOp::kMax) return MaxNan(a, b);
  if constexpr (kOp == MicroOp::kMulAdd) return hn::MulAdd(a, b, c);
  if constexpr (kOp == MicroOp::kClip) return MinNan(MaxNan(a, b), c);
  if constexpr (kOp == MicroOp::kLeakyRelu) return hn::IfThenElse(hn::Lt(a, zero), hn::Mul(a, b), a);
  if constexpr (kOp == MicroOp::kExp) return VectorExp(a);
  if constexpr (kOp == MicroOp::kTanh) return VectorTanh(a);
  if constexpr (kOp == MicroOp::kErf) return VectorErf(a);
  if constexpr (kOp == MicroOp::kSigmoid) return VectorSigmoid(a);
  if constexpr (kOp == MicroOp::kSilu) return VectorSilu(a);
  if constexpr (kOp == MicroOp::kHardSigmoid) return ClipNan(hn::MulAdd(a, b, c), zero, one);
  if constexpr (kOp == MicroOp::kHardSwish) {
    return hn::Mul(a, ClipNan(hn::MulAdd(a, hn::Set(d, 1.0f / 6), hn::Set(d, 0.5f)), zero, one));
  }
  if constexpr (kOp == MicroOp::kGelu) return VectorGelu(a);
  if constexpr (kOp == MicroOp::kSqrt) return hn::Sqrt(a);
  if constexpr (kOp == MicroOp::kLog) return VectorLog(a);
  if constexpr (kOp == MicroOp::kPow) return VectorPow(a, b);
  if constexpr (kOp == MicroOp::kMod) return EachLane(a, b, [](float x, float y) { return std::fmod(x, y); });
  if constexpr (kOp == MicroOp::kFloorMod) return EachLane(a, b, &FloorModOf);
  if constexpr (kOp == MicroOp::kAbs) return hn::Abs(a);
  if constexpr (kOp == MicroOp::kSign) {
    return hn::IfThenElse(hn::Gt(a, zero), one, hn::IfThenElse(hn::Lt(a, zero), hn::Neg(one), a));
  }
  if constexpr (kOp == MicroOp::kFloor) return hn::Floor(a);
  if constexpr (kOp == MicroOp::kCeil) return hn::Ceil(a);
  if constexpr (kOp == MicroOp::kRound) return hn::Round(a);
  if constexpr (kOp == MicroOp::kSoftplus) return VectorSoftplus(a);
  if constexpr (kOp == MicroOp::kElu) return VectorElu(a, b, c);
  if constexpr (kOp == MicroOp::kMish) return VectorMish(a);
  if constexpr (kOp == MicroOp::kGeluTanh) return VectorGeluTanh(a);
  if constexpr (kOp == MicroOp::kLess) return hn::IfThenElseZero(hn::Lt(a, b), one);
  if constexpr (kOp == MicroOp::kSelect) return hn::IfThenElse(hn::Eq(a, zero), c, b);
  if constexpr (kOp >= MicroOp::kSin && kOp <= MicroOp::kAtanh) return Trigonometric<kOp>(a);
}

// kScalars: as in TileTable::loop.
template <MicroOp kOp, int kScalars>
void Loop(float* dst, const float* a, const float* b, const float* c, int64_t n) {
  const D d;
  constexpr int64_t N = kLanes;
  constexpr int kArity = Arity(kOp);
  constexpr bool kHasB = kArity > 1 && !(kScalars & 2), kHasC = kArity > 2 && !(kScalars & 4);
  const V fixed_b = hn::Set(d, kArity > 1 && !kHasB ? *b : 0.0f);
  const V fixed_c = hn::Set(d, kArity > 2 && !kHasC ? *c : 0.0f);
  int64_t i = 0;
  for (; i + 4 * N <= n; i += 4 * N) {
    V y[4];
    MOKA_UNROLL for (int u = 0; u < 4; ++u) {
      const int64_t at = i + u * N;
      y[u] = Compute<kOp>(hn::LoadU(d, a + at), kHasB ? hn::LoadU(d, b + at) : fixed_b,
                          kHasC ? hn::LoadU(d, c + at) : fixed_c);
    }
    MOKA_UNROLL for (int u = 0; u < 4; ++u) hn::StoreU(y[u], d, dst + i + u * N);
  }
  for (; i + N <= n; i += N) {
    hn::StoreU(
        Compute<kOp>(hn::LoadU(d, a + i), kHasB ? hn::LoadU(d, b + i) : fixed_b, kHasC ? hn::LoadU(d, c + i) : fixed_c),
        d, dst + i);
  }
  if (i < n) {
    StorePart(Compute<kOp>(LoadPart(a + i, n - i), kHasB ? LoadPart(b + i, n - i) : fixed_b,
                           kHasC ? LoadPart(c + i, n - i) : fixed_c),
              dst + i, n - i);
  }
}

template <MicroOp kOp>
MicroLoopFn PickScalars(int scalars) {
  if constexpr (Arity(kOp) == 1) return &Loop<kOp, 0>;
  if constexpr (Arity(kOp) == 2) return (scalars & 2) != 0 ? &Loop<kOp, 2> : &Loop<kOp, 0>;
  if constexpr (Arity(kOp) == 3) {
    constexpr MicroLoopFn kFns[] = {&Loop<kOp, 0>, &Loop<kOp, 2>, &Loop<kOp, 4>, &Loop<kOp, 6>};
    return kFns[scalars >> 1 & 3];
  }
}

inline MicroLoopFn PickLoop(MicroOp op, int scalars) {
  switch (op) {
#define MOKA_PICK(name, arity, expression) \
  case MicroOp::k##name:                   \
    return PickScalars<MicroOp::k##name>(scalars);
    MOKA_MICRO_OPS(MOKA_PICK)
#undef MOKA_PICK
  }
  return nullptr;
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

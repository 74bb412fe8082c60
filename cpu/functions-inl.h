// Logarithms, powers, trigonometric and hyperbolic functions and the activations made of them. The polynomials are
// Highway's (contrib/math); here is what those leave open: zeros, infinities, NaN and arguments outside their ranges.
// Error bounds in units in the last place are asserted over all exponents by tests/cpu/math_test.cc.
#if defined(MOKA_CPU_FUNCTIONS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_FUNCTIONS_INL_H_
#undef MOKA_CPU_FUNCTIONS_INL_H_
#else
#define MOKA_CPU_FUNCTIONS_INL_H_
#endif

#include <cmath>
#include <limits>

#include "cpu/math-inl.h"
#include "hwy/contrib/math/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

HWY_INLINE V SetNan() { return hn::Set(D(), std::numeric_limits<float>::quiet_NaN()); }
HWY_INLINE V SetInfinity() { return hn::Set(D(), std::numeric_limits<float>::infinity()); }
HWY_INLINE V CopySignOf(V magnitude, V sign) { return hn::Or(magnitude, hn::And(hn::SignBit(D()), sign)); }
// y where x is a finite number, x itself where it is NaN or infinite.
HWY_INLINE V UnlessSpecial(V x, V y) { return hn::IfThenElse(hn::Lt(hn::Abs(x), SetInfinity()), y, x); }

// Functions that are not worth vectors of their own, one lane after the other.
template <class F>
HWY_INLINE V EachLane(V a, V b, F f) {
  const D d;
  HWY_ALIGN float x[kLanes], y[kLanes];
  hn::Store(a, d, x);
  hn::Store(b, d, y);
  for (int i = 0; i < kLanes; ++i) x[i] = f(x[i], y[i]);
  return hn::Load(d, x);
}

inline float FloorModOf(float a, float b) {
  const float rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0f, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

HWY_INLINE V VectorLog(V x) {
  const D d;
  const V y = UnlessSpecial(x, hn::Log(d, x)), zero = hn::Zero(d);
  return hn::IfThenElse(hn::Lt(x, zero), SetNan(), hn::IfThenElse(hn::Eq(x, zero), hn::Neg(SetInfinity()), y));
}

// exp(y ln(a)) in double for the magnitude a of a base: the product of 11 bits of exponent and 24 bits of mantissa
// leaves more than the 24 bits of the result.
template <class DD>
HWY_INLINE hn::Vec<DD> PowOfMagnitude(DD d, hn::Vec<DD> a, hn::Vec<DD> y) {
  const auto infinity = hn::Set(d, std::numeric_limits<double>::infinity()), zero = hn::Zero(d);
  auto log = hn::Log(d, a);
  log = hn::IfThenElse(hn::Eq(a, zero), hn::Neg(infinity), hn::IfThenElse(hn::Eq(a, infinity), infinity, log));
  const auto product = hn::IfThenZeroElse(hn::Or(hn::Eq(y, zero), hn::Eq(log, zero)), hn::Mul(log, y));
  return hn::Exp(d, hn::Min(hn::Set(d, 200.0), hn::Max(hn::Set(d, -200.0), product)));  // beyond every f32
}

#if HWY_ARCH_WASM  // no f64 in Highway 1.0.3
HWY_INLINE V VectorPow(V x, V y) {
  return EachLane(x, y, [](float a, float b) { return std::pow(a, b); });
}
#else
HWY_INLINE V VectorPow(V x, V y) {
  const D d;
  const hn::Half<D> half;
  const hn::Repartition<double, D> wide;
  const V a = hn::Abs(x), zero = hn::Zero(d), one = hn::Set(d, 1.0f);
  const auto low =
      PowOfMagnitude(wide, hn::PromoteTo(wide, hn::LowerHalf(half, a)), hn::PromoteTo(wide, hn::LowerHalf(half, y)));
  const auto high =
      PowOfMagnitude(wide, hn::PromoteTo(wide, hn::UpperHalf(half, a)), hn::PromoteTo(wide, hn::UpperHalf(half, y)));
  V result = hn::Combine(d, hn::DemoteTo(half, high), hn::DemoteTo(half, low));
  const V half_y = hn::Mul(y, hn::Set(d, 0.5f));
  const auto integer = hn::Eq(hn::Floor(y), y), odd = hn::AndNot(hn::Eq(hn::Floor(half_y), half_y), integer);
  result = hn::IfThenElse(odd, CopySignOf(result, x), result);
  const auto undefined = hn::And(hn::Lt(x, zero), hn::AndNot(integer, hn::Lt(a, SetInfinity())));
  result = hn::IfThenElse(undefined, SetNan(), result);
  const auto nan = hn::Or(hn::IsNaN(x), hn::IsNaN(y));
  result = hn::IfThenElse(nan, SetNan(), result);
  return hn::IfThenElse(hn::Or(hn::Eq(y, zero), hn::Eq(x, one)), one, result);
}
#endif

// ---- Angles: the reduction of Highway's functions holds up to about 39000 -------------------------------------------

inline constexpr float kLargestAngle = 30000.0f;

template <class Fast, class Slow>
HWY_INLINE V OfAngle(V x, Fast fast, Slow slow) {
  const D d;
  if (HWY_LIKELY(hn::AllTrue(d, hn::Lt(hn::Abs(x), hn::Set(d, kLargestAngle))))) return fast(x);
  return EachLane(x, x, [&](float a, float) { return slow(a); });
}

HWY_INLINE V VectorSin(V x) {
  return OfAngle(
      x, [](V a) HWY_ATTR { return hn::Sin(D(), a); }, [](float a) { return std::sin(a); });
}
HWY_INLINE V VectorCos(V x) {
  return OfAngle(
      x, [](V a) HWY_ATTR { return hn::Cos(D(), a); }, [](float a) { return std::cos(a); });
}
HWY_INLINE V VectorTan(V x) {
  return OfAngle(
      x, [](V a) HWY_ATTR { return hn::Div(hn::Sin(D(), a), hn::Cos(D(), a)); }, [](float a) { return std::tan(a); });
}

HWY_INLINE V VectorAsin(V x) { return hn::IfThenElse(hn::IsNaN(x), x, hn::Asin(D(), x)); }
HWY_INLINE V VectorAcos(V x) { return hn::IfThenElse(hn::IsNaN(x), x, hn::Acos(D(), x)); }
HWY_INLINE V VectorAtan(V x) { return hn::IfThenElse(hn::IsNaN(x), x, hn::Atan(D(), x)); }

// ---- Hyperbolic functions -------------------------------------------------------------------------------------------

// exp(|x|) is (e / 2) e with e = exp(|x| / 2), which does not overflow where the result does not.
HWY_INLINE V VectorCosh(V x) {
  const D d;
  const V half = hn::Set(d, 0.5f), e = VectorExp(hn::Mul(hn::Abs(x), half));
  return hn::MulAdd(hn::Mul(half, e), e, hn::Div(half, hn::Mul(e, e)));
}

// From 1 on as cosh, below it (z + z / (z + 1)) / 2 with z = exp(|x|) - 1.
HWY_INLINE V VectorSinh(V x) {
  const D d;
  const V one = hn::Set(d, 1.0f), half = hn::Set(d, 0.5f), a = hn::Abs(x);
  const V e = VectorExp(hn::Mul(a, half));
  const V large = hn::MulSub(hn::Mul(half, e), e, hn::Div(half, hn::Mul(e, e)));
  const V z = hn::Expm1(d, hn::Min(one, a));
  const V small = hn::Mul(half, hn::Add(z, hn::Div(z, hn::Add(z, one))));
  const V y = CopySignOf(hn::IfThenElse(hn::Lt(a, one), small, large), x);
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

HWY_INLINE V VectorAsinh(V x) { return UnlessSpecial(x, hn::Asinh(D(), x)); }

HWY_INLINE V VectorAcosh(V x) {
  const D d;
  return hn::IfThenElse(hn::Lt(x, hn::Set(d, 1.0f)), SetNan(), UnlessSpecial(x, hn::Acosh(d, x)));
}

HWY_INLINE V VectorAtanh(V x) {
  const D d;
  const V one = hn::Set(d, 1.0f), a = hn::Abs(x);
  const V y = hn::IfThenElse(hn::Lt(a, one), hn::Atanh(d, x), SetNan());
  return hn::IfThenElse(hn::Eq(a, one), CopySignOf(SetInfinity(), x), y);
}

// ---- Activations ----------------------------------------------------------------------------------------------------

// max(x, 0) + ln(1 + exp(-|x|)): nothing overflows.
HWY_INLINE V VectorSoftplus(V x) {
  const D d;
  const V tail = hn::Log1p(d, VectorExp(hn::Neg(hn::Abs(x))));
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Add(hn::Max(x, hn::Zero(d)), tail));
}

// c (exp(a b) - 1) where a < 0.
HWY_INLINE V VectorElu(V a, V b, V c) {
  const D d;
  const V x = ClipNan(hn::Mul(a, b), hn::Set(d, -104.0f), hn::Set(d, 89.0f));
  return hn::IfThenElse(hn::Lt(a, hn::Zero(d)), hn::Mul(c, hn::Expm1(d, x)), a);
}

// tanh(ln(1 + e)) = ((1 + e)^2 - 1) / ((1 + e)^2 + 1) = n / (n + 2) with n = e (e + 2), e = exp(x). Above 20 it is 1.
HWY_INLINE V VectorMish(V x) {
  const D d;
  const V two = hn::Set(d, 2.0f), e = VectorExp(hn::Min(x, hn::Set(d, 20.0f)));
  const V n = hn::Mul(e, hn::Add(e, two));
  return hn::Mul(x, hn::Div(n, hn::Add(n, two)));
}

// 0.5 x (1 + tanh(u)) = x / (1 + exp(-2 u)).
HWY_INLINE V VectorGeluTanh(V x) {
  const D d;
  const V cube = hn::Mul(hn::Mul(x, x), x);
  const V u = hn::Mul(hn::Set(d, 1.59576912f), hn::MulAdd(hn::Set(d, 0.044715f), cube, x));
  return TimesSigmoid(x, u);
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

// exp, tanh, erf, sigmoid and what is made of them. Coefficients: cpu/math_fit.py; error bounds in units in the last
// place are asserted over all exponents by tests/cpu/math_test.cc. NaN gives NaN, infinities their limits.
#if defined(MOKA_CPU_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_MATH_INL_H_
#undef MOKA_CPU_MATH_INL_H_
#else
#define MOKA_CPU_MATH_INL_H_
#endif

#include "cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// ((first * x + next) * x + ...) + last.
template <class... Rest>
HWY_INLINE V Polynomial(V x, float first, Rest... rest) {
  const D d;
  V sum = hn::Set(d, first);
  ((sum = hn::MulAdd(sum, x, hn::Set(d, rest))), ...);
  return sum;
}

// exp(x) = 2^n p with x = n ln(2) + r and |r| <= ln(2)/2; ln(2) is split into a part with 9 trailing zero bits, so that
// n times it is exact, and a rest.
struct ExpParts {
  V p;
  hn::Vec<hn::RebindToSigned<D>> bits;  // n in the low ones, or 2^n
};
inline constexpr float kExpRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves the rounded integer in the low bits
HWY_INLINE ExpParts SplitExp(V x) {
  const D d;
  const V biased = hn::MulAdd(x, hn::Set(d, 1.44269504f), hn::Set(d, kExpRound));
  const V n = hn::Sub(biased, hn::Set(d, kExpRound));
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693145752f), x);
  r = hn::NegMulAdd(n, hn::Set(d, 1.42860677e-6f), r);
  const V q = Polynomial(r, 1.381426610e-03f, 8.368855982e-03f, 4.166840221e-02f, 1.666651947e-01f, 4.999999337e-01f);
  const V p = hn::Add(hn::MulAdd(q, hn::Mul(r, r), r), hn::Set(d, 1.0f));
  return {p, hn::BitCast(hn::RebindToSigned<D>(), biased)};
}

// For -104 <= x <= 89 or NaN. 2^n is applied as two factors: one alone would leave the range of exponents where the
// result is denormal or infinite.
HWY_INLINE V ExpOfRange(V x) {
  const D d;
  const hn::RebindToSigned<D> di;
  const ExpParts parts = SplitExp(x);
  const auto exponent = hn::Sub(parts.bits, hn::BitCast(di, hn::Set(d, kExpRound)));
  const auto low = hn::ShiftRight<1>(exponent);
  const auto one = hn::Set(di, 127);
  const V scale_low = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(low, one)));
  const V scale_high = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::Sub(exponent, low), one)));
  return hn::Mul(hn::Mul(parts.p, scale_low), scale_high);
}

HWY_INLINE V VectorExp(V x) {
  const D d;
  return ExpOfRange(ClipNan(x, hn::Set(d, -104.0f), hn::Set(d, 89.0f)));
}

// For |x| <= 87.34 or NaN, whose results are normal numbers: one factor is enough, and its exponent is n plus the bias:
// the other bits of the rounded number are shifted out.
#if HWY_TARGET == HWY_AVX3
// exp(+-x) = 2^(n/16) p with +-x = n ln(2)/16 +- r and |r| <= ln(2)/32: a vector holds the sixteen fractions of 2, and
// a polynomial of degree 3 is within 1e-8 of exp(+-r). n, shifted to the exponent, brings its four low bits with it:
// fraction i is less by i << 19.
HWY_ALIGN static constexpr int32_t kSixteenthsOfTwo[16] = {
    0x3f800000, 0x3f7daac3, 0x3f7b95c2, 0x3f79c3d3, 0x3f7837f0, 0x3f76f532, 0x3f75fed7, 0x3f75583f,
    0x3f7504f3, 0x3f7508a4, 0x3f75672a, 0x3f76248c, 0x3f7744fd, 0x3f78ccdf, 0x3f7ac0c7, 0x3f7d257d};
template <int kSign>
HWY_INLINE ExpParts SplitNormalExp(V x) {
  const D d;
  const hn::RebindToSigned<D> di;
  const V biased = hn::MulAdd(x, hn::Set(d, kSign * 16 * 1.44269504f), hn::Set(d, kExpRound));
  const V n = hn::Sub(biased, hn::Set(d, kExpRound));
  V r = hn::MulAdd(n, hn::Set(d, -kSign * 0.693145752f / 16), x);
  r = hn::MulAdd(n, hn::Set(d, -kSign * 1.42860677e-6f / 16), r);
  const auto bits = hn::BitCast(di, biased);
  // TableLookupLanes asks for indices below 16; the instruction takes the low four bits.
  const hn::Vec<decltype(di)> fraction{_mm512_permutexvar_epi32(bits.raw, hn::Load(di, kSixteenthsOfTwo).raw)};
  return {Polynomial(r, kSign / 6.0f, 0.5f, kSign, 1.0f), hn::Add(hn::ShiftLeft<19>(bits), fraction)};
}
HWY_INLINE V ExpNormal(V x) {
  const ExpParts parts = SplitNormalExp<1>(x);
  return hn::Mul(parts.p, hn::BitCast(D(), parts.bits));
}
#else
HWY_INLINE V ExpNormal(V x) {
  const D d;
  const hn::RebindToSigned<D> di;
  const ExpParts parts = SplitExp(x);
  return hn::Mul(parts.p, hn::BitCast(d, hn::Add(hn::ShiftLeft<23>(parts.bits), hn::Set(di, 127 << 23))));
}
#endif
inline constexpr float kLowestNormalExp = -87.33654f;

// For x <= 0 or NaN. Denormal results become 0: they cost some processors several times the normal ones, and softmax
// meets them in every masked position.
HWY_INLINE V VectorExpFlushed(V x) {
  const V lowest = hn::Set(D(), kLowestNormalExp);
  return hn::IfThenZeroElse(hn::Lt(x, lowest), ExpNormal(AtLeastNan(x, lowest)));
}

HWY_INLINE V VectorTanh(V x) {
  const D d;
  x = ClipNan(x, hn::Set(d, -9.0f), hn::Set(d, 9.0f));
  const V u = hn::Mul(x, x);
  const V p = Polynomial(u, 1.332281522e-08f, 2.058651838e-05f, 3.494234547e-03f, 1.337989182e-01f, 1.0f);
  const V q = Polynomial(u, 7.763649241e-07f, 3.283408860e-04f, 2.587185078e-02f, 4.671320741e-01f, 1.0f);
  return ClipNan(hn::Div(hn::Mul(x, p), q), hn::Set(d, -1.0f), hn::Set(d, 1.0f));  // rounding may exceed 1
}

HWY_INLINE V VectorErf(V x) {
  const D d;
  x = ClipNan(x, hn::Set(d, -3.925f), hn::Set(d, 3.925f));
  const V u = hn::Mul(x, x);
  const V p = Polynomial(u, 2.042336512e-06f, 2.847640466e-04f, 3.777611436e-03f, 5.278414082e-02f, 1.907372214e-01f,
                         1.128379146e+00f);
  const V q =
      Polynomial(u, 3.800552793e-05f, 1.164728551e-03f, 1.499344388e-02f, 1.142382682e-01f, 5.023691937e-01f, 1.0f);
  return ClipNan(hn::Div(hn::Mul(x, p), q), hn::Set(d, -1.0f), hn::Set(d, 1.0f));
}

// a / (1 + exp(-x)). Small results of 1 / (1 + exp(-x)) stay precise, those below the normal numbers may be 0.
#if HWY_TARGET == HWY_AVX3
// exp(-x) is infinite from 128 ln(2) on. A division of 16 lanes takes six cycles, but next to none of the multiplier's.
HWY_INLINE V TimesSigmoid(V a, V x) {
  const D d;
  const V one = hn::Set(d, 1.0f);
  const ExpParts parts = SplitNormalExp<-1>(ClipNan(x, hn::Set(d, -88.7228394f), hn::Set(d, -kLowestNormalExp)));
  return hn::Div(a, hn::MulAdd(parts.p, hn::BitCast(d, parts.bits), one));
}
HWY_INLINE V VectorSigmoid(V x) { return TimesSigmoid(hn::Set(D(), 1.0f), x); }
#else
// e / (1 + e) for x < 0 and 1 / (1 + e) else, with e = exp(-|x|): nothing overflows.
HWY_INLINE V VectorSigmoid(V x) {
  const D d;
  const V one = hn::Set(d, 1.0f);
  const V e = VectorExpFlushed(hn::Or(x, hn::Set(d, -0.0f)));
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
}
HWY_INLINE V TimesSigmoid(V a, V x) { return hn::Mul(a, VectorSigmoid(x)); }
#endif

HWY_INLINE V VectorSilu(V x) { return TimesSigmoid(x, x); }

HWY_INLINE V VectorGelu(V x) {
  const D d;
  const V erf = VectorErf(hn::Mul(x, hn::Set(d, 0.70710678f)));
  const V half = hn::Mul(x, hn::Set(d, 0.5f));
  return hn::MulAdd(half, erf, half);
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

// The micro-operations (ops/micro.h) on float4, in the numbering of MOKA_MICRO_OPS. A NaN in an operand of Min, Max or
// Clip is the result: the min and max of GLSL and OpenCL promise nothing, so these compare and select.
#define MAP1(f, a) make4(f((a).x), f((a).y), f((a).z), f((a).w))
#define MAP2(f, a, b) make4(f((a).x, (b).x), f((a).y, (b).y), f((a).z, (b).z), f((a).w, (b).w))
#define MAP3(f, a, b, c) \
  make4(f((a).x, (b).x, (c).x), f((a).y, (b).y, (c).y), f((a).z, (b).z, (c).z), f((a).w, (b).w, (c).w))

FN float max_nan(float a, float b) { return a >= b || a != a ? a : b; }
FN float min_nan(float a, float b) { return a <= b || a != a ? a : b; }
FN float clip_nan(float x, float low, float high) { return min_nan(max_nan(x, low), high); }
FN float leaky_relu(float x, float slope) { return x < 0.0f ? x * slope : x; }
FN float exp_nan(float x) { return x != x ? x : exp(x); }
FN float sigmoid(float x) { return 1.0f / (1.0f + exp_nan(0.0f - x)); }
FN float silu(float x) { return x * sigmoid(x); }
FN float tanh_nan(float x) { return x != x ? x : tanh(clip_nan(x, -10.0f, 10.0f)); }
FN float hard_sigmoid(float x, float a, float b) { return clip_nan(a * x + b, 0.0f, 1.0f); }
FN float hard_swish(float x) { return x * hard_sigmoid(x, 0.16666667f, 0.5f); }

// Below 1/2 the Taylor series (the first term left out is below 3e-8), above it Abramowitz and Stegun 7.1.26 (1.5e-7).
FN float erf_nan(float x) {
  const float u = x * x;
  const float near = x * (1.12837917f + u * (-0.37612639f + u * (0.11283792f + u * (-0.026866170f +
                     u * (0.0052239776f - u * 0.00085483270f)))));
  const float size = x < 0.0f ? 0.0f - x : x;
  const float t = 1.0f / (1.0f + 0.3275911f * size);
  const float tail = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f +
                     t * 1.061405429f)))) * exp_nan(0.0f - u);
  const float far = x < 0.0f ? tail - 1.0f : 1.0f - tail;
  return size < 0.5f ? near : far;
}
FN float gelu(float x) { return 0.5f * x * (1.0f + erf_nan(0.70710678f * x)); }

// The remainder with the sign of a; one step of the quotient may be lost to rounding.
FN float remainder_of(float a, float b) {
  const float size = b < 0.0f ? 0.0f - b : b, whole = trunc(a / b);
  float rest = a - b * whole;
  if (rest != 0.0f && (rest < 0.0f) != (a < 0.0f)) rest = a < 0.0f ? rest - size : rest + size;
  if (rest >= size) rest = rest - size;
  if (rest <= 0.0f - size) rest = rest + size;
  return whole == 0.0f && b == b && a == a ? a : rest;
}
FN float floor_mod(float a, float b) {
  const float rest = remainder_of(a, b);
  return rest != 0.0f && (rest < 0.0f) != (b < 0.0f) ? rest + b : rest;
}
FN float abs_of(float x) { return x < 0.0f ? 0.0f - x : x == 0.0f ? 0.0f : x; }
FN float sign_of(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; }
FN float not_a_number() { return bits_float(0x7fc00000); }
FN float log_nan(float x) { return x < 0.0f || x != x ? not_a_number() : log(x); }
FN float sqrt_nan(float x) { return x < 0.0f || x != x ? not_a_number() : sqrt(x); }
// The built-in function is defined for positive bases; an odd integer exponent keeps the sign of the base.
FN float pow_nan(float x, float y) {
  const float size = abs_of(x), half_y = 0.5f * y;
  const bool odd = floor(y) == y && floor(half_y) != half_y;
  float z = size == 0.0f ? (y < 0.0f ? bits_float(0x7f800000) : 0.0f) : pow(size, y);
  if (odd && x < 0.0f) z = 0.0f - z;
  if (x < 0.0f && floor(y) != y) z = not_a_number();
  if (x != x || y != y) z = not_a_number();
  return y == 0.0f || x == 1.0f ? 1.0f : z;
}
// Near its poles the tangent needs what the built-in functions do not promise: small relative errors. The angle less
// the nearest multiple of pi/2 (its constant in two parts), then Taylor series: |r| <= pi/4.
FN float tan_of(float x) {
  const float k = round_even(x * 0.63661977f), r = (x - k * 1.5707964f) + k * 4.3711388e-8f, u = r * r;
  const float s = r * (1.0f - u * 0.16666667f * (1.0f - u * 0.05f * (1.0f - u * 0.023809524f *
                  (1.0f - u * 0.013888889f))));
  const float c = 1.0f - u * 0.5f * (1.0f - u * 0.083333333f * (1.0f - u * 0.033333333f *
                  (1.0f - u * 0.017857143f * (1.0f - u * 0.011111111f))));
  return floor(0.5f * k) == 0.5f * k ? s / c : 0.0f - c / s;
}

// The built-in functions may be off by 1e-4. Above 1 by the reciprocal, above tan(pi/8) by the angle less pi/4: what is
// left is at most tan(pi/8), where the first term that the Taylor series leaves out is below 2e-7.
FN float atan_of(float x) {
  const float size = abs_of(x), inner = size > 1.0f ? 1.0f / size : size;
  const float t = inner > 0.41421356f ? (inner - 1.0f) / (inner + 1.0f) : inner, u = t * t;
  float y = t * (1.0f - u * (0.33333333f - u * (0.2f - u * (0.14285714f - u * (0.11111111f - u * (0.090909091f -
            u * 0.076923077f))))));
  y = inner > 0.41421356f ? y + 0.78539816f : y;
  y = size > 1.0f ? 1.57079633f - y : y;
  return x != x ? x : x < 0.0f ? 0.0f - y : y;
}
FN float asin_of(float x) {
  return abs_of(x) <= 1.0f ? 2.0f * atan_of(x / (1.0f + sqrt(1.0f - x * x))) : not_a_number();
}
FN float acos_of(float x) {
  const float y = x == -1.0f ? 1.57079633f : atan_of(sqrt((1.0f - x) / (1.0f + x)));
  return abs_of(x) <= 1.0f ? 2.0f * y : not_a_number();
}
// ln(1 + x) for x > -1: the rounding of 1 + x is made good for small x.
FN float log_plus_one(float x) {
  const float u = 1.0f + x, done = u - 1.0f;
  return done == 0.0f ? x : x < 1.0f ? log(u) * (x / done) : log(u);
}
// exp(x) - 1: the Taylor series near 0 (the first term left out is below 2e-8 of the result).
FN float exp_minus_one(float x) {
  const float near = x * (1.0f + x * (0.5f + x * (0.16666667f + x * (0.041666667f + x * (0.0083333333f +
                     x * (0.0013888889f + x * 0.00019841270f))))));
  return abs_of(x) < 0.5f ? near : exp_nan(x) - 1.0f;
}
FN float sinh_of(float x) {
  const float z = exp_minus_one(abs_of(x)), y = 0.5f * (z + (z < 1e30f ? z / (z + 1.0f) : 1.0f));
  return x < 0.0f ? 0.0f - y : y;
}
FN float cosh_of(float x) {
  const float e = exp_nan(abs_of(x));
  return 0.5f * e + 0.5f / e;
}
FN float asinh_of(float x) {
  const float size = abs_of(x), u = size * size;
  const float y = log_plus_one(size + u / (1.0f + sqrt(1.0f + u)));
  return x < 0.0f ? 0.0f - y : y;
}
FN float acosh_of(float x) {
  const float u = x - 1.0f;
  return x >= 1.0f ? log_plus_one(u + sqrt(2.0f * u + u * u)) : not_a_number();
}
FN float atanh_of(float x) {
  const float size = abs_of(x), y = 0.5f * log_plus_one((size + size) / (1.0f - size));
  return size < 1.0f ? (x < 0.0f ? 0.0f - y : y) : size == 1.0f ? x * bits_float(0x7f800000) : not_a_number();
}
FN float softplus(float x) { return x != x ? x : max_nan(x, 0.0f) + log_plus_one(exp(0.0f - abs_of(x))); }
FN float elu(float x, float scale, float alpha) { return x < 0.0f ? alpha * exp_minus_one(scale * x) : x; }
FN float mish(float x) {
  const float e = exp_nan(x < 20.0f ? x : 20.0f), n = e * (e + 2.0f);
  return x * (n / (n + 2.0f));
}
FN float gelu_tanh(float x) { return x * sigmoid(1.59576912f * (x + 0.044715f * x * x * x)); }
FN float less_than(float a, float b) { return a < b ? 1.0f : 0.0f; }
FN float select_of(float a, float b, float c) { return a != 0.0f ? b : c; }

FN float4 micro_apply(int op, float4 a, float4 b, float4 c) {
  float4 y = a;
  switch (op) {
    case 1: y = a + b; break;
    case 2: y = a - b; break;
    case 3: y = a * b; break;
    case 4: y = a / b; break;
    case 5: y = MAP2(min_nan, a, b); break;
    case 6: y = MAP2(max_nan, a, b); break;
    case 7: y = a * b + c; break;
    case 8: y = MAP3(clip_nan, a, b, c); break;
    case 9: y = MAP2(leaky_relu, a, b); break;
    case 10: y = MAP1(exp_nan, a); break;
    case 11: y = MAP1(tanh_nan, a); break;
    case 12: y = MAP1(erf_nan, a); break;
    case 13: y = MAP1(sigmoid, a); break;
    case 14: y = MAP1(silu, a); break;
    case 15: y = MAP3(hard_sigmoid, a, b, c); break;
    case 16: y = MAP1(hard_swish, a); break;
    case 17: y = MAP1(gelu, a); break;
    case 18: y = MAP1(sqrt_nan, a); break;
    case 19: y = MAP1(log_nan, a); break;
    case 20: y = MAP2(pow_nan, a, b); break;
    case 21: y = MAP2(remainder_of, a, b); break;
    case 22: y = MAP2(floor_mod, a, b); break;
    case 23: y = MAP1(abs_of, a); break;
    case 24: y = MAP1(sign_of, a); break;
    case 25: y = MAP1(floor, a); break;
    case 26: y = MAP1(ceil, a); break;
    case 27: y = MAP1(round_even, a); break;
    case 28: y = MAP1(sin, a); break;
    case 29: y = MAP1(cos, a); break;
    case 30: y = MAP1(tan_of, a); break;
    case 31: y = MAP1(asin_of, a); break;
    case 32: y = MAP1(acos_of, a); break;
    case 33: y = MAP1(atan_of, a); break;
    case 34: y = MAP1(sinh_of, a); break;
    case 35: y = MAP1(cosh_of, a); break;
    case 36: y = MAP1(asinh_of, a); break;
    case 37: y = MAP1(acosh_of, a); break;
    case 38: y = MAP1(atanh_of, a); break;
    case 39: y = MAP1(softplus, a); break;
    case 40: y = MAP3(elu, a, b, c); break;
    case 41: y = MAP1(mish, a); break;
    case 42: y = MAP1(gelu_tanh, a); break;
    case 43: y = MAP2(less_than, a, b); break;
    case 44: y = MAP3(select_of, a, b, c); break;
  }
  return y;
}

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
  }
  return y;
}

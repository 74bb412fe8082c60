// The operators that multiply 8-bit matrices or images with 8-bit weights and sum in i32: which of their sources is
// what, and what becomes of a sum.
//   i32 results: the sum. f32: sum * a_scale * b_scale [+ bias]. 8 bits: saturate(round(sum * a_scale * b_scale /
//   y_scale) + y_zero); a bias is part of the sum there.
#ifndef MOKA_OPS_QUANTIZED_PRODUCT_H_
#define MOKA_OPS_QUANTIZED_PRODUCT_H_

#include "ops/op.h"

namespace moka {

// Sources by their roles; -1: the operator has no such source.
struct ProductRoles {
  int a = 0, a_scale = -1, a_zero = -1;
  int b = 1, b_scale = -1, b_zero = -1;
  int y_scale = -1, y_zero = -1;
  int bias = -1;
  // A quantized tensor that is added to the quantized result; the sum is quantized again (moka.QLinearConv).
  int residual = -1, residual_scale = -1, residual_zero = -1, sum_scale = -1, sum_zero = -1;
};
const ProductRoles& ProductRolesOf(const OpSchema& op);

// The operators' attributes besides those of Conv.
struct ProductAttributes {
  bool trans_a = false, trans_b = false;  // QGemm
  float alpha = 1;
  // moka.QLinearConv: bounds of the quantized result, and of the quantized sum with the residual.
  int64_t lo = INT64_MIN, hi = INT64_MAX, sum_lo = INT64_MIN, sum_hi = INT64_MAX;

  static Result<ProductAttributes> Read(const Attributes& attrs);
};

// What a sum is multiplied by: all factors are f32, in this order.
inline float ProductScale(float alpha, float a_scale, float b_scale, float y_scale) {
  return alpha * a_scale * b_scale / y_scale;
}

}  // namespace moka

#endif  // MOKA_OPS_QUANTIZED_PRODUCT_H_

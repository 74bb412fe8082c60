// com.microsoft: QLinearAdd, QLinearMul: src A, its scale, its zero point, the same of B, scale and zero point of dst.
// QLinearSigmoid, QLinearLeakyRelu: src X, its scale and zero point, scale and zero point of dst.
#include <cmath>
#include <string_view>

#include "base/status.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/quantization.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferBinary(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kByteTypes));
  if (!ctx.has_src(3)) return InvalidModel("src 3 (B) is missing");
  MOKA_RETURN_IF_ERROR(CheckSameType(ctx, 3, 0));
  MOKA_RETURN_IF_ERROR(CheckScaleAndZero(ctx, 1, 0));
  MOKA_RETURN_IF_ERROR(CheckScaleAndZero(ctx, 4, 3));
  MOKA_ASSIGN_OR_RETURN(ctx.dst[0].dims, BroadcastDims(ctx, ctx.src[0]->dims, ctx.src[3]->dims));
  return InferQuantizedType(ctx, 6);
}

Status InferUnary(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kByteTypes));
  MOKA_RETURN_IF_ERROR(CheckScaleAndZero(ctx, 1, 0));
  float alpha = 0;
  MOKA_RETURN_IF_ERROR(ReadFloat(*ctx.attrs, "alpha", 0.01f, &alpha));
  ctx.dst[0].dims = ctx.src[0]->dims;
  return InferQuantizedType(ctx, 3);
}

template <bool kMul>
Status BinaryReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc& y = call.dst[0];
  TensorDesc a, b;
  if (!BroadcastView(call.src[0], y.shape(), &a) || !BroadcastView(call.src[3], y.shape(), &b)) {
    return Internal("operands do not broadcast");
  }
  const auto a_scale = ScalarSource<float>(reference, 1), b_scale = ScalarSource<float>(reference, 4);
  const auto y_scale = ScalarSource<float>(reference, 6);
  const auto a_zero = ScalarSource<int64_t>(reference, 2), b_zero = ScalarSource<int64_t>(reference, 5);
  const auto y_zero = ScalarSource<int64_t>(reference, 7);
  const QuantRange range = QuantRangeOf(y.type);
  ForEachOffset<3>({y, a, b}, [&](const std::array<int64_t, 3>& at) {
    const int64_t x0 = Load<int64_t>(a, reference.src[0], at[1]) - a_zero;
    const int64_t x1 = Load<int64_t>(b, reference.src[3], at[2]) - b_zero;
    const float scaled =
        kMul ? static_cast<float>(x0 * x1) * (a_scale * b_scale / y_scale)
             : static_cast<float>(x0) * (a_scale / y_scale) + static_cast<float>(x1) * (b_scale / y_scale);
    Store<int64_t>(y, reference.dst[0], at[0], QuantizeScaled(scaled, y_zero, range));
  });
  return Status();
}

template <bool kSigmoid>
Status UnaryReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  float alpha = 0;
  MOKA_RETURN_IF_ERROR(ReadFloat(*call.attrs, "alpha", 0.01f, &alpha));
  const auto x_scale = ScalarSource<float>(reference, 1), y_scale = ScalarSource<float>(reference, 3);
  const auto x_zero = ScalarSource<int64_t>(reference, 2), y_zero = ScalarSource<int64_t>(reference, 4);
  const QuantRange range = QuantRangeOf(y.type);
  ForEachOffset<2>({y, x}, [&](const std::array<int64_t, 2>& at) {
    const float value = static_cast<float>(Load<int64_t>(x, reference.src[0], at[1]) - x_zero) * x_scale;
    const float result = kSigmoid ? 1.0f / (1.0f + std::exp(-value)) : value < 0 ? alpha * value : value;
    Store<int64_t>(y, reference.dst[0], at[0], QuantizeScaled(result / y_scale, y_zero, range));
  });
  return Status();
}

Cost ElementCost(const OpCall& call) { return {4 * static_cast<double>(call.dst[0].NumElements())}; }

constexpr OpSchema Schema(const char* name, int min_src, int max_src, Status (*infer)(InferContext&),
                          [[maybe_unused]] Status (*reference)(const ReferenceCall&)) {
  return {
      .domain = "com.microsoft",
      .name = name,
      .min_src = min_src,
      .max_src = max_src,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kSame,
      .infer = infer,
#ifdef MOKA_REFERENCE
      .reference = reference,
      .oracle = reference,
#endif
      .cost = ElementCost,
  };
}

}  // namespace

const OpSchema* MicrosoftQLinearAddSchema() {
  static constexpr OpSchema kSchema = Schema("QLinearAdd", 7, 8, InferBinary, BinaryReference<false>);
  return &kSchema;
}
const OpSchema* MicrosoftQLinearMulSchema() {
  static constexpr OpSchema kSchema = Schema("QLinearMul", 7, 8, InferBinary, BinaryReference<true>);
  return &kSchema;
}
const OpSchema* MicrosoftQLinearSigmoidSchema() {
  static constexpr OpSchema kSchema = Schema("QLinearSigmoid", 4, 5, InferUnary, UnaryReference<true>);
  return &kSchema;
}
const OpSchema* MicrosoftQLinearLeakyReluSchema() {
  static constexpr OpSchema kSchema = Schema("QLinearLeakyRelu", 4, 5, InferUnary, UnaryReference<false>);
  return &kSchema;
}

}  // namespace moka

// DynamicQuantizeLinear: src x (f32); dst y (u8), its scale (f32) and its zero point (u8), so that the values of x and
// 0 fill the range.
#include "ops/dynamic_quantize_linear.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/quantization.h"
#include "ops/reference.h"

namespace moka {

DynamicScale DynamicScaleOf(float lowest, float highest) {
  lowest = std::min(lowest, 0.0f);
  highest = std::max(highest, 0.0f);
  DynamicScale result;
  result.scale = (highest - lowest) / 255.0f;
  if (!(result.scale > 0) || !std::isfinite(result.scale)) {
    result.scale = 1;
    return result;
  }
  result.zero = static_cast<uint8_t>(QuantizeScaled(-lowest / result.scale, 0, {0, 255}));
  return result;
}

namespace {

Status InferDynamicQuantize(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, {DataType::kF32}));
  ctx.dst[0].type = DataType::kU8;
  ctx.dst[0].dims = ctx.src[0]->dims;
  if (ctx.dst.size() > 1) ctx.dst[1].type = DataType::kF32;
  if (ctx.dst.size() > 2) ctx.dst[2].type = DataType::kU8;
  return Status();
}

template <class Float>
Status DynamicQuantizeReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  float lowest = 0, highest = 0;
  const auto element = [&](const Index& at) { return LoadRaw<float>(reference.src[0], OffsetOf(x, at)); };
  ForEachIndex(x, [&](const Index& at) {
    lowest = std::min(lowest, element(at));
    highest = std::max(highest, element(at));
  });
  const DynamicScale result = DynamicScaleOf(lowest, highest);
  ForEachIndex(x, [&](const Index& at) {
    const int64_t value = QuantizeScaled(element(at) / result.scale, result.zero, {0, 255});
    Store<int64_t>(y, reference.dst[0], OffsetOf(y, at), value);
  });
  if (call.dst.size() > 1 && call.dst[1].present()) StoreRaw<float>(reference.dst[1], 0, result.scale);
  if (call.dst.size() > 2 && call.dst[2].present()) StoreRaw<uint8_t>(reference.dst[2], 0, result.zero);
  return Status();
}

}  // namespace

const OpSchema* DynamicQuantizeLinearSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "DynamicQuantizeLinear",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 3,
      .layout = LayoutRule::kSame,
      .infer = InferDynamicQuantize,
      MOKA_REFERENCES(DynamicQuantizeReference)  //
  };
  return &kSchema;
}

}  // namespace moka

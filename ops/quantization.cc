#include "ops/quantization.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "ops/infer.h"

namespace moka {

QuantRange QuantRangeOf(DataType type) {
  switch (type) {
    case DataType::kU8:
      return {0, 255};
    case DataType::kI8:
      return {-128, 127};
    case DataType::kU16:
      return {0, 65535};
    case DataType::kI16:
      return {-32768, 32767};
    case DataType::kU4:
      return {0, 15};
    case DataType::kI4:
      return {-8, 7};
    case DataType::kU2:
      return {0, 3};
    case DataType::kI2:
      return {-2, 1};
    default:
      return {};
  }
}

int64_t QuantizeScaled(double scaled, int64_t zero, QuantRange range) {
  const double lo = static_cast<double>(range.lo - zero), hi = static_cast<double>(range.hi - zero);
  if (!(scaled > lo)) return range.lo;
  return static_cast<int64_t>(std::nearbyint(std::min(scaled, hi))) + zero;
}

double RoundToType(DataType type, double value) {
  TensorDesc desc;
  desc.type = type;
  double memory = 0;
  Store<double>(desc, &memory, 0, value);
  return Load<double>(desc, &memory, 0);
}

Status CheckParameter(InferContext& ctx, size_t i, std::initializer_list<DataType> types, const Dim* channels,
                      std::string_view what) {
  if (!ctx.has_src(i)) return Status();
  MOKA_RETURN_IF_ERROR(CheckType(ctx, i, types));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, 0, 1));
  if (ctx.src[i]->rank() == 0) return Status();
  const Dim& count = ctx.src[i]->dims[0];
  if (count.is_constant() && count.constant() == 1) return Status();
  return RequireEqual(ctx, count, channels != nullptr ? *channels : Dim(1), StrCat("elements of src ", i, ", ", what));
}

Status CheckScaleAndZero(InferContext& ctx, size_t i, size_t quantized, const Dim* channels) {
  const std::string of = StrCat(" of src ", quantized);
  if (!ctx.has_src(i)) return InvalidModel("src ", i, " is missing, the scale", of);
  MOKA_RETURN_IF_ERROR(CheckParameter(ctx, i, {DataType::kF32}, channels, "scale" + of));
  if (!ctx.has_src(i + 1)) return Status();
  MOKA_RETURN_IF_ERROR(CheckSameType(ctx, i + 1, quantized));
  return CheckParameter(ctx, i + 1, kByteTypes, channels, "zero point" + of);
}

Status InferQuantizedType(InferContext& ctx, size_t i) {
  if (!ctx.has_src(i)) return InvalidModel("src ", i, " is missing, the scale of dst 0");
  MOKA_RETURN_IF_ERROR(CheckParameter(ctx, i, {DataType::kF32}, nullptr, "scale of dst 0"));
  MOKA_RETURN_IF_ERROR(CheckParameter(ctx, i + 1, kByteTypes, nullptr, "zero point of dst 0"));
  ctx.dst[0].type = ctx.has_src(i + 1) ? ctx.src[i + 1]->type : DataType::kU8;
  return Status();
}

}  // namespace moka

#include "ops/quantize_linear.h"

#include <algorithm>

#include "base/status.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/quantization.h"
#include "ops/reference.h"

namespace moka {
namespace {

constexpr std::initializer_list<DataType> kRealTypes = {DataType::kF32, DataType::kF16, DataType::kBF16,
                                                        DataType::kI32};
constexpr std::initializer_list<DataType> kScaleTypes = {DataType::kF32, DataType::kF16, DataType::kBF16,
                                                         DataType::kI32, DataType::kF8E8M0};
constexpr std::initializer_list<DataType> kQuantizedTypes = {
    DataType::kU8,         DataType::kI8,     DataType::kU16,        DataType::kI16, DataType::kF8E4M3FN,
    DataType::kF8E4M3FNUZ, DataType::kF8E5M2, DataType::kF8E5M2FNUZ, DataType::kU4,  DataType::kI4,
    DataType::kF4E2M1,     DataType::kU2,     DataType::kI2,         DataType::kI32};

bool IsIn(std::initializer_list<DataType> types, DataType type) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

// An attribute that holds the number of a type; kNone where it is absent or 0.
Status ReadType(const Attributes& attrs, std::string_view name, std::initializer_list<DataType> allowed,
                DataType* type) {
  int64_t number = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, name, 0, &number));
  *type = DataType::kNone;
  if (number == 0) return Status();
  MOKA_RETURN_IF_ERROR(ReadType(attrs, name, DataType::kNone, type));
  return IsIn(allowed, *type) ? Status() : Unsupported("attribute '", name, "' is ", number);
}

Status CheckBlocks(InferContext& ctx, size_t axis, int64_t block) {
  const SymbolicTensor &x = *ctx.src[0], &scale = *ctx.src[1];
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, x.rank(), x.rank()));
  for (size_t i = 0; i < x.dims.size(); ++i) {
    const Dim want = i == axis ? Dim::CeilDiv(x.dims[i], Dim(block)) : x.dims[i];
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, scale.dims[i], want, StrCat("dimension ", i, " of src 1 (scale)")));
  }
  return Status();
}

Status CheckGranularity(InferContext& ctx) {
  const SymbolicTensor &x = *ctx.src[0], &scale = *ctx.src[1];
  int64_t axis = 0, block = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(*ctx.attrs, "axis", 1, &axis));
  MOKA_RETURN_IF_ERROR(ReadInt(*ctx.attrs, "block_size", 0, &block));
  if (block < 0) return InvalidModel("attribute 'block_size' is ", block);
  const bool one =
      scale.rank() == 0 || (scale.rank() == 1 && scale.dims[0].is_constant() && scale.dims[0].constant() == 1);
  if (block == 0 && one) return CheckParameter(ctx, 2, kQuantizedTypes, nullptr, "zero point");
  if (ctx.has_src(2)) {
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, 2, scale.rank(), scale.rank()));
    for (size_t i = 0; i < scale.dims.size(); ++i) {
      MOKA_RETURN_IF_ERROR(
          RequireEqual(ctx, ctx.src[2]->dims[i], scale.dims[i], StrCat("dimension ", i, " of src 2 (zero point)")));
    }
  }
  if (x.rank() == 1 && axis == 1) axis = 0;
  MOKA_ASSIGN_OR_RETURN(const int resolved, NormalizeAxis(axis, x.rank(), "attribute 'axis'"));
  if (block > 0) return CheckBlocks(ctx, static_cast<size_t>(resolved), block);
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 0, 1));
  return RequireEqual(ctx, scale.dims[0], x.dims[static_cast<size_t>(resolved)], "elements of src 1 (scale)");
}

Status InferQuantize(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kRealTypes));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, kScaleTypes));
  DataType type = DataType::kNone, precision = DataType::kNone;
  MOKA_RETURN_IF_ERROR(ReadType(*ctx.attrs, "output_dtype", kQuantizedTypes, &type));
  MOKA_RETURN_IF_ERROR(ReadType(*ctx.attrs, "precision", kFloatTypes, &precision));
  bool saturate = true;
  MOKA_RETURN_IF_ERROR(ReadFlag(*ctx.attrs, "saturate", true, &saturate));
  if (ctx.has_src(2)) {
    MOKA_RETURN_IF_ERROR(CheckType(ctx, 2, kQuantizedTypes));
    if (type != DataType::kNone && type != ctx.src[2]->type) {
      return InvalidModel("attribute 'output_dtype' is ", NameOf(type), ", but src 2 is ", NameOf(ctx.src[2]->type));
    }
    type = ctx.src[2]->type;
  }
  MOKA_RETURN_IF_ERROR(CheckGranularity(ctx));
  ctx.dst[0].type = type == DataType::kNone ? DataType::kU8 : type;
  ctx.dst[0].dims = ctx.src[0]->dims;
  return Status();
}

Status InferDequantize(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kQuantizedTypes));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, kScaleTypes));
  if (ctx.has_src(2)) MOKA_RETURN_IF_ERROR(CheckSameType(ctx, 2, 0));
  DataType type = DataType::kNone;
  MOKA_RETURN_IF_ERROR(ReadType(*ctx.attrs, "output_dtype", kFloatTypes, &type));
  MOKA_RETURN_IF_ERROR(CheckGranularity(ctx));
  if (type == DataType::kNone && !IsIn(kFloatTypes, ctx.src[1]->type)) {
    return InvalidModel("attribute 'output_dtype' is missing with a scale of type ", NameOf(ctx.src[1]->type));
  }
  ctx.dst[0].type = type == DataType::kNone ? ctx.src[1]->type : type;
  ctx.dst[0].dims = ctx.src[0]->dims;
  return Status();
}

// Where the scale and the zero point of an element are.
class ScaleIndex {
 public:
  ScaleIndex(const ScaleAxis& axis, const TensorDesc& scale) : axis_(axis), scale_(scale) {}
  int64_t operator()(const Index& at) const {
    if (axis_.axis < 0) return 0;
    const auto axis = static_cast<size_t>(axis_.axis);
    if (axis_.block == 0) return at[axis] * scale_.strides[0];
    Index block = at;
    block[axis] /= axis_.block;
    return OffsetOf(scale_, block);
  }

 private:
  ScaleAxis axis_;
  TensorDesc scale_;
};

double ZeroAt(const ReferenceCall& reference, const ScaleIndex& index, const Index& at) {
  if (!reference.call.has_src(2)) return 0;
  return Load<double>(reference.call.src[2], reference.src[2], index(at));
}

void StoreFloat(const TensorDesc& y, void* dst, int64_t offset, double value, bool saturate) {
  const NarrowFormat* format = y.type == DataType::kF8E4M3FN     ? &Float8E4M3FN::kFormat
                               : y.type == DataType::kF8E4M3FNUZ ? &Float8E4M3FNUZ::kFormat
                               : y.type == DataType::kF8E5M2     ? &Float8E5M2::kFormat
                               : y.type == DataType::kF8E5M2FNUZ ? &Float8E5M2FNUZ::kFormat
                                                                 : &Float4E2M1::kFormat;
  StoreRaw(dst, offset, static_cast<uint8_t>(EncodeNarrow(value, *format, saturate)));
}

template <class Float>
Status QuantizeReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const ScaleAxis axis, ScaleAxis::From(call));
  const TensorDesc &x = call.src[0], &scale = call.src[1], &y = call.dst[0];
  DataType precision = DataType::kNone;
  MOKA_RETURN_IF_ERROR(ReadType(*call.attrs, "precision", kFloatTypes, &precision));
  if (precision == DataType::kNone) precision = IsIn(kFloatTypes, scale.type) ? scale.type : DataType::kF32;
  const ScaleIndex scale_index(axis, scale);
  const ScaleIndex zero_index(axis, call.has_src(2) ? call.src[2] : scale);
  const QuantRange range = QuantRangeOf(y.type);
  bool saturate = true;
  MOKA_RETURN_IF_ERROR(ReadFlag(*call.attrs, "saturate", true, &saturate));
  ForEachIndex(x, [&](const Index& at) {
    const double value = Load<double>(x, reference.src[0], OffsetOf(x, at));
    const double by = Load<double>(scale, reference.src[1], scale_index(at));
    const double scaled = RoundToType(precision, RoundToType(precision, value) / RoundToType(precision, by));
    const double zero = ZeroAt(reference, zero_index, at);
    if (range.hi == 0) {
      StoreFloat(y, reference.dst[0], OffsetOf(y, at), scaled + zero, saturate);
    } else {
      Store<int64_t>(y, reference.dst[0], OffsetOf(y, at), QuantizeScaled(scaled, static_cast<int64_t>(zero), range));
    }
  });
  return Status();
}

template <class Float>
Status DequantizeReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const ScaleAxis axis, ScaleAxis::From(call));
  const TensorDesc &x = call.src[0], &scale = call.src[1], &y = call.dst[0];
  const ScaleIndex scale_index(axis, scale);
  const ScaleIndex zero_index(axis, call.has_src(2) ? call.src[2] : scale);
  ForEachIndex(x, [&](const Index& at) {
    const double zero = ZeroAt(reference, zero_index, at);
    const double value = RoundToType(y.type, Load<double>(x, reference.src[0], OffsetOf(x, at)) - zero);
    Store<double>(y, reference.dst[0], OffsetOf(y, at), value * Load<double>(scale, reference.src[1], scale_index(at)));
  });
  return Status();
}

Cost ElementCost(const OpCall& call) { return {3 * static_cast<double>(call.dst[0].NumElements())}; }

constexpr OpSchema Schema(const char* domain, const char* name, Status (*infer)(InferContext&),
                          [[maybe_unused]] Status (*reference)(const ReferenceCall&)) {
  return {
      .domain = domain,
      .name = name,
      .min_src = 2,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = infer,
#ifdef MOKA_REFERENCE
      .reference = reference,
      .oracle = reference,
#endif
      .cost = ElementCost,
  };
}

}  // namespace

Result<ScaleAxis> ScaleAxis::From(const OpCall& call) {
  const TensorDesc &x = call.src[0], &scale = call.src[1];
  ScaleAxis result;
  int64_t axis = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(*call.attrs, "axis", 1, &axis));
  MOKA_RETURN_IF_ERROR(ReadInt(*call.attrs, "block_size", 0, &result.block));
  if (result.block == 0 && scale.NumElements() == 1) return result;
  if (x.rank == 1 && axis == 1) axis = 0;
  MOKA_ASSIGN_OR_RETURN(result.axis, NormalizeAxis(axis, x.rank, "attribute 'axis'"));
  return result;
}

const OpSchema* QuantizeLinearSchema() {
  static constexpr OpSchema kSchema = Schema("", "QuantizeLinear", InferQuantize, QuantizeReference<float>);
  return &kSchema;
}

const OpSchema* DequantizeLinearSchema() {
  static constexpr OpSchema kSchema = Schema("", "DequantizeLinear", InferDequantize, DequantizeReference<float>);
  return &kSchema;
}

const OpSchema* MicrosoftQuantizeLinearSchema() {
  static constexpr OpSchema kSchema =
      Schema("com.microsoft", "QuantizeLinear", InferQuantize, QuantizeReference<float>);
  return &kSchema;
}

const OpSchema* MicrosoftDequantizeLinearSchema() {
  static constexpr OpSchema kSchema =
      Schema("com.microsoft", "DequantizeLinear", InferDequantize, DequantizeReference<float>);
  return &kSchema;
}

}  // namespace moka

// Cast, CastLike, BitCast: between all types of the standard.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "base/narrow_float.h"
#include "ops/cast_text.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/op.h"
#include "ops/params.h"
#include "ops/reference.h"
#include "ops/string_tensor.h"

namespace moka {
namespace {

Result<DataType> TypeTo(const Attributes& attrs) {
  DataType to = DataType::kNone;
  MOKA_RETURN_IF_ERROR(ReadType(attrs, "to", DataType::kNone, &to));
  if (to == DataType::kNone) return InvalidModel("attribute 'to' is missing");
  return to;
}

// ---- Into the 8-bit floats ------------------------------------------------------------------------------------------

enum class ScaleRounding : uint8_t { kUp, kDown, kNearest };

struct CastParams {
  bool saturate = true;
  ScaleRounding rounding = ScaleRounding::kUp;  // into f8e8m0

  static Result<CastParams> From(const Attributes& attrs) {
    CastParams params;
    MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "saturate", true, &params.saturate));
    std::string_view mode;
    MOKA_RETURN_IF_ERROR(ReadString(attrs, "round_mode", "up", &mode));
    if (mode != "up" && mode != "down" && mode != "nearest") {
      return InvalidModel("attribute 'round_mode' is '", mode, "', expected 'up', 'down' or 'nearest'");
    }
    params.rounding = mode == "up"     ? ScaleRounding::kUp
                      : mode == "down" ? ScaleRounding::kDown
                                       : ScaleRounding::kNearest;
    return params;
  }
};

const NarrowFormat* Float8Format(DataType type) {
  switch (type) {
    case DataType::kF8E4M3FN:
      return &Float8E4M3FN::kFormat;
    case DataType::kF8E4M3FNUZ:
      return &Float8E4M3FNUZ::kFormat;
    case DataType::kF8E5M2:
      return &Float8E5M2::kFormat;
    case DataType::kF8E5M2FNUZ:
      return &Float8E5M2FNUZ::kFormat;
    default:
      return nullptr;
  }
}

// A power of two, code - 127; 255 is NaN.
uint8_t EncodeScale(double value, const CastParams& params) {
  constexpr int kBias = 127, kLargest = 254;
  constexpr uint8_t kNan = 255;
  if (std::isnan(value)) return kNan;
  if (std::isinf(value)) return params.saturate && value > 0 ? kLargest : kNan;
  if (value <= 0) return params.saturate ? 0 : kNan;
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);  // in [0.5, 1)
  const bool up = params.rounding == ScaleRounding::kUp        ? fraction > 0.5
                  : params.rounding == ScaleRounding::kNearest ? fraction >= 0.75
                                                               : false;
  const int code = exponent - 1 + (up ? 1 : 0) + kBias;
  if (code >= 0 && code <= kLargest) return static_cast<uint8_t>(code);
  return params.saturate ? static_cast<uint8_t>(code < 0 ? 0 : kLargest) : kNan;
}

bool IsInteger(DataType type) {
  return std::find(kIntegerTypes.begin(), kIntegerTypes.end(), type) != kIntegerTypes.end() ||
         (type >= DataType::kI4 && type <= DataType::kU2);
}

template <class Acc>
void StoreCast(const TensorDesc& dst, void* data, int64_t offset, Acc value, const CastParams& params) {
  if (const NarrowFormat* format = Float8Format(dst.type); format != nullptr) {
    StoreRaw(data, offset, static_cast<uint8_t>(EncodeNarrow(static_cast<double>(value), *format, params.saturate)));
  } else if (dst.type == DataType::kF4E2M1 && value != value) {
    StoreRaw(data, offset, uint8_t{8});  // NaN, which the type does not have, becomes -0
  } else if (dst.type == DataType::kF8E8M0) {
    StoreRaw(data, offset, EncodeScale(static_cast<double>(value), params));
  } else if (IsNarrow(dst.type) && IsInteger(dst.type)) {
    Store<int64_t>(dst, data, offset, ConvertElement<int64_t>(value));
  } else {
    Store<Acc>(dst, data, offset, value);
  }
}

// ---- Inference ------------------------------------------------------------------------------------------------------

bool IsTracked(DataType type) { return type == DataType::kI32 || type == DataType::kI64 || type == DataType::kBool; }

Status InferTo(InferContext& context, DataType to) {
  MOKA_RETURN_IF_ERROR(CastParams::From(*context.attrs).status());
  const SymbolicTensor& src = *context.src[0];
  SymbolicTensor& dst = context.dst[0];
  dst.type = to;
  dst.dims = src.dims;
  if (!src.elements || !IsTracked(src.type) || !IsTracked(to)) return Status();
  dst.elements = src.elements;
  if (to != DataType::kBool || src.type == DataType::kBool) return Status();
  for (Dim& element : *dst.elements) {
    const bool positive = (element - Dim(1)).IsNonNegative();
    if (!positive && !element.is_constant()) {
      dst.elements.reset();
      return Status();
    }
    element = positive || element.constant() != 0 ? 1 : 0;
  }
  return Status();
}

Status InferCast(InferContext& context) {
  MOKA_ASSIGN_OR_RETURN(const DataType to, TypeTo(*context.attrs));
  return InferTo(context, to);
}

Status InferCastLike(InferContext& context) { return InferTo(context, context.src[1]->type); }

Status InferBitCast(InferContext& context) {
  MOKA_ASSIGN_OR_RETURN(const DataType to, TypeTo(*context.attrs));
  const DataType from = context.src[0]->type;
  const auto bits = [](DataType type) -> size_t {
    if (type == DataType::kI4 || type == DataType::kU4 || type == DataType::kF4E2M1) return 4;
    return type == DataType::kI2 || type == DataType::kU2 ? 2 : 8 * SizeOf(type);
  };
  if (from == DataType::kString || to == DataType::kString || bits(from) != bits(to)) {
    return InvalidModel("attribute 'to': ", NameOf(to), " has not the bits of ", NameOf(from));
  }
  context.dst[0].type = to;
  context.dst[0].dims = context.src[0]->dims;
  return Status();
}

// ---- References -----------------------------------------------------------------------------------------------------

// f(Acc{}) with what the elements of a source are computed in: double where WithAccumulator knows none.
template <class F>
Status WithSource(DataType type, F&& f) {
  return IsNarrow(type) ? f(double{}) : WithAccumulator<double>(type, f);
}

Status CastFromText(const ReferenceCall& reference, const CastParams& params) {
  const TensorDesc &src = reference.call.src[0], &dst = reference.call.dst[0];
  Status status;
  ForEachOffset<2>({dst, src}, [&](const std::array<int64_t, 2>& at) {
    const std::string& text = StringAt(LoadRaw<StringPointer>(reference.src[0], at[1]));
    const Result<double> value = FloatOfText(text);
    if (!value.ok()) {
      if (status.ok()) status = value.status();
      return;
    }
    if (dst.type == DataType::kString) {
      StoreRaw(reference.dst[0], at[0], LoadRaw<StringPointer>(reference.src[0], at[1]));
    } else if (dst.type == DataType::kU64 && *value >= 9.2e18) {
      Store<uint64_t>(dst, reference.dst[0], at[0], std::strtoull(text.c_str(), nullptr, 10));
    } else if (IsInteger(dst.type) && std::abs(*value) > 9e15) {  // more digits than a double holds
      Store<int64_t>(dst, reference.dst[0], at[0], std::strtoll(text.c_str(), nullptr, 10));
    } else {
      StoreCast(dst, reference.dst[0], at[0], *value, params);
    }
  });
  return status.WithContext(StrCat("node '", reference.call.name, "'"));
}

template <class Float>
Status CastReference(const ReferenceCall& reference) {
  const TensorDesc &src = reference.call.src[0], &dst = reference.call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const CastParams params, CastParams::From(*reference.call.attrs));
  if (src.type == dst.type) return CopyElements(src, reference.src[0], dst, reference.dst[0]);
  if (src.type == DataType::kString) return CastFromText(reference, params);
  if (dst.type == DataType::kString) return Unsupported("a cast to strings in a plan");
  return WithSource(src.type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    ForEachOffset<2>({dst, src}, [&](const std::array<int64_t, 2>& at) {
      StoreCast<Acc>(dst, reference.dst[0], at[0], Load<Acc>(src, reference.src[0], at[1]), params);
    });
    return Status();
  });
}

// Types narrower than a byte are kept in one: its other bits depend on the sign of the type.
template <class Float>
Status BitCastReference(const ReferenceCall& reference) {
  TensorDesc src = reference.call.src[0];
  const TensorDesc& dst = reference.call.dst[0];
  if (dst.type >= DataType::kF4E2M1) {
    const uint8_t mask = dst.type == DataType::kI2 || dst.type == DataType::kU2 ? 3 : 15;
    ForEachOffset<2>({dst, src}, [&](const std::array<int64_t, 2>& at) {
      const auto code = static_cast<uint8_t>(LoadRaw<uint8_t>(reference.src[0], at[1]) & mask);
      if (IsInteger(dst.type)) return Store<int64_t>(dst, reference.dst[0], at[0], code);
      StoreRaw(reference.dst[0], at[0], code);
    });
    return Status();
  }
  src.type = dst.type;
  return CopyElements(src, reference.src[0], dst, reference.dst[0]);
}

bool CastView(const OpCall& call, int, TensorDesc* dst, int64_t* offset) {
  if (call.src[0].type != call.dst[0].type) return false;
  *dst = call.src[0];
  *offset = 0;
  return true;
}

// ---- Into strings: on the host, since somebody must own them --------------------------------------------------------

std::string TextOf(const TensorDesc& desc, const void* data, int64_t i) {
  if (desc.type == DataType::kBool) return Load<int64_t>(desc, data, i) != 0 ? "True" : "False";
  if (desc.type == DataType::kU64) return std::to_string(Load<uint64_t>(desc, data, i));
  if (IsInteger(desc.type)) return std::to_string(Load<int64_t>(desc, data, i));
  return TextOfFloat(Load<double>(desc, data, i), desc.type);
}

Status ExecuteToText(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const Tensor* src, call.SrcTensor(0));
  if (src->type() == DataType::kString) {
    call.dst[0] = *src;
    return Status();
  }
  MOKA_ASSIGN_OR_RETURN(Tensor dst, Tensor::Create(DataType::kString, src->shape()));
  const TensorDesc desc = MakeDense(src->type(), src->shape());
  for (int64_t i = 0; i < dst.size(); ++i) dst.as<std::string>()[i] = TextOf(desc, src->data(), i);
  call.dst[0] = std::move(dst);
  return Status();
}

}  // namespace

#define MOKA_CAST(op, sources, function, execute_function) \
  const OpSchema* op##Schema() {                           \
    static constexpr OpSchema kSchema = {                  \
        .domain = "",                                      \
        .name = #op,                                       \
        .min_src = sources,                                \
        .max_src = sources,                                \
        .min_dst = 1,                                      \
        .max_dst = 1,                                      \
        .layout = LayoutRule::kSame,                       \
        .infer = Infer##op,                                \
        MOKA_REFERENCES(function).view = CastView,         \
        .execute = execute_function,                       \
    };                                                     \
    return &kSchema;                                       \
  }
MOKA_CAST(BitCast, 1, BitCastReference, nullptr)
MOKA_CAST(Cast, 1, CastReference, ExecuteToText)
MOKA_CAST(CastLike, 2, CastReference, ExecuteToText)
#undef MOKA_CAST

}  // namespace moka

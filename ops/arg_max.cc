#include "ops/arg_max.h"

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status ReadAttributes(const Attributes& attrs, int rank, ArgParams* params) {
  int64_t axis = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "axis", 0, &axis));
  MOKA_ASSIGN_OR_RETURN(params->axis, NormalizeAxis(axis, rank, "attribute 'axis'"));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "keepdims", true, &params->keepdims));
  return ReadFlag(attrs, "select_last_index", false, &params->select_last);
}

Status InferArg(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kNumberTypes));
  const SymbolicTensor& x = *ctx.src[0];
  ArgParams params;
  MOKA_RETURN_IF_ERROR(ReadAttributes(*ctx.attrs, x.rank(), &params));
  const auto axis = static_cast<size_t>(params.axis);
  if (x.dims[axis] == Dim(0)) return InvalidModel("src 0: dimension ", axis, " is empty, none of its elements is best");
  ctx.dst[0].type = DataType::kI64;
  ctx.dst[0].dims = x.dims;
  if (params.keepdims) {
    ctx.dst[0].dims[axis] = 1;
  } else {
    ctx.dst[0].dims.erase(ctx.dst[0].dims.begin() + params.axis);
  }
  return Status();
}

// The first NaN wins, as in numpy.
template <class Acc>
int64_t BestOf(const ArgParams& params, const TensorDesc& x, const void* src, int64_t base) {
  const auto axis = static_cast<size_t>(params.axis);
  Acc best = Load<Acc>(x, src, base);
  int64_t position = 0;
  for (int64_t i = 1; i < x.dims[axis] && best == best; ++i) {
    const Acc value = Load<Acc>(x, src, base + i * x.strides[axis]);
    const bool better = params.largest ? value > best : value < best;
    if (!better && value == value && !(params.select_last && value == best)) continue;
    best = value;
    position = i;
  }
  return position;
}

template <class Float>
Status ArgReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const ArgParams params, ArgParams::From(call));
  const TensorDesc& x = call.src[0];
  TensorDesc kept = x;
  kept.dims[static_cast<size_t>(params.axis)] = 1;
  if (kept.NumElements() > 0 && x.NumElements() == 0) {
    return InvalidArgument("src 0: dimension ", params.axis, " is empty, none of its elements is best");
  }
  return WithAccumulator<Float>(x.type, [&](auto accumulator) {
    ForEachIndex(kept, [&](const Index& at) {
      int64_t dst_at = 0;
      for (size_t i = 0; i < static_cast<size_t>(x.rank); ++i) dst_at += at[i] * params.dst_strides[i];
      StoreRaw<int64_t>(reference.dst[0], dst_at,
                        BestOf<decltype(accumulator)>(params, x, reference.src[0], OffsetOf(x, at)));
    });
    return Status();
  });
}

Cost ArgCost(const OpCall& call) { return {static_cast<double>(call.src[0].NumElements())}; }

constexpr OpSchema Schema(const char* name) {
  return {
      .domain = "",
      .name = name,
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferArg,
      MOKA_REFERENCES(ArgReference)  //
          .cost = ArgCost,
  };
}

}  // namespace

Result<ArgParams> ArgParams::From(const OpCall& call) {
  ArgParams params;
  MOKA_RETURN_IF_ERROR(ReadAttributes(*call.attrs, call.src[0].rank, &params));
  params.largest = std::string_view(call.op->name) == "ArgMax";
  size_t next = 0;
  for (int i = 0; i < call.src[0].rank; ++i) {
    if (i != params.axis) params.dst_strides[static_cast<size_t>(i)] = call.dst[0].strides[next];
    if (i != params.axis || params.keepdims) ++next;
  }
  return params;
}

const OpSchema* ArgMaxSchema() {
  static constexpr OpSchema kSchema = Schema("ArgMax");
  return &kSchema;
}

const OpSchema* ArgMinSchema() {
  static constexpr OpSchema kSchema = Schema("ArgMin");
  return &kSchema;
}

}  // namespace moka

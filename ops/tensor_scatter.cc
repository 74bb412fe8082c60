#include "ops/tensor_scatter.h"

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {

Result<TensorScatterParams> TensorScatterParams::From(const Attributes& attrs, int rank) {
  TensorScatterParams result;
  int64_t axis = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "axis", -2, &axis));
  MOKA_ASSIGN_OR_RETURN(result.axis, NormalizeAxis(axis, rank, "attribute 'axis'"));
  if (result.axis == 0) return InvalidModel("attribute 'axis' is ", axis, ", the batch");
  std::string_view mode;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "mode", "linear", &mode));
  result.circular = mode == "circular";
  if (!result.circular && mode != "linear") {
    return InvalidModel("attribute 'mode' is '", mode, "', expected linear or circular");
  }
  return result;
}

Result<int64_t> TensorScatterParams::First(const OpCall& call, const void* indices, int64_t n) const {
  const int64_t most = call.src[kScatterCache].dims[static_cast<size_t>(axis)],
                length = call.src[kScatterUpdate].dims[static_cast<size_t>(axis)];
  if (length > most) return InvalidArgument("src 1 (update): ", length, " positions of ", most);
  if (!call.has_src(kScatterIndices)) return 0;
  const int64_t first = LoadRaw<int64_t>(indices, n * call.src[kScatterIndices].strides[0]);
  if (first < 0) return InvalidArgument("src 2 (write_indices): ", first, ", expected 0 or more");
  if (circular) return most == 0 ? 0 : first % most;
  if (first > most - length) {
    return InvalidArgument("src 2 (write_indices): ", first, " and ", length, " more exceed ", most);
  }
  return first;
}

namespace {

Status InferTensorScatter(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, kScatterCache, 2));
  const SymbolicTensor &cache = *ctx.src[kScatterCache], &update = *ctx.src[kScatterUpdate];
  MOKA_ASSIGN_OR_RETURN(const TensorScatterParams params, TensorScatterParams::From(*ctx.attrs, cache.rank()));
  MOKA_RETURN_IF_ERROR(CheckSameType(ctx, kScatterUpdate, kScatterCache));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, kScatterUpdate, cache.rank(), cache.rank()));
  for (size_t i = 0; i < cache.dims.size(); ++i) {
    const Dim &most = cache.dims[i], &own = update.dims[i];
    if (i != static_cast<size_t>(params.axis)) {
      MOKA_RETURN_IF_ERROR(RequireEqual(ctx, own, most, StrCat("dimension ", i, " of src 1 (update)")));
    } else if (most.is_constant() && own.is_constant() && own.constant() > most.constant()) {
      return InvalidModel("dimension ", i, " of src 1 (update): ", own.constant(), " of ", most.constant());
    }
  }
  if (ctx.has_src(kScatterIndices)) {
    MOKA_RETURN_IF_ERROR(CheckType(ctx, kScatterIndices, {DataType::kI64}));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, kScatterIndices, 1, 1));
    MOKA_RETURN_IF_ERROR(
        RequireEqual(ctx, ctx.src[kScatterIndices]->dims[0], cache.dims[0], "elements of src 2 (write_indices)"));
  }
  return InferSameAsSource(ctx);
}

Status TensorScatterRun(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const TensorScatterParams params,
                        TensorScatterParams::From(*call.attrs, call.src[kScatterCache].rank));
  const auto axis = static_cast<size_t>(params.axis);
  const TensorDesc& y = call.dst[0];
  MOKA_RETURN_IF_ERROR(CopyElements(call.src[kScatterCache], reference.src[kScatterCache], y, reference.dst[0]));
  const auto bytes = static_cast<int64_t>(SizeOf(y.type));
  const void* const indices = call.has_src(kScatterIndices) ? reference.src[kScatterIndices] : nullptr;
  TensorDesc from = call.src[kScatterUpdate], to = y;
  const int64_t instances = from.NumElements() == 0 ? 0 : y.dims[0], length = from.dims[axis];
  from.dims[0] = to.dims[0] = 1;
  for (int64_t n = 0; n < instances; ++n) {
    MOKA_ASSIGN_OR_RETURN(const int64_t first, params.First(call, indices, n));
    // A circular update may wrap around: two parts.
    const int64_t split = std::min(length, y.dims[axis] - first);
    for (const int64_t begin : {int64_t{0}, split}) {
      from.dims[axis] = to.dims[axis] = begin == 0 ? split : length - split;
      if (from.dims[axis] == 0) continue;
      const int64_t src = n * from.strides[0] + begin * from.strides[axis];
      const int64_t dst = n * to.strides[0] + (begin == 0 ? first : 0) * to.strides[axis];
      MOKA_RETURN_IF_ERROR(CopyElements(from,
                                        static_cast<const std::byte*>(reference.src[kScatterUpdate]) + src * bytes, to,
                                        static_cast<std::byte*>(reference.dst[0]) + dst * bytes));
    }
  }
  return Status();
}

template <class Float>
Status TensorScatterReference(const ReferenceCall& reference) {
  return TensorScatterRun(reference);
}

}  // namespace

const OpSchema* TensorScatterSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "TensorScatter",
      .min_src = 2,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferTensorScatter,
      MOKA_REFERENCES(TensorScatterReference)  //
  };
  return &kSchema;
}

}  // namespace moka

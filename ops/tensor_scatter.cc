#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

enum : size_t { kCache, kUpdate, kIndices };

struct ScatterAttributes {
  int axis = 0;  // resolved, in [1, rank)
  bool circular = false;

  static Result<ScatterAttributes> From(const Attributes& attrs, int rank) {
    ScatterAttributes result;
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
};

Status InferTensorScatter(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, kCache, 2));
  const SymbolicTensor &cache = *ctx.src[kCache], &update = *ctx.src[kUpdate];
  MOKA_ASSIGN_OR_RETURN(const ScatterAttributes attrs, ScatterAttributes::From(*ctx.attrs, cache.rank()));
  MOKA_RETURN_IF_ERROR(CheckSameType(ctx, kUpdate, kCache));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, kUpdate, cache.rank(), cache.rank()));
  for (size_t i = 0; i < cache.dims.size(); ++i) {
    const Dim &most = cache.dims[i], &own = update.dims[i];
    if (i != static_cast<size_t>(attrs.axis)) {
      MOKA_RETURN_IF_ERROR(RequireEqual(ctx, own, most, StrCat("dimension ", i, " of src 1 (update)")));
    } else if (most.is_constant() && own.is_constant() && own.constant() > most.constant()) {
      return InvalidModel("dimension ", i, " of src 1 (update): ", own.constant(), " of ", most.constant());
    }
  }
  if (ctx.has_src(kIndices)) {
    MOKA_RETURN_IF_ERROR(CheckType(ctx, kIndices, {DataType::kI64}));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, kIndices, 1, 1));
    MOKA_RETURN_IF_ERROR(
        RequireEqual(ctx, ctx.src[kIndices]->dims[0], cache.dims[0], "elements of src 2 (write_indices)"));
  }
  return InferSameAsSource(ctx);
}

// Where the update of one instance goes: checked before anything is written.
Result<int64_t> FirstPosition(const ReferenceCall& reference, const ScatterAttributes& attrs, int64_t n) {
  const OpCall& call = reference.call;
  const auto axis = static_cast<size_t>(attrs.axis);
  const int64_t most = call.src[kCache].dims[axis], length = call.src[kUpdate].dims[axis];
  if (length > most) return InvalidArgument("src 1 (update): ", length, " positions of ", most);
  if (!call.has_src(kIndices)) return 0;
  const int64_t first = LoadRaw<int64_t>(reference.src[kIndices], n * call.src[kIndices].strides[0]);
  if (first < 0) return InvalidArgument("src 2 (write_indices): ", first, ", expected 0 or more");
  if (attrs.circular) return most == 0 ? 0 : first % most;
  if (first > most - length) {
    return InvalidArgument("src 2 (write_indices): ", first, " and ", length, " more exceed ", most);
  }
  return first;
}

Status TensorScatterRun(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const ScatterAttributes attrs, ScatterAttributes::From(*call.attrs, call.src[kCache].rank));
  const auto axis = static_cast<size_t>(attrs.axis);
  const TensorDesc& y = call.dst[0];
  MOKA_RETURN_IF_ERROR(CopyElements(call.src[kCache], reference.src[kCache], y, reference.dst[0]));
  const auto bytes = static_cast<int64_t>(SizeOf(y.type));
  TensorDesc from = call.src[kUpdate], to = y;
  const int64_t instances = from.NumElements() == 0 ? 0 : y.dims[0], length = from.dims[axis];
  from.dims[0] = to.dims[0] = 1;
  for (int64_t n = 0; n < instances; ++n) {
    MOKA_ASSIGN_OR_RETURN(const int64_t first, FirstPosition(reference, attrs, n));
    // A circular update may wrap around: two parts.
    const int64_t split = std::min(length, y.dims[axis] - first);
    for (const int64_t begin : {int64_t{0}, split}) {
      from.dims[axis] = to.dims[axis] = begin == 0 ? split : length - split;
      if (from.dims[axis] == 0) continue;
      const int64_t src = n * from.strides[0] + begin * from.strides[axis];
      const int64_t dst = n * to.strides[0] + (begin == 0 ? first : 0) * to.strides[axis];
      MOKA_RETURN_IF_ERROR(CopyElements(from, static_cast<const std::byte*>(reference.src[kUpdate]) + src * bytes, to,
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

// Src past_cache, update, optional write_indices [batch]; dst the cache with the update written along `axis`.
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

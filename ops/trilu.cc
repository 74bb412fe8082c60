#include "ops/trilu.h"

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferTrilu(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 2));
  MOKA_RETURN_IF_ERROR(TriluParams::From(*ctx.attrs).status());
  if (ctx.has_src(1)) {
    MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, {DataType::kI64}));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 0, 1));
    for (const Dim& dim : ctx.src[1]->dims) MOKA_RETURN_IF_ERROR(RequireEqual(ctx, dim, 1, "elements of src 1 (k)"));
  }
  return InferSameAsSource(ctx);
}

template <class Float>
Status TriluReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const TriluParams params, TriluParams::From(*call.attrs));
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  const int64_t k = call.has_src(1) ? LoadRaw<int64_t>(reference.src[1], 0) : 0;
  const size_t row = static_cast<size_t>(x.rank - 2), column = row + 1;
  return WithStorageType(x.type, [&](auto bits) {
    using Bits = decltype(bits);
    ForEachIndex(y, [&](const Index& at) {
      int64_t begin = 0, end = 0;
      params.Kept(at[row], k, x.dims[column], &begin, &end);
      const bool kept = at[column] >= begin && at[column] < end;
      StoreRaw<Bits>(reference.dst[0], OffsetOf(y, at), kept ? LoadRaw<Bits>(reference.src[0], OffsetOf(x, at)) : 0);
    });
    return Status();
  });
}

}  // namespace

Result<TriluParams> TriluParams::From(const Attributes& attrs) {
  TriluParams params;
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "upper", true, &params.upper));
  return params;
}

const OpSchema* TriluSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Trilu",
      .min_src = 1,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kRowMajor,
      .infer = InferTrilu,
      MOKA_REFERENCES(TriluReference)  //
  };
  return &kSchema;
}

}  // namespace moka

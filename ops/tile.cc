// Tile: src data, repeats (i64, one per dimension); dst repeats data along every dimension.
#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/op.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferTile(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, {DataType::kI64}));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 1, 1));
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> repeats, ctx.Elements(1));
  if (repeats.size() != x.dims.size()) {
    return InvalidModel("src 1 (repeats) has ", repeats.size(), " elements, src 0 has rank ", x.rank());
  }
  ctx.dst[0].type = x.type;
  for (size_t i = 0; i < repeats.size(); ++i) {
    if (repeats[i].is_constant() && repeats[i].constant() < 0) {
      return InvalidModel("src 1 (repeats): ", repeats[i].constant(), " times dimension ", i);
    }
    int64_t size = 0;
    if (x.dims[i].is_constant() && repeats[i].is_constant() &&
        __builtin_mul_overflow(x.dims[i].constant(), repeats[i].constant(), &size)) {
      return InvalidModel("src 1 (repeats): the size of dimension ", i, " overflows 64 bits");
    }
    ctx.dst[0].dims.push_back(x.dims[i] * repeats[i]);
  }
  const std::optional<std::vector<Dim>> elements = KnownElements(x);
  if (!elements || x.rank() != 1 || !repeats[0].is_constant()) return Status();
  const int64_t times = repeats[0].constant();
  if (times > kMaxTrackedElements || times * static_cast<int64_t>(elements->size()) > kMaxTrackedElements) {
    return Status();
  }
  std::vector<Dim> repeated;
  for (int64_t i = 0; i < times; ++i) repeated.insert(repeated.end(), elements->begin(), elements->end());
  ctx.dst[0].elements = std::move(repeated);
  return Status();
}

template <class Float>
Status TileReference(const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  return WithStorageType(x.type, [&](auto bits) {
    using Bits = decltype(bits);
    ForEachIndex(y, [&](const Index& at) {
      int64_t from = 0;
      for (size_t d = 0; d < static_cast<size_t>(x.rank); ++d) from += at[d] % x.dims[d] * x.strides[d];
      StoreRaw(reference.dst[0], OffsetOf(y, at), LoadRaw<Bits>(reference.src[0], from));
    });
    return Status();
  });
}

}  // namespace

const OpSchema* TileSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Tile",
      .min_src = 2,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferTile,
      MOKA_REFERENCES(TileReference)  //
  };
  return &kSchema;
}

}  // namespace moka

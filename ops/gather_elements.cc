// GatherElements: src data, indices (of data's rank); dst[..i..] = data[..indices[..i..]..] along an axis.
#include "base/status.h"
#include "ops/element.h"
#include "ops/indexing.h"
#include "ops/infer.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferGatherElements(InferContext& ctx) {
  const SymbolicTensor &x = *ctx.src[0], &indices = *ctx.src[1];
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 1));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, kIndexTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, x.rank(), x.rank()));
  MOKA_RETURN_IF_ERROR(AlongAxisParams::From(*ctx.attrs, x.rank()).status());
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims = indices.dims;
  return Status();
}

template <class Float>
Status GatherElementsReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &x = call.src[0], &indices = call.src[1], &y = call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const AlongAxisParams params, AlongAxisParams::From(call));
  const size_t axis = static_cast<size_t>(params.axis);
  const int64_t n = x.dims[axis];
  return WithStorageType(x.type, [&](auto bits) {
    using Bits = decltype(bits);
    Status status;
    int64_t element = 0;
    ForEachIndex(indices, [&](const Index& at) {
      if (!status.ok()) return;
      const int64_t value = Load<int64_t>(indices, reference.src[1], OffsetOf(indices, at));
      if (value < -n || value >= n) {
        status = IndexOutOfRange(1, element, value, n);
        return;
      }
      Index from = at;
      from[axis] = value < 0 ? value + n : value;
      StoreRaw(reference.dst[0], OffsetOf(y, at), LoadRaw<Bits>(reference.src[0], OffsetOf(x, from)));
      ++element;
    });
    return status;
  });
}

}  // namespace

const OpSchema* GatherElementsSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "GatherElements",
      .min_src = 2,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferGatherElements,
      MOKA_REFERENCES(GatherElementsReference)  //
  };
  return &kSchema;
}

}  // namespace moka

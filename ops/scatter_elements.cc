// ScatterElements: src data, indices, updates; dst is data with dst[..indices[..i..]..] = updates[..i..] along an axis,
// or combined with what is there. Where indices repeat, updates apply in row-major order.
#include "base/status.h"
#include "ops/element.h"
#include "ops/indexing.h"
#include "ops/infer.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferScatterElements(InferContext& ctx) {
  const SymbolicTensor &x = *ctx.src[0], &indices = *ctx.src[1], &updates = *ctx.src[2];
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 1));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, kIndexTypes));
  MOKA_RETURN_IF_ERROR(CheckSameType(ctx, 2, 0));
  for (size_t i = 1; i < 3; ++i) MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, x.rank(), x.rank()));
  for (size_t d = 0; d < indices.dims.size(); ++d) {
    MOKA_RETURN_IF_ERROR(
        RequireEqual(ctx, updates.dims[d], indices.dims[d], StrCat("dimension ", d, " of src 2 and of src 1")));
  }
  MOKA_RETURN_IF_ERROR(AlongAxisParams::From(*ctx.attrs, x.rank()).status());
  MOKA_RETURN_IF_ERROR(ReadScatterReduction(*ctx.attrs).status());
  return InferSameAsSource(ctx);
}

// Calls apply(offset in dst, offset in updates) for every update.
template <class F>
Status ForEachUpdate(const ReferenceCall& reference, F&& apply) {
  const TensorDesc &indices = reference.call.src[1], &updates = reference.call.src[2], &y = reference.call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const AlongAxisParams params, AlongAxisParams::From(reference.call));
  const size_t axis = static_cast<size_t>(params.axis);
  const int64_t n = y.dims[axis];
  Status status;
  int64_t element = 0;
  ForEachIndex(indices, [&](const Index& at) {
    if (!status.ok()) return;
    const int64_t value = Load<int64_t>(indices, reference.src[1], OffsetOf(indices, at));
    if (value < -n || value >= n) {
      status = IndexOutOfRange(1, element, value, n);
      return;
    }
    Index to = at;
    to[axis] = value < 0 ? value + n : value;
    apply(OffsetOf(y, to), OffsetOf(updates, at));
    ++element;
  });
  return status;
}

template <class Float>
Status ScatterElementsReference(const ReferenceCall& reference) {
  return ScatterReference<Float>(reference, [&](auto apply) { return ForEachUpdate(reference, apply); });
}

}  // namespace

const OpSchema* ScatterElementsSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "ScatterElements",
      .min_src = 3,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferScatterElements,
      MOKA_REFERENCES(ScatterElementsReference)  //
  };
  return &kSchema;
}

}  // namespace moka

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/op.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferExpand(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, {DataType::kI64}));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 1, 1));
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> shape, ctx.Elements(1));
  if (shape.size() > kMaxRank) return Unsupported("src 1 (shape): rank ", shape.size(), ", at most ", kMaxRank);
  for (const Dim& dim : shape) {
    if (dim.is_constant() && dim.constant() < 0) return InvalidModel("src 1 (shape): dimension of ", dim.constant());
  }
  ctx.dst[0].type = x.type;
  MOKA_ASSIGN_OR_RETURN(ctx.dst[0].dims, BroadcastDims(ctx, x.dims, shape));
  return Status();
}

template <class Float>
Status ExpandReference(const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  TensorDesc repeated = y;
  for (int i = 0; i < y.rank; ++i) {
    const int own = i - (y.rank - x.rank);
    const bool repeats = own < 0 || x.dims[static_cast<size_t>(own)] == 1;
    repeated.strides[static_cast<size_t>(i)] = repeats ? 0 : x.strides[static_cast<size_t>(own)];
  }
  return CopyElements(repeated, reference.src[0], y, reference.dst[0]);
}

}  // namespace

const OpSchema* ExpandSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Expand",
      .min_src = 2,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferExpand,
      MOKA_REFERENCES(ExpandReference)  //
  };
  return &kSchema;
}

}  // namespace moka

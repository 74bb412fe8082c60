// GatherND: src data, indices (i64). The last dimension of indices holds coordinates into data; what they leave open is
// copied. The first batch_dims dimensions are common to both.
#include "base/status.h"
#include "ops/indexing.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferGatherND(InferContext& ctx) {
  const SymbolicTensor &x = *ctx.src[0], &indices = *ctx.src[1];
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 1));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, {DataType::kI64}));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 1));
  int64_t batch = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(*ctx.attrs, "batch_dims", 0, &batch));
  if (batch < 0 || batch >= x.rank() || batch >= indices.rank()) {
    return InvalidModel("attribute 'batch_dims' is ", batch, " with operands of rank ", x.rank(), " and ",
                        indices.rank());
  }
  for (size_t d = 0; d < static_cast<size_t>(batch); ++d) {
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, x.dims[d], indices.dims[d], StrCat("batch dimension ", d)));
  }
  if (!indices.dims.back().is_constant()) return Unsupported("src 1 (indices): the last dimension is not a number");
  const int64_t depth = indices.dims.back().constant();
  if (depth < 1 || depth > x.rank() - batch) {
    return InvalidModel("src 1 (indices): ", depth, " coordinates, src 0 has ", x.rank() - batch, " dimensions");
  }
  ctx.dst[0].type = x.type;
  std::vector<Dim>& dims = ctx.dst[0].dims;
  dims.assign(indices.dims.begin(), indices.dims.end() - 1);
  dims.insert(dims.end(), x.dims.begin() + batch + depth, x.dims.end());
  if (dims.size() > kMaxRank) return Unsupported("the result has rank ", dims.size(), ", at most ", kMaxRank);
  return Status();
}

template <class Float>
Status GatherNDReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &x = call.src[0], &indices = call.src[1], &y = call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const TupleParams params, TupleParams::From(call));
  const int64_t bytes = static_cast<int64_t>(SizeOf(x.type));
  TensorDesc tuples = indices, from = x, to = y;
  --tuples.rank;
  const int first = params.batch_dims + params.depth;
  from.rank = to.rank = x.rank - first;
  for (int i = 0; i < from.rank; ++i) {
    const size_t k = static_cast<size_t>(i);
    from.dims[k] = to.dims[k] = x.dims[static_cast<size_t>(first + i)];
    from.strides[k] = x.strides[static_cast<size_t>(first + i)];
    to.strides[k] = y.strides[static_cast<size_t>(tuples.rank + i)];
  }
  Status status;
  int64_t element = 0;
  ForEachIndex(tuples, [&](const Index& at) {
    if (!status.ok()) return;
    int64_t src_at = 0, dst_at = 0;
    status = params.Offset(indices, reference.src[1], OffsetOf(tuples, at), x, element++, &src_at);
    if (!status.ok()) return;
    for (size_t d = 0; d < static_cast<size_t>(tuples.rank); ++d) {
      if (d < static_cast<size_t>(params.batch_dims)) src_at += at[d] * x.strides[d];
      dst_at += at[d] * y.strides[d];
    }
    status = CopyElements(from, static_cast<const std::byte*>(reference.src[0]) + src_at * bytes, to,
                          static_cast<std::byte*>(reference.dst[0]) + dst_at * bytes);
  });
  return status;
}

}  // namespace

const OpSchema* GatherNDSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "GatherND",
      .min_src = 2,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferGatherND,
      MOKA_REFERENCES(GatherNDReference)  //
  };
  return &kSchema;
}

}  // namespace moka

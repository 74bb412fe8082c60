// ScatterND: src data, indices (i64), updates; dst is data with the slices that tuples of coordinates name replaced by,
// or combined with, those of updates, in row-major order.
#include "base/status.h"
#include "ops/element.h"
#include "ops/indexing.h"
#include "ops/infer.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferScatterND(InferContext& ctx) {
  const SymbolicTensor &x = *ctx.src[0], &indices = *ctx.src[1], &updates = *ctx.src[2];
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 1));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, {DataType::kI64}));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 1));
  MOKA_RETURN_IF_ERROR(CheckSameType(ctx, 2, 0));
  MOKA_RETURN_IF_ERROR(ReadScatterReduction(*ctx.attrs).status());
  if (!indices.dims.back().is_constant()) return Unsupported("src 1 (indices): the last dimension is not a number");
  const int64_t depth = indices.dims.back().constant();
  if (depth < 1 || depth > x.rank()) {
    return InvalidModel("src 1 (indices): ", depth, " coordinates, src 0 has rank ", x.rank());
  }
  std::vector<Dim> expected(indices.dims.begin(), indices.dims.end() - 1);
  expected.insert(expected.end(), x.dims.begin() + depth, x.dims.end());
  if (expected.size() > kMaxRank) return Unsupported("updates have rank ", expected.size(), ", at most ", kMaxRank);
  const int rank = static_cast<int>(expected.size());
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 2, rank, rank));
  for (size_t d = 0; d < expected.size(); ++d) {
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, updates.dims[d], expected[d], StrCat("dimension ", d, " of src 2")));
  }
  return InferSameAsSource(ctx);
}

// Calls apply(offset in dst, offset in updates) for every element of updates.
template <class F>
Status ForEachUpdate(const ReferenceCall& reference, F&& apply) {
  const TensorDesc &indices = reference.call.src[1], &updates = reference.call.src[2], &y = reference.call.dst[0];
  TupleParams params;
  params.depth = static_cast<int>(indices.dims[static_cast<size_t>(indices.rank - 1)]);
  TensorDesc tuples = indices, slice = y;
  --tuples.rank;
  slice.rank = y.rank - params.depth;
  for (int i = 0; i < slice.rank; ++i) {
    slice.dims[static_cast<size_t>(i)] = y.dims[static_cast<size_t>(params.depth + i)];
  }
  Status status;
  int64_t element = 0;
  ForEachIndex(tuples, [&](const Index& at) {
    if (!status.ok()) return;
    int64_t to = 0, from = 0;
    status = params.Offset(indices, reference.src[1], OffsetOf(tuples, at), y, element++, &to);
    if (!status.ok()) return;
    for (size_t d = 0; d < static_cast<size_t>(tuples.rank); ++d) from += at[d] * updates.strides[d];
    ForEachIndex(slice, [&](const Index& inner) {
      int64_t to_inner = to, from_inner = from;
      for (int i = 0; i < slice.rank; ++i) {
        const int64_t k = inner[static_cast<size_t>(i)];
        to_inner += k * y.strides[static_cast<size_t>(params.depth + i)];
        from_inner += k * updates.strides[static_cast<size_t>(tuples.rank + i)];
      }
      apply(to_inner, from_inner);
    });
  });
  return status;
}

template <class Float>
Status ScatterNDReference(const ReferenceCall& reference) {
  return ScatterReference<Float>(reference, [&](auto apply) { return ForEachUpdate(reference, apply); });
}

}  // namespace

const OpSchema* ScatterNDSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "ScatterND",
      .min_src = 3,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferScatterND,
      MOKA_REFERENCES(ScatterNDReference)  //
  };
  return &kSchema;
}

}  // namespace moka

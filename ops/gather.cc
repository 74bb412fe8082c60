#include "ops/gather.h"

#include <cstring>
#include <optional>

#include "base/status.h"
#include "ops/element.h"
#include "ops/indexing.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

// Checks indices that are known already, and picks the elements of a short list.
Status UseKnownIndices(InferContext& ctx, size_t axis) {
  const std::optional<std::vector<Dim>> indices = KnownElements(*ctx.src[1]);
  const Dim& size = ctx.src[0]->dims[axis];
  if (!indices || !size.is_constant()) return Status();
  const int64_t n = size.constant();
  bool all_known = true;
  for (size_t i = 0; i < indices->size(); ++i) {
    const Dim& index = (*indices)[i];
    all_known = all_known && index.is_constant();
    if (index.is_constant() && (index.constant() < -n || index.constant() >= n)) {
      return IndexOutOfRange(1, static_cast<int64_t>(i), index.constant(), n);
    }
  }
  const std::optional<std::vector<Dim>> elements = KnownElements(*ctx.src[0]);
  if (!elements || !all_known || ctx.src[0]->rank() != 1) return Status();
  std::vector<Dim> picked;
  for (const Dim& index : *indices) {
    const int64_t i = index.constant();
    picked.push_back((*elements)[static_cast<size_t>(i < 0 ? i + n : i)]);
  }
  ctx.dst[0].elements = std::move(picked);
  return Status();
}

Status InferGather(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, kIndexTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 1));
  const std::vector<Dim>& indices = ctx.src[1]->dims;
  MOKA_ASSIGN_OR_RETURN(const GatherParams params, GatherParams::From(*ctx.attrs, x.rank()));
  if (x.dims.size() + indices.size() - 1 > kMaxRank) {
    return Unsupported("the result has rank ", x.dims.size() + indices.size() - 1, ", at most ", kMaxRank);
  }
  const size_t axis = static_cast<size_t>(params.axis);
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims = x.dims;
  const auto at = ctx.dst[0].dims.erase(ctx.dst[0].dims.begin() + params.axis);
  ctx.dst[0].dims.insert(at, indices.begin(), indices.end());
  return UseKnownIndices(ctx, axis);
}

// The part of dst that one index fills, and the shape of one slice of src: data's dimensions but `axis`.
void SliceDescs(const OpCall& call, int axis, TensorDesc* from, TensorDesc* to) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  *from = x;
  *to = y;
  from->rank = to->rank = x.rank - 1;
  for (int i = 0, next = 0; i < x.rank; ++i) {
    if (i == axis) continue;
    const size_t k = static_cast<size_t>(next++), source = static_cast<size_t>(i);
    const size_t result = static_cast<size_t>(i < axis ? i : i - 1 + call.src[1].rank);
    from->dims[k] = to->dims[k] = x.dims[source];
    from->strides[k] = x.strides[source];
    to->strides[k] = y.strides[result];
  }
}

// One known index: the part of src where `axis` is that, without `axis`.
bool OneIndexAsView(const OpCall& call, int, TensorDesc* dst, int64_t* offset) {
  const Result<GatherParams> params = GatherParams::From(call);
  const HostTensor* indices = call.constants.size() > 1 ? call.constants[1] : nullptr;
  if (!params.ok() || indices == nullptr || indices->desc.rank != 0) return false;
  const TensorDesc& x = call.src[0];
  const size_t axis = static_cast<size_t>(params->axis);
  const int64_t n = x.dims[axis], index = Load<int64_t>(indices->desc, indices->data, 0);
  if (index < -n || index >= n) return false;
  TensorDesc to = x;
  SliceDescs(call, params->axis, dst, &to);
  *offset = (index < 0 ? index + n : index) * x.strides[axis];
  return true;
}

template <class Float>
Status GatherReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const GatherParams params, GatherParams::From(call));
  const TensorDesc &x = call.src[0], &indices = call.src[1];
  const size_t axis = static_cast<size_t>(params.axis);
  TensorDesc from, to;
  SliceDescs(call, params.axis, &from, &to);
  const int64_t bytes = static_cast<int64_t>(SizeOf(x.type)), n = x.dims[axis];
  Status status;
  int64_t element = 0;
  ForEachIndex(indices, [&](const Index& at) {
    if (!status.ok()) return;
    const int64_t value = Load<int64_t>(indices, reference.src[1], OffsetOf(indices, at));
    if (value < -n || value >= n) {
      status = IndexOutOfRange(1, element, value, n);
      return;
    }
    int64_t dst_at = 0;
    for (size_t i = 0; i < static_cast<size_t>(indices.rank); ++i) dst_at += at[i] * call.dst[0].strides[axis + i];
    const int64_t src_at = (value < 0 ? value + n : value) * x.strides[axis];
    status = CopyElements(from, static_cast<const std::byte*>(reference.src[0]) + src_at * bytes, to,
                          static_cast<std::byte*>(reference.dst[0]) + dst_at * bytes);
    ++element;
  });
  return status;
}

}  // namespace

Result<GatherParams> GatherParams::From(const Attributes& attrs, int rank) {
  int64_t axis = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "axis", 0, &axis));
  GatherParams params;
  MOKA_ASSIGN_OR_RETURN(params.axis, NormalizeAxis(axis, rank, "attribute 'axis'"));
  return params;
}

const OpSchema* GatherSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Gather",
      .min_src = 2,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferGather,
      MOKA_REFERENCES(GatherReference)  //
          .view = OneIndexAsView,
  };
  return &kSchema;
}

}  // namespace moka

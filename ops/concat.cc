#include "ops/concat.h"

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

// Elements of rank-1 sources one after the other, while they are few and known.
void TrackElements(InferContext& ctx) {
  std::vector<Dim> elements;
  for (const SymbolicTensor* src : ctx.src) {
    std::optional<std::vector<Dim>> part = KnownElements(*src);
    if (!part || elements.size() + part->size() > kMaxTrackedElements) return;
    elements.insert(elements.end(), part->begin(), part->end());
  }
  ctx.dst[0].elements = std::move(elements);
}

Status InferConcat(InferContext& ctx) {
  const SymbolicTensor& first = *ctx.src[0];
  MOKA_ASSIGN_OR_RETURN(const ConcatParams params, ConcatParams::From(*ctx.attrs, first.rank()));
  const size_t axis = static_cast<size_t>(params.axis);
  std::vector<Dim> dims = first.dims;
  for (size_t i = 1; i < ctx.src.size(); ++i) {
    if (!ctx.has_src(i)) return InvalidModel("src ", i, " is missing");
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, i, 0));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, first.rank(), first.rank()));
    for (size_t d = 0; d < dims.size(); ++d) {
      const Dim& dim = ctx.src[i]->dims[d];
      if (d == axis) {
        dims[d] = dims[d] + dim;
        continue;
      }
      MOKA_RETURN_IF_ERROR(RequireEqual(ctx, dim, dims[d], StrCat("dimension ", d, " of src ", i, " and of src 0")));
      if (dim.is_constant()) dims[d] = dim;
    }
  }
  ctx.dst[0].type = first.type;
  ctx.dst[0].dims = std::move(dims);
  if (first.rank() == 1) TrackElements(ctx);
  return Status();
}

template <class Float>
Status ConcatReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const ConcatParams params, ConcatParams::From(call));
  auto* dst = static_cast<std::byte*>(reference.dst[0]);
  for (int i = 0; i < call.num_src(); ++i) {
    TensorDesc part;
    int64_t offset = 0;
    params.Part(call, i, &part, &offset);
    MOKA_RETURN_IF_ERROR(CopyElements(call.src[static_cast<size_t>(i)], reference.src[static_cast<size_t>(i)], part,
                                      dst + offset * static_cast<int64_t>(SizeOf(part.type))));
  }
  return Status();
}

}  // namespace

Result<ConcatParams> ConcatParams::From(const Attributes& attrs, int rank) {
  if (!attrs.Has("axis")) return InvalidModel("attribute 'axis' is missing");
  int64_t axis = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "axis", 0, &axis));
  ConcatParams params;
  MOKA_ASSIGN_OR_RETURN(params.axis, NormalizeAxis(axis, rank, "attribute 'axis'"));
  return params;
}

void ConcatParams::Part(const OpCall& call, int i, TensorDesc* part, int64_t* offset) const {
  const size_t along = static_cast<size_t>(axis);
  *part = call.dst[0];
  part->dims = call.src[static_cast<size_t>(i)].dims;
  *offset = 0;
  for (size_t k = 0; k < static_cast<size_t>(i); ++k) *offset += call.src[k].dims[along] * part->strides[along];
}

const OpSchema* ConcatSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Concat",
      .min_src = 1,
      .max_src = -1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferConcat,
      MOKA_REFERENCES(ConcatReference)  //
  };
  return &kSchema;
}

}  // namespace moka

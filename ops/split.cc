#include "ops/split.h"

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

// Sizes of the parts, given by source 1.
Status GivenSizes(InferContext& ctx, const Dim& whole, std::vector<Dim>* sizes) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, {DataType::kI64}));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 1, 1));
  MOKA_ASSIGN_OR_RETURN(*sizes, ctx.Elements(1));
  if (sizes->size() != ctx.dst.size()) {
    return InvalidModel("src 1 (split) has ", sizes->size(), " elements, the node has ", ctx.dst.size(), " results");
  }
  Dim sum = 0;
  for (const Dim& size : *sizes) {
    if (size.is_constant() && size.constant() < 0) {
      return InvalidModel("src 1 (split): size of ", size.constant());
    }
    sum = sum + size;
  }
  return RequireEqual(ctx, sum, whole, "sum of src 1 (split) and the split dimension of src 0");
}

Status EqualSizes(InferContext& ctx, const Dim& whole, std::vector<Dim>* sizes) {
  int64_t count = 0;
  const int64_t results = static_cast<int64_t>(ctx.dst.size());
  MOKA_RETURN_IF_ERROR(ReadInt(*ctx.attrs, "num_outputs", results, &count));
  if (count != results) {
    return InvalidModel("attribute 'num_outputs' is ", count, ", the node has ", results, " results");
  }
  const Dim part = Dim::CeilDiv(whole, count);
  const Dim last = whole - part * Dim(count - 1);
  if (last.is_constant() && last.constant() < 0) {
    return InvalidModel("attribute 'num_outputs': ", count, " parts of ", part.constant(), " exceed the dimension of ",
                        whole.constant());
  }
  sizes->assign(ctx.dst.size(), part);
  sizes->back() = last;
  return Status();
}

// The parts of a short list of known elements.
void TrackElements(const SymbolicTensor& x, std::vector<SymbolicTensor>* results) {
  const std::optional<std::vector<Dim>> elements = KnownElements(x);
  if (x.rank() != 1 || !elements) return;
  auto next = elements->begin();
  for (SymbolicTensor& result : *results) {
    if (!result.dims[0].is_constant()) return;
    const int64_t size = result.dims[0].constant();
    if (size > elements->end() - next) return;
    result.elements.emplace(next, next + size);
    next += size;
  }
}

Status InferSplit(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  MOKA_ASSIGN_OR_RETURN(const SplitParams params, SplitParams::From(*ctx.attrs, x.rank()));
  const size_t axis = static_cast<size_t>(params.axis);
  std::vector<Dim> sizes;
  if (ctx.has_src(1)) {
    if (ctx.attrs->Has("num_outputs")) {
      return InvalidModel("attribute 'num_outputs' and src 1 (split) exclude each other");
    }
    MOKA_RETURN_IF_ERROR(GivenSizes(ctx, x.dims[axis], &sizes));
  } else {
    MOKA_RETURN_IF_ERROR(EqualSizes(ctx, x.dims[axis], &sizes));
  }
  for (size_t i = 0; i < ctx.dst.size(); ++i) {
    ctx.dst[i].type = x.type;
    ctx.dst[i].dims = x.dims;
    ctx.dst[i].dims[axis] = sizes[i];
  }
  TrackElements(x, &ctx.dst);
  return Status();
}

bool PartAsView(const OpCall& call, int i, TensorDesc* dst, int64_t* offset) {
  const Result<SplitParams> params = SplitParams::From(call);
  if (!params.ok()) return false;
  // The offset is a sum over the parts before, so each must be known: an unused result may be absent.
  for (size_t k = 0; k <= static_cast<size_t>(i); ++k) {
    if (!call.dst[k].present()) return false;
  }
  params->Part(call, i, dst, offset);
  return true;
}

template <class Float>
Status SplitReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const SplitParams params, SplitParams::From(call));
  const auto* src = static_cast<const std::byte*>(reference.src[0]);
  for (size_t i = 0; i < call.dst.size(); ++i) {
    TensorDesc part;
    int64_t offset = 0;
    params.Part(call, static_cast<int>(i), &part, &offset);
    MOKA_RETURN_IF_ERROR(
        CopyElements(part, src + offset * static_cast<int64_t>(SizeOf(part.type)), call.dst[i], reference.dst[i]));
  }
  return Status();
}

}  // namespace

Result<SplitParams> SplitParams::From(const Attributes& attrs, int rank) {
  int64_t axis = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "axis", 0, &axis));
  SplitParams params;
  MOKA_ASSIGN_OR_RETURN(params.axis, NormalizeAxis(axis, rank, "attribute 'axis'"));
  return params;
}

void SplitParams::Part(const OpCall& call, int i, TensorDesc* part, int64_t* offset) const {
  const size_t along = static_cast<size_t>(axis);
  *part = call.src[0];
  part->dims[along] = call.dst[static_cast<size_t>(i)].dims[along];
  *offset = 0;
  for (size_t k = 0; k < static_cast<size_t>(i); ++k) *offset += call.dst[k].dims[along] * part->strides[along];
}

const OpSchema* SplitSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Split",
      .min_src = 1,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = -1,
      .layout = LayoutRule::kStrided,
      .infer = InferSplit,
      MOKA_REFERENCES(SplitReference)  //
          .view = PartAsView,
  };
  return &kSchema;
}

}  // namespace moka

// com.microsoft QLinearConcat: src scale and zero point of dst, then X, its scale and its zero point for each part;
// attribute axis. Parts are quantized anew where their scales differ from that of dst.
#include "base/status.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/quantization.h"
#include "ops/reference.h"

namespace moka {
namespace {

Result<int> AxisOf(const Attributes& attrs, int rank) {
  int64_t axis = 0;
  if (!attrs.Has("axis")) return InvalidModel("attribute 'axis' is missing");
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "axis", 0, &axis));
  return NormalizeAxis(axis, rank, "attribute 'axis'");
}

Status InferConcat(InferContext& ctx) {
  if (ctx.src.size() % 3 != 2) return InvalidModel("inputs: ", ctx.src.size(), ", expected 2 and 3 for each part");
  MOKA_RETURN_IF_ERROR(InferQuantizedType(ctx, 0));
  if (!ctx.has_src(2)) return InvalidModel("src 2 is missing");
  const SymbolicTensor& first = *ctx.src[2];
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 2, 1));
  MOKA_ASSIGN_OR_RETURN(const int axis, AxisOf(*ctx.attrs, first.rank()));
  std::vector<Dim> dims = first.dims;
  dims[static_cast<size_t>(axis)] = Dim(0);
  for (size_t i = 2; i < ctx.src.size(); i += 3) {
    if (!ctx.has_src(i)) return InvalidModel("src ", i, " is missing");
    MOKA_RETURN_IF_ERROR(CheckType(ctx, i, kByteTypes));
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, i, 2));
    MOKA_RETURN_IF_ERROR(CheckScaleAndZero(ctx, i + 1, i));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, first.rank(), first.rank()));
    for (size_t d = 0; d < dims.size(); ++d) {
      if (d == static_cast<size_t>(axis)) {
        dims[d] = dims[d] + ctx.src[i]->dims[d];
      } else {
        MOKA_RETURN_IF_ERROR(
            RequireEqual(ctx, ctx.src[i]->dims[d], first.dims[d], StrCat("dimension ", d, " of src ", i)));
      }
    }
  }
  ctx.dst[0].dims = std::move(dims);
  return Status();
}

Status ConcatReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc& y = call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const int axis, AxisOf(*call.attrs, y.rank));
  const auto y_scale = ScalarSource<float>(reference, 0);
  const auto y_zero = ScalarSource<int64_t>(reference, 1);
  const QuantRange range = QuantRangeOf(y.type);
  int64_t start = 0;
  for (int i = 2; i < call.num_src(); i += 3) {
    const TensorDesc& x = call.src[static_cast<size_t>(i)];
    const auto ratio = ScalarSource<float>(reference, i + 1) / y_scale;
    const auto zero = ScalarSource<int64_t>(reference, i + 2);
    ForEachIndex(x, [&](const Index& at) {
      const int64_t value = Load<int64_t>(x, reference.src[static_cast<size_t>(i)], OffsetOf(x, at)) - zero;
      const int64_t to = OffsetOf(y, at) + start * y.strides[static_cast<size_t>(axis)];
      Store<int64_t>(y, reference.dst[0], to, QuantizeScaled(static_cast<float>(value) * ratio, y_zero, range));
    });
    start += x.dims[static_cast<size_t>(axis)];
  }
  return Status();
}

}  // namespace

const OpSchema* MicrosoftQLinearConcatSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "com.microsoft",
      .name = "QLinearConcat",
      .min_src = 5,
      .max_src = -1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferConcat,
#ifdef MOKA_REFERENCE
      .reference = ConcatReference,
      .oracle = ConcatReference,
#endif
  };
  return &kSchema;
}

}  // namespace moka

// CenterCropPad: src data, shape (the sizes of `axes`, all by default). Each dimension is cropped, or padded with
// zeros, about its centre; an odd element more goes or comes at the end.
#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/pad.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferCenterCropPad(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, kIndexTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 1, 1));
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> shape, ctx.Elements(1));
  IntList axes;
  MOKA_RETURN_IF_ERROR(ReadInts(*ctx.attrs, "axes", &axes));
  uint32_t mask = 0;
  MOKA_RETURN_IF_ERROR(ResolveAxes(axes.span(), x.rank(), "attribute 'axes'", &mask));
  const size_t count = static_cast<size_t>(axes.present ? axes.size : x.rank());
  if (shape.size() != count) {
    return InvalidModel("src 1 (shape) has ", shape.size(), " elements, expected one for each of ", count, " axes");
  }
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims = x.dims;
  for (size_t i = 0; i < count; ++i) {
    if (shape[i].is_constant() && shape[i].constant() < 0) {
      return InvalidModel("src 1 (shape): dimension of ", shape[i].constant());
    }
    const int64_t axis = axes.present ? axes.values[i] : static_cast<int64_t>(i);
    ctx.dst[0].dims[static_cast<size_t>(axis < 0 ? axis + x.rank() : axis)] = shape[i];
  }
  return Status();
}

template <class Float>
Status CenterCropPadReference(const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  const PadParams pad = PadParams::Centered(x, y);
  return WithStorageType(x.type, [&](auto bits) {
    using Bits = decltype(bits);
    ForEachIndex(y, [&](const Index& at) {
      int64_t from = 0;
      bool inside = true;
      for (int d = 0; d < x.rank; ++d) {
        const size_t k = static_cast<size_t>(d);
        const int64_t i = pad.Source(d, at[k], x.dims[k]);
        inside = inside && i >= 0;
        from += i * x.strides[k];
      }
      StoreRaw<Bits>(reference.dst[0], OffsetOf(y, at), inside ? LoadRaw<Bits>(reference.src[0], from) : Bits{});
    });
    return Status();
  });
}

}  // namespace

PadParams PadParams::Centered(const TensorDesc& src, const TensorDesc& dst) {
  PadParams params;
  for (size_t d = 0; d < static_cast<size_t>(src.rank); ++d) {
    const int64_t more = dst.dims[d] - src.dims[d];
    params.begin[d] = more / 2;
    params.end[d] = more - params.begin[d];
  }
  return params;
}

const OpSchema* CenterCropPadSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "CenterCropPad",
      .min_src = 2,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferCenterCropPad,
      MOKA_REFERENCES(CenterCropPadReference)  //
  };
  return &kSchema;
}

}  // namespace moka

#include "ops/max_unpool.h"

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"
#include "ops/window.h"

namespace moka {
namespace {

// The size before pooling along spatial dimension i.
Dim UnpooledDim(const Dim& pooled, const Window& w, size_t i) {
  return (pooled - Dim(1)) * Dim(w.strides[i]) + Dim(w.kernel[i] - w.pads_begin[i] - w.pads_end[i]);
}

}  // namespace

Result<TensorDesc> UnpooledShape(const OpCall& call) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  WindowAttributes window;
  MOKA_RETURN_IF_ERROR(WindowAttributes::Read(*call.attrs, x.rank - 2, nullptr, &window));
  TensorDesc whole = x;
  for (size_t d = 2; d < static_cast<size_t>(x.rank); ++d) {
    whole.dims[d] = UnpooledDim(x.dims[d], window.window, d - 2).constant();
    if (whole.dims[d] < 0) return InvalidArgument("dimension ", d, " of dst would be ", whole.dims[d]);
    if (whole.dims[d] > y.dims[d]) return InvalidArgument("src 2 (output_shape): dimension ", d, " is ", y.dims[d]);
  }
  return whole;
}

namespace {

Status InferMaxUnpool(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 3));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, {DataType::kI64}));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, x.rank(), x.rank()));
  for (size_t d = 0; d < x.dims.size(); ++d) {
    MOKA_RETURN_IF_ERROR(
        RequireEqual(ctx, ctx.src[1]->dims[d], x.dims[d], StrCat("dimension ", d, " of src 1 and of src 0")));
  }
  WindowAttributes window;
  MOKA_RETURN_IF_ERROR(WindowAttributes::Read(*ctx.attrs, x.rank() - 2, nullptr, &window));
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims = {x.dims[0], x.dims[1]};
  for (size_t i = 0; i + 2 < x.dims.size(); ++i) {
    ctx.dst[0].dims.push_back(UnpooledDim(x.dims[i + 2], window.window, i));
    const Dim& dim = ctx.dst[0].dims.back();
    if (dim.is_constant() && dim.constant() < 0) return InvalidModel("dimension ", i + 2, " of dst is negative");
  }
  if (!ctx.has_src(2)) return Status();
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 2, {DataType::kI64}));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 2, 1, 1));
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> shape, ctx.Elements(2));
  if (shape.size() != x.dims.size()) {
    return InvalidModel("src 2 (output_shape) has ", shape.size(), " elements, src 0 has rank ", x.rank());
  }
  for (size_t d = 0; d < shape.size(); ++d) {
    const Dim& least = ctx.dst[0].dims[d];
    if (shape[d].is_constant() && least.is_constant() && shape[d].constant() < least.constant()) {
      return InvalidModel("src 2 (output_shape): dimension ", d, " is ", shape[d].constant(), ", at least ",
                          least.constant(), " is needed");
    }
  }
  ctx.dst[0].dims = shape;
  return Status();
}

template <class Float>
Status MaxUnpoolReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &x = call.src[0], &indices = call.src[1], &y = call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const TensorDesc whole, UnpooledShape(call));
  const int64_t count = whole.NumElements();
  return WithStorageType(x.type, [&](auto bits) {
    using Bits = decltype(bits);
    ForEachIndex(y, [&](const Index& at) { StoreRaw<Bits>(reference.dst[0], OffsetOf(y, at), 0); });
    Status status;
    ForEachIndex(x, [&](const Index& at) {
      int64_t index = LoadRaw<int64_t>(reference.src[1], OffsetOf(indices, at)), to = 0;
      if (index < 0 || index >= count) {
        status = InvalidArgument("src 1 (indices) has an element of ", index, ", expected 0 to ", count - 1);
        return;
      }
      for (size_t d = static_cast<size_t>(x.rank); d-- > 0;) {
        to += index % whole.dims[d] * y.strides[d];
        index /= whole.dims[d];
      }
      StoreRaw(reference.dst[0], to, LoadRaw<Bits>(reference.src[0], OffsetOf(x, at)));
    });
    return status;
  });
}

}  // namespace

const OpSchema* MaxUnpoolSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "MaxUnpool",
      .min_src = 2,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferMaxUnpool,
      MOKA_REFERENCES(MaxUnpoolReference)  //
  };
  return &kSchema;
}

}  // namespace moka

// AffineGrid: src theta [N, 2, 3] or [N, 3, 4], size [N, C, (D,) H, W]; dst [N, (D,) H, W, 2 or 3]: theta times the
// homogeneous coordinates (x, y, (z,) 1) of each pixel, which run from -1 to 1.
#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferAffineGrid(InferContext& ctx) {
  const SymbolicTensor& theta = *ctx.src[0];
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 3, 3));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, {DataType::kI64}));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 1, 1));
  bool align = false;
  MOKA_RETURN_IF_ERROR(ReadFlag(*ctx.attrs, "align_corners", false, &align));
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> size, ctx.Elements(1));
  if (size.size() != 4 && size.size() != 5) {
    return InvalidModel("src 1 (size) has ", size.size(), " elements, expected 4 or 5");
  }
  for (const Dim& dim : size) {
    if (dim.is_constant() && dim.constant() < 0) return InvalidModel("src 1 (size): dimension of ", dim.constant());
  }
  const Dim spatial = static_cast<int64_t>(size.size() - 2);
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, theta.dims[0], size[0], "batch of src 0 and of src 1 (size)"));
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, theta.dims[1], spatial, "rows of src 0"));
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, theta.dims[2], spatial + Dim(1), "columns of src 0"));
  ctx.dst[0].type = theta.type;
  ctx.dst[0].dims = {size[0]};
  ctx.dst[0].dims.insert(ctx.dst[0].dims.end(), size.begin() + 2, size.end());
  ctx.dst[0].dims.push_back(spatial);
  return Status();
}

// The coordinate of pixel i of n: of its centre, or, where corners are aligned, so that the ends are -1 and 1.
double Normalized(int64_t i, int64_t n, bool align) {
  if (!align) return static_cast<double>(2 * i + 1 - n) / static_cast<double>(n);
  return n == 1 ? 0 : static_cast<double>(2 * i + 1 - n) / static_cast<double>(n - 1);
}

template <class Float>
Status AffineGridReference(const ReferenceCall& reference) {
  const TensorDesc &theta = reference.call.src[0], &y = reference.call.dst[0];
  bool align = false;
  MOKA_RETURN_IF_ERROR(ReadFlag(*reference.call.attrs, "align_corners", false, &align));
  const size_t spatial = static_cast<size_t>(y.rank - 2);
  ForEachIndex(y, [&](const Index& at) {
    const int64_t row = at[0] * theta.strides[0] + at[spatial + 1] * theta.strides[1];
    double sum = Load<double>(theta, reference.src[0], row + static_cast<int64_t>(spatial) * theta.strides[2]);
    for (size_t j = 0; j < spatial; ++j) {  // x is the last dimension
      const size_t d = spatial - j;
      sum += Load<double>(theta, reference.src[0], row + static_cast<int64_t>(j) * theta.strides[2]) *
             Normalized(at[d], y.dims[d], align);
    }
    Store<double>(y, reference.dst[0], OffsetOf(y, at), sum);
  });
  return Status();
}

}  // namespace

const OpSchema* AffineGridSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "AffineGrid",
      .min_src = 2,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kRowMajor,
      .infer = InferAffineGrid,
      MOKA_REFERENCES(AffineGridReference)  //
  };
  return &kSchema;
}

}  // namespace moka

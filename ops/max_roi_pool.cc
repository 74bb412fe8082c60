// MaxRoiPool: src X [N, C, H, W], rois [R, 5] (batch, x1, y1, x2, y2, ends included); dst [R, C, pooled_shape...]: the
// largest value of each part of a region, 0 where a part is empty.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/status.h"
#include "ops/accumulate.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

struct MaxRoiPoolParams {
  int64_t pooled[2]{};
  double scale = 1;

  static Result<MaxRoiPoolParams> From(const Attributes& attrs) {
    IntList shape;
    float scale = 1;
    MOKA_RETURN_IF_ERROR(ReadInts(attrs, "pooled_shape", &shape));
    MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "spatial_scale", 1, &scale));
    if (shape.size != 2) return InvalidModel("attribute 'pooled_shape' has ", shape.size, " elements, expected 2");
    MaxRoiPoolParams params;
    for (int i = 0; i < 2; ++i) {
      if (shape[i] < 1 || shape[i] > std::numeric_limits<int32_t>::max()) {
        return InvalidModel("attribute 'pooled_shape' has an element of ", shape[i]);
      }
      params.pooled[i] = shape[i];
    }
    params.scale = scale;
    return params;
  }
};

Status InferMaxRoiPool(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 4, 4));
  MOKA_RETURN_IF_ERROR(CheckSameType(ctx, 1, 0));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 2, 2));
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[1]->dims[1], 5, "columns of src 1 (rois)"));
  MOKA_ASSIGN_OR_RETURN(const MaxRoiPoolParams params, MaxRoiPoolParams::From(*ctx.attrs));
  ctx.dst[0].type = ctx.src[0]->type;
  ctx.dst[0].dims = {ctx.src[1]->dims[0], ctx.src[0]->dims[1], params.pooled[0], params.pooled[1]};
  return Status();
}

// Pixels [begin, end) of part `i` of `parts` of a region from `first` to `last`, inside [0, size).
void PartOf(double first, double last, int64_t i, int64_t parts, int64_t size, int64_t* begin, int64_t* end) {
  const double step = std::max(last - first + 1, 1.0) / static_cast<double>(parts);
  const auto clamped = [&](double at) {
    return ConvertElement<int64_t>(std::clamp(at + first, 0.0, static_cast<double>(size)));
  };
  *begin = clamped(std::floor(static_cast<double>(i) * step));
  *end = clamped(std::ceil(static_cast<double>(i + 1) * step));
}

template <class Float>
Status MaxRoiPoolReference(const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &rois = reference.call.src[1], &y = reference.call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const MaxRoiPoolParams params, MaxRoiPoolParams::From(*reference.call.attrs));
  const auto roi = [&](int64_t r, int64_t k) {
    return Load<double>(rois, reference.src[1], r * rois.strides[0] + k * rois.strides[1]);
  };
  for (int64_t r = 0; r < y.dims[0]; ++r) {
    const double batch = roi(r, 0);
    if (!(batch >= 0 && batch < static_cast<double>(x.dims[0]))) {
      return InvalidArgument("src 1 (rois): row ", r, " is of batch ", batch, ", expected 0 to ", x.dims[0] - 1);
    }
  }
  return WithAccumulator<Float>(x.type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    ForEachIndex(y, [&](const Index& at) {
      const auto edge = [&](int64_t k) { return std::round(roi(at[0], k) * params.scale); };
      int64_t top = 0, bottom = 0, left = 0, right = 0;
      PartOf(edge(2), edge(4), at[2], params.pooled[0], x.dims[2], &top, &bottom);
      PartOf(edge(1), edge(3), at[3], params.pooled[1], x.dims[3], &left, &right);
      const bool empty = bottom <= top || right <= left;
      Acc best = empty ? Acc{} : Lowest<Acc>();
      const int64_t base = static_cast<int64_t>(roi(at[0], 0)) * x.strides[0] + at[1] * x.strides[1];
      for (int64_t h = top; h < bottom; ++h) {
        for (int64_t w = left; w < right; ++w) {
          best = std::max(best, Load<Acc>(x, reference.src[0], base + h * x.strides[2] + w * x.strides[3]));
        }
      }
      Store<Acc>(y, reference.dst[0], OffsetOf(y, at), best);
    });
    return Status();
  });
}

}  // namespace

const OpSchema* MaxRoiPoolSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "MaxRoiPool",
      .min_src = 2,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferMaxRoiPool,
      MOKA_REFERENCES(MaxRoiPoolReference)  //
  };
  return &kSchema;
}

}  // namespace moka

#include "ops/roi_align.h"

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

constexpr double kMostSamples = 1 << 10;  // of one part of a region, per direction
constexpr int64_t kMostRatio = 64;
constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();

Status InferRoiAlign(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 4, 4));
  MOKA_RETURN_IF_ERROR(CheckSameType(ctx, 1, 0));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 2, 2));
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[1]->dims[1], 4, "columns of src 1 (rois)"));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 2, {DataType::kI64}));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 2, 1, 1));
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[2]->dims[0], ctx.src[1]->dims[0],
                                    "elements of src 2 (batch_indices) and rows of src 1"));
  MOKA_ASSIGN_OR_RETURN(const RoiAlignParams params, RoiAlignParams::From(*ctx.attrs));
  ctx.dst[0].type = ctx.src[0]->type;
  ctx.dst[0].dims = {ctx.src[1]->dims[0], ctx.src[0]->dims[1], params.height, params.width};
  return Status();
}

// The largest of samples counts each weighted pixel on its own, as the standard's reference does.
template <class Acc>
Acc PoolSamples(const RoiAlignParams& params, const RoiGrid& grid, const TensorDesc& x, const void* src, int64_t base,
                int64_t i, int64_t j) {
  Acc sum{}, best = Lowest<Acc>();
  for (int64_t s = 0; s < grid.Samples(); ++s) {
    const BilinearSample sample = SampleOf(grid, i, j, s, x.dims[2], x.dims[3]);
    for (int k = 0; k < 4; ++k) {
      const double weight = sample.weight_y[k / 2] * sample.weight_x[k % 2];
      const int64_t at = base + sample.y[k / 2] * x.strides[2] + sample.x[k % 2] * x.strides[3];
      const Acc value = static_cast<Acc>(weight) * Load<Acc>(x, src, at);
      sum += value;
      best = std::max(best, value);
    }
  }
  if (grid.Samples() == 0) return Acc{};
  return params.max ? best : sum / static_cast<Acc>(grid.Samples());
}

template <class Float>
Status RoiAlignReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &x = call.src[0], &rois = call.src[1], &batches = call.src[2], &y = call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const RoiAlignParams params, RoiAlignParams::From(*call.attrs));
  if (y.NumElements() == 0) return Status();
  if (x.dims[2] == 0 || x.dims[3] == 0) return InvalidArgument("src 0 is empty: nothing to sample");
  return WithAccumulator<Float>(x.type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    for (int64_t r = 0; r < y.dims[0]; ++r) {
      const int64_t batch = LoadRaw<int64_t>(reference.src[2], r * batches.strides[0]);
      if (batch < 0 || batch >= x.dims[0]) {
        return InvalidArgument("src 2 (batch_indices): element ", r, " is ", batch, ", expected 0 to ", x.dims[0] - 1);
      }
      double box[4];
      for (int64_t k = 0; k < 4; ++k) {
        box[k] = Load<double>(rois, reference.src[1], r * rois.strides[0] + k * rois.strides[1]);
      }
      const Result<RoiGrid> grid = RoiGrid::From(params, box[0], box[1], box[2], box[3]);
      if (!grid.ok()) return grid.status();
      TensorDesc part = y;
      part.dims[0] = 1;
      ForEachIndex(part, [&](const Index& at) {
        const int64_t base = batch * x.strides[0] + at[1] * x.strides[1];
        Store<Acc>(y, reference.dst[0], OffsetOf(y, at) + r * y.strides[0],
                   PoolSamples<Acc>(params, *grid, x, reference.src[0], base, at[2], at[3]));
      });
    }
    return Status();
  });
}

}  // namespace

Result<RoiAlignParams> RoiAlignParams::From(const Attributes& attrs) {
  RoiAlignParams params;
  std::string_view mode, transformation;
  float scale = 1;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "mode", "avg", &mode));
  if (mode != "avg" && mode != "max") return InvalidModel("attribute 'mode' is '", mode, "', expected avg or max");
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "coordinate_transformation_mode", "half_pixel", &transformation));
  if (transformation != "half_pixel" && transformation != "output_half_pixel") {
    return InvalidModel("attribute 'coordinate_transformation_mode' is '", transformation, "'");
  }
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "output_height", 1, &params.height));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "output_width", 1, &params.width));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "sampling_ratio", 0, &params.sampling_ratio));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "spatial_scale", 1, &scale));
  if (std::min(params.height, params.width) < 1 || std::max(params.height, params.width) > kLargest) {
    return InvalidModel("attributes 'output_height', 'output_width': ", params.height, " x ", params.width);
  }
  if (params.sampling_ratio < 0 || params.sampling_ratio > kMostRatio) {
    return InvalidModel("attribute 'sampling_ratio' is ", params.sampling_ratio, ", expected 0 to ", kMostRatio);
  }
  params.max = mode == "max";
  params.half_pixel = transformation == "half_pixel";
  params.scale = scale;
  return params;
}

Result<RoiGrid> RoiGrid::From(const RoiAlignParams& params, double x1, double y1, double x2, double y2) {
  const double shift = params.half_pixel ? 0.5 : 0;
  RoiGrid grid{};
  grid.left = x1 * params.scale - shift;
  grid.top = y1 * params.scale - shift;
  double width = x2 * params.scale - shift - grid.left, height = y2 * params.scale - shift - grid.top;
  if (!params.half_pixel) {  // regions without an area are one pixel
    width = std::max(width, 1.0);
    height = std::max(height, 1.0);
  }
  grid.step_y = height / static_cast<double>(params.height);
  grid.step_x = width / static_cast<double>(params.width);
  const auto samples = [&](double step) {
    return params.sampling_ratio > 0 ? static_cast<double>(params.sampling_ratio) : std::ceil(step);
  };
  // NaN is not at most anything.
  if (!(samples(grid.step_y) <= kMostSamples) || !(samples(grid.step_x) <= kMostSamples)) return InvalidArgument("src 1 (rois): a region of ", width, " x ", height);
  grid.grid_y = static_cast<int64_t>(std::max(samples(grid.step_y), 0.0));
  grid.grid_x = static_cast<int64_t>(std::max(samples(grid.step_x), 0.0));
  return grid;
}

BilinearSample SampleOf(const RoiGrid& grid, int64_t i, int64_t j, int64_t sample, int64_t height, int64_t width) {
  const auto at = [](double begin, double step, int64_t part, int64_t k, int64_t count) {
    return begin + static_cast<double>(part) * step +
           (static_cast<double>(k) + 0.5) * step / static_cast<double>(count);
  };
  const double y = at(grid.top, grid.step_y, i, sample / grid.grid_x, grid.grid_y);
  const double x = at(grid.left, grid.step_x, j, sample % grid.grid_x, grid.grid_x);
  BilinearSample result{};
  const bool inside = y >= -1 && y <= static_cast<double>(height) && x >= -1 && x <= static_cast<double>(width);
  if (!inside) return result;
  const auto along = [](double position, int64_t size, int64_t* pixels, double* weights) {
    position = std::clamp(position, 0.0, static_cast<double>(size - 1));
    pixels[0] = static_cast<int64_t>(position);
    pixels[1] = std::min(pixels[0] + 1, size - 1);
    weights[1] = position - static_cast<double>(pixels[0]);
    weights[0] = 1 - weights[1];
  };
  along(y, height, result.y, result.weight_y);
  along(x, width, result.x, result.weight_x);
  return result;
}

const OpSchema* RoiAlignSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "RoiAlign",
      .min_src = 3,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kChannelsLast,
      .infer = InferRoiAlign,
      MOKA_REFERENCES(RoiAlignReference)  //
  };
  return &kSchema;
}

}  // namespace moka

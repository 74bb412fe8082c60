// RoiAlign, channels-last: the pixels and weights of all samples of one part of a region, blended at once.
#include "ops/roi_align.h"

#include <algorithm>
#include <limits>

#include "cpu/kernel.h"
#include "cpu/sample.h"
#include "cpu/vector.h"

namespace moka::cpu {
namespace {

constexpr int64_t kTaps = 256;    // blended at once: 64 samples
constexpr int64_t kMaxTaps = 16;  // where each counts on its own
constexpr int64_t kUnitParts = 16;

struct RoiAlignLaunch {
  RoiAlignParams params;
  int64_t channels, parts;  // parts: of all regions
};

Status ChooseRoiAlign(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  if (x.type != DataType::kF32) return Unsupported("src 0: ", NameOf(x.type), ", not f32");
  if (x.dims[1] > 1 && (x.strides[1] != 1 || y.strides[1] != 1)) {
    return Unsupported("the stride of C is ", x.strides[1], " in src 0 and ", y.strides[1], " in dst 0");
  }
  if (x.Extent() > std::numeric_limits<int32_t>::max()) return Unsupported("src 0: ", x.Extent(), " elements");
  RoiAlignLaunch launch{};
  MOKA_ASSIGN_OR_RETURN(launch.params, RoiAlignParams::From(*call.attrs));
  if (x.dims[2] == 0 || x.dims[3] == 0) return Unsupported("src 0 is empty");
  launch.channels = x.dims[1];
  launch.parts = y.dims[0] * y.dims[2] * y.dims[3];
  choice->units = CeilDiv(launch.parts, kUnitParts);
  // Places and weights; then a sum, or the weighted pixels of four samples.
  const int64_t pixels = launch.params.max ? kMaxTaps : 1;
  choice->scratch_per_worker = static_cast<uint64_t>(2 * kTaps + pixels * launch.channels) * sizeof(float);
  choice->cost_us = 64.0 * static_cast<double>(y.NumElements()) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

// The four pixels of a sample, from tap `t` on.
void AddSample(const BilinearSample& sample, const TensorDesc& x, float scale, int64_t t, int32_t* places,
               float* weights) {
  for (int k = 0; k < 4; ++k) {
    places[t + k] = static_cast<int32_t>(sample.y[k / 2] * x.strides[2] + sample.x[k % 2] * x.strides[3]);
    weights[t + k] = static_cast<float>(sample.weight_y[k / 2] * sample.weight_x[k % 2]) * scale;
  }
}

// The largest of all weighted pixels of all samples.
void RunLargest(const KernelArgs& args, const RoiAlignLaunch& launch, const RoiGrid& grid, const float* src, int64_t i,
                int64_t j, float* dst, float* scratch) {
  const TensorDesc& x = args.src_desc[0];
  float *weights = scratch + kTaps, *pixels = weights + kTaps;
  auto* places = reinterpret_cast<int32_t*>(scratch);
  const auto fold = args.simd->vector->fold_columns[static_cast<size_t>(Fold::kMax)];
  std::fill_n(dst, launch.channels, grid.Samples() == 0 ? 0.0f : -std::numeric_limits<float>::infinity());
  for (int64_t first = 0; first < grid.Samples(); first += kMaxTaps / 4) {
    const int64_t taps = 4 * std::min(grid.Samples() - first, kMaxTaps / 4);
    for (int64_t t = 0; t < taps; t += 4) {
      AddSample(SampleOf(grid, i, j, first + t / 4, x.dims[2], x.dims[3]), x, 1, t, places, weights);
    }
    args.simd->sample->blend_pixels(src, {places, weights, 1, taps}, pixels, launch.channels, taps, launch.channels);
    fold(pixels, {{1, 1, taps}, {0, 0, launch.channels}}, 1, pixels, launch.channels);
    for (int64_t c = 0; c < launch.channels; ++c) dst[c] = std::max(dst[c], pixels[c]);
  }
}

void RunPart(const KernelArgs& args, const RoiAlignLaunch& launch, const RoiGrid& grid, const float* src, int64_t i,
             int64_t j, float* dst, float* scratch) {
  const TensorDesc& x = args.src_desc[0];
  const SampleTable& table = *args.simd->sample;
  float *weights = scratch + kTaps, *sum = weights + kTaps;
  auto* places = reinterpret_cast<int32_t*>(scratch);
  const float scale = 1.0f / static_cast<float>(std::max<int64_t>(grid.Samples(), 1));
  std::fill_n(dst, launch.channels, 0.0f);
  for (int64_t first = 0; first < grid.Samples(); first += kTaps / 4) {
    const int64_t count = std::min(grid.Samples() - first, kTaps / 4);
    for (int64_t s = 0; s < count; ++s) {
      AddSample(SampleOf(grid, i, j, first + s, x.dims[2], x.dims[3]), x, scale, 4 * s, places, weights);
    }
    const TapTable taps = {places, weights, 4 * count, 1};
    if (first == 0) {
      table.blend_pixels(src, taps, dst, 0, 1, launch.channels);
      continue;
    }
    table.blend_pixels(src, taps, sum, 0, 1, launch.channels);
    const float* rows[] = {dst, sum};
    const float ones[] = {1, 1};
    table.blend_rows(rows, ones, 2, dst, launch.channels);
  }
}

void RunRoiAlign(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<RoiAlignLaunch>();
  const TensorDesc &x = args.src_desc[0], &rois = args.src_desc[1], &y = args.dst_desc[0];
  const int64_t last = std::min(end * kUnitParts, launch.parts), per_roi = y.dims[2] * y.dims[3];
  RoiGrid grid{};
  int64_t current = -1, batch = 0;
  for (int64_t part = begin * kUnitParts; part < last; ++part) {
    const int64_t r = part / per_roi, i = part % per_roi / y.dims[3], j = part % y.dims[3];
    if (r != current) {
      batch = static_cast<const int64_t*>(args.src[2])[r * args.src_desc[2].strides[0]];
      if (batch < 0 || batch >= x.dims[0]) {
        return args.error->Set(
            InvalidArgument("src 2 (batch_indices): element ", r, " is ", batch, ", expected 0 to ", x.dims[0] - 1));
      }
      const float* box = args.Src(1) + r * rois.strides[0];
      const int64_t step = rois.strides[1];
      Result<RoiGrid> placed = RoiGrid::From(launch.params, box[0], box[step], box[2 * step], box[3 * step]);
      if (!placed.ok()) return args.error->Set(placed.status());
      grid = *placed;
      current = r;
    }
    const auto run = launch.params.max ? RunLargest : RunPart;
    run(args, launch, grid, args.Src(0) + batch * x.strides[0], i, j,
        args.Dst() + r * y.strides[0] + i * y.strides[2] + j * y.strides[3], args.WorkerScratch(worker));
  }
}

}  // namespace

std::span<const KernelRow> RoiAlignRows() {
  static constexpr KernelRow kRows[] = {{"RoiAlign", "roi_align", &ChooseRoiAlign, &RunRoiAlign}};
  return kRows;
}

}  // namespace moka::cpu

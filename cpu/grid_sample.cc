// GridSample: the places and weights of a row of results are found once, then every channel (row-major) or every pixel
// (channels-last) is gathered with them.
#include "ops/grid_sample.h"

#include <algorithm>
#include <limits>

#include "cpu/kernel.h"
#include "cpu/sample.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitLoads = 32768;
constexpr int kMaxTaps = 4;

// Three spatial dimensions, those that are missing in front with size 1.
struct GridSampleLaunch {
  SampleParams params;
  int32_t spatial, pixels;  // pixels: channels are innermost
  int64_t taps;             // of a result
  int64_t input[3], output[3], src_step[3], dst_step[3], grid_step[3];
  int64_t channels, src_batch, dst_batch, grid_batch, src_channel, dst_channel, grid_part;
  int64_t tasks, tasks_per_unit;  // a task is one row of results
};

Status ChooseGridSample(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  const TensorDesc &x = call.src[0], &grid = call.src[1], &y = call.dst[0];
  if (x.NumElements() == 0) return Unsupported("src 0 has no elements");
  GridSampleLaunch launch{};
  MOKA_ASSIGN_OR_RETURN(launch.params, SampleParams::From(*call.attrs));
  launch.spatial = x.rank - 2;
  launch.taps = 1;
  for (size_t i = 0; i < 3; ++i) {
    launch.input[i] = launch.output[i] = 1;
    const size_t missing = static_cast<size_t>(3 - launch.spatial);
    if (i < missing) continue;
    const size_t d = i - missing + 2;
    launch.input[i] = x.dims[d];
    launch.output[i] = y.dims[d];
    launch.src_step[i] = x.strides[d];
    launch.dst_step[i] = y.strides[d];
    launch.grid_step[i] = grid.strides[d - 1];
    launch.taps *= launch.params.Taps();
  }
  launch.channels = x.dims[1];
  launch.src_batch = x.strides[0];
  launch.dst_batch = y.strides[0];
  launch.grid_batch = grid.strides[0];
  launch.src_channel = x.strides[1];
  launch.dst_channel = y.strides[1];
  launch.grid_part = grid.strides[static_cast<size_t>(grid.rank - 1)];
  // One channel whose elements are apart is a pixel too.
  const bool contiguous = launch.output[2] == 1 || launch.dst_step[2] == 1;
  const bool pixels = launch.channels == 1 ? !contiguous : launch.src_channel == 1 && launch.dst_channel == 1;
  launch.pixels = pixels ? 1 : 0;
  if (!pixels && !contiguous) {
    return Unsupported("dst 0: strides of C and of the last dimension are ", launch.dst_channel, " and ",
                       launch.dst_step[2]);
  }
  int64_t extent = 0;
  for (size_t i = 0; i < 3; ++i) extent += (launch.input[i] - 1) * launch.src_step[i];
  if (extent > std::numeric_limits<int32_t>::max()) return Unsupported("src 0: an image of ", extent, " elements");
  launch.tasks = x.dims[0] * launch.output[0] * launch.output[1];
  const int64_t loads = launch.output[2] * launch.channels * launch.taps;
  launch.tasks_per_unit = std::max<int64_t>(kUnitLoads / std::max<int64_t>(loads, 1), 1);
  choice->units = CeilDiv(launch.tasks, launch.tasks_per_unit);
  choice->scratch_per_worker = static_cast<uint64_t>(2 * RoundUp(launch.taps * launch.output[2], 16)) * sizeof(float);
  choice->cost_us = 4.0 * static_cast<double>(loads * launch.tasks) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

// The taps of one result: a product of lists, one per dimension.
void PlaceResult(const GridSampleLaunch& launch, const float* cell, int64_t i, int32_t* places, float* weights) {
  const int taps = launch.params.Taps();
  int64_t at[3][kMaxTaps] = {};
  float weight[3][kMaxTaps] = {{1}, {1}, {1}};
  for (int k = 0; k < launch.spatial; ++k) {  // x comes first in the grid, and last in the tensor
    const int d = 2 - k;
    const float position = launch.params.Position(cell[k * launch.grid_part], launch.input[d]);
    launch.params.TapsAt(position, launch.input[d], at[d], weight[d]);
  }
  const int64_t stride = launch.output[2];
  const int d_taps = launch.spatial > 2 ? taps : 1, h_taps = launch.spatial > 1 ? taps : 1;
  int64_t t = i;
  for (int a = 0; a < d_taps; ++a) {
    for (int b = 0; b < h_taps; ++b) {
      for (int c = 0; c < taps; ++c, t += stride) {
        places[t] = static_cast<int32_t>(at[0][a] * launch.src_step[0] + at[1][b] * launch.src_step[1] +
                                         at[2][c] * launch.src_step[2]);
        weights[t] = weight[0][a] * weight[1][b] * weight[2][c];
      }
    }
  }
}

void RunGridSample(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<GridSampleLaunch>();
  const SampleTable& table = *args.simd->sample;
  const int64_t cols = launch.output[2];
  float* weights = args.WorkerScratch(worker);
  auto* places = reinterpret_cast<int32_t*>(weights + RoundUp(launch.taps * cols, 16));
  const TapTable taps = {places, weights, launch.taps, cols};
  const int64_t last = std::min(end * launch.tasks_per_unit, launch.tasks);
  for (int64_t task = begin * launch.tasks_per_unit; task < last; ++task) {
    const int64_t o1 = task % launch.output[1], o0 = task / launch.output[1] % launch.output[0];
    const int64_t n = task / launch.output[1] / launch.output[0];
    const float* cell = args.Src(1) + n * launch.grid_batch + o0 * launch.grid_step[0] + o1 * launch.grid_step[1];
    for (int64_t i = 0; i < cols; ++i) PlaceResult(launch, cell + i * launch.grid_step[2], i, places, weights);
    const float* src = args.Src(0) + n * launch.src_batch;
    float* dst = args.Dst() + n * launch.dst_batch + o0 * launch.dst_step[0] + o1 * launch.dst_step[1];
    if (launch.pixels != 0) {
      table.blend_pixels(src, taps, dst, launch.dst_step[2], cols, launch.channels);
      continue;
    }
    for (int64_t c = 0; c < launch.channels; ++c) {
      table.gather(src + c * launch.src_channel, taps, dst + c * launch.dst_channel, cols);
    }
  }
}

}  // namespace

std::span<const KernelRow> GridSampleRows() {
  static constexpr KernelRow kRows[] = {{"GridSample", "grid_sample", &ChooseGridSample, &RunGridSample}};
  return kRows;
}

}  // namespace moka::cpu

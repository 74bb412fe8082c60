// MaxPool, AveragePool and LpPool. Channels-last: each result is a fold of whole pixels. Row-major: the rows of a
// window are folded into one padded row in scratch, along which the window then slides.
#include "ops/pool.h"

#include <algorithm>

#include "cpu/kernel.h"
#include "cpu/pool_window.h"
#include "cpu/row.h"
#include "cpu/vector.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitLoads = 32768;
constexpr int64_t kChannelStep = 64;  // channels of a task are a multiple of it

struct PoolLaunch : PoolWindow {
  Fold fold;
  int32_t root;          // of the fold
  float power;           // of a norm beyond the second, else 0
  int64_t channel_part;  // of a task, where channels are contiguous
  int64_t row_floats;    // of the scratch row
};

Status FillLaunch(const OpCall& call, PoolLaunch* launch) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  if (call.dst.size() > 1 && call.dst[1].present()) return Unsupported("dst 1: Indices");
  MOKA_ASSIGN_OR_RETURN(const PoolParams params, PoolParams::From(call));
  launch->Fill(call, params);
  static constexpr Fold kNorms[] = {Fold::kSum, Fold::kSumAbsolute, Fold::kSumSquares};
  launch->fold = params.max ? Fold::kMax : kNorms[std::min<int64_t>(params.power, 2)];
  launch->power = params.power > 2 ? static_cast<float>(params.power) : 0;
  launch->root = params.power == 2 ? 1 : 0;
  return Status();
}

void SetUnits(int64_t loads_per_task, const OpCall& call, PoolLaunch* launch, Choice* choice) {
  launch->tasks_per_unit = std::max<int64_t>(kUnitLoads / std::max<int64_t>(loads_per_task, 1), 1);
  choice->units = CeilDiv(launch->tasks, launch->tasks_per_unit);
  const int64_t taps = launch->kernel[0] * launch->kernel[1] * launch->kernel[2];
  choice->cost_us =
      static_cast<double>(4 * call.dst[0].NumElements() * std::min<int64_t>(taps, 4) + 4 * call.src[0].NumElements()) /
      kBytesPerMicrosecond;
  choice->launch = Blob::Of(*launch);
}

// A task: one row of results, of all its channels or of a part of them.
Status ChoosePixels(const Kernel&, const OpCall& call, Choice* choice) {
  PoolLaunch launch{};
  MOKA_RETURN_IF_ERROR(FillLaunch(call, &launch));
  if (launch.channels != 1 && (launch.src_channel != 1 || launch.dst_channel != 1)) {
    return Unsupported("the stride of C is ", launch.src_channel, " in src 0 and ", launch.dst_channel, " in dst 0");
  }
  const bool has_rows = launch.fold == Fold::kMax || launch.fold == Fold::kSum;
  if (has_rows && launch.channels == 1 && launch.src_step[2] == 1 && launch.dst_step[2] == 1) {
    return Unsupported("one channel: rows are longer");
  }
  const int64_t loads = launch.kernel[0] * launch.kernel[1] * launch.kernel[2] * launch.output[2];
  launch.channel_part = std::max(kUnitLoads / std::max<int64_t>(loads, 1) / kChannelStep, int64_t{1}) * kChannelStep;
  launch.channel_part = std::min(launch.channel_part, launch.channels);
  const int64_t parts = CeilDiv(launch.channels, launch.channel_part);
  launch.tasks = launch.batch * launch.output[0] * launch.output[1] * parts;
  SetUnits(loads * launch.channel_part, call, &launch, choice);
  return Status();
}

void FoldPowers(const RowTable& table, float power, const float* src, const Taps& taps, float* dst, int64_t cols) {
  std::fill_n(dst, cols, 0.0f);
  for (int64_t k0 = 0; k0 < taps.count[0]; ++k0) {
    for (int64_t k1 = 0; k1 < taps.count[1]; ++k1) {
      for (int64_t k2 = 0; k2 < taps.count[2]; ++k2) {
        table.powers(src + k0 * taps.step[0] + k1 * taps.step[1] + k2 * taps.step[2], power, true, dst, cols);
      }
    }
  }
  table.powers(dst, 1 / power, false, dst, cols);
}

// One row of results, of `cols` channels. src: where the windows of the row begin, were they to begin at 0.
void PoolRow(const KernelArgs& args, const PoolLaunch& launch, const float* src, Taps taps, int64_t counted, float* dst,
             int64_t cols) {
  const auto fold = args.simd->vector->fold_pixels[static_cast<size_t>(launch.fold)];
  const Run step = {1, launch.stride[2] * launch.src_step[2], launch.dst_step[2]};
  const int64_t covered = (launch.kernel[2] - 1) * launch.dilation[2] + 1;
  const int64_t inside = CeilDiv(launch.pad_begin[2], launch.stride[2]);
  const int64_t last =
      launch.input[2] + launch.pad_begin[2] - covered;  // where a window inside may begin, with padding
  const int64_t behind = last < 0 ? 0 : std::min(last / launch.stride[2] + 1, launch.output[2]);
  for (int64_t o = 0; o < launch.output[2];) {
    const Reach reach = launch.ReachOf(2, o);
    const float* from = src + reach.first * launch.src_step[2];
    float* to = dst + o * launch.dst_step[2];
    taps.count[2] = reach.count;
    Run run = step;
    if (launch.power != 0) {
      FoldPowers(*args.simd->row, launch.power, from, taps, to, cols);
    } else {
      const int64_t all = counted * reach.counted;
      if (o >= inside && o < behind) run.count = behind - o;
      fold(from, taps, launch.fold != Fold::kSum || all == 0 ? 1.0f : 1.0f / static_cast<float>(all), to, cols, run);
    }
    for (int64_t i = 0; launch.root != 0 && i < run.count; ++i) {
      args.simd->row->square_roots(to + i * run.dst_step, cols);
    }
    o += run.count;
  }
}

void RunPixels(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<PoolLaunch>();
  const int64_t parts = CeilDiv(launch.channels, launch.channel_part);
  const int64_t last = std::min(end * launch.tasks_per_unit, launch.tasks);
  for (int64_t task = begin * launch.tasks_per_unit; task < last; ++task) {
    const int64_t channel = task % parts * launch.channel_part, row = task / parts;
    const int64_t o1 = row % launch.output[1], o0 = row / launch.output[1] % launch.output[0];
    const int64_t n = row / launch.output[1] / launch.output[0];
    const Reach r0 = launch.ReachOf(0, o0), r1 = launch.ReachOf(1, o1);
    const float* src =
        args.Src(0) + n * launch.src_batch + channel + r0.first * launch.src_step[0] + r1.first * launch.src_step[1];
    float* dst = args.Dst() + n * launch.dst_batch + channel + o0 * launch.dst_step[0] + o1 * launch.dst_step[1];
    const Taps taps = {{r0.count, r1.count, 0},
                       {launch.dilation[0] * launch.src_step[0], launch.dilation[1] * launch.src_step[1],
                        launch.dilation[2] * launch.src_step[2]}};
    PoolRow(args, launch, src, taps, r0.counted * r1.counted, dst,
            std::min(launch.channel_part, launch.channels - channel));
  }
}

// A task: one row of results of one channel.
Status ChooseRows(const Kernel&, const OpCall& call, Choice* choice) {
  PoolLaunch launch{};
  MOKA_RETURN_IF_ERROR(FillLaunch(call, &launch));
  if (launch.fold != Fold::kMax && launch.fold != Fold::kSum) return Unsupported("a norm of rows");
  if ((launch.input[2] != 1 && launch.src_step[2] != 1) || (launch.output[2] != 1 && launch.dst_step[2] != 1)) {
    return Unsupported("the stride of the last dimension is ", launch.src_step[2], " in src 0 and ", launch.dst_step[2],
                       " in dst 0");
  }
  const int64_t covered = (launch.output[2] - 1) * launch.stride[2] + (launch.kernel[2] - 1) * launch.dilation[2] + 1;
  launch.row_floats = std::max(covered, launch.pad_begin[2] + launch.input[2]) + kSlideSlack * launch.stride[2];
  launch.tasks = launch.batch * launch.channels * launch.output[0] * launch.output[1];
  const int64_t vertical = launch.kernel[0] * launch.kernel[1] * launch.input[2];
  choice->scratch_per_worker = static_cast<uint64_t>(launch.row_floats + launch.output[2]) * sizeof(float);
  SetUnits(vertical + launch.kernel[2] * launch.output[2], call, &launch, choice);
  return Status();
}

// Prepares scratch: a row of padding, and along the row the reciprocals of what an average counts.
void StartRows(const PoolLaunch& launch, float* row, float* factors) {
  std::fill_n(row, launch.row_floats, FoldStart(launch.max != 0 ? Fold::kMax : Fold::kSum));
  for (int64_t o = 0; o < launch.output[2] && launch.max == 0; ++o) {
    factors[o] = 1.0f / static_cast<float>(std::max<int64_t>(launch.ReachOf(2, o).counted, 1));
  }
}

void RunRows(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<PoolLaunch>();
  const VectorTable& vector = *args.simd->vector;
  const auto fold = vector.fold_columns[static_cast<size_t>(launch.max != 0 ? Fold::kMax : Fold::kSum)];
  const auto slide = launch.max != 0 ? vector.slide_max : vector.slide_sum;
  float* row = args.WorkerScratch(worker);
  float* factors = row + launch.row_floats;
  StartRows(launch, row, factors);
  const int64_t last = std::min(end * launch.tasks_per_unit, launch.tasks);
  for (int64_t task = begin * launch.tasks_per_unit; task < last; ++task) {
    const int64_t o1 = task % launch.output[1], o0 = task / launch.output[1] % launch.output[0];
    const int64_t plane = task / launch.output[1] / launch.output[0];
    const int64_t channel = plane % launch.channels, n = plane / launch.channels;
    const Reach r0 = launch.ReachOf(0, o0), r1 = launch.ReachOf(1, o1);
    const float* src = args.Src(0) + n * launch.src_batch + channel * launch.src_channel +
                       r0.first * launch.src_step[0] + r1.first * launch.src_step[1];
    float* dst = args.Dst() + n * launch.dst_batch + channel * launch.dst_channel + o0 * launch.dst_step[0] +
                 o1 * launch.dst_step[1];
    const Taps taps = {{1, r0.count, r1.count},
                       {0, launch.dilation[0] * launch.src_step[0], launch.dilation[1] * launch.src_step[1]}};
    fold(src, taps, 1.0f, row + launch.pad_begin[2], launch.input[2]);
    slide(row, {launch.kernel[2], launch.dilation[2], launch.stride[2]}, dst, launch.output[2]);
    if (launch.max != 0) continue;
    const float factor = 1.0f / static_cast<float>(std::max<int64_t>(r0.counted * r1.counted, 1));
    vector.scale_columns(factors, factor, dst, launch.output[2]);
  }
}

}  // namespace

std::span<const KernelRow> PoolRows() {
  static constexpr KernelRow kRows[] = {
      {"MaxPool", "pool_pixels", &ChoosePixels, &RunPixels},
      {"MaxPool", "pool_rows", &ChooseRows, &RunRows},
      {"AveragePool", "pool_pixels", &ChoosePixels, &RunPixels},
      {"AveragePool", "pool_rows", &ChooseRows, &RunRows},
      {"LpPool", "pool_pixels", &ChoosePixels, &RunPixels},
      {"GlobalLpPool", "pool_pixels", &ChoosePixels, &RunPixels},
  };
  return kRows;
}

}  // namespace moka::cpu

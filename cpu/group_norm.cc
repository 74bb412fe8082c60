// GroupNormalization and InstanceNormalization: the runs of a group, or, where the channels are innermost and groups
// are small, the columns of a block of groups.
#include <algorithm>
#include <cmath>

#include "cpu/kernel.h"
#include "cpu/nest.h"
#include "cpu/row.h"
#include "ops/group_normalization.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitElements = 16384;
constexpr int64_t kRunChannels = 16;  // shorter runs of channels are columns
constexpr int64_t kColumns = 64;      // of a block of groups, at least where there are as many
enum : size_t { kSrc, kDst, kChannel };

struct GroupNormLaunch {
  float epsilon;
  int32_t scale_per_group;
  int64_t batch, groups, channels;                         // channels: of a group
  int64_t src_batch, src_channel, dst_batch, dst_channel;  // strides
  int64_t scale_step, bias_step, count;                    // count: elements of a group
  Nest<3> runs;                                            // of a group, the innermost dimension apart
  int64_t n, channel_step;                                 // a run: elements, channels from one to the next
  Taps pixels;                                             // columns: as sources
  Nest<2> points;                                          // columns: of both operands
  int64_t groups_per_unit;                                 // columns
  int64_t tasks, tasks_per_unit;
};

Status FillLaunch(const OpCall& call, GroupNormLaunch* launch, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const GroupNormParams params, GroupNormParams::From(call));
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  launch->epsilon = params.epsilon;
  launch->scale_per_group = params.scale_per_group ? 1 : 0;
  launch->batch = x.dims[0];
  launch->groups = params.groups;
  launch->channels = params.channels_per_group;
  launch->src_batch = x.strides[0];
  launch->src_channel = x.strides[1];
  launch->dst_batch = y.strides[0];
  launch->dst_channel = y.strides[1];
  launch->scale_step = call.src[1].strides[0];
  launch->bias_step = call.src[2].strides[0];
  launch->count = launch->channels;
  bool in_place = x.strides[0] == y.strides[0] || x.dims[0] == 1;
  in_place = in_place && (x.strides[1] == y.strides[1] || x.dims[1] == 1);
  for (size_t d = 2; d < static_cast<size_t>(x.rank); ++d) {
    launch->points.Add(x.dims[d], {x.strides[d], y.strides[d]});
    launch->count *= x.dims[d];
    in_place = in_place && (x.dims[d] == 1 || x.strides[d] == y.strides[d]);
  }
  launch->points.SortBy(kSrc);
  launch->points.Merge();
  choice->cost_us = static_cast<double>(8 * y.NumElements()) / kBytesPerMicrosecond;
  choice->in_place = in_place ? 1 : 0;
  return Status();
}

void SetUnits(int64_t task_elements, GroupNormLaunch* launch, Choice* choice) {
  launch->tasks_per_unit = std::max<int64_t>(kUnitElements / std::max<int64_t>(task_elements, 1), 1);
  choice->units = CeilDiv(launch->tasks, launch->tasks_per_unit);
  choice->launch = Blob::Of(*launch);
}

// ---- Runs ---------------------------------------------------------------------------------------------------------

Status ChooseRuns(const Kernel&, const OpCall& call, Choice* choice) {
  GroupNormLaunch launch{};
  MOKA_RETURN_IF_ERROR(FillLaunch(call, &launch, choice));
  launch.runs.Add(launch.channels, {launch.src_channel, launch.dst_channel, 1});
  for (int64_t i = 0; i < launch.points.rank; ++i) {
    launch.runs.Add(launch.points.dims[i], {launch.points.strides[i][kSrc], launch.points.strides[i][kDst], 0});
  }
  launch.runs.SortBy(kSrc);
  launch.runs.Merge();
  launch.n = 1;
  if (launch.runs.rank > 0) {
    const int64_t last = launch.runs.rank - 1;
    const auto& strides = launch.runs.strides[last];
    if (strides[kSrc] != 1 || strides[kDst] != 1) return Unsupported("no dimension of a group is contiguous");
    launch.n = launch.runs.dims[last];
    launch.channel_step = strides[kChannel];
    launch.runs.Remove(last);
  }
  if (launch.channel_step != 0 && launch.scale_step != 1 && launch.scale_per_group == 0) {
    return Unsupported("src 1 is not contiguous");
  }
  launch.tasks = launch.batch * launch.groups;
  SetUnits(launch.count, &launch, choice);
  return Status();
}

template <class F>
void ForEachRun(const GroupNormLaunch& launch, F&& f) {
  Walk<3> run(launch.runs);
  for (int64_t i = launch.runs.Count(); i > 0; --i, run.Next()) f(run);
}

void RunRuns(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<GroupNormLaunch>();
  const VectorTable& vector = *args.simd->vector;
  const RowTable& rows = *args.simd->row;
  const auto sum = vector.fold_run[static_cast<size_t>(Fold::kSum)];
  const auto count = static_cast<float>(launch.count);
  const int64_t last = std::min(end * launch.tasks_per_unit, launch.tasks);
  for (int64_t task = begin * launch.tasks_per_unit; task < last; ++task) {
    const int64_t batch = task / launch.groups, group = task % launch.groups, first = group * launch.channels;
    const float* src = args.Src(0) + batch * launch.src_batch + first * launch.src_channel;
    float* dst = args.Dst() + batch * launch.dst_batch + first * launch.dst_channel;
    float mean = 0, squares = 0;
    ForEachRun(launch, [&](const Walk<3>& run) { mean += sum(src + run[kSrc], launch.n); });
    mean /= count;
    ForEachRun(launch, [&](const Walk<3>& run) { squares += rows.sum_squares_about(src + run[kSrc], mean, launch.n); });
    const float inverse = 1.0f / std::sqrt(squares / count + launch.epsilon);
    ForEachRun(launch, [&](const Walk<3>& run) {
      const int64_t c = launch.scale_per_group != 0 ? group : first + run[kChannel];
      const float *scale = args.Src(1) + c * launch.scale_step, *bias = args.Src(2) + c * launch.bias_step;
      if (launch.channel_step != 0 && launch.scale_per_group == 0) {
        rows.scale_shift(src + run[kSrc], mean, inverse, scale, bias, dst + run[kDst], launch.n);
      } else {
        vector.normalize_run(src + run[kSrc], mean, inverse * *scale, *bias, dst + run[kDst], launch.n);
      }
    });
  }
}

// ---- Columns ------------------------------------------------------------------------------------------------------

Status ChooseColumns(const Kernel&, const OpCall& call, Choice* choice) {
  GroupNormLaunch launch{};
  MOKA_RETURN_IF_ERROR(FillLaunch(call, &launch, choice));
  if (launch.src_channel != 1 || launch.dst_channel != 1) return Unsupported("the stride of C is not 1");
  if (launch.channels >= kRunChannels) return Unsupported(launch.channels, " channels a group are runs");
  if (launch.points.rank > 3) return Unsupported("the spatial dimensions lie in ", launch.points.rank, " parts");
  for (int64_t i = 0; i < 3; ++i) {
    const int64_t from = i - (3 - launch.points.rank);
    launch.pixels.count[i] = from >= 0 ? launch.points.dims[from] : 1;
    launch.pixels.step[i] = from >= 0 ? launch.points.strides[from][kSrc] : 0;
  }
  launch.groups_per_unit = std::min(CeilDiv(kColumns, launch.channels), launch.groups);
  launch.tasks = launch.batch * CeilDiv(launch.groups, launch.groups_per_unit);
  choice->scratch_per_worker = static_cast<uint64_t>(3 * launch.groups_per_unit * launch.channels) * sizeof(float);
  SetUnits(launch.count * launch.groups_per_unit, &launch, choice);
  return Status();
}

// Makes every column of a group hold the mean of the group's columns.
void AverageGroups(float* columns, int64_t groups, int64_t channels, float scale) {
  for (int64_t g = 0; g < groups; ++g) {
    float* of_group = columns + g * channels;
    float sum = 0;
    for (int64_t c = 0; c < channels; ++c) sum += of_group[c];
    std::fill_n(of_group, channels, sum * scale);
  }
}

void RunColumns(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<GroupNormLaunch>();
  const VectorTable& vector = *args.simd->vector;
  float* mean = args.WorkerScratch(worker);
  float* factor = mean + launch.groups_per_unit * launch.channels;
  float* shift = factor + launch.groups_per_unit * launch.channels;
  const int64_t blocks = CeilDiv(launch.groups, launch.groups_per_unit);
  const float scale = 1.0f / static_cast<float>(launch.count);
  const int64_t last = std::min(end * launch.tasks_per_unit, launch.tasks);
  for (int64_t task = begin * launch.tasks_per_unit; task < last; ++task) {
    const int64_t batch = task / blocks, group = task % blocks * launch.groups_per_unit;
    const int64_t groups = std::min(launch.groups_per_unit, launch.groups - group);
    const int64_t first = group * launch.channels, cols = groups * launch.channels;
    const float* src = args.Src(0) + batch * launch.src_batch + first;
    float* dst = args.Dst() + batch * launch.dst_batch + first;
    vector.fold_columns[static_cast<size_t>(Fold::kSum)](src, launch.pixels, 1.0f, mean, cols);
    AverageGroups(mean, groups, launch.channels, scale);
    args.simd->row->sum_squares_about_columns(src, launch.pixels, mean, factor, cols);
    AverageGroups(factor, groups, launch.channels, scale);
    for (int64_t j = 0; j < cols; ++j) {
      const int64_t c = launch.scale_per_group != 0 ? group + j / launch.channels : first + j;
      factor[j] = args.Src(1)[c * launch.scale_step] / std::sqrt(factor[j] + launch.epsilon);
      shift[j] = args.Src(2)[c * launch.bias_step];
    }
    Walk<2> point(launch.points);
    for (int64_t i = launch.points.Count(); i > 0; --i, point.Next()) {
      vector.normalize_columns(src + point[kSrc], mean, factor, shift, dst + point[kDst], cols);
    }
  }
}

}  // namespace

std::span<const KernelRow> GroupNormRows() {
  static constexpr KernelRow kRows[] = {
      {"GroupNormalization", "group_norm_columns", &ChooseColumns, &RunColumns},
      {"GroupNormalization", "group_norm", &ChooseRuns, &RunRuns},
      {"InstanceNormalization", "group_norm_columns", &ChooseColumns, &RunColumns},
      {"InstanceNormalization", "group_norm", &ChooseRuns, &RunRuns},
  };
  return kRows;
}

}  // namespace moka::cpu

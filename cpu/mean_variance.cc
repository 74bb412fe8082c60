// MeanVarianceNormalization, and BatchNormalization in training: of the runs of a result of the statistics, or of
// columns of contiguous results.
#include <algorithm>
#include <cmath>

#include "cpu/kernel.h"
#include "cpu/nest.h"
#include "cpu/row.h"
#include "ops/batch_normalization.h"
#include "ops/mean_variance_normalization.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitElements = 16384;
constexpr int64_t kMostColumns = 256;  // of a task
enum : size_t { kSrc, kDst };

struct MeanVarianceLaunch {
  Nest<2> kept;     // without the columns
  Nest<2> reduced;  // without the run
  int64_t run;      // elements of a run; of columns 0
  int64_t cols, parts, count;
  Taps taps;  // columns: `reduced` as sources
  int64_t tasks, tasks_per_unit;
  int32_t batch_norm, running[2];  // whether the running mean and variance are results
  float epsilon, momentum;
};

Status ChooseForm(MeanVarianceLaunch* launch) {
  const Nest<2>::Strides contiguous = {1, 1};
  Nest<2>&kept = launch->kept, &reduced = launch->reduced;
  launch->parts = 1;
  if (reduced.rank > 0 && reduced.strides[reduced.rank - 1] == contiguous) {
    launch->run = reduced.dims[--reduced.rank];
    return Status();
  }
  if (kept.rank == 0 || kept.strides[kept.rank - 1] != contiguous) {
    launch->run = 1;
    return Status();
  }
  if (reduced.rank > 3) return Unsupported("the reduced dimensions lie in ", reduced.rank, " parts, at most 3");
  launch->cols = kept.dims[--kept.rank];
  launch->parts = CeilDiv(launch->cols, kMostColumns);
  for (int64_t i = 0; i < 3; ++i) {
    const int64_t from = i - (3 - reduced.rank);
    launch->taps.count[i] = from >= 0 ? reduced.dims[from] : 1;
    launch->taps.step[i] = from >= 0 ? reduced.strides[from][kSrc] : 0;
  }
  return Status();
}

// Statistics over `axes`, a mask.
Status SetForm(const OpCall& call, uint32_t axes, MeanVarianceLaunch* filled, Choice* choice) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  MeanVarianceLaunch& launch = *filled;
  launch.count = 1;
  bool in_place = true;
  for (size_t d = 0; d < static_cast<size_t>(x.rank); ++d) {
    const bool is_reduced = (axes >> d & 1) != 0;
    (is_reduced ? launch.reduced : launch.kept).Add(x.dims[d], {x.strides[d], y.strides[d]});
    if (is_reduced) launch.count *= x.dims[d];
    in_place = in_place && (x.dims[d] == 1 || x.strides[d] == y.strides[d]);
  }
  for (Nest<2>* nest : {&launch.kept, &launch.reduced}) {
    nest->SortBy(kSrc);
    nest->Merge();
  }
  MOKA_RETURN_IF_ERROR(ChooseForm(&launch));
  launch.tasks = launch.kept.Count() * launch.parts;
  const int64_t task = launch.count * std::max<int64_t>(std::min(launch.cols, kMostColumns), 1);
  launch.tasks_per_unit = std::max<int64_t>(kUnitElements / std::max<int64_t>(task, 1), 1);
  choice->units = CeilDiv(launch.tasks, launch.tasks_per_unit);
  choice->cost_us = static_cast<double>(12 * y.NumElements()) / kBytesPerMicrosecond;
  choice->in_place = in_place ? 1 : 0;
  return Status();
}

Status ChooseMeanVariance(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const MeanVarianceParams params, MeanVarianceParams::From(*call.attrs, call.src[0].rank));
  MeanVarianceLaunch launch{};
  MOKA_RETURN_IF_ERROR(SetForm(call, params.axes, &launch, choice));
  choice->launch = Blob::Of(launch);
  return Status();
}

// Inference is in cpu/batch_norm.cc.
Status ChooseBatchNormTraining(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const BatchNormParams params, BatchNormParams::From(*call.attrs));
  if (!params.training) return Unsupported("attribute 'training_mode' is 0");
  if (call.src[0].NumElements() == 0) return Unsupported("src 0 is empty");
  MeanVarianceLaunch launch{};
  launch.batch_norm = 1;
  launch.epsilon = params.epsilon;
  launch.momentum = params.momentum;
  for (size_t i = 0; i < 2; ++i) launch.running[i] = call.dst.size() > i + 1 && call.dst[i + 1].present() ? 1 : 0;
  MOKA_RETURN_IF_ERROR(SetForm(call, ~uint32_t{2}, &launch, choice));
  choice->in_place = 0;
  choice->launch = Blob::Of(launch);
  return Status();
}

// What the elements of one result of the statistics are multiplied with, and what is added then.
struct Scale {
  float factor, shift;
};

// `channel` counts the results; the running statistics of a batch are written here.
Scale ScaleOf(const KernelArgs& args, const MeanVarianceLaunch& launch, int64_t channel, float mean, float squares) {
  const float variance = squares / static_cast<float>(launch.count);
  if (launch.batch_norm == 0) {
    return {1.0f / (std::sqrt(variance) + static_cast<float>(MeanVarianceParams::kEpsilon)), 0.0f};
  }
  const auto at = [&](int src) { return args.Src(src)[channel * args.src_desc[src].strides[0]]; };
  for (int i = 0; i < 2; ++i) {
    if (launch.running[i] == 0) continue;
    float* running = args.Dst(i + 1) + channel * args.dst_desc[i + 1].strides[0];
    *running = at(i + 3) * launch.momentum + (i == 0 ? mean : variance) * (1 - launch.momentum);
  }
  return {at(1) / std::sqrt(variance + launch.epsilon), at(2)};
}

template <class F>
void ForEachReduced(const MeanVarianceLaunch& launch, F&& f) {
  Walk<2> at(launch.reduced);
  for (int64_t i = launch.reduced.Count(); i > 0; --i, at.Next()) f(at[kSrc], at[kDst]);
}

void NormalizeRuns(const KernelArgs& args, const MeanVarianceLaunch& launch, int64_t channel, const float* src,
                   float* dst) {
  const Simd& simd = *args.simd;
  const auto sum = simd.vector->fold_run[static_cast<size_t>(Fold::kSum)];
  float mean = 0, squares = 0;
  ForEachReduced(launch, [&](int64_t from, int64_t) { mean += sum(src + from, launch.run); });
  mean /= static_cast<float>(launch.count);
  ForEachReduced(launch,
                 [&](int64_t from, int64_t) { squares += simd.row->sum_squares_about(src + from, mean, launch.run); });
  const Scale scale = ScaleOf(args, launch, channel, mean, squares);
  ForEachReduced(launch, [&](int64_t from, int64_t to) {
    simd.vector->normalize_run(src + from, mean, scale.factor, scale.shift, dst + to, launch.run);
  });
}

void NormalizeColumns(const KernelArgs& args, const MeanVarianceLaunch& launch, int64_t channel, const float* src,
                      float* dst, int64_t cols) {
  const Simd& simd = *args.simd;
  float mean[kMostColumns], factor[kMostColumns], shift[kMostColumns];
  const float scale = 1.0f / static_cast<float>(launch.count);
  simd.vector->fold_columns[static_cast<size_t>(Fold::kSum)](src, launch.taps, scale, mean, cols);
  simd.row->sum_squares_about_columns(src, launch.taps, mean, factor, cols);
  for (int64_t j = 0; j < cols; ++j) {
    const Scale of = ScaleOf(args, launch, channel + j, mean[j], factor[j]);
    factor[j] = of.factor;
    shift[j] = of.shift;
  }
  ForEachReduced(launch, [&](int64_t from, int64_t to) {
    simd.vector->normalize_columns(src + from, mean, factor, shift, dst + to, cols);
  });
}

void RunMeanVariance(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<MeanVarianceLaunch>();
  const int64_t last = std::min(end * launch.tasks_per_unit, launch.tasks);
  int64_t task = begin * launch.tasks_per_unit;
  Walk<2> kept(launch.kept, task / launch.parts);
  for (int64_t part = task % launch.parts; task < last; ++task, ++part) {
    if (part == launch.parts) {
      part = 0;
      kept.Next();
    }
    const int64_t col = part * kMostColumns;
    const float* src = args.Src(0) + kept[kSrc] + col;
    float* dst = args.Dst() + kept[kDst] + col;
    if (launch.cols == 0) {
      NormalizeRuns(args, launch, task / launch.parts, src, dst);
    } else {
      NormalizeColumns(args, launch, col, src, dst, std::min(kMostColumns, launch.cols - col));
    }
  }
}

}  // namespace

std::span<const KernelRow> MeanVarianceRows() {
  static constexpr KernelRow kRows[] = {
      {"MeanVarianceNormalization", "mean_variance", &ChooseMeanVariance, &RunMeanVariance},
      {"BatchNormalization", "mean_variance", &ChooseBatchNormTraining, &RunMeanVariance}};
  return kRows;
}

}  // namespace moka::cpu

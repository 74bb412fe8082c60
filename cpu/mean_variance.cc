// MeanVarianceNormalization: of the runs of a result of the statistics, or of columns of contiguous results.
#include <algorithm>
#include <cmath>

#include "cpu/kernel.h"
#include "cpu/nest.h"
#include "cpu/row.h"
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
};

Status ChooseForm(MeanVarianceLaunch* launch) {
  const Nest<2>::Strides contiguous = {1, 1};
  Nest<2>&kept = launch->kept, &reduced = launch->reduced;
  launch->parts = 1;
  if (reduced.rank > 0 && reduced.strides[reduced.rank - 1] == contiguous) {
    launch->run = reduced.dims[--reduced.rank];
    return Status();
  }
  if (kept.rank == 0 || kept.strides[kept.rank - 1] != contiguous) return Unsupported("no dimension is contiguous");
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

Status ChooseMeanVariance(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const MeanVarianceParams params, MeanVarianceParams::From(*call.attrs, x.rank));
  MeanVarianceLaunch launch{};
  launch.count = 1;
  bool in_place = true;
  for (size_t d = 0; d < static_cast<size_t>(x.rank); ++d) {
    const bool is_reduced = (params.axes >> d & 1) != 0;
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
  choice->launch = Blob::Of(launch);
  return Status();
}

float Inverse(float squares, int64_t count) {
  const float deviation = std::sqrt(squares / static_cast<float>(count));
  return 1.0f / (deviation + static_cast<float>(MeanVarianceParams::kEpsilon));
}

template <class F>
void ForEachReduced(const MeanVarianceLaunch& launch, F&& f) {
  Walk<2> at(launch.reduced);
  for (int64_t i = launch.reduced.Count(); i > 0; --i, at.Next()) f(at[kSrc], at[kDst]);
}

void NormalizeRuns(const MeanVarianceLaunch& launch, const Simd& simd, const float* src, float* dst) {
  const auto sum = simd.vector->fold_run[static_cast<size_t>(Fold::kSum)];
  float mean = 0, squares = 0;
  ForEachReduced(launch, [&](int64_t from, int64_t) { mean += sum(src + from, launch.run); });
  mean /= static_cast<float>(launch.count);
  ForEachReduced(launch,
                 [&](int64_t from, int64_t) { squares += simd.row->sum_squares_about(src + from, mean, launch.run); });
  const float factor = Inverse(squares, launch.count);
  ForEachReduced(launch, [&](int64_t from, int64_t to) {
    simd.vector->normalize_run(src + from, mean, factor, 0, dst + to, launch.run);
  });
}

void NormalizeColumns(const MeanVarianceLaunch& launch, const Simd& simd, const float* src, float* dst, int64_t cols) {
  static constexpr float kZeros[kMostColumns] = {};
  float mean[kMostColumns], factor[kMostColumns];
  const float scale = 1.0f / static_cast<float>(launch.count);
  simd.vector->fold_columns[static_cast<size_t>(Fold::kSum)](src, launch.taps, scale, mean, cols);
  simd.row->sum_squares_about_columns(src, launch.taps, mean, factor, cols);
  std::transform(factor, factor + cols, factor, [&](float squares) { return Inverse(squares, launch.count); });
  ForEachReduced(launch, [&](int64_t from, int64_t to) {
    simd.vector->normalize_columns(src + from, mean, factor, kZeros, dst + to, cols);
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
      NormalizeRuns(launch, *args.simd, src, dst);
    } else {
      NormalizeColumns(launch, *args.simd, src, dst, std::min(kMostColumns, launch.cols - col));
    }
  }
}

}  // namespace

std::span<const KernelRow> MeanVarianceRows() {
  static constexpr KernelRow kRows[] = {
      {"MeanVarianceNormalization", "mean_variance", &ChooseMeanVariance, &RunMeanVariance}};
  return kRows;
}

}  // namespace moka::cpu

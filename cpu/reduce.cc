// Reductions, and the global pooling that is one: of contiguous rows, or of columns of contiguous rows. Where no
// dimension is contiguous, each result is a row of one column.
#include "ops/reduce.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "cpu/kernel.h"
#include "cpu/nest.h"
#include "cpu/row.h"
#include "cpu/vector.h"
#include "ops/pool.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitElements = 32768;
constexpr int64_t kMostColumns = 256;  // of a task
enum : size_t { kSrc, kDst };

// What follows the fold.
enum class Finish : int32_t { kNone, kRoot, kLog, kLogSumExp };

struct ReduceLaunch {
  Fold fold;
  Finish finish;
  float scale;
  int32_t columns;  // whether a task is a part of a row of results, else it is one result
  Nest<2> kept;     // without the row
  int64_t cols, col_part, dst_step;
  Taps taps;  // what is reduced; a run of rows is the last dimension
  int64_t tasks, tasks_per_unit;
};

struct FoldOf {
  Fold fold;
  bool mean;
  Finish finish;
};
// In the order of MOKA_REDUCE_OPS. ReduceLogSumExp folds twice: first to the largest element.
constexpr FoldOf kFolds[] = {
    {Fold::kSum, true, Finish::kNone},          {Fold::kSum, false, Finish::kNone},
    {Fold::kMax, false, Finish::kNone},         {Fold::kMin, false, Finish::kNone},
    {Fold::kProduct, false, Finish::kNone},     {Fold::kSumSquares, false, Finish::kNone},
    {Fold::kSumAbsolute, false, Finish::kNone}, {Fold::kSumSquares, false, Finish::kRoot},
    {Fold::kSum, false, Finish::kLog},          {Fold::kMax, false, Finish::kLogSumExp},
};
#define MOKA_COUNT_REDUCTION(name, start, step, end) +1
static_assert(std::size(kFolds) == 0 MOKA_REDUCE_OPS(MOKA_COUNT_REDUCTION));
#undef MOKA_COUNT_REDUCTION

// A global pooling is the reduction of all dimensions from the third on.
Result<ReduceParams> ParamsOf(const OpCall& call) {
  const std::string_view name = call.op->name;
  if (!name.starts_with("Global")) return ReduceParams::From(call);
  ReduceParams params;
  params.kind = name == "GlobalMaxPool" ? ReduceKind::kReduceMax : ReduceKind::kReduceMean;
  if (name == "GlobalLpPool") {
    MOKA_ASSIGN_OR_RETURN(const PoolParams pool, PoolParams::From(call));
    if (pool.power > 2) return Unsupported("attribute 'p' is ", pool.power);
    params.kind = pool.power == 1 ? ReduceKind::kReduceL1 : ReduceKind::kReduceL2;
  }
  params.axes = ((uint32_t{1} << call.src[0].rank) - 1) & ~uint32_t{3};
  params.dst_strides[0] = call.dst[0].strides[0];
  params.dst_strides[1] = call.dst[0].strides[1];
  return params;
}

// Takes the reduced dimensions as taps; the last of them is the innermost.
Status SetTaps(const Nest<1>& reduced, Taps* taps) {
  if (reduced.rank > 3) return Unsupported("the reduced dimensions lie in ", reduced.rank, " parts, at most 3");
  for (int64_t i = 0; i < 3; ++i) {
    const int64_t from = i - (3 - reduced.rank);
    taps->count[i] = from >= 0 ? reduced.dims[from] : 1;
    taps->step[i] = from >= 0 ? reduced.strides[from][0] : 0;
  }
  return Status();
}

Status ChooseForm(const Nest<1>& reduced, ReduceLaunch* launch) {
  Nest<2>& kept = launch->kept;
  launch->cols = 1;
  const bool run = reduced.rank > 0 && reduced.strides[reduced.rank - 1][0] == 1;
  const bool row = kept.rank > 0 && kept.strides[kept.rank - 1][kSrc] == 1;
  if (row && !(run && reduced.dims[reduced.rank - 1] > 1)) {
    launch->columns = 1;
    launch->cols = kept.dims[--kept.rank];
    launch->dst_step = kept.strides[kept.rank][kDst];
  } else if (!run) {
    launch->columns = 1;
    launch->dst_step = 1;
  }
  launch->col_part = std::min(launch->cols, kMostColumns);
  return SetTaps(reduced, &launch->taps);
}

Status ChooseReduce(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc& x = call.src[0];
  if (x.type != DataType::kF32) return Unsupported("src 0: ", NameOf(x.type), ", not f32");
  MOKA_ASSIGN_OR_RETURN(const ReduceParams params, ParamsOf(call));
  ReduceLaunch launch{};
  Nest<1> reduced;
  int64_t count = 1;
  for (size_t d = 0; d < static_cast<size_t>(x.rank); ++d) {
    if ((params.axes >> d & 1) != 0) {
      reduced.Add(x.dims[d], {x.strides[d]});
      count *= x.dims[d];
    } else {
      launch.kept.Add(x.dims[d], {x.strides[d], params.dst_strides[d]});
    }
  }
  reduced.SortBy(kSrc);
  reduced.Merge();
  launch.kept.SortBy(kSrc);
  launch.kept.Merge();
  MOKA_RETURN_IF_ERROR(ChooseForm(reduced, &launch));
  const FoldOf fold = kFolds[static_cast<size_t>(params.kind)];
  launch.fold = fold.fold;
  launch.finish = fold.finish;
  launch.scale = fold.mean ? 1.0f / static_cast<float>(count) : 1.0f;
  launch.tasks = launch.kept.Count() * CeilDiv(launch.cols, launch.col_part);
  launch.tasks_per_unit = std::max<int64_t>(kUnitElements / std::max<int64_t>(count * launch.col_part, 1), 1);
  choice->units = CeilDiv(launch.tasks, launch.tasks_per_unit);
  choice->cost_us = static_cast<double>(4 * x.NumElements()) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

// Calls f(run) for the runs of a result.
template <class F>
void ForEachRun(const Taps& taps, const float* src, F&& f) {
  for (int64_t k0 = 0; k0 < taps.count[0]; ++k0) {
    for (int64_t k1 = 0; k1 < taps.count[1]; ++k1) f(src + k0 * taps.step[0] + k1 * taps.step[1]);
  }
}

// The largest element, where it is finite, is what exponents are relative to.
float Center(float largest) { return std::isfinite(largest) ? largest : 0.0f; }

float FinishOne(Finish finish, float fold) {
  return finish == Finish::kRoot ? std::sqrt(fold) : finish == Finish::kLog ? std::log(fold) : fold;
}

float ReduceRuns(const ReduceLaunch& launch, const Simd& simd, const float* src) {
  const Taps& taps = launch.taps;
  const auto fold_run = simd.vector->fold_run[static_cast<size_t>(launch.fold)];
  float fold = FoldStart(launch.fold);
  ForEachRun(taps, src, [&](const float* run) { fold = FoldJoin(launch.fold, fold, fold_run(run, taps.count[2])); });
  if (launch.finish != Finish::kLogSumExp) return FinishOne(launch.finish, fold * launch.scale);
  const float center = Center(fold);
  float sum = 0;
  ForEachRun(taps, src, [&](const float* run) { sum += simd.row->sum_exp(run, center, taps.count[2]); });
  return center + std::log(sum);
}

// Folds of `cols` columns, where dst is contiguous or not.
void ReduceColumns(const ReduceLaunch& launch, const Simd& simd, const float* src, float* dst, int64_t cols) {
  const auto fold_columns = simd.vector->fold_columns[static_cast<size_t>(launch.fold)];
  float folds[kMostColumns];
  float* to = launch.dst_step == 1 ? dst : folds;
  fold_columns(src, launch.taps, launch.scale, to, cols);
  if (launch.finish == Finish::kLogSumExp) {
    float sums[kMostColumns];
    std::transform(to, to + cols, to, Center);
    simd.row->sum_exp_columns(src, launch.taps, to, sums, cols);
    for (int64_t j = 0; j < cols; ++j) to[j] += std::log(sums[j]);
  } else if (launch.finish != Finish::kNone) {
    std::transform(to, to + cols, to, [&](float x) { return FinishOne(launch.finish, x); });
  }
  for (int64_t j = 0; to == folds && j < cols; ++j) dst[j * launch.dst_step] = folds[j];
}

void RunReduce(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<ReduceLaunch>();
  const int64_t parts = CeilDiv(launch.cols, launch.col_part);
  const int64_t last = std::min(end * launch.tasks_per_unit, launch.tasks);
  int64_t task = begin * launch.tasks_per_unit;
  Walk<2> kept(launch.kept, task / parts);
  for (int64_t part = task % parts; task < last; ++task, ++part) {
    if (part == parts) {
      part = 0;
      kept.Next();
    }
    const int64_t col = part * launch.col_part;
    const float* src = args.Src(0) + kept[kSrc] + col;
    float* dst = args.Dst() + kept[kDst] + col * launch.dst_step;
    if (launch.columns != 0) {
      ReduceColumns(launch, *args.simd, src, dst, std::min(launch.col_part, launch.cols - col));
    } else {
      *dst = ReduceRuns(launch, *args.simd, src);
    }
  }
}

}  // namespace

std::span<const KernelRow> ReduceRows() {
  static constexpr KernelRow kRows[] = {
#define MOKA_REDUCE_KERNEL(name, start, step, end) {#name, "reduce", &ChooseReduce, &RunReduce},
      MOKA_REDUCE_OPS(MOKA_REDUCE_KERNEL)
#undef MOKA_REDUCE_KERNEL
          {"GlobalAveragePool", "reduce", &ChooseReduce, &RunReduce},
      {"GlobalLpPool", "reduce", &ChooseReduce, &RunReduce},
      {"GlobalMaxPool", "reduce", &ChooseReduce, &RunReduce},
  };
  return kRows;
}

}  // namespace moka::cpu

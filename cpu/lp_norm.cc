// LpNormalization of contiguous rows or of columns of contiguous rows, and LRN.
#include <algorithm>
#include <cmath>

#include "cpu/kernel.h"
#include "cpu/nest.h"
#include "cpu/row.h"
#include "ops/lp_normalization.h"
#include "ops/lrn.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitElements = 16384;
constexpr int64_t kMostColumns = 256;  // of a task
enum : size_t { kSrc, kDst };

struct RowsLaunch {
  Nest<2> outer;
  int64_t n, src_step, dst_step;  // elements along the axis
  int64_t cols, parts;            // of contiguous columns; 0: the axis is contiguous
  int64_t tasks, tasks_per_unit;

  // Takes all dimensions but `axis`.
  void Set(const TensorDesc& x, const TensorDesc& y, size_t axis, bool rows, Choice* choice);
};

void RowsLaunch::Set(const TensorDesc& x, const TensorDesc& y, size_t axis, bool rows, Choice* choice) {
  n = x.dims[axis];
  src_step = x.strides[axis];
  dst_step = y.strides[axis];
  bool in_place = src_step == dst_step || n == 1;
  for (size_t d = 0; d < static_cast<size_t>(x.rank); ++d) {
    if (d == axis) continue;
    outer.Add(x.dims[d], {x.strides[d], y.strides[d]});
    in_place = in_place && (x.dims[d] == 1 || x.strides[d] == y.strides[d]);
  }
  outer.SortBy(kDst);
  outer.Merge();
  parts = 1;
  if (!rows) {
    cols = 1;
    if (outer.rank > 0 && outer.strides[outer.rank - 1] == Nest<2>::Strides{1, 1}) cols = outer.dims[--outer.rank];
    parts = CeilDiv(cols, kMostColumns);
  }
  tasks = outer.Count() * parts;
  const int64_t task = n * std::max<int64_t>(std::min(cols, kMostColumns), 1);
  tasks_per_unit = std::max<int64_t>(kUnitElements / std::max<int64_t>(task, 1), 1);
  choice->units = CeilDiv(tasks, tasks_per_unit);
  choice->cost_us = static_cast<double>(12 * y.NumElements()) / kBytesPerMicrosecond;
  choice->in_place = in_place ? 1 : 0;
}

// Calls f(src offset, dst offset, columns) for the tasks of some units.
template <class F>
void ForEachTask(const RowsLaunch& launch, int64_t begin, int64_t end, F&& f) {
  const int64_t last = std::min(end * launch.tasks_per_unit, launch.tasks);
  int64_t task = begin * launch.tasks_per_unit;
  Walk<2> outer(launch.outer, task / launch.parts);
  for (int64_t part = task % launch.parts; task < last; ++task, ++part) {
    if (part == launch.parts) {
      part = 0;
      outer.Next();
    }
    const int64_t col = part * kMostColumns;
    f(outer[kSrc] + col, outer[kDst] + col, std::min(kMostColumns, launch.cols - col));
  }
}

struct LpNormLaunch {
  Fold fold;
  RowsLaunch rows;
};

Status ChooseLpNorm(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const LpNormParams params, LpNormParams::From(*call.attrs, x.rank));
  const auto axis = static_cast<size_t>(params.axis);
  LpNormLaunch launch{};
  launch.fold = params.p == 1 ? Fold::kSumAbsolute : Fold::kSumSquares;
  launch.rows.Set(x, y, axis, x.dims[axis] > 1 && x.strides[axis] == 1 && y.strides[axis] == 1, choice);
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunLpNorm(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<LpNormLaunch>();
  const RowsLaunch& rows = launch.rows;
  const VectorTable& vector = *args.simd->vector;
  const auto factor = [&](float norm) {
    if (launch.fold == Fold::kSumSquares) norm = std::sqrt(norm);
    return norm == 0 ? 0.0f : 1.0f / norm;
  };
  const Taps taps = {{1, 1, rows.n}, {0, 0, rows.src_step}};
  ForEachTask(rows, begin, end, [&](int64_t src_at, int64_t dst_at, int64_t cols) {
    const float* src = args.Src(0) + src_at;
    float* dst = args.Dst() + dst_at;
    if (rows.cols == 0) {
      const float norm = vector.fold_run[static_cast<size_t>(launch.fold)](src, rows.n);
      vector.normalize_run(src, 0, factor(norm), 0, dst, rows.n);
      return;
    }
    static constexpr float kZeros[kMostColumns] = {};
    float factors[kMostColumns];
    vector.fold_columns[static_cast<size_t>(launch.fold)](src, taps, 1.0f, factors, cols);
    std::transform(factors, factors + cols, factors, factor);
    for (int64_t i = 0; i < rows.n; ++i) {
      vector.normalize_columns(src + i * rows.src_step, kZeros, factors, kZeros, dst + i * rows.dst_step, cols);
    }
  });
}

struct LrnLaunch {
  int64_t before, after;
  float alpha, beta, bias;
  RowsLaunch rows;
};

Status ChooseLrn(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const LrnParams params, LrnParams::From(*call.attrs));
  LrnLaunch launch{};
  // A window is as good as one that covers all channels.
  launch.before = std::min(params.before, x.dims[1]);
  launch.after = std::min(params.after, x.dims[1]);
  launch.alpha = params.alpha;
  launch.beta = params.beta;
  launch.bias = params.bias;
  const bool rows = x.dims[1] > 1 && x.strides[1] == 1 && y.strides[1] == 1;
  launch.rows.Set(x, y, 1, rows, choice);
  choice->in_place = 0;
  if (rows) {
    choice->scratch_per_worker =
        static_cast<uint64_t>(2 * x.dims[1] + launch.before + launch.after + kSlideSlack) * sizeof(float);
  }
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunLrn(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<LrnLaunch>();
  const RowsLaunch& rows = launch.rows;
  const VectorTable& vector = *args.simd->vector;
  const RowTable& table = *args.simd->row;
  // Rows: sums of all windows, then the squares with zeros around them.
  float *sums = args.WorkerScratch(worker), *squares = sums + rows.n;
  const int64_t window = launch.before + 1 + launch.after;
  if (rows.cols == 0) std::fill_n(squares, rows.n + launch.before + launch.after + kSlideSlack, 0.0f);
  ForEachTask(rows, begin, end, [&](int64_t src_at, int64_t dst_at, int64_t cols) {
    const float* src = args.Src(0) + src_at;
    float* dst = args.Dst() + dst_at;
    if (rows.cols == 0) {
      table.squares(src, squares + launch.before, rows.n);
      vector.slide_sum(squares, {window, 1, 1}, sums, rows.n);
      table.local_response(src, sums, launch.bias, launch.alpha, launch.beta, dst, rows.n);
      return;
    }
    float of_columns[kMostColumns];
    for (int64_t c = 0; c < rows.n; ++c) {
      const int64_t first = std::max<int64_t>(c - launch.before, 0), last = std::min(c + launch.after, rows.n - 1);
      const Taps taps = {{1, 1, last - first + 1}, {0, 0, rows.src_step}};
      const auto fold = vector.fold_columns[static_cast<size_t>(Fold::kSumSquares)];
      fold(src + first * rows.src_step, taps, 1.0f, of_columns, cols);
      table.local_response(src + c * rows.src_step, of_columns, launch.bias, launch.alpha, launch.beta,
                           dst + c * rows.dst_step, cols);
    }
  });
}

}  // namespace

std::span<const KernelRow> LpNormRows() {
  static constexpr KernelRow kRows[] = {
      {"LpNormalization", "lp_norm", &ChooseLpNorm, &RunLpNorm},
      {"LRN", "lrn", &ChooseLrn, &RunLrn},
  };
  return kRows;
}

}  // namespace moka::cpu

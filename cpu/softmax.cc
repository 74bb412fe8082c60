// Softmax and LogSoftmax: along rows that are contiguous, or along columns of contiguous rows. Where the source has
// neither, its elements are collected in a contiguous row of the result, or there is one column at a time.
#include "ops/softmax.h"

#include <algorithm>

#include "cpu/kernel.h"
#include "cpu/nest.h"
#include "cpu/vector.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitElements = 8192;
constexpr int64_t kColumns = 64;  // of a task, at least
enum : size_t { kSrc, kDst };

struct SoftmaxLaunch {
  int64_t log, n, src_step, dst_step;  // n elements along the axis
  int64_t cols, col_part;              // 0: rows
  Nest<2> outer;
  int64_t tasks, tasks_per_unit;
};

// The columns of a task are chosen so that a task does not get too small.
void ChooseForm(SoftmaxLaunch* launch) {
  Nest<2>& outer = launch->outer;
  const bool columns = outer.rank > 0 && outer.strides[outer.rank - 1] == Nest<2>::Strides{1, 1};
  if (launch->dst_step == 1 && launch->n > 1 && (launch->src_step == 1 || !columns)) return;
  launch->cols = launch->col_part = 1;
  if (!columns) return;
  launch->cols = outer.dims[--outer.rank];
  launch->col_part = std::max(RoundUp(kUnitElements / launch->n, kColumns), kColumns);
}

Status ChooseSoftmax(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const SoftmaxParams params, SoftmaxParams::From(call));
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  const size_t axis = static_cast<size_t>(params.axis);
  SoftmaxLaunch launch{};
  launch.log = params.log ? 1 : 0;
  launch.n = x.dims[axis];
  launch.src_step = x.strides[axis];
  launch.dst_step = y.strides[axis];
  bool in_place = launch.src_step == launch.dst_step || launch.n == 1;
  for (size_t d = 0; d < static_cast<size_t>(x.rank); ++d) {
    if (d == axis) continue;
    launch.outer.Add(x.dims[d], {x.strides[d], y.strides[d]});
    in_place = in_place && (x.dims[d] == 1 || x.strides[d] == y.strides[d]);
  }
  launch.outer.SortBy(kDst);
  launch.outer.Merge();
  ChooseForm(&launch);
  const int64_t parts = launch.cols > 0 ? CeilDiv(launch.cols, launch.col_part) : 1;
  launch.tasks = launch.outer.Count() * parts;
  const int64_t task = launch.n * std::max<int64_t>(std::min(launch.cols, launch.col_part), 1);
  launch.tasks_per_unit = std::max<int64_t>(kUnitElements / std::max<int64_t>(task, 1), 1);
  choice->units = CeilDiv(launch.tasks, launch.tasks_per_unit);
  if (launch.cols > 0) choice->scratch_per_worker = static_cast<uint64_t>(launch.n * kMaxLanes) * sizeof(float);
  choice->cost_us = static_cast<double>(y.NumElements()) * 16 / kBytesPerMicrosecond;
  choice->in_place = in_place ? 1 : 0;
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunSoftmax(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<SoftmaxLaunch>();
  const VectorTable& vector = *args.simd->vector;
  const int64_t parts = launch.cols > 0 ? CeilDiv(launch.cols, launch.col_part) : 1;
  const int64_t last = std::min(end * launch.tasks_per_unit, launch.tasks);
  int64_t task = begin * launch.tasks_per_unit;
  Walk<2> outer(launch.outer, task / parts);
  for (int64_t part = task % parts; task < last; ++task, ++part) {
    if (part == parts) {
      part = 0;
      outer.Next();
    }
    const int64_t col = part * launch.col_part;
    const float* src = args.Src(0) + outer[kSrc] + col;
    float* dst = args.Dst() + outer[kDst] + col;
    if (launch.cols == 0) {
      for (int64_t i = 0; launch.src_step != 1 && i < launch.n; ++i) dst[i] = src[i * launch.src_step];
      if (launch.src_step != 1) src = dst;
      vector.softmax_run(src, dst, launch.n, launch.log != 0);
    } else {
      vector.softmax_columns(src, launch.src_step, dst, launch.dst_step, launch.n,
                             std::min(launch.col_part, launch.cols - col), launch.log != 0, args.WorkerScratch(worker));
    }
  }
}

}  // namespace

std::span<const KernelRow> SoftmaxRows() {
  static constexpr KernelRow kRows[] = {
      {"Softmax", "softmax", &ChooseSoftmax, &RunSoftmax},
      {"LogSoftmax", "softmax", &ChooseSoftmax, &RunSoftmax},
  };
  return kRows;
}

}  // namespace moka::cpu

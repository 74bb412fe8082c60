// CumSum and CumProd along contiguous rows, or down columns of contiguous rows.
#include "ops/cumulative.h"

#include <algorithm>

#include "cpu/kernel.h"
#include "cpu/nest.h"
#include "cpu/row.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitElements = 16384;
constexpr int64_t kMostColumns = 256;  // of a task
enum : size_t { kSrc, kDst };

struct CumulativeLaunch {
  int32_t product, exclusive, reverse;
  Nest<2> outer;
  int64_t n, src_step, dst_step, cols, parts;  // cols 0: rows
  int64_t tasks, tasks_per_unit;
};

Status ChooseCumulative(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  if (x.type != DataType::kF32) return Unsupported("src 0: ", NameOf(x.type), ", not f32");
  MOKA_ASSIGN_OR_RETURN(const CumulativeParams params, CumulativeParams::From(call));
  const auto axis = static_cast<size_t>(params.axis);
  CumulativeLaunch launch{};
  launch.product = params.product ? 1 : 0;
  launch.exclusive = params.exclusive ? 1 : 0;
  launch.reverse = params.reverse ? 1 : 0;
  launch.n = x.dims[axis];
  launch.src_step = x.strides[axis];
  launch.dst_step = y.strides[axis];
  launch.parts = 1;
  bool in_place = launch.src_step == launch.dst_step || launch.n == 1;
  for (size_t d = 0; d < static_cast<size_t>(x.rank); ++d) {
    if (d == axis) continue;
    launch.outer.Add(x.dims[d], {x.strides[d], y.strides[d]});
    in_place = in_place && (x.dims[d] == 1 || x.strides[d] == y.strides[d]);
  }
  launch.outer.SortBy(kDst);
  launch.outer.Merge();
  if (launch.src_step != 1 || launch.dst_step != 1) {
    launch.cols = 1;
    Nest<2>& outer = launch.outer;
    if (outer.rank > 0 && outer.strides[outer.rank - 1] == Nest<2>::Strides{1, 1}) {
      launch.cols = outer.dims[--outer.rank];
    }
    launch.parts = CeilDiv(launch.cols, kMostColumns);
  }
  launch.tasks = launch.outer.Count() * launch.parts;
  const int64_t task = launch.n * std::max<int64_t>(std::min(launch.cols, kMostColumns), 1);
  launch.tasks_per_unit = std::max<int64_t>(kUnitElements / std::max<int64_t>(task, 1), 1);
  choice->units = CeilDiv(launch.tasks, launch.tasks_per_unit);
  choice->cost_us = static_cast<double>(8 * x.NumElements()) / kBytesPerMicrosecond;
  choice->in_place = in_place ? 1 : 0;
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunCumulative(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<CumulativeLaunch>();
  const RowTable& table = *args.simd->row;
  const bool product = launch.product != 0, exclusive = launch.exclusive != 0, reverse = launch.reverse != 0;
  const int64_t last = std::min(end * launch.tasks_per_unit, launch.tasks);
  int64_t task = begin * launch.tasks_per_unit;
  Walk<2> outer(launch.outer, task / launch.parts);
  for (int64_t part = task % launch.parts; task < last; ++task, ++part) {
    if (part == launch.parts) {
      part = 0;
      outer.Next();
    }
    const int64_t col = part * kMostColumns;
    const float* src = args.Src(0) + outer[kSrc] + col;
    float* dst = args.Dst() + outer[kDst] + col;
    if (launch.cols == 0) {
      table.cumulate(src, dst, launch.n, product, exclusive, reverse);
      continue;
    }
    const int64_t cols = std::min(kMostColumns, launch.cols - col);
    float totals[kMostColumns];
    std::fill_n(totals, cols, product ? 1.0f : 0.0f);
    for (int64_t k = 0; k < launch.n; ++k) {
      const int64_t i = reverse ? launch.n - 1 - k : k;
      table.cumulate_step(src + i * launch.src_step, totals, dst + i * launch.dst_step, cols, product, exclusive);
    }
  }
}

}  // namespace

std::span<const KernelRow> CumulativeRows() {
  static constexpr KernelRow kRows[] = {
      {"CumSum", "cumulative", &ChooseCumulative, &RunCumulative},
      {"CumProd", "cumulative", &ChooseCumulative, &RunCumulative},
  };
  return kRows;
}

}  // namespace moka::cpu

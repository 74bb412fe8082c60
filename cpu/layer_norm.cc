// LayerNormalization and RMSNormalization: a row at a time, which stays in the L1 cache for its three passes.
#include <algorithm>
#include <cmath>

#include "cpu/kernel.h"
#include "cpu/nest.h"
#include "cpu/row.h"
#include "ops/layer_normalization.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitElements = 16384;
enum : size_t { kSrc, kDst, kScale, kBias, kMean, kInverse };

struct LayerNormLaunch {
  float epsilon;
  int32_t centered, bias, mean, inverse;  // which operands there are
  Nest<6> rows;
  Nest<4> runs;      // of a row, without the innermost dimension
  int64_t n, count;  // elements of a run and of a row
  int64_t num_rows, rows_per_unit;
};

Status SetRuns(LayerNormLaunch* launch) {
  launch->runs.SortBy(kSrc);
  launch->runs.Merge();
  launch->n = 1;
  if (launch->runs.rank == 0) return Status();
  const int64_t last = launch->runs.rank - 1;
  const auto& strides = launch->runs.strides[last];
  for (size_t i = 0; i < 4; ++i) {
    if (strides[i] != 1 && (i != kBias || launch->bias != 0))
      return Unsupported("a row of an operand is not contiguous");
  }
  launch->n = launch->runs.dims[last];
  launch->runs.Remove(last);
  return Status();
}

Status ChooseLayerNorm(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const LayerNormParams params, LayerNormParams::From(call));
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  if (!y.present()) return Unsupported("dst 0 is absent");
  TensorDesc scale, bias, mean, inverse;
  LayerNormLaunch launch{};
  launch.epsilon = params.epsilon;
  launch.centered = params.centered ? 1 : 0;
  launch.bias = call.has_src(2) ? 1 : 0;
  if (!BroadcastView(call.src[1], x.shape(), &scale)) return Unsupported("src 1 does not broadcast");
  if (launch.bias != 0 && !BroadcastView(call.src[2], x.shape(), &bias)) return Unsupported("src 2 does not broadcast");
  if (call.dst.size() > 1 && call.dst[1].present()) mean = call.dst[1];
  if (call.dst.size() > 2 && call.dst[2].present()) inverse = call.dst[2];
  launch.mean = mean.present() ? 1 : 0;
  launch.inverse = inverse.present() ? 1 : 0;
  launch.count = launch.num_rows = 1;
  bool in_place = true;
  for (size_t d = 0; d < static_cast<size_t>(x.rank); ++d) {
    in_place = in_place && (x.dims[d] == 1 || x.strides[d] == y.strides[d]);
    if (d < static_cast<size_t>(params.axis)) {
      launch.num_rows *= x.dims[d];
      launch.rows.Add(x.dims[d], {x.strides[d], y.strides[d], scale.strides[d], bias.strides[d], mean.strides[d],
                                  inverse.strides[d]});
    } else {
      launch.count *= x.dims[d];
      launch.runs.Add(x.dims[d], {x.strides[d], y.strides[d], scale.strides[d], bias.strides[d]});
    }
  }
  launch.rows.Merge();
  MOKA_RETURN_IF_ERROR(SetRuns(&launch));
  launch.rows_per_unit = std::max<int64_t>(kUnitElements / std::max<int64_t>(launch.count, 1), 1);
  choice->units = CeilDiv(launch.num_rows, launch.rows_per_unit);
  choice->cost_us = static_cast<double>(8 * y.NumElements()) / kBytesPerMicrosecond;
  choice->in_place = in_place ? 1 : 0;
  choice->launch = Blob::Of(launch);
  return Status();
}

// Calls f(walk) for each run of a row.
template <class F>
void ForEachRun(const LayerNormLaunch& launch, F&& f) {
  Walk<4> run(launch.runs);
  for (int64_t i = launch.runs.Count(); i > 0; --i, run.Next()) f(run);
}

void RunLayerNorm(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<LayerNormLaunch>();
  const auto fold = [&](Fold kind) { return args.simd->vector->fold_run[static_cast<size_t>(kind)]; };
  const RowTable& rows = *args.simd->row;
  const auto count = static_cast<float>(launch.count);
  const int64_t last = std::min(end * launch.rows_per_unit, launch.num_rows);
  int64_t row = begin * launch.rows_per_unit;
  for (Walk<6> at(launch.rows, row); row < last; ++row, at.Next()) {
    const float* src = args.Src(0) + at[kSrc];
    float mean = 0, squares = 0;
    if (launch.centered != 0) {
      ForEachRun(launch, [&](const Walk<4>& run) { mean += fold(Fold::kSum)(src + run[kSrc], launch.n); });
      mean /= count;
      ForEachRun(launch,
                 [&](const Walk<4>& run) { squares += rows.sum_squares_about(src + run[kSrc], mean, launch.n); });
    } else {
      ForEachRun(launch, [&](const Walk<4>& run) { squares += fold(Fold::kSumSquares)(src + run[kSrc], launch.n); });
    }
    const float inverse = 1.0f / std::sqrt(squares / count + launch.epsilon);
    ForEachRun(launch, [&](const Walk<4>& run) {
      const float* bias = launch.bias != 0 ? args.Src(2) + at[kBias] + run[kBias] : nullptr;
      rows.scale_shift(src + run[kSrc], mean, inverse, args.Src(1) + at[kScale] + run[kScale], bias,
                       args.Dst() + at[kDst] + run[kDst], launch.n);
    });
    if (launch.mean != 0) args.Dst(1)[at[kMean]] = mean;
    if (launch.inverse != 0) args.Dst(2)[at[kInverse]] = inverse;
  }
}

}  // namespace

std::span<const KernelRow> LayerNormRows() {
  static constexpr KernelRow kRows[] = {
      {"LayerNormalization", "layer_norm", &ChooseLayerNorm, &RunLayerNorm},
      {"RMSNormalization", "layer_norm", &ChooseLayerNorm, &RunLayerNorm},
  };
  return kRows;
}

}  // namespace moka::cpu

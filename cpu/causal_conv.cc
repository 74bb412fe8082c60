// CausalConvWithState: a row behind its past is summed up with itself, shifted, one weight a shift.
#include <algorithm>

#include "cpu/kernel.h"
#include "cpu/row.h"
#include "cpu/sample.h"
#include "ops/causal_conv_with_state.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitElements = 16384;

struct CausalLaunch {
  int32_t silu, has_bias, has_past, has_output, has_state;
  int64_t channels, length, taps;
  int64_t weights, rows, floats;  // scratch of a worker, after the padded row
  int64_t tasks, tasks_per_unit;  // a task is one row of one channel
};

Status ChooseCausal(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  const TensorDesc &x = call.src[kCausalInput], &y = call.dst[0];
  CausalLaunch launch{};
  bool silu = false;
  MOKA_RETURN_IF_ERROR(ReadCausalActivation(*call.attrs, &silu));
  launch.silu = silu ? 1 : 0;
  launch.has_bias = call.has_src(kCausalBias) ? 1 : 0;
  launch.has_past = call.has_src(kCausalPast) ? 1 : 0;
  launch.has_output = y.present() ? 1 : 0;
  launch.has_state = call.dst.size() > 1 && call.dst[1].present() ? 1 : 0;
  launch.channels = x.dims[1];
  launch.length = x.dims[2];
  launch.taps = call.src[kCausalWeight].dims[2];
  if (y.present() && launch.length > 1 && y.strides[2] != 1) return Unsupported("dst 0 is not contiguous");
  launch.weights = RoundUp(launch.taps - 1 + launch.length, 16);
  launch.rows = launch.weights + RoundUp(launch.taps, 16);
  launch.floats = launch.rows + launch.taps * static_cast<int64_t>(sizeof(void*) / sizeof(float));
  launch.tasks = x.dims[0] * launch.channels;
  launch.tasks_per_unit = std::max<int64_t>(kUnitElements / std::max<int64_t>(launch.length * launch.taps, 1), 1);
  choice->units = CeilDiv(launch.tasks, launch.tasks_per_unit);
  choice->scratch_per_worker = static_cast<uint64_t>(launch.floats) * sizeof(float);
  choice->cost_us = 2 * static_cast<double>(x.NumElements() * launch.taps) / kFlopsPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

void CopyStrided(const float* src, int64_t step, int64_t count, float* dst) {
  for (int64_t i = 0; i < count; ++i) dst[i] = src[i * step];
}

void RunRow(const KernelArgs& args, const CausalLaunch& launch, int64_t n, int64_t c, float* padded) {
  const TensorDesc &x = args.src_desc[kCausalInput], &w = args.src_desc[kCausalWeight];
  const int64_t before = launch.taps - 1;
  if (launch.has_past != 0) {
    const TensorDesc& past = args.src_desc[kCausalPast];
    CopyStrided(args.Src(kCausalPast) + n * past.strides[0] + c * past.strides[1], past.strides[2], before, padded);
  } else {
    std::fill_n(padded, before, 0.0f);
  }
  CopyStrided(args.Src(kCausalInput) + n * x.strides[0] + c * x.strides[1], x.strides[2], launch.length,
              padded + before);
  if (launch.has_output != 0) {
    float* weights = padded + launch.weights;
    const auto** rows = reinterpret_cast<const float**>(padded + launch.rows);
    CopyStrided(args.Src(kCausalWeight) + c * w.strides[0], w.strides[2], launch.taps, weights);
    for (int64_t k = 0; k < launch.taps; ++k) rows[k] = padded + k;
    float* dst = args.Dst() + n * args.dst_desc[0].strides[0] + c * args.dst_desc[0].strides[1];
    args.simd->sample->blend_rows(rows, weights, launch.taps, dst, launch.length);
    const float bias = launch.has_bias != 0 ? args.Src(kCausalBias)[c * args.src_desc[kCausalBias].strides[0]] : 0;
    if (launch.has_bias != 0 || launch.silu != 0) args.simd->row->shift(dst, bias, launch.silu != 0, launch.length);
  }
  if (launch.has_state == 0) return;
  const TensorDesc& state = args.dst_desc[1];
  float* to = args.Dst(1) + n * state.strides[0] + c * state.strides[1];
  for (int64_t k = 0; k < before; ++k) to[k * state.strides[2]] = padded[launch.length + k];
}

void RunCausal(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<CausalLaunch>();
  const int64_t last = std::min(end * launch.tasks_per_unit, launch.tasks);
  for (int64_t task = begin * launch.tasks_per_unit; task < last; ++task) {
    RunRow(args, launch, task / launch.channels, task % launch.channels, args.WorkerScratch(worker));
  }
}

}  // namespace

std::span<const KernelRow> CausalConvRows() {
  static constexpr KernelRow kRows[] = {{"CausalConvWithState", "causal_conv", &ChooseCausal, &RunCausal}};
  return kRows;
}

}  // namespace moka::cpu

// BatchNormalization where no pass could fold it: (x - mean) * scale + shift per channel.
#include <algorithm>
#include <cmath>

#include "cpu/kernel.h"
#include "cpu/nest.h"
#include "cpu/vector.h"
#include "ops/batch_normalization.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitElements = 16384;
enum : size_t { kSrc, kDst, kChannel };

struct BatchNormLaunch {
  float epsilon;
  int32_t by_channel;     // whether the elements of a row are the channels; else they are of one channel
  int64_t channels, row;  // row: elements of a row; 1 where no dimension is contiguous
  int64_t step[5];        // strides of sources 1 to 4
  Nest<3> outer;
  int64_t rows, rows_per_unit;
};

Status ChooseBatchNorm(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const BatchNormParams params, BatchNormParams::From(*call.attrs));
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  if (params.training) return Unsupported("attribute 'training_mode' is 1");
  BatchNormLaunch launch{};
  launch.epsilon = params.epsilon;
  launch.channels = x.dims[1];
  launch.row = 1;
  for (size_t i = 1; i < 5; ++i) launch.step[i] = call.src[i].strides[0];
  bool in_place = true;
  for (size_t d = 0; d < static_cast<size_t>(x.rank); ++d) {
    launch.outer.Add(x.dims[d], {x.strides[d], y.strides[d], d == 1 ? 1 : 0});
    in_place = in_place && (x.dims[d] == 1 || x.strides[d] == y.strides[d]);
  }
  launch.outer.SortBy(kDst);
  launch.outer.Merge();
  const int64_t last = launch.outer.rank - 1;
  if (last >= 0 && launch.outer.strides[last][kSrc] == 1 && launch.outer.strides[last][kDst] == 1) {
    launch.by_channel = static_cast<int32_t>(launch.outer.strides[last][kChannel]);
    launch.row = launch.outer.dims[last];
    launch.outer.Remove(last);
  }
  launch.rows = launch.outer.Count();
  launch.rows_per_unit = std::max<int64_t>(kUnitElements / std::max<int64_t>(launch.row, 1), 1);
  choice->units = CeilDiv(launch.rows, launch.rows_per_unit);
  choice->scratch_per_worker = static_cast<uint64_t>(3 * launch.channels) * sizeof(float);
  choice->cost_us = static_cast<double>(8 * y.NumElements()) / kBytesPerMicrosecond;
  choice->in_place = in_place ? 1 : 0;
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunBatchNorm(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<BatchNormLaunch>();
  const VectorTable& vector = *args.simd->vector;
  float* mean = args.WorkerScratch(worker);
  float *scale = mean + launch.channels, *shift = scale + launch.channels;
  const auto at = [&](int source, int64_t c) { return args.Src(source)[c * launch.step[source]]; };
  for (int64_t c = 0; c < launch.channels; ++c) {
    const double deviation = std::sqrt(static_cast<double>(at(4, c)) + static_cast<double>(launch.epsilon));
    scale[c] = static_cast<float>(static_cast<double>(at(1, c)) / deviation);
    shift[c] = at(2, c);
    mean[c] = at(3, c);
  }
  const int64_t last = std::min(end * launch.rows_per_unit, launch.rows);
  int64_t row = begin * launch.rows_per_unit;
  for (Walk<3> outer(launch.outer, row); row < last; ++row, outer.Next()) {
    const float* src = args.Src(0) + outer[kSrc];
    float* dst = args.Dst() + outer[kDst];
    if (launch.by_channel != 0) {
      vector.normalize_columns(src, mean, scale, shift, dst, launch.row);
    } else {
      const int64_t c = outer[kChannel];
      vector.normalize_run(src, mean[c], scale[c], shift[c], dst, launch.row);
    }
  }
}

}  // namespace

std::span<const KernelRow> BatchNormRows() {
  static constexpr KernelRow kRows[] = {{"BatchNormalization", "batch_norm", &ChooseBatchNorm, &RunBatchNorm}};
  return kRows;
}

}  // namespace moka::cpu

// The windows of pooling kernels: three spatial dimensions, those that are missing in front with size 1.
#ifndef MOKA_CPU_POOL_WINDOW_H_
#define MOKA_CPU_POOL_WINDOW_H_

#include <algorithm>

#include "cpu/kernel.h"
#include "ops/pool.h"

namespace moka::cpu {

// The taps of one result along a dimension that lie in the input, and the number that an average counts.
struct Reach {
  int64_t first, count, counted;
};

struct PoolWindow {
  int32_t max, count_padding;
  int64_t kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3], input[3], output[3];
  int64_t src_step[3], dst_step[3];
  int64_t batch, channels, src_batch, dst_batch, src_channel, dst_channel;
  int64_t tasks, tasks_per_unit;

  void Fill(const OpCall& call, const PoolParams& params) {
    const TensorDesc &x = call.src[0], &y = call.dst[0];
    const Window window = params.Expanded(3);
    max = params.max ? 1 : 0;
    count_padding = params.count_include_pad ? 1 : 0;
    for (size_t i = 0; i < 3; ++i) {
      kernel[i] = window.kernel[i];
      stride[i] = window.strides[i];
      dilation[i] = window.dilations[i];
      pad_begin[i] = window.pads_begin[i];
      pad_end[i] = window.pads_end[i];
      input[i] = output[i] = 1;
      const size_t missing = static_cast<size_t>(3 - params.rank);
      if (i < missing) continue;
      const size_t d = i - missing + 2;
      input[i] = x.dims[d];
      output[i] = y.dims[d];
      src_step[i] = x.strides[d];
      dst_step[i] = y.strides[d];
    }
    batch = x.dims[0];
    channels = x.dims[1];
    src_batch = x.strides[0];
    dst_batch = y.strides[0];
    src_channel = x.strides[1];
    dst_channel = y.strides[1];
  }
  Reach ReachOf(int i, int64_t o) const {
    const int64_t start = o * stride[i] - pad_begin[i];
    const auto taps_below = [&](int64_t limit) {
      return limit <= start ? 0 : std::min(CeilDiv(limit - start, dilation[i]), kernel[i]);
    };
    const int64_t skipped = taps_below(0);
    Reach reach;
    reach.first = start + skipped * dilation[i];
    reach.count = std::max<int64_t>(taps_below(input[i]) - skipped, 0);
    reach.counted = count_padding != 0 ? taps_below(input[i] + pad_end[i]) : reach.count;
    return reach;
  }
};

}  // namespace moka::cpu

#endif  // MOKA_CPU_POOL_WINDOW_H_

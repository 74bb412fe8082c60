// MaxPool and NhwcMaxPool of bytes, QLinearAveragePool and QLinearGlobalAveragePool: each result is a fold of whole
// pixels whose channels are contiguous.
#include <algorithm>
#include <string_view>

#include "cpu/byte_vector.h"
#include "cpu/kernel.h"
#include "ops/quantized_pool.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitLoads = 128 << 10;

struct BytePoolLaunch {
  int32_t max, count_padding, x_signed, y_signed, has_x_zero, has_y_zero;
  int64_t kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3], input[3], output[3];
  int64_t src_step[3], dst_step[3];
  int64_t batch, channels, src_batch, dst_batch;
  int64_t rows_per_unit, rows;  // a row: the results of one line of pixels
};

Result<QuantizedPool> PoolOf(const OpCall& call) {
  if (std::string_view(call.op->domain) == "com.microsoft") return QuantizedPool::From(call);
  QuantizedPool pool;
  MOKA_ASSIGN_OR_RETURN(pool.params, PoolParams::From(call));
  pool.x = call.src[0];
  pool.y = call.dst[0];
  return pool;
}

Status ChooseBytePool(const Kernel&, const OpCall& call, Choice* choice) {
  if (SizeOf(call.src[0].type) != 1 || call.src[0].type == DataType::kBool) {
    return Unsupported("src 0: ", NameOf(call.src[0].type), ", neither u8 nor i8");
  }
  if (call.dst.size() > 1 && call.dst[1].present()) return Unsupported("dst 1: Indices");
  MOKA_ASSIGN_OR_RETURN(const QuantizedPool pool, PoolOf(call));
  const TensorDesc &x = pool.x, &y = pool.y;
  if (x.dims[1] != 1 && (x.strides[1] != 1 || y.strides[1] != 1)) {
    return Unsupported("the stride of C is ", x.strides[1], " in src 0 and ", y.strides[1], " in dst 0");
  }
  const Window window = pool.params.Expanded(3);
  BytePoolLaunch launch{};
  launch.max = pool.params.max ? 1 : 0;
  launch.count_padding = pool.params.count_include_pad ? 1 : 0;
  launch.x_signed = x.type == DataType::kI8 ? 1 : 0;
  launch.y_signed = y.type == DataType::kI8 ? 1 : 0;
  launch.has_x_zero = call.has_src(2) ? 1 : 0;
  launch.has_y_zero = call.has_src(4) ? 1 : 0;
  for (size_t i = 0; i < 3; ++i) {
    launch.kernel[i] = window.kernel[i];
    launch.stride[i] = window.strides[i];
    launch.dilation[i] = window.dilations[i];
    launch.pad_begin[i] = window.pads_begin[i];
    launch.pad_end[i] = window.pads_end[i];
    launch.input[i] = launch.output[i] = 1;
    const size_t missing = static_cast<size_t>(3 - pool.params.rank);
    if (i < missing) continue;
    const size_t d = i - missing + 2;
    launch.input[i] = x.dims[d];
    launch.output[i] = y.dims[d];
    launch.src_step[i] = x.strides[d];
    launch.dst_step[i] = y.strides[d];
  }
  launch.batch = x.dims[0];
  launch.channels = x.dims[1];
  launch.src_batch = x.strides[0];
  launch.dst_batch = y.strides[0];
  launch.rows = launch.batch * launch.output[0] * launch.output[1];
  const int64_t loads = pool.params.Points() * launch.output[2] * launch.channels;
  launch.rows_per_unit = std::max<int64_t>(kUnitLoads / std::max<int64_t>(loads, 1), 1);
  choice->units = CeilDiv(launch.rows, launch.rows_per_unit);
  choice->cost_us = static_cast<double>(loads * launch.rows) / (4 * kBytesPerMicrosecond);
  choice->launch = Blob::Of(launch);
  return Status();
}

// The taps of result `o` along dimension i: the first input, how many lie inside, how many an average counts.
struct Reach {
  int64_t first, count, counted;
};
Reach ReachOf(const BytePoolLaunch& launch, int i, int64_t o) {
  const int64_t start = o * launch.stride[i] - launch.pad_begin[i];
  const auto below = [&](int64_t limit) {
    return limit <= start ? 0 : std::min(CeilDiv(limit - start, launch.dilation[i]), launch.kernel[i]);
  };
  const int64_t skipped = below(0);
  Reach reach;
  reach.first = start + skipped * launch.dilation[i];
  reach.count = std::max<int64_t>(below(launch.input[i]) - skipped, 0);
  reach.counted = launch.count_padding != 0 ? below(launch.input[i] + launch.pad_end[i]) : reach.count;
  return reach;
}

int32_t ReadZero(const KernelArgs& args, int i, bool present, int32_t is_signed) {
  if (!present) return 0;
  const uint8_t zero = *static_cast<const uint8_t*>(args.src[i]);
  return is_signed != 0 ? static_cast<int8_t>(zero) : zero;
}

void RunBytePool(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<BytePoolLaunch>();
  const ByteVectorTable& vector = *args.simd->byte_vector;
  ByteScale to = {1, 0, launch.y_signed};
  int32_t x_zero = 0;
  if (launch.max == 0) {
    x_zero = ReadZero(args, 2, launch.has_x_zero != 0, launch.x_signed);
    to.zero = ReadZero(args, 4, launch.has_y_zero != 0, launch.y_signed);
  }
  const int64_t last = std::min(end * launch.rows_per_unit, launch.rows);
  for (int64_t row = begin * launch.rows_per_unit; row < last; ++row) {
    const int64_t o1 = row % launch.output[1], o0 = row / launch.output[1] % launch.output[0];
    const int64_t n = row / launch.output[1] / launch.output[0];
    const Reach r0 = ReachOf(launch, 0, o0), r1 = ReachOf(launch, 1, o1);
    const auto* src = static_cast<const uint8_t*>(args.src[0]) + n * launch.src_batch + r0.first * launch.src_step[0] +
                      r1.first * launch.src_step[1];
    auto* dst =
        static_cast<uint8_t*>(args.dst[0]) + n * launch.dst_batch + o0 * launch.dst_step[0] + o1 * launch.dst_step[1];
    Taps taps = {{r0.count, r1.count, 0},
                 {launch.dilation[0] * launch.src_step[0], launch.dilation[1] * launch.src_step[1],
                  launch.dilation[2] * launch.src_step[2]}};
    for (int64_t o2 = 0; o2 < launch.output[2]; ++o2, dst += launch.dst_step[2]) {
      const Reach r2 = ReachOf(launch, 2, o2);
      taps.count[2] = r2.count;
      const uint8_t* first = src + r2.first * launch.src_step[2];
      if (launch.max != 0) {
        vector.fold_max(first, taps, launch.x_signed != 0, dst, launch.channels);
        continue;
      }
      to.scale = PoolScale(*args.Src(1), *args.Src(3), std::max<int64_t>(r0.counted * r1.counted * r2.counted, 1));
      const int64_t inside = r0.count * r1.count * r2.count;
      vector.fold_average(first, taps, launch.x_signed != 0, static_cast<int32_t>(-inside * x_zero), to, dst,
                          launch.channels);
    }
  }
}

}  // namespace

std::span<const KernelRow> BytePoolRows() {
  static constexpr KernelRow kRows[] = {
      {"MaxPool", "byte_pool", &ChooseBytePool, &RunBytePool},
      {"com.microsoft.NhwcMaxPool", "byte_pool", &ChooseBytePool, &RunBytePool},
      {"com.microsoft.QLinearAveragePool", "byte_pool", &ChooseBytePool, &RunBytePool},
      {"com.microsoft.QLinearGlobalAveragePool", "byte_pool", &ChooseBytePool, &RunBytePool},
  };
  return kRows;
}

}  // namespace moka::cpu

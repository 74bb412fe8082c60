// QuantizeLinear and DequantizeLinear between f32 and bytes, and DynamicQuantizeLinear.
#include <algorithm>

#include "cpu/byte_runs.h"
#include "cpu/byte_vector.h"
#include "cpu/dequantize_rows.h"
#include "cpu/kernel.h"
#include "ops/dynamic_quantize_linear.h"
#include "ops/quantize_linear.h"

namespace moka::cpu {
namespace {

enum : size_t { kSrc, kDst, kScale };

constexpr int64_t kMaxPlanes = 4;

struct QuantizeLaunch {
  ByteRuns<3> runs;
  int32_t is_signed, has_zero;
  int64_t planes;  // runs side by side that are interleaved in dst, 1 for none; else 2 to kMaxPlanes
  int64_t plane_step[3];
};

// Planes of the source that become pixels of a few channels: the picture that a network begins with.
void FindPlanes(QuantizeLaunch* launch) {
  launch->planes = 1;
  auto& outer = launch->runs.outer;
  if (outer.rank == 0 || launch->runs.step[kSrc] != 1) return;
  const int64_t last = outer.rank - 1, count = outer.dims[last];
  const bool interleaved = outer.strides[last][kDst] == 1 && launch->runs.step[kDst] == count;
  if (!interleaved || count > kMaxPlanes) return;
  launch->planes = count;
  std::copy_n(outer.strides[last].begin(), 3, launch->plane_step);
  --outer.rank;
  launch->runs.tasks /= count;
}

bool IsByte(DataType type) { return type == DataType::kU8 || type == DataType::kI8; }

Status ChooseLinear(const OpCall& call, DataType bytes, DataType floats, bool to_bytes, Choice* choice) {
  const TensorDesc &x = call.src[0], &scale = call.src[1], &y = call.dst[0];
  if (!IsByte(bytes)) return Unsupported("type ", NameOf(bytes), ", neither u8 nor i8");
  if (floats != DataType::kF32) return Unsupported("type ", NameOf(floats), ", not f32");
  if (scale.type != DataType::kF32) return Unsupported("src 1: type ", NameOf(scale.type), ", not f32");
  MOKA_ASSIGN_OR_RETURN(const ScaleAxis axis, ScaleAxis::From(call));
  if (axis.block != 0) return Unsupported("attribute 'block_size'");
  TensorDesc scales = x;
  scales.strides = {};
  if (axis.axis >= 0) scales.strides[static_cast<size_t>(axis.axis)] = scale.strides[0];
  QuantizeLaunch launch{};
  launch.runs.Set({&x, &y, &scales});
  if (launch.runs.step[kScale] != 0 && launch.runs.run > 1)
    return Unsupported("a scale per element of the innermost dimension");
  launch.is_signed = bytes == DataType::kI8 ? 1 : 0;
  launch.has_zero = call.has_src(2) ? 1 : 0;
  if (to_bytes) FindPlanes(&launch);
  choice->units = launch.runs.Units();
  choice->cost_us = 5 * static_cast<double>(x.NumElements()) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

Status ChooseQuantize(const Kernel&, const OpCall& call, Choice* choice) {
  if (call.attrs->Has("precision")) {
    MOKA_ASSIGN_OR_RETURN(const int64_t precision, call.attrs->Int("precision", 0));
    if (precision > 1) return Unsupported("attribute 'precision'");
  }
  return ChooseLinear(call, call.dst[0].type, call.src[0].type, true, choice);
}
Status ChooseDequantize(const Kernel&, const OpCall& call, Choice* choice) {
  return ChooseLinear(call, call.src[0].type, call.dst[0].type, false, choice);
}

ByteScale ScaleAt(const KernelArgs& args, const QuantizeLaunch& launch, int64_t at) {
  ByteScale scale = {args.Src(1)[at], 0, launch.is_signed};
  if (launch.has_zero == 0) return scale;
  const uint8_t zero = static_cast<const uint8_t*>(args.src[2])[at];
  scale.zero = launch.is_signed != 0 ? static_cast<int8_t>(zero) : zero;
  return scale;
}

void RunPlanes(const KernelArgs& args, const QuantizeLaunch& launch, int64_t begin, int64_t end) {
  uint8_t bytes[kMaxPlanes * kPiece];
  launch.runs.ForEach(begin, end, [&](const std::array<int64_t, 3>& at, int64_t n) {
    for (int64_t i = 0; i < launch.planes; ++i) {
      const ByteScale scale = ScaleAt(args, launch, at[kScale] + i * launch.plane_step[kScale]);
      args.simd->byte_vector->quantize(args.Src(0) + at[kSrc] + i * launch.plane_step[kSrc], scale, bytes + i * kPiece,
                                       n);
    }
    args.simd->byte_vector->interleave(bytes, kPiece, launch.planes, static_cast<uint8_t*>(args.dst[0]) + at[kDst], n);
  });
}

void RunQuantize(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<QuantizeLaunch>();
  if (launch.planes > 1) return RunPlanes(args, launch, begin, end);
  const int64_t* step = launch.runs.step;
  float floats[kPiece];
  uint8_t bytes[kPiece];
  launch.runs.ForEach(begin, end, [&](const std::array<int64_t, 3>& at, int64_t n) {
    const float* src = Gathered(args.Src(0) + at[kSrc], step[kSrc], n, floats);
    auto* dst = static_cast<uint8_t*>(args.dst[0]) + at[kDst];
    args.simd->byte_vector->quantize(src, ScaleAt(args, launch, at[kScale]), step[kDst] == 1 ? dst : bytes, n);
    if (step[kDst] != 1) Scatter(bytes, n, dst, step[kDst]);
  });
}

void RunDequantize(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<QuantizeLaunch>();
  const int64_t* step = launch.runs.step;
  float floats[kPiece];
  uint8_t bytes[kPiece];
  launch.runs.ForEach(begin, end, [&](const std::array<int64_t, 3>& at, int64_t n) {
    const uint8_t* src = Gathered(static_cast<const uint8_t*>(args.src[0]) + at[kSrc], step[kSrc], n, bytes);
    float* dst = args.Dst() + at[kDst];
    args.simd->byte_vector->dequantize(src, ScaleAt(args, launch, at[kScale]), step[kDst] == 1 ? dst : floats, n);
    if (step[kDst] != 1) Scatter(floats, n, dst, step[kDst]);
  });
}

struct DynamicLaunch {
  ByteRuns<2> runs;
  int32_t has_scale, has_zero;
};

// One unit: the range of all elements comes first.
Status ChooseDynamic(const Kernel&, const OpCall& call, Choice* choice) {
  DynamicLaunch launch{};
  const auto present = [&](size_t i) { return call.dst.size() > i && call.dst[i].present() ? 1 : 0; };
  launch.runs.Set({&call.src[0], &call.dst[0]});
  launch.has_scale = present(1);
  launch.has_zero = present(2);
  choice->cost_us = 9 * static_cast<double>(call.src[0].NumElements()) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunDynamic(const KernelArgs& args, int64_t, int64_t, int) {
  const auto& launch = args.Launch<DynamicLaunch>();
  const int64_t *step = launch.runs.step, units = launch.runs.Units();
  float floats[kPiece], lowest = 0, highest = 0;
  uint8_t bytes[kPiece];
  launch.runs.ForEach(0, units, [&](const std::array<int64_t, 2>& at, int64_t n) {
    args.simd->byte_vector->range(Gathered(args.Src(0) + at[kSrc], step[kSrc], n, floats), n, &lowest, &highest);
  });
  const DynamicScale found = DynamicScaleOf(lowest, highest);
  const ByteScale scale = {found.scale, found.zero, 0};
  launch.runs.ForEach(0, units, [&](const std::array<int64_t, 2>& at, int64_t n) {
    const float* src = Gathered(args.Src(0) + at[kSrc], step[kSrc], n, floats);
    auto* dst = static_cast<uint8_t*>(args.dst[0]) + at[kDst];
    args.simd->byte_vector->quantize(src, scale, step[kDst] == 1 ? dst : bytes, n);
    if (step[kDst] != 1) Scatter(bytes, n, dst, step[kDst]);
  });
  if (launch.has_scale != 0) *args.Dst(1) = found.scale;
  if (launch.has_zero != 0) *static_cast<uint8_t*>(args.dst[2]) = found.zero;
}

}  // namespace

std::span<const KernelRow> QuantizeRows() {
  static constexpr KernelRow kRows[] = {
      {"QuantizeLinear", "quantize", &ChooseQuantize, &RunQuantize},
      {"DequantizeLinear", "dequantize", &ChooseDequantize, &RunDequantize},
      {"DequantizeLinear", "dequantize_rows", &ChooseDequantizeRows, &RunDequantizeRows},
      {"com.microsoft.QuantizeLinear", "quantize", &ChooseQuantize, &RunQuantize},
      {"com.microsoft.DequantizeLinear", "dequantize", &ChooseDequantize, &RunDequantize},
      {"com.microsoft.DequantizeLinear", "dequantize_rows", &ChooseDequantizeRows, &RunDequantizeRows},
      {"DynamicQuantizeLinear", "dynamic_quantize", &ChooseDynamic, &RunDynamic},
  };
  return kRows;
}

}  // namespace moka::cpu

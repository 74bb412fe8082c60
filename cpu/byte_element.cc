// QLinearAdd, QLinearMul, and everything that maps one byte to another by a table.
#include <algorithm>
#include <cmath>

#include "cpu/byte_runs.h"
#include "cpu/byte_vector.h"
#include "cpu/kernel.h"
#include "ops/params.h"
#include "ops/quantization.h"

namespace moka::cpu {
namespace {

// A scale and the zero point behind it, at source i. All of them must be scalars.
ByteScale ScaleAt(const KernelArgs& args, int i, const TensorDesc& of, bool has_zero) {
  ByteScale scale = {*args.Src(i), 0, of.type == DataType::kI8 ? 1 : 0};
  if (!has_zero) return scale;
  const uint8_t zero = *static_cast<const uint8_t*>(args.src[i + 1]);
  scale.zero = scale.is_signed != 0 ? static_cast<int8_t>(zero) : zero;
  return scale;
}

// ---- Two operands -------------------------------------------------------------------------------------------------

enum : size_t { kDst, kA, kB };

struct BinaryLaunch {
  ByteRuns<3> runs;
  int64_t mul;
  int32_t has_zero[3];  // of a, b, dst
};

Status ChooseBinary(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc& y = call.dst[0];
  TensorDesc a, b;
  if (!BroadcastView(call.src[0], y.shape(), &a) || !BroadcastView(call.src[3], y.shape(), &b)) {
    return Unsupported("operands do not broadcast");
  }
  BinaryLaunch launch{};
  launch.runs.Set({&y, &a, &b});
  launch.mul = std::string_view(call.op->name) == "QLinearMul" ? 1 : 0;
  for (int i = 0; i < 3; ++i) launch.has_zero[i] = call.has_src(3 * i + 2 - (i == 2 ? 1 : 0)) ? 1 : 0;
  choice->units = launch.runs.Units();
  choice->cost_us = 6 * static_cast<double>(y.NumElements()) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunBinary(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<BinaryLaunch>();
  const int64_t* step = launch.runs.step;
  ByteBinary binary = {ScaleAt(args, 1, args.src_desc[0], launch.has_zero[0] != 0),
                       ScaleAt(args, 4, args.src_desc[3], launch.has_zero[1] != 0),
                       ScaleAt(args, 6, args.dst_desc[0], launch.has_zero[2] != 0)};
  if (launch.mul != 0) {
    binary.a.scale = binary.a.scale * binary.b.scale / binary.dst.scale;
  } else {
    binary.a.scale /= binary.dst.scale;
    binary.b.scale /= binary.dst.scale;
  }
  const auto run = launch.mul != 0 ? args.simd->byte_vector->mul : args.simd->byte_vector->add;
  uint8_t buffers[3][kPiece];
  launch.runs.ForEach(begin, end, [&](const std::array<int64_t, 3>& at, int64_t n) {
    const uint8_t* a = Gathered(static_cast<const uint8_t*>(args.src[0]) + at[kA], step[kA], n, buffers[kA]);
    const uint8_t* b = Gathered(static_cast<const uint8_t*>(args.src[3]) + at[kB], step[kB], n, buffers[kB]);
    auto* dst = static_cast<uint8_t*>(args.dst[0]) + at[kDst];
    run(binary, a, b, step[kDst] == 1 ? dst : buffers[kDst], n);
    if (step[kDst] != 1) Scatter(buffers[kDst], n, dst, step[kDst]);
  });
}

// ---- Tables -------------------------------------------------------------------------------------------------------

enum class Function : int32_t { kGiven, kSigmoid, kLeakyRelu };

struct LookupLaunch {
  ByteRuns<2> runs;
  Function function;
  float alpha;
  int32_t has_zero[2];  // of src, dst
};

Status ChooseLookup(const Kernel&, const OpCall& call, Choice* choice) {
  LookupLaunch launch{};
  const std::string_view name = call.op->name;
  launch.runs.Set({&call.dst[0], &call.src[0]});
  launch.function = name == "Lookup"           ? Function::kGiven
                    : name == "QLinearSigmoid" ? Function::kSigmoid
                                               : Function::kLeakyRelu;
  if (launch.function == Function::kGiven && call.src[1].strides[0] != 1) return Unsupported("src 1: stride is not 1");
  MOKA_RETURN_IF_ERROR(ReadFloat(*call.attrs, "alpha", 0.01f, &launch.alpha));
  launch.has_zero[0] = call.has_src(2) ? 1 : 0;
  launch.has_zero[1] = call.has_src(4) ? 1 : 0;
  choice->units = launch.runs.Units();
  choice->cost_us = 6 * static_cast<double>(call.dst[0].NumElements()) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

void FillTable(const KernelArgs& args, const LookupLaunch& launch, uint8_t* table) {
  const ByteScale from = ScaleAt(args, 1, args.src_desc[0], launch.has_zero[0] != 0);
  const ByteScale to = ScaleAt(args, 3, args.dst_desc[0], launch.has_zero[1] != 0);
  for (int i = 0; i < 256; ++i) {
    const int32_t code = from.is_signed != 0 ? static_cast<int8_t>(i) : i;
    const float x = static_cast<float>(code - from.zero) * from.scale;
    const float y = launch.function == Function::kSigmoid ? 1.0f / (1.0f + std::exp(-x)) : x < 0 ? launch.alpha * x : x;
    table[i] = static_cast<uint8_t>(QuantizeScaled(y / to.scale, to.zero, {to.Lo(), to.Hi()}));
  }
}

void RunLookup(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<LookupLaunch>();
  const int64_t dst_step = launch.runs.step[0], src_step = launch.runs.step[1];
  uint8_t own[256];
  const uint8_t* table = own;
  if (launch.function == Function::kGiven) {
    table = static_cast<const uint8_t*>(args.src[1]);
  } else {
    FillTable(args, launch, own);
  }
  launch.runs.ForEach(begin, end, [&](const std::array<int64_t, 2>& at, int64_t n) {
    auto* dst = static_cast<uint8_t*>(args.dst[0]) + at[0];
    const auto* src = static_cast<const uint8_t*>(args.src[0]) + at[1];
    if (dst_step == 1 && src_step == 1) return args.simd->byte_vector->lookup(table, src, dst, n);
    for (int64_t i = 0; i < n; ++i) dst[i * dst_step] = table[src[i * src_step]];
  });
}

}  // namespace

std::span<const KernelRow> ByteElementRows() {
  static constexpr KernelRow kRows[] = {
      {"com.microsoft.QLinearAdd", "byte_binary", &ChooseBinary, &RunBinary},
      {"com.microsoft.QLinearMul", "byte_binary", &ChooseBinary, &RunBinary},
      {"com.microsoft.QLinearSigmoid", "byte_table", &ChooseLookup, &RunLookup},
      {"com.microsoft.QLinearLeakyRelu", "byte_table", &ChooseLookup, &RunLookup},
      {"moka.Lookup", "byte_table", &ChooseLookup, &RunLookup},
  };
  return kRows;
}

}  // namespace moka::cpu

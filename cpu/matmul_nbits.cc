// MatMulNBits in f32: a row of weights becomes floats in the cache, then it is multiplied with every
// row of A.
#include "ops/microsoft/matmul_nbits.h"

#include <algorithm>

#include "cpu/byte_vector.h"
#include "cpu/kernel.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitWeights = 256 << 10;
enum : int { kA, kB, kScales, kZeros, kGroups, kBias };

struct NBitsLaunch {
  MatMulNBitsParams p;
  int64_t rows, a_row, dst_row;
  int64_t columns_per_unit;
  int32_t has_bias, zeros;  // zeros: 0 none, 1 packed, 2 floats
};

// Rows that are `step` elements apart, the last dimension contiguous.
bool RowsOf(const TensorDesc& desc, int64_t* rows, int64_t* step) {
  const size_t last = static_cast<size_t>(desc.rank - 1);
  if (desc.dims[last] != 1 && desc.strides[last] != 1) return false;
  *rows = 1;
  *step = 0;
  for (size_t d = last; d-- > 0;) {
    if (desc.dims[d] == 1) continue;
    if (*step == 0) {
      *step = desc.strides[d];
    } else if (desc.strides[d] != *rows * *step) {
      return false;
    }
    *rows *= desc.dims[d];
  }
  return true;
}

Status ChooseNBits(const Kernel&, const OpCall& call, Choice* choice) {
  NBitsLaunch launch{};
  MOKA_RETURN_IF_ERROR(MatMulNBitsParams::Read(*call.attrs, &launch.p));
  if (call.src[kA].type != DataType::kF32) return Unsupported("src 0: ", NameOf(call.src[kA].type), ", not f32");
  int64_t rows = 0;
  if (!RowsOf(call.src[kA], &launch.rows, &launch.a_row) || !RowsOf(call.dst[0], &rows, &launch.dst_row)) {
    return Unsupported("rows are not evenly spaced");
  }
  for (const int i : {kB, kScales, kZeros, kBias}) {
    if (call.has_src(i) && !IsDense(call.src[static_cast<size_t>(i)])) return Unsupported("src ", i, " is not dense");
  }
  launch.has_bias = call.has_src(kBias) ? 1 : 0;
  launch.zeros = !call.has_src(kZeros) ? 0 : call.src[kZeros].type == DataType::kU8 ? 1 : 2;
  launch.columns_per_unit = std::max<int64_t>(kUnitWeights / (launch.p.k * (1 + launch.rows)), 1);
  choice->units = CeilDiv(launch.p.n, launch.columns_per_unit);
  choice->scratch_per_worker = static_cast<uint64_t>(launch.p.Blocks() * launch.p.block) * sizeof(float);
  const auto weights = static_cast<double>(launch.p.n * launch.p.k);
  choice->cost_us = weights * (4 + 2 * static_cast<double>(launch.rows)) / kFlopsPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

float ZeroAt(const KernelArgs& args, const NBitsLaunch& launch, int64_t n, int64_t block) {
  const MatMulNBitsParams& p = launch.p;
  if (launch.zeros == 0) return static_cast<float>(1 << (p.bits - 1));
  if (launch.zeros == 2) return args.Src(kZeros)[n * p.Blocks() + block];
  const auto* packed = static_cast<const uint8_t*>(args.src[kZeros]) + n * p.ZeroBytes();
  return static_cast<float>(p.ElementAt(packed, block));
}

void RunNBits(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<NBitsLaunch>();
  const MatMulNBitsParams& p = launch.p;
  const ByteVectorTable& vector = *args.simd->byte_vector;
  const auto unpack = p.bits == 2 ? vector.unpack2 : p.bits == 4 ? vector.unpack4 : vector.unpack8;
  float* row = args.WorkerScratch(worker);
  const int64_t last = std::min(end * launch.columns_per_unit, p.n);
  for (int64_t n = begin * launch.columns_per_unit; n < last; ++n) {
    const auto* packed = static_cast<const uint8_t*>(args.src[kB]) + n * p.Blocks() * p.BlockBytes();
    for (int64_t block = 0; block < p.Blocks(); ++block) {
      unpack(packed + block * p.BlockBytes(), ZeroAt(args, launch, n, block), args.Src(kScales)[n * p.Blocks() + block],
             row + block * p.block, p.block);
    }
    const float bias = launch.has_bias != 0 ? args.Src(kBias)[n] : 0;
    for (int64_t m = 0; m < launch.rows; ++m) {
      args.Dst()[m * launch.dst_row + n] = vector.dot(args.Src(kA) + m * launch.a_row, row, p.k) + bias;
    }
  }
}

}  // namespace

std::span<const KernelRow> NBitsRows() {
  static constexpr KernelRow kRows[] = {{"com.microsoft.MatMulNBits", "matmul_nbits", &ChooseNBits, &RunNBits}};
  return kRows;
}

}  // namespace moka::cpu

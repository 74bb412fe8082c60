// What a CPU kernel is: a function over independent units of work, chosen by shapes. Kernels never see the threads.
#ifndef MOKA_CPU_KERNEL_H_
#define MOKA_CPU_KERNEL_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/math.h"
#include "base/status.h"
#include "cpu/micro.h"
#include "cpu/peak.h"
#include "ops/device.h"

namespace moka::cpu {

struct TileTable;        // cpu/tile.h, cpu/dot_tile.h
struct DepthwiseTable;   // cpu/depthwise.h
struct RecurrentTable;   // cpu/recurrent.h
struct VectorTable;      // cpu/vector.h
struct LaneTable;        // cpu/lanes.h
struct SampleTable;      // cpu/sample.h
struct RowTable;         // cpu/row.h
struct ByteTable;        // cpu/byte_tile.h
struct ByteVectorTable;  // cpu/byte_vector.h
struct WinogradTable;    // cpu/winograd.h
struct Bf16Table;        // cpu/bf16_tile.h

// The Highway functions of one target. Everything else in cpu/ is plain code over these tables.
struct Simd {
  const char* target = nullptr;  // "AVX3"; null: this machine has no target that was compiled
  const TileTable* tile = nullptr;
  const TileTable* dots = nullptr;
  const DepthwiseTable* depthwise = nullptr;
  const RecurrentTable* recurrent = nullptr;
  const VectorTable* vector = nullptr;
  const LaneTable* lanes = nullptr;
  const SampleTable* sample = nullptr;
  const RowTable* row = nullptr;
  const ByteTable* bytes = nullptr;
  const ByteVectorTable* byte_vector = nullptr;
  const WinogradTable* winograd = nullptr;
  const Bf16Table* bf16 = nullptr;
  RunMicroFn run_micro = nullptr;
  MultiplyAddsFn multiply_adds = nullptr;
};
// The tables of the best target that is supported now (hwy::SetSupportedTargetsForTest narrows it).
Simd ChosenSimd();

// The first error of a run; later ones are dropped.
class ErrorSlot {
 public:
  void Set(Status status);
  Status Take();  // and clears it
  bool ok() const { return !failed_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  Status status_;
};

// One step with its memory. Pointers are null for absent and packed sources.
struct KernelArgs {
  const void* const* src = nullptr;
  void* const* dst = nullptr;
  const void* const* packs = nullptr;
  const TensorDesc* src_desc = nullptr;
  const TensorDesc* dst_desc = nullptr;
  std::byte* scratch = nullptr;
  uint64_t scratch_per_worker = 0;
  const void* launch = nullptr;
  const Simd* simd = nullptr;
  ErrorSlot* error = nullptr;

  template <class T>
  const T& Launch() const {
    return *static_cast<const T*>(launch);
  }
  const float* Src(int i) const { return static_cast<const float*>(src[i]); }
  float* Dst(int i = 0) const { return static_cast<float*>(dst[i]); }
  float* WorkerScratch(int worker) const {
    return reinterpret_cast<float*>(scratch + static_cast<uint64_t>(worker) * scratch_per_worker);
  }
};

// Runs the units [begin, end) as `worker`. Units may run in any order and at the same time. Those of Choice::phases are
// numbered through, phase by phase: [begin, end) is a part of one phase, or all of them, to be run in order.
using KernelFn = void (*)(const KernelArgs& args, int64_t begin, int64_t end, int worker);

// Makes the rows [begin, end) of one image of the result, as units do that reach over them.
using RowsFn = void (*)(const KernelArgs& args, int64_t image, int64_t begin, int64_t end, int worker);

struct Kernel {
  std::string_view name;  // "cpu/gemm/AVX3", static storage
  const Simd* simd = nullptr;
  // Fills everything in `choice` but its name, or says why not. `call` has no program unless `epilogue`.
  Status (*choose)(const Kernel& kernel, const OpCall& call, Choice* choice) = nullptr;
  KernelFn run = nullptr;
  bool epilogue = false;  // runs programs itself; for others the device adds a second pass
  bool bf16 = false;      // rounds to bf16: for policies that allow it only
  RowsFn rows = nullptr;  // for choices with Choice::rows
  bool beside = false;    // for ChoosePolicy::all only: what the fixed figures speak against
  int workers = 1;        // ChoosePolicy::workers, while choosing
};

// What a family offers for operators: rows in order of preference.
struct KernelRow {
  const char* op;      // "Conv"; operators of passes with their domain: "moka.Copy"
  const char* family;  // "conv_igemm" becomes "cpu/conv_igemm/AVX3"
  Status (*choose)(const Kernel& kernel, const OpCall& call, Choice* choice);
  KernelFn run;
  bool epilogue = false;
  bool bf16 = false;
  RowsFn rows = nullptr;
  bool beside = false;
};
std::span<const KernelRow> GemmRows();
std::span<const KernelRow> ConvRows();
std::span<const KernelRow> DepthwiseRows();
std::span<const KernelRow> PoolRows();
std::span<const KernelRow> MicroRows();
std::span<const KernelRow> SoftmaxRows();
std::span<const KernelRow> ReduceRows();
std::span<const KernelRow> BatchNormRows();
std::span<const KernelRow> CopyRows();
std::span<const KernelRow> PadRows();
std::span<const KernelRow> GatherRows();
std::span<const KernelRow> ResizeRows();
std::span<const KernelRow> GridSampleRows();
std::span<const KernelRow> RoiAlignRows();
std::span<const KernelRow> ConvTransposeRows();
std::span<const KernelRow> IndexingRows();
std::span<const KernelRow> TriluRows();
std::span<const KernelRow> PoolAnyRows();
std::span<const KernelRow> DftRows();
std::span<const KernelRow> RecurrentRows();
std::span<const KernelRow> LaneRows();
std::span<const KernelRow> LayerNormRows();
std::span<const KernelRow> GroupNormRows();
std::span<const KernelRow> LpNormRows();
std::span<const KernelRow> SearchRows();
std::span<const KernelRow> CumulativeRows();
std::span<const KernelRow> AttentionRows();
std::span<const KernelRow> GroupQueryRows();
std::span<const KernelRow> CausalConvRows();
std::span<const KernelRow> DeformConvRows();
std::span<const KernelRow> Col2ImRows();
std::span<const KernelRow> LossRows();
std::span<const KernelRow> FillRows();
std::span<const KernelRow> SliceMoveRows();
std::span<const KernelRow> MeanVarianceRows();
std::span<const KernelRow> RotaryRows();
std::span<const KernelRow> LinearAttentionRows();
std::span<const KernelRow> ByteConvRows();
std::span<const KernelRow> ByteDepthwiseRows();
std::span<const KernelRow> ByteGemmRows();
std::span<const KernelRow> ByteElementRows();
std::span<const KernelRow> BytePoolRows();
std::span<const KernelRow> QuantizeRows();
std::span<const KernelRow> NBitsRows();

// Formats of packs that kernels name in Choice::packs.
struct PackFormat {
  std::string_view format;
  Status (*pack)(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst);
};
std::span<const PackFormat> PackFormats();

// ---- Helpers of choose functions ----------------------------------------------------------------------------------

inline constexpr double kFlopsPerMicrosecond = 60e3;  // of cost estimates: one core, a modest machine
inline constexpr double kBytesPerMicrosecond = 12e3;

Status RequireF32(const OpCall& call);  // all present operands

}  // namespace moka::cpu

#endif  // MOKA_CPU_KERNEL_H_

// The contract between the engine (graph/) and a device (cpu/, vulkan/, opencl/). It was shaped by a thread pool, a
// pre-recorded Vulkan command buffer and an OpenCL queue at once; graph/ knows devices only through this file.
//
// Life of a node on a device: Choose (shapes only, at bind) -> Choice -> the planner places its operands -> Step ->
// Link (pipelines, functions; shared) -> Replay (per session: buffers bound to slots, commands recorded) -> Run.
#ifndef MOKA_OPS_DEVICE_H_
#define MOKA_OPS_DEVICE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "moka/device.h"
#include "moka/session.h"
#include "ops/chain.h"
#include "ops/op.h"

namespace moka {

struct Limits {
  int channel_alignment = 1;  // MakeDense's argument for padded values on this device: 1 on the CPU, 4 on GPUs
  // Where channel_alignment is A > 1, kernels load and store whole vectors of A elements. So a view (and a part of a
  // Concat that its producer writes in place) starts at a multiple of A elements of its base, all its strides but the
  // innermost are multiples of A, and along the innermost dimension it ends at a multiple of A or with its base.
  // Others are copied: devices offer Concat, Slice, Split, Transpose, Reshape ... as kernels.
  uint64_t offset_alignment = 64;     // of operands in a buffer, bytes
  uint64_t max_binding = UINT64_MAX;  // longest range one operand may span, bytes
  uint64_t memory = UINT64_MAX;
  bool host_memory = false;  // kernels work in host memory: buffers are host pointers, nothing is transferred
  // Steps without a barrier between them may run at the same time: the planner orders steps by level, keeps lifetimes
  // by level and sets Step::barrier. False: steps run one after the other.
  bool concurrent_steps = false;
  bool i64_as_i32 = false;   // i64 operands are read and written as their low 32-bit words (upper: sign)
  bool emulated = false;     // a GPU API that a CPU executes: "auto" prefers the CPU device
  uint64_t chain_cache = 0;  // bytes of the cache that a worker has for itself; 0: steps do not run in chains
};

// What the engine promises about operands, so that Choose can judge from descs alone:
// - In a buffer, a value of its own starts at a multiple of offset_alignment. Views and parts of a value start at any
//   element where channel_alignment is 1, else at a multiple of channel_alignment elements. Memory of the caller (kHost
//   slots) and imported weights are aligned to the element only.
// - Only moka.Copy sees operands at any element offset on every device: it is how the rest is made true.
// - Where channel_alignment > 1, a destination has padding lanes exactly when the size of its innermost dimension (the
//   one whose stride is 1) is no multiple of channel_alignment and the strides of all the others are; they end at the
//   next multiple. Memory of every operand extends to them. Sources that look so have zeros there.
// - Steps have no destination with zero elements.

// Plain bytes, meant for one struct of 4- and 8-byte scalars; what a device tells its own later self.
class Blob {
 public:
  template <class T>
  static Blob Of(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    Blob blob;
    blob.bytes_.resize(sizeof(T));
    std::memcpy(blob.bytes_.data(), &value, sizeof(T));
    return blob;
  }
  static Blob OfBytes(std::span<const std::byte> bytes) {
    Blob blob;
    blob.bytes_.assign(bytes.begin(), bytes.end());
    return blob;
  }
  template <class T>
  T As() const {
    T value;
    std::memcpy(&value, bytes_.data(), sizeof(T));
    return value;
  }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

// A constant operand in a kernel's own format. Two specs with equal format and params give equal bytes for one weight,
// so packs are shared between plans and sessions under the key (weight, format, params).
struct PackSpec {
  int src = 0;              // which source of the node
  std::string_view format;  // stable and versioned: "cpu/gemm_b_nr64.1"; static storage
  std::array<int64_t, 12> params{};
  uint64_t bytes = 0;
};

// One way to run one node. Flat data that depends on shapes only.
struct Choice {
  std::string_view kernel;      // stable: "cpu/conv_igemm/AVX3", "gpu/gemm", "reference/Gather"; static storage
  bool reference = false;       // the scalar reference
  std::vector<PackSpec> packs;  // sources named here are read from the pack only
  bool spacious = false;        // the packs buy speed with memory; another kernel does with less
  uint64_t scratch = 0;         // bytes for the step
  uint64_t scratch_per_worker = 0;
  uint32_t in_place = 0;     // bit i: result 0 may occupy exactly the memory of source i
  int64_t units = 1;         // independent pieces of work; their borders depend on shapes only, never on threads
  int64_t phases = 1;        // each of so many units; one begins when all units of the one before have ended
  double cost_us = 0;        // estimate from shapes and fixed tables; compared between choices of all devices
  std::vector<RowMap> rows;  // per source, where the kernel makes any rows of its only result alone; else empty
  Blob launch;               // parameters, grid, specialization words, epilogue program
};
struct Refusal {
  std::string_view kernel;
  std::string reason;  // "src 0: stride of C is 3136, not 1"
};
struct Offer {
  std::vector<Choice> choices;  // best first
  std::vector<Refusal> refusals;
};
struct ChoosePolicy {
  bool all = false;  // every choice and every refusal, to be compared; false: the device's best choice
  bool allow_reference = true;
  bool compact = false;                   // memory is short: no choices that are spacious
  Precision precision = Precision::kF32;  // the least that kernels may compute in
  int workers = 1;                        // that will share the units: results do not depend on it
};

// Where an operand lies: a slot of the plan's table, bytes from its start, and how it lies there.
struct Operand {
  uint32_t slot = 0;
  uint64_t offset = 0;
  TensorDesc desc;
  bool ring = false;  // some rows in each worker's part of a chain's scratch, `offset` from its start
};
struct Step {
  OpCall call;  // valid while linking only
  std::string_view kernel;
  bool barrier = false;           // earlier steps since the last barrier must finish first (concurrent_steps)
  std::vector<Operand> src, dst;  // an absent or packed source has !desc.present()
  std::vector<Operand> packs;     // as Choice::packs; desc is u8[bytes]
  Operand scratch;                // Choice::scratch + workers * scratch_per_worker bytes, when not 0
  uint64_t scratch_per_worker = 0;
  int64_t units = 1;
  Blob launch;
  Chain chain;  // that starts here; its scratch is this step's, and the others have none
};

enum class MemoryKind : uint8_t { kArena, kWeights, kStaging };

// Memory of one device. Freed by its destructor; the device must outlive it.
class Buffer {
 public:
  virtual ~Buffer() = default;
  virtual uint64_t bytes() const = 0;
  virtual void* host() const { return nullptr; }  // where Limits::host_memory
};

// What a slot means to the device.
struct SlotInfo {
  enum Kind : uint8_t { kBuffer, kHost } kind = kBuffer;  // kHost: caller's memory, bound anew by BindHost for each run
  uint64_t bytes = 0;
};
// A range of a slot that is copied from host memory before, or to host memory after, the steps.
struct HostCopy {
  uint32_t slot = 0;
  uint64_t offset = 0, bytes = 0;
};
// Slots that no step and no copy names may stay unbound: a plan's table also holds those of other devices.
struct LinkRequest {
  std::span<const Step> steps;
  std::span<const SlotInfo> slots;
  std::span<const HostCopy> uploads, downloads;  // empty where Limits::host_memory
};

struct QueueOptions {
  int threads = 0;               // CPU: 0 is one a core
  Executor* executor = nullptr;  // CPU: instead of own threads
  bool profile = false;
};

// A stream of work of one session: threads, or a command queue. It counts the transfers that pass through it.
class Queue {
 public:
  virtual ~Queue() = default;
  virtual int workers() const { return 1; }
  TransferCounts counts;  // since the session reset it
};

// Steps bound to buffers, ready to run again and again. Allocates nothing after its first Run.
class Replay {
 public:
  virtual ~Replay() = default;
  // All kBuffer slots must be bound before the first Run; binding again re-records where the device records.
  virtual Status Bind(uint32_t slot, Buffer* buffer, uint64_t offset) = 0;
  // Host memory of a kHost slot, valid for the next Run. Only where Limits::host_memory.
  virtual void BindHost(uint32_t slot, void* data) = 0;
  // upload_src[i] and download_dst[i] belong to LinkRequest::uploads[i] and downloads[i]. Returns when results are
  // there.
  virtual Status Run(Queue& queue, std::span<const void* const> upload_src, std::span<void* const> download_dst) = 0;
  // Microseconds of each step in the last Run; empty unless the queue profiles.
  virtual std::span<const double> step_us() const = 0;
};

// Linked steps: pipelines, programs, function pointers. Immutable, shared by sessions.
class Program {
 public:
  virtual ~Program() = default;
  virtual Result<std::unique_ptr<Replay>> Instantiate(Queue& queue) const = 0;
};

// All methods are thread-safe.
class Device {
 public:
  virtual ~Device() = default;
  virtual const DeviceInfo& info() const = 0;
  virtual const Limits& limits() const = 0;
  // Kernels for one node. Uses shapes and small integer constants only. No choice: the node runs elsewhere.
  virtual Offer Choose(const OpCall& call, const ChoosePolicy& policy) const = 0;
  // Pure: the same bytes for the same weight. dst.size() == spec.bytes; src may be unaligned.
  virtual Status Pack(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) const = 0;
  virtual Result<std::unique_ptr<Buffer>> Allocate(uint64_t bytes, MemoryKind kind) = 0;
  // Host memory as a buffer without a copy (mapped weights on the CPU), or kUnsupported. The memory must outlive it.
  virtual Result<std::unique_ptr<Buffer>> Import(const void* data, uint64_t bytes) = 0;
  // Copies into a buffer at load time (weights); not counted as a transfer of a run.
  virtual Status Write(Buffer& buffer, uint64_t offset, std::span<const std::byte> bytes) = 0;
  virtual Result<std::unique_ptr<Queue>> MakeQueue(const QueueOptions& options) = 0;
  // Measured now, in GFLOP/s of f32 multiply-adds (two operations each), with the queue's threads; 0 where unknown.
  virtual double PeakGflops(Queue&) const { return 0; }
  virtual Result<std::shared_ptr<const Program>> Link(const LinkRequest& request) = 0;
};

// How the build names its devices: cmake/ generates the table (graph/ finds it by declaration only). `open` returns one
// Device per physical device that answers; it never fails, it explains itself in notes.
struct DeviceBackend {
  const char* name;  // "cpu", "vulkan", "opencl"
  std::vector<std::unique_ptr<Device>> (*open)(std::vector<std::string>* notes);
};
std::span<const DeviceBackend> DeviceBackends();

}  // namespace moka

#endif  // MOKA_OPS_DEVICE_H_

// Running a model on a device.
#ifndef MOKA_SESSION_H_
#define MOKA_SESSION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "moka/datum.h"
#include "moka/device.h"
#include "moka/model.h"
#include "moka/status.h"
#include "moka/tensor.h"

namespace moka {

// How the CPU multiplies matrices (MatMul, Gemm, Conv) with constant weights. Everything else is f32, and so are all
// values in memory, whatever the precision.
enum class Precision : uint8_t {
  kF32,
  // Weights and what they meet are rounded to bf16 (to nearest, ties to even; 8 significant bits), products and sums
  // are f32: twice as fast where the CPU has a dot product of bf16 (AVX512_BF16, which also takes denormals as zeros),
  // and half of the bytes of weights everywhere. A convolution that Winograd's f32 algorithm runs faster stays f32.
  // Devices that are GPUs run f32.
  kBF16,
};

struct SessionOptions {
  // "cpu", "vulkan", "opencl", a name of ListDevices(), or "auto" (the fastest that answers: a discrete or integrated
  // GPU before the CPU, the CPU before a GPU API that is emulated on the CPU).
  std::string device = "cpu";
  int threads = 0;               // workers on the CPU, the caller's thread included; 0: one a core; at most 1,024
  Executor* executor = nullptr;  // instead of own threads; must outlive the session
  Precision precision = Precision::kF32;
  uint64_t memory_limit = 0;  // bytes of weights, packs, arena and scratch; 0: none
  // A folder where packed weights are kept for the next start, which maps them instead of packing again; made where it
  // is missing; empty: none. Used on the CPU. Any number of sessions and processes may share it, and files in it may be
  // deleted at any time. What is damaged, of another version or of another machine is packed as without it, and what
  // cannot be written is not kept. Only who may change the program should be able to change the folder.
  std::string pack_cache;
  // At Bind, or at the first run with new shapes, time the kernels that the device has for a step (each kind of step
  // once, some runs of each kernel, on memory of its own) and take the fastest, instead of trusting fixed figures. Used
  // on the CPU. Results may differ within their error bounds, between kernels only. With pack_cache what was chosen is
  // kept there, for this machine, SIMD target, number of workers and version of the kernels: later sessions then choose
  // alike, without timing anything.
  bool measure = false;
  bool strict = false;  // fail, with the whole list, where a node would fall back to the CPU or to a reference
  std::vector<std::string> outputs;  // any values of the graph; empty: the graph's own outputs
  // Pairs of an output and the input that it becomes in the next run (recurrent networks, key/value caches). The caller
  // may leave such an input out: nothing is copied, the memory that a run wrote is what the next one reads. It starts
  // as zeros where its shape is fixed; a value that the caller passes replaces it. See Session::ResetState.
  std::vector<std::pair<std::string, std::string>> state;
  int max_plans = 16;    // plans kept, one per combination of input shapes, least recently used dropped
  bool verify = true;    // check every plan before it runs (see graph/verifier.h)
  bool profile = false;  // collect step times, see moka/inspect.h
  // Where it pays, run convolutions that follow each other some rows at a time, so that what lies between them stays
  // in the cache and takes little memory. The elements are the same either way.
  bool depth_first = true;
  int64_t max_loop_trips = 1 << 24;      // of any one Loop or Scan; more fail the run
  int64_t max_tensor_bytes = 1LL << 40;  // of any one tensor that a run computes; more fail it
};

struct TransferCounts {
  int64_t uploads = 0, downloads = 0;            // host to device, device to host
  int64_t upload_bytes = 0, download_bytes = 0;  // 0 on the CPU, which works in the caller's memory
};

class SessionImpl;

// One stream of runs: its own arena and queue. Not thread-safe; make one session per thread, they share the model's
// packed weights. Movable.
class Session {
 public:
  static Result<Session> Create(const Model& model, const SessionOptions& options = {});
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  // Names of the values that Run writes, in order: options.outputs or the graph's own.
  const std::vector<std::string>& output_names() const;

  // Plans for these input shapes (one per graph input, in order) and returns the shapes of the outputs. Optional: Run
  // does it when shapes change. Fails for shape-determining inputs whose contents are not known yet, and for models
  // whose shapes depend on data (If, Loop, NonZero ...): use Run then.
  Result<std::vector<Shape>> Bind(const std::vector<Shape>& input_shapes);

  // Runs with one tensor per graph input, in order, and returns new tensors, one per output. A view of type kNone
  // stands for an input that is state. Outputs that are state must not be written to: the next run reads them.
  Result<std::vector<Tensor>> Run(const std::vector<ConstTensorView>& inputs);
  // The same with tensors by name.
  Result<std::vector<Tensor>> Run(const std::vector<std::pair<std::string, ConstTensorView>>& inputs);
  // The same where inputs or outputs are sequences or optionals.
  Result<std::vector<Datum>> RunData(const std::vector<Datum>& inputs);
  // Writes into the caller's memory: outputs[i] must have the type and shape of output i, and share no bytes with
  // inputs or other outputs. On the CPU nothing is copied, but where memory is not aligned to its elements. Without
  // memory for an output that is state, the session keeps it in its own; memory given for one must live until the next
  // run is over. In steady state (same shapes as the run before) it allocates nothing.
  Status RunInto(const ConstTensorView* inputs, size_t num_inputs, const TensorView* outputs, size_t num_outputs);

  // Forgets the state (SessionOptions::state): the next run begins anew.
  void ResetState();

  // Transfers of the last run, counted where they are queued.
  TransferCounts transfers() const;

  SessionImpl* impl() const { return impl_.get(); }

 private:
  explicit Session(std::unique_ptr<SessionImpl> impl);
  std::unique_ptr<SessionImpl> impl_;
};

}  // namespace moka

#endif  // MOKA_SESSION_H_

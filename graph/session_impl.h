// Runs one model on one device: keeps plans for the last few input shapes, the arenas they share, and the queues.
#ifndef MOKA_GRAPH_SESSION_IMPL_H_
#define MOKA_GRAPH_SESSION_IMPL_H_

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "graph/graph_part.h"
#include "graph/model_impl.h"
#include "graph/prepared_plan.h"
#include "graph/session_memory.h"
#include "graph/session_state.h"
#include "moka/inspect.h"
#include "moka/session.h"

namespace moka {

class SessionImpl {
 public:
  // devices: [0] the one that was asked for; [1] the CPU, where that is another. They must outlive the session.
  static Result<std::unique_ptr<SessionImpl>> Create(std::shared_ptr<const ModelImpl> model,
                                                     std::vector<Device*> devices, const SessionOptions& options);

  const std::vector<std::string>& output_names() const { return output_names_; }
  Result<std::vector<Shape>> Bind(const std::vector<Shape>& input_shapes);
  Result<std::vector<Tensor>> Run(std::span<const ConstTensorView> inputs);
  Result<std::vector<Tensor>> Run(const std::vector<std::pair<std::string, ConstTensorView>>& inputs);
  Result<std::vector<Datum>> RunData(std::span<const Datum> inputs);
  Status RunInto(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs);
  void ResetState() { state_.Reset(); }
  TransferCounts transfers() const;
  Result<PlanInfo> Inspect() const;

  const ModelImpl& model() const { return *model_; }
  // The plan of the last Bind or Run; null before.
  const PreparedPlan* prepared() const { return entries_.empty() ? nullptr : entries_.front()->prepared.get(); }
  uint64_t arena_bytes() const { return memory_.arena_bytes(); }

 private:
  // One plan with what this session bound it to.
  struct Entry {
    std::vector<Shape> shapes;
    SpecializationKey key;  // its `known` are the contents of shape-determining inputs
    std::shared_ptr<const PreparedPlan> prepared;
    std::vector<Shape> output_shapes;
    std::vector<std::unique_ptr<Replay>> replays;      // per segment
    std::vector<std::vector<const void*>> upload_src;  // per segment
    std::vector<std::vector<void*>> download_dst;      // per segment
    std::vector<std::vector<uint32_t>> caller_slots;   // per segment: slots of the caller's memory
    uint64_t arena_version = 0;
    std::vector<std::vector<double>> samples;  // per step, of profiled runs
    int64_t runs = 0;
  };

  SessionImpl(std::shared_ptr<const ModelImpl> model, std::vector<Device*> devices, const SessionOptions& options);
  Status Start();
  Result<std::vector<Tensor>> RunOnce(std::span<const ConstTensorView> inputs);
  // session_staged.cc: where no plan can hold the graph.
  Status StartStaged(const std::vector<ValueId>& cuts);
  Result<std::vector<Datum>> RunStaged(std::span<const Datum> inputs);
  Result<std::vector<Tensor>> RunStaged(std::span<const ConstTensorView> inputs);
  Status RunStagedInto(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs);
  Status CheckInputs(std::span<const ConstTensorView> inputs) const;
  Status CheckOutputs(const Entry& entry, std::span<const TensorView> outputs) const;

  // Moves the entry for these inputs to the front; makes it where there is none. `inputs` may lack data (Bind).
  Status SelectFor(std::span<const ConstTensorView> inputs);
  template <class ShapeAt, class DataAt>
  Status Select(const ShapeAt& shape_at, const DataAt& data_at);
  Result<std::unique_ptr<Entry>> MakeEntry(std::vector<Shape> shapes, SpecializationKey key);
  Status Instantiate(Entry& entry);
  Status MakeQueue(int device);
  int HostWorkers() const;
  Executor& HostExecutor();
  Status FitMemory();
  Status BindArenas(Entry& entry);
  void BindCaller(Entry& entry, size_t segment);
  void* HostAddress(const Entry& entry, const PlanValue& value) const;
  Status Execute(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs);
  void AlignCallersMemory(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs);
  void KeepSamples(Entry& entry) const;

  std::shared_ptr<const ModelImpl> model_;
  std::vector<Device*> devices_;
  SessionOptions options_;
  int host_ = 0;  // the device that works in host memory
  std::vector<int> workers_;
  std::vector<std::string> output_names_;
  SpecializationKey key_;  // without contents
  std::vector<int> shape_inputs_;
  std::unique_ptr<ThreadPool> pool_;  // of queues, parts and the packing of weights, unless the caller has an executor
  std::vector<std::unique_ptr<Queue>> queues_;  // per device; the CPU beside a GPU gets one when a plan needs it
  SessionState state_;
  SessionMemory memory_;                         // outlives the replays in entries_
  std::vector<std::unique_ptr<Entry>> entries_;  // most recently used first
  // Where no plan can hold the graph; the rest is then unused.
  RunnerContext context_;
  TransferCounts staged_transfers_;
  std::unique_ptr<GraphPart> runner_;
  // Of the current run: the caller's memory, or aligned copies of it.
  std::vector<const void*> input_data_;
  std::vector<void*> output_data_;
};

}  // namespace moka

#endif  // MOKA_GRAPH_SESSION_IMPL_H_

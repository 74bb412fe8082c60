// State across the runs of a session: outputs that become inputs of the next run.
#ifndef MOKA_GRAPH_SESSION_STATE_H_
#define MOKA_GRAPH_SESSION_STATE_H_

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "graph/model_impl.h"
#include "moka/datum.h"

namespace moka {

class SessionState {
 public:
  // `pairs`: names of an output and of the input that it becomes (SessionOptions::state).
  Status Start(const std::vector<std::pair<std::string, std::string>>& pairs, const ModelImpl& model,
               const std::vector<std::string>& output_names);
  bool empty() const { return links_.empty(); }
  // Forgets the values: the next run starts from zeros again.
  void Reset();

  // Whether the caller may leave this input out.
  bool IsStateInput(size_t input) const;
  // The inputs of a run: those of the caller, and the state where the caller gives nothing (type kNone). State that is
  // no tensor stays out of views. The span is valid until the next call.
  Result<std::span<const ConstTensorView>> Fill(std::span<const ConstTensorView> inputs);
  Result<std::vector<Datum>> Fill(std::span<const Datum> inputs);

  // The outputs of a run that writes to the caller's memory, `shapes` as planned: where the caller gives no memory for
  // a state output, memory of the session.
  Result<std::span<const TensorView>> Place(std::span<const TensorView> outputs, const std::vector<Shape>& shapes);

  // After a run that succeeded: what it wrote is the state now.
  void Keep(std::span<const Tensor> outputs);
  void Keep(std::span<const Datum> outputs);
  void KeepPlaced(std::span<const TensorView> outputs);

 private:
  struct Link {
    size_t output = 0, input = 0;
    ValueInfo info;  // of the input
    Datum value;     // of the next run; nothing before the first
    // Of runs that write into memory of the session: the state, and where the next run writes.
    Tensor front, back;
    bool placed = false;    // the next run writes there
    bool in_front = false;  // the state is there, not in `value`
  };
  Status Begin(Link& link);

  std::vector<Link> links_;
  std::vector<ConstTensorView> inputs_;
  std::vector<TensorView> outputs_;
};

}  // namespace moka

#endif  // MOKA_GRAPH_SESSION_STATE_H_

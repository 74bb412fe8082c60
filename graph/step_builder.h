// The second half of binding: walks the nodes in order and makes steps of them, each with a kernel that the device of
// the node offers for operands as they lie.
#ifndef MOKA_GRAPH_STEP_BUILDER_H_
#define MOKA_GRAPH_STEP_BUILDER_H_

#include <vector>

#include "graph/bind.h"
#include "graph/bind_shapes.h"
#include "graph/draft.h"

namespace moka {

// A view of a dense row-major source that is itself dense from the start only renames dimensions.
bool IsReshape(const OpCall& call);

class StepBuilder {
 public:
  struct Refused {
    int node;
    std::vector<Refusal> refusals;
  };

  // node_device: index into request.devices. why_not[node]: refusals to note on nodes that do not run on device 0.
  StepBuilder(const BindRequest& request, const BoundShapes& shapes, const std::vector<int>& node_device,
              const std::vector<std::vector<Refusal>>& why_not);

  // Goes on after a node that its device refused, so that all of them are known; the draft is then of no use.
  void Build();
  const std::vector<Refused>& refused() const { return refused_; }
  const Status& status() const { return status_; }
  Draft& draft() { return draft_; }

 private:
  struct Home {  // the part of a concatenation's result that a value is
    ValueId parent = kNoValue;
    int64_t axis = 0, start = 0;
    bool filled = false;  // its producer wrote it there
  };

  // step_builder.cc
  void Process(int n);
  void RunKernel(int n);
  bool Measures(int device) const;
  const Choice& Best(const OpCall& call, int device, const Offer& offer) const;
  bool Choose(const OpCall& call, int device, bool allow_reference, Offer* offer) const;
  bool PickKernel(int n, OpCall call, std::vector<TensorDesc>& src, std::vector<TensorDesc>& dst,
                  const std::vector<TensorDesc>& dense_dst, std::vector<int>* densify, Offer* offer);
  PlanStep& AddStep(int n, int device, const OpCall& call, const Choice& choice, std::vector<int> reads,
                    std::vector<int> writes);
  void AttachPacks(PlanStep& step, const Node& node, const Choice& choice);
  void Refuse(int n, std::vector<Refusal> refusals);
  bool NeedsNoStep(ValueId v) const;

  // step_operands.cc
  TensorDesc Dense(ValueId v, int device) const;
  int NewValue(ValueId v, int device, const TensorDesc& desc);
  int NewAlias(ValueId v, PlanValue::Relation relation, int base, const TensorDesc& desc, int64_t offset_elements);
  int SourceOn(ValueId v, int device);
  int ConstantOn(ValueId v, int device);
  bool MadeByStep(int value) const;
  int Arrive(ValueId v, int device, const TensorDesc& desc, DraftTransfer transfer);
  int CrossTo(ValueId v, int device);
  void NameContents(PlanSlot& slot);
  uint32_t AddSlot(PlanSlot::Kind kind, int device, ValueId v, int index, uint64_t bytes);
  TensorDesc ResultDesc(ValueId v, int device, bool part) const;
  int NewResult(ValueId v, int device, bool part);
  int OutputValue(ValueId v, int output);
  int& Current(ValueId v, int device) { return current_[static_cast<size_t>(device)][static_cast<size_t>(v)]; }

  // step_views.cc
  bool EmitCopy(int n, std::string_view name, int src, int dst, std::vector<Refusal>* refusals);
  int CopyToDense(ValueId v, int src, std::vector<Refusal>* refusals);
  bool ReadersMayCopy(ValueId v, int device) const;
  bool MakeViews(int n);
  bool CopyReshapes(const Shape& old_shape, ValueId v, int d) const;
  bool MakeReshapeCopy(int n, int src, ValueId v, std::vector<Refusal>* refusals);
  void ReserveParts();
  void ReserveOutputs();
  bool PartsFit(int n) const;
  int ConcatRoot(ValueId v, int device);
  bool AssembleConcat(int n);
  Status FinishOutput(int index);

  const Device& device(int d) const { return *request_.devices[static_cast<size_t>(d)]; }
  int alignment(int d) const { return device(d).limits().channel_alignment; }
  const TensorDesc& shape(ValueId v) const { return shapes_.descs[static_cast<size_t>(v)]; }
  const HostTensor* contents(ValueId v) const { return shapes_.contents[static_cast<size_t>(v)].get(); }
  PlanValue& plan_value(int i) { return draft_.plan.values[static_cast<size_t>(i)]; }

  const BindRequest& request_;
  const Graph& graph_;
  const BoundShapes& shapes_;
  const std::vector<int>& node_device_;
  const std::vector<std::vector<Refusal>>& why_not_;
  int host_ = 0;  // the device that works in host memory
  Draft draft_;
  std::vector<Refused> refused_;
  Status status_;
  std::vector<std::vector<int>> current_;    // [device][value]: its plan value there, -1: none yet
  std::vector<std::vector<int>> constants_;  // [device][value]: likewise for constants
  std::vector<int> producer_;                // node of each value
  std::vector<int> input_of_, output_of_;    // index of the graph input; of the output whose slot it is written to
  std::vector<Home> homes_;                  // per value
};

}  // namespace moka

#endif  // MOKA_GRAPH_STEP_BUILDER_H_

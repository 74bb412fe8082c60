// A graph that is run again and again with what comes: finds out what its inputs are, and makes plans for that.
#ifndef MOKA_GRAPH_GRAPH_PART_H_
#define MOKA_GRAPH_GRAPH_PART_H_

#include <list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/weights.h"
#include "moka/datum.h"
#include "moka/inspect.h"
#include "moka/session.h"

namespace moka {

class GraphRunner;
class SessionImpl;

// What all parts of one session's graph share.
struct RunnerContext {
  std::vector<Device*> devices;  // as SessionImpl::Create takes them
  SessionOptions options;        // with an executor; without outputs and state
  ModelOptions model_options;
  std::shared_ptr<WeightStore> weights;  // of the model
  TransferCounts* transfers = nullptr;   // what the parts transfer is added here
};

class GraphPart {
 public:
  // A sorted and checked graph; what its inputs declare is not used. `cuts`: see GraphRunner::Create.
  GraphPart(Graph graph, const RunnerContext& context, std::vector<ValueId> cuts = {});
  ~GraphPart();

  // One datum per graph input; one per output is returned. Not thread-safe.
  Result<std::vector<Datum>> Run(std::span<const Datum> inputs);
  void AppendInfo(PlanInfo* info) const;  // of the last run

 private:
  // One way that the inputs have been: types and ranks; where the graph has branches, shapes and the contents that
  // choose them, too.
  struct Variant;
  static constexpr size_t kMaxVariants = 8;

  std::string SignatureOf(std::span<const Datum> inputs) const;
  void DeclareInputs(std::span<const Datum> inputs, Graph* graph) const;
  Status Select(std::span<const Datum> inputs);
  Result<std::unique_ptr<Variant>> MakeVariant(std::span<const Datum> inputs);

  Graph graph_;
  const RunnerContext& context_;
  std::vector<ValueId> cuts_;
  bool has_if_;
  std::vector<size_t> fixed_inputs_;              // whose contents choose branches
  std::list<std::unique_ptr<Variant>> variants_;  // most recently used first
};

}  // namespace moka

#endif  // MOKA_GRAPH_GRAPH_PART_H_

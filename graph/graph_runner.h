// Runs a graph in stages (graph/stages.h): parts of it by plans, nodes that no plan can hold on the host between them.
#ifndef MOKA_GRAPH_GRAPH_RUNNER_H_
#define MOKA_GRAPH_GRAPH_RUNNER_H_

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/stages.h"
#include "moka/datum.h"
#include "moka/inspect.h"

namespace moka {

class GraphPart;
struct RunnerContext;

class GraphRunner {
 public:
  // A sorted and checked graph, whose inputs' types and ranks are declared as Run will get them. `cuts`: as of
  // InferResult, beyond those that inference finds here, since they showed only when the contents of inputs were known.
  static Result<std::unique_ptr<GraphRunner>> Create(Graph graph, const RunnerContext& context,
                                                     std::vector<ValueId> cuts = {});
  ~GraphRunner();

  // One datum per graph input; one per graph output is returned. Not thread-safe.
  Result<std::vector<Datum>> Run(std::span<const Datum> inputs);

  // Adds the steps of the last run, and its memory. Host nodes are steps named "host/<Op>".
  void AppendInfo(PlanInfo* info) const;

  const Graph& graph() const { return graph_; }

 private:
  class Body;  // a graph in an attribute
  struct HostStep;

  GraphRunner(Graph graph, const RunnerContext& context);
  Status Prepare(std::vector<ValueId> cuts);
  Status RunHostNode(size_t stage);
  Status RunPart(size_t stage);

  Graph graph_;
  const RunnerContext& context_;
  std::vector<Stage> stages_;
  std::vector<std::unique_ptr<GraphPart>> parts_;      // per stage; null for host nodes
  std::vector<std::unique_ptr<HostStep>> host_steps_;  // per stage; null for parts
  std::vector<Datum> constants_;                       // per value, where a host node or an output needs it
  std::vector<Datum> values_;                          // per value, of the current run
};

}  // namespace moka

#endif  // MOKA_GRAPH_GRAPH_RUNNER_H_

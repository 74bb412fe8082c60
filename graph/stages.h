// Divides a graph that no single plan can hold: nodes that run on the host (OpSchema::execute), and the parts of the
// graph between them, which plans can hold.
#ifndef MOKA_GRAPH_STAGES_H_
#define MOKA_GRAPH_STAGES_H_

#include <vector>

#include "graph/graph.h"

namespace moka {

// Per node, whether it runs between plans: it has no inference, it makes strings or takes something else than tensors
// and can do that. Takes what is inferred and declared into account.
std::vector<bool> HostNodes(const Graph& graph);

// Whether the graph, as inferred, must be divided.
bool NeedsStages(const Graph& graph, const InferResult& inferred);

struct Stage {
  int node = -1;                         // of the whole graph, alone on the host; -1: `graph` is a part of it
  Graph graph;                           // in the whole graph's order; nothing is declared or inferred
  std::vector<ValueId> inputs, outputs;  // values of the whole graph, in the order of graph.inputs and graph.outputs
  std::vector<ValueId> last_uses;        // values of the whole graph that no later stage and no output needs
};

// Stages in an order in which they can run. `cuts`: values whose contents must be known before what they are used for
// can be planned; their readers come in a later stage than their producers.
Result<std::vector<Stage>> DivideIntoStages(const Graph& graph, const std::vector<bool>& on_host,
                                            const std::vector<ValueId>& cuts);

}  // namespace moka

#endif  // MOKA_GRAPH_STAGES_H_

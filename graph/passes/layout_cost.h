// What formats cost, estimated with every symbol at one fixed size: the choice holds for all shapes.
#ifndef MOKA_GRAPH_PASSES_LAYOUT_COST_H_
#define MOKA_GRAPH_PASSES_LAYOUT_COST_H_

#include <array>
#include <cstdint>
#include <unordered_map>

#include "graph/graph.h"

namespace moka {

// Of copying the tensor into the other format.
int64_t CopyCost(const Graph& graph, const SymbolicTensor& tensor);

// Of a strided operator between the formats of one source and one result: what each choice costs by itself, and the
// pair of a row-major source and a channels-last result.
struct StridedCost {
  int64_t source_row = 0, source_last = 0, result_row = 0, result_last = 0, row_to_last = 0;
};

// Costs of strided operators. A chain of views (Reshape, Transpose, Slice ...) costs nothing until a link cannot be a
// view of the value at its head any more, so costs are between that head and the result. Nodes are added in order.
class StridedCosts {
 public:
  explicit StridedCosts(const Graph& graph) : graph_(graph) {}

  // Of result `dst` of the node and its source `src`. *head is the value whose format counts instead of the source's.
  StridedCost Add(const Node& node, ValueId src, ValueId dst, ValueId* head);

 private:
  // How a value lies where the head of its chain is row-major, and where that is channels-last.
  struct Chain {
    ValueId head;
    std::array<TensorDesc, 2> views;
  };
  Chain ChainOf(ValueId id) const;
  StridedCost AddView(const Node& node, int dst_index, int64_t copy, ValueId* head);

  const Graph& graph_;
  std::unordered_map<ValueId, Chain> chains_;
};

}  // namespace moka

#endif  // MOKA_GRAPH_PASSES_LAYOUT_COST_H_

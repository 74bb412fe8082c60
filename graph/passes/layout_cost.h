// What formats cost, estimated with every symbol at one fixed size: the choice holds for all shapes.
#ifndef MOKA_GRAPH_PASSES_LAYOUT_COST_H_
#define MOKA_GRAPH_PASSES_LAYOUT_COST_H_

#include <cstdint>

#include "graph/graph.h"

namespace moka {

// Of copying the tensor into the other format.
int64_t CopyCost(const Graph& graph, const SymbolicTensor& tensor);

// Of a strided operator between the formats of one source and one result: what each choice costs by itself, and the
// pair of a row-major source and a channels-last result.
struct StridedCost {
  int64_t source_row = 0, source_last = 0, result_row = 0, result_last = 0, row_to_last = 0;
};
StridedCost CostOfStrided(const Graph& graph, const Node& node, ValueId src, ValueId dst);

}  // namespace moka

#endif  // MOKA_GRAPH_PASSES_LAYOUT_COST_H_

// Branches that are known before a run: an If whose condition follows from the shapes and from what is known of the
// inputs is replaced by the nodes of its branch.
#ifndef MOKA_GRAPH_INLINE_IF_H_
#define MOKA_GRAPH_INLINE_IF_H_

#include <vector>

#include "graph/graph.h"

namespace moka {

bool HasIf(const Graph& graph);

// Replaces what can be; infers shapes as far as they are known on the way. Returns the graph inputs, shape-like ones
// (integers or bools of rank 0 or 1), whose contents the conditions of the others depend on.
Result<std::vector<ValueId>> InlineIfs(Graph& graph);

}  // namespace moka

#endif  // MOKA_GRAPH_INLINE_IF_H_

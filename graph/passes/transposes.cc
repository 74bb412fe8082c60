#include <numeric>

#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"
#include "ops/transpose.h"

namespace moka {

// Transpose(Transpose(x)) reads x with the combined permutation; what becomes the identity goes.
Status MergeTransposes(Graph& graph) {
  Uses uses(graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& node = graph.nodes[n];
    if (!IsOp(node, "Transpose")) continue;
    const int rank = graph.value(node.src[0]).tensor.rank();
    MOKA_ASSIGN_OR_RETURN(const TransposeParams outer, TransposeParams::From(node.attrs, rank));
    std::vector<int64_t> perm(outer.perm.begin(), outer.perm.begin() + rank);
    if (const int p = uses.Producer(node.src[0]); p >= 0 && IsOp(graph.nodes[static_cast<size_t>(p)], "Transpose")) {
      const Node& before = graph.nodes[static_cast<size_t>(p)];
      MOKA_ASSIGN_OR_RETURN(const TransposeParams inner, TransposeParams::From(before.attrs, rank));
      for (int64_t& axis : perm) axis = inner.perm[static_cast<size_t>(axis)];
      uses.RemoveReader(node.src[0], static_cast<int>(n));
      node.src[0] = before.src[0];
      uses.AddReader(node.src[0], static_cast<int>(n));
      node.attrs.Set("perm", perm);
    }
    std::vector<int64_t> identity(perm.size());
    std::iota(identity.begin(), identity.end(), 0);
    if (perm == identity) BypassNode(graph, uses, static_cast<int>(n));
  }
  EraseRemoved(graph);
  return RemoveDeadNodes(graph);
}

}  // namespace moka

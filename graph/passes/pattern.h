// Looking upwards from a node: what passes that recognise compositions share.
#ifndef MOKA_GRAPH_PASSES_PATTERN_H_
#define MOKA_GRAPH_PASSES_PATTERN_H_

#include <string_view>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "graph/passes/rewrite.h"

namespace moka {

class Pattern {
 public:
  Pattern(const Graph& graph, const Uses& uses) : graph_(graph), uses_(uses) {}

  // The node that makes `id`, where it is this operator of the standard, without an epilogue and with one result.
  const Node* Made(ValueId id, std::string_view op) const;
  // The same for a node that nothing else reads.
  const Node* MadeForOne(ValueId id, std::string_view op) const;
  // Both orders of the sources of a node with two.
  static std::vector<std::pair<ValueId, ValueId>> Orders(const Node& node);
  bool IsF32(ValueId id) const { return id != kNoValue && graph_.value(id).tensor.type == DataType::kF32; }
  const std::vector<Dim>& Dims(ValueId id) const { return graph_.value(id).tensor.dims; }
  bool IsScalar(ValueId id, float* value) const { return moka::IsScalar(graph_.value(id), value); }
  // Whether dims of `id` are proven to repeat to `dims` without enlarging them.
  bool Broadcasts(ValueId id, const std::vector<Dim>& dims) const;

 private:
  const Graph& graph_;
  const Uses& uses_;
};

}  // namespace moka

#endif  // MOKA_GRAPH_PASSES_PATTERN_H_

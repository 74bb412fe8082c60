#ifndef MOKA_GRAPH_PASSES_BATCH_NORM_H_
#define MOKA_GRAPH_PASSES_BATCH_NORM_H_

#include <optional>
#include <vector>

#include "graph/graph.h"

namespace moka {

// y = x * scale[c] + shift[c] for channel c.
struct ChannelAffine {
  std::vector<double> scale, shift;
};
// What a BatchNormalization with constant f32 parameters computes; none for any other node.
std::optional<ChannelAffine> AffineOf(const Graph& graph, const Node& node);

}  // namespace moka

#endif  // MOKA_GRAPH_PASSES_BATCH_NORM_H_

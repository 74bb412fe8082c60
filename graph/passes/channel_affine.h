#ifndef MOKA_GRAPH_PASSES_CHANNEL_AFFINE_H_
#define MOKA_GRAPH_PASSES_CHANNEL_AFFINE_H_

#include <optional>
#include <vector>

#include "graph/graph.h"

namespace moka {

// y = x * scale[c] + shift[c] for channel c, dimension 1 of x.
struct ChannelAffine {
  ValueId x = kNoValue;
  std::vector<double> scale, shift;
};
// What a BatchNormalization with constant f32 parameters computes; none for any other node.
std::optional<ChannelAffine> BatchNormAffine(const Graph& graph, const Node& node);
// The same, also for Add, Sub, Mul and Div with a constant f32 scalar or one number per channel.
std::optional<ChannelAffine> AffineOf(const Graph& graph, const Node& node);

}  // namespace moka

#endif  // MOKA_GRAPH_PASSES_CHANNEL_AFFINE_H_

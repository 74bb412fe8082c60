// The first half of binding: symbols get values from the input shapes, every dimension becomes a number.
#ifndef MOKA_GRAPH_BIND_SHAPES_H_
#define MOKA_GRAPH_BIND_SHAPES_H_

#include <memory>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace moka {

struct BoundShapes {
  std::vector<TensorDesc> descs;  // per value of the graph, dense row-major; !present() where no node refers to it
  std::vector<std::shared_ptr<const HostTensor>> contents;  // per value: constants, and integers that shapes determine
};

// `inputs`: one shape per graph input, in order. Equal symbols must get equal values; the Status names the inputs and
// dimensions that contradict each other or the file.
Result<BoundShapes> BindShapes(const Graph& graph, std::span<const Shape> inputs);

}  // namespace moka

#endif  // MOKA_GRAPH_BIND_SHAPES_H_

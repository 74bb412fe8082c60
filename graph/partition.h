// Divides the nodes of a graph between the asked device and the CPU.
#ifndef MOKA_GRAPH_PARTITION_H_
#define MOKA_GRAPH_PARTITION_H_

#include <cstdint>
#include <vector>

namespace moka {

enum class Side : int8_t { kDevice, kHost, kFree };

// Hyperedges of a partition problem: the vertices that touch one value. Vertex indices are below sides.size().
struct PartitionProblem {
  std::vector<Side> sides;              // where each vertex has to be; kFree: either
  std::vector<std::vector<int>> edges;  // an edge is cut, at cost 1, when its vertices are not all on one side
};

// Fewest cut edges (a minimum cut, exact); among those, as few vertices as possible on the host. Returns true for
// vertices on the host.
std::vector<bool> Partition(const PartitionProblem& problem);

}  // namespace moka

#endif  // MOKA_GRAPH_PARTITION_H_

#include "graph/partition.h"

#include <cstddef>

#include "graph/passes/min_cut.h"

namespace moka {

std::vector<bool> Partition(const PartitionProblem& problem) {
  MinCut cut;  // side 0 is the device, which vertices are on that could be on either
  std::vector<int> vertices;
  for (const Side side : problem.sides) {
    vertices.push_back(cut.AddVertex());
    if (side != Side::kFree) cut.Fix(vertices.back(), side == Side::kHost);
  }
  // An edge pays 1 where `some` is on the device (because one of its vertices is) and `all` on the host (because
  // another one is there).
  for (const std::vector<int>& edge : problem.edges) {
    const int some = cut.AddVertex(), all = cut.AddVertex();
    cut.AddCost(some, all, 1, 0);
    for (int v : edge) {
      cut.AddCost(vertices[static_cast<size_t>(v)], some, MinCut::kNever, 0);
      cut.AddCost(all, vertices[static_cast<size_t>(v)], MinCut::kNever, 0);
    }
  }
  cut.Solve();
  std::vector<bool> on_host;
  for (int v : vertices) on_host.push_back(cut.SideOf(v));
  return on_host;
}

}  // namespace moka

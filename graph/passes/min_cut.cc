#include "graph/passes/min_cut.h"

#include <algorithm>

namespace moka {

int MinCut::AddVertex() {
  edges_of_.emplace_back();
  return static_cast<int>(edges_of_.size()) - 1;
}

void MinCut::AddCost(int a, int b, int64_t zero_one, int64_t one_zero) {
  edges_of_[static_cast<size_t>(a)].push_back(static_cast<int>(edges_.size()));
  edges_.push_back({b, zero_one});
  edges_of_[static_cast<size_t>(b)].push_back(static_cast<int>(edges_.size()));
  edges_.push_back({a, one_zero});
}

bool MinCut::FindLevels() {
  level_.assign(edges_of_.size(), -1);
  std::vector<int> queue = {kZero};
  level_[kZero] = 0;
  for (size_t i = 0; i < queue.size(); ++i) {
    const auto v = static_cast<size_t>(queue[i]);
    for (const int e : edges_of_[v]) {
      const Edge& edge = edges_[static_cast<size_t>(e)];
      if (edge.capacity == 0 || level_[static_cast<size_t>(edge.to)] >= 0) continue;
      level_[static_cast<size_t>(edge.to)] = level_[v] + 1;
      queue.push_back(edge.to);
    }
  }
  return level_[kOne] >= 0;
}

// Pushes flow along one path of the level graph; 0 when there is none left. Iterative: graphs are deep.
int64_t MinCut::Push() {
  std::vector<int> path;
  int vertex = kZero;
  while (vertex != kOne) {
    const auto v = static_cast<size_t>(vertex);
    bool advanced = false;
    for (; next_[v] < edges_of_[v].size(); ++next_[v]) {
      const int e = edges_of_[v][next_[v]];
      const Edge& edge = edges_[static_cast<size_t>(e)];
      if (edge.capacity == 0 || level_[static_cast<size_t>(edge.to)] != level_[v] + 1) continue;
      path.push_back(e);
      vertex = edge.to;
      advanced = true;
      break;
    }
    if (advanced) continue;
    if (path.empty()) return 0;
    vertex = edges_[static_cast<size_t>(path.back() ^ 1)].to;  // back, and on to the next edge
    path.pop_back();
    ++next_[static_cast<size_t>(vertex)];
  }
  int64_t flow = kNever;
  for (const int e : path) flow = std::min(flow, edges_[static_cast<size_t>(e)].capacity);
  for (const int e : path) {
    edges_[static_cast<size_t>(e)].capacity -= flow;
    edges_[static_cast<size_t>(e ^ 1)].capacity += flow;
  }
  return flow;
}

int64_t MinCut::Solve() {
  int64_t total = 0;
  while (FindLevels()) {
    next_.assign(edges_of_.size(), 0);
    while (const int64_t flow = Push()) total += flow;
  }
  // Side 1 are the vertices from which kOne can still be reached.
  side_.assign(edges_of_.size(), false);
  side_[kOne] = true;
  std::vector<int> queue = {kOne};
  for (size_t i = 0; i < queue.size(); ++i) {
    for (const int e : edges_of_[static_cast<size_t>(queue[i])]) {
      const int from = edges_[static_cast<size_t>(e)].to;
      if (edges_[static_cast<size_t>(e ^ 1)].capacity == 0 || side_[static_cast<size_t>(from)]) continue;
      side_[static_cast<size_t>(from)] = true;
      queue.push_back(from);
    }
  }
  return total;
}

}  // namespace moka

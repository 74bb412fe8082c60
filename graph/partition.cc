#include "graph/partition.h"

#include <cstddef>

namespace moka {
namespace {

// Maximum flow by augmenting paths: the flow is the number of crossings, which is small.
class FlowNetwork {
 public:
  explicit FlowNetwork(int vertices) : out_(static_cast<size_t>(vertices)) {}

  void AddArc(int from, int to, int capacity) {
    out_[static_cast<size_t>(from)].push_back(static_cast<int>(arcs_.size()));
    arcs_.push_back({to, capacity});
    out_[static_cast<size_t>(to)].push_back(static_cast<int>(arcs_.size()));
    arcs_.push_back({from, 0});
  }

  // Sends one unit from source to sink; false when no path is left.
  bool Augment(int source, int sink) {
    std::vector<int> via(out_.size(), -1);
    std::vector<int> queue = {source};
    std::vector<bool> seen(out_.size(), false);
    seen[static_cast<size_t>(source)] = true;
    for (size_t head = 0; head < queue.size() && !seen[static_cast<size_t>(sink)]; ++head) {
      for (int id : out_[static_cast<size_t>(queue[head])]) {
        const Arc& arc = arcs_[static_cast<size_t>(id)];
        if (arc.capacity == 0 || seen[static_cast<size_t>(arc.to)]) continue;
        seen[static_cast<size_t>(arc.to)] = true;
        via[static_cast<size_t>(arc.to)] = id;
        queue.push_back(arc.to);
      }
    }
    if (!seen[static_cast<size_t>(sink)]) return false;
    for (int vertex = sink; vertex != source;) {
      const auto id = static_cast<size_t>(via[static_cast<size_t>(vertex)]);
      --arcs_[id].capacity;
      ++arcs_[id ^ 1].capacity;
      vertex = arcs_[id ^ 1].to;
    }
    return true;
  }

  // Vertices from which the sink can still be reached.
  std::vector<bool> ReachesSink(int sink) const {
    std::vector<bool> reaches(out_.size(), false);
    std::vector<int> queue = {sink};
    reaches[static_cast<size_t>(sink)] = true;
    for (size_t head = 0; head < queue.size(); ++head) {
      for (int id : out_[static_cast<size_t>(queue[head])]) {
        const Arc& back = arcs_[static_cast<size_t>(id)];
        const Arc& forward = arcs_[static_cast<size_t>(id) ^ 1];
        if (forward.capacity == 0 || reaches[static_cast<size_t>(back.to)]) continue;
        reaches[static_cast<size_t>(back.to)] = true;
        queue.push_back(back.to);
      }
    }
    return reaches;
  }

 private:
  struct Arc {
    int to, capacity;
  };
  std::vector<Arc> arcs_;  // arc i and its reverse i ^ 1
  std::vector<std::vector<int>> out_;
};

constexpr int kUnlimited = 1 << 30;

}  // namespace

std::vector<bool> Partition(const PartitionProblem& problem) {
  const int vertices = static_cast<int>(problem.sides.size());
  const int source = vertices, sink = vertices + 1;
  FlowNetwork network(vertices + 2 + 2 * static_cast<int>(problem.edges.size()));
  for (int v = 0; v < vertices; ++v) {
    const Side side = problem.sides[static_cast<size_t>(v)];
    if (side == Side::kDevice) network.AddArc(source, v, kUnlimited);
    if (side == Side::kHost) network.AddArc(v, sink, kUnlimited);
  }
  int enter = vertices + 2;
  for (const std::vector<int>& edge : problem.edges) {
    network.AddArc(enter, enter + 1, 1);
    for (int v : edge) {
      network.AddArc(v, enter, kUnlimited);
      network.AddArc(enter + 1, v, kUnlimited);
    }
    enter += 2;
  }
  while (network.Augment(source, sink)) {
  }
  const std::vector<bool> reaches = network.ReachesSink(sink);
  return std::vector<bool>(reaches.begin(), reaches.begin() + vertices);
}

}  // namespace moka

#ifndef MOKA_GRAPH_PASSES_MIN_CUT_H_
#define MOKA_GRAPH_PASSES_MIN_CUT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace moka {

// The cheapest way to put every vertex on one of two sides (Dinic's maximum flow).
class MinCut {
 public:
  static constexpr int kZero = 0, kOne = 1;            // vertices whose sides are fixed
  static constexpr int64_t kNever = int64_t{1} << 60;  // a cost that no solution pays

  int AddVertex();
  // Costs `zero_one` where a is on side 0 and b on side 1, `one_zero` where it is the other way round.
  void AddCost(int a, int b, int64_t zero_one, int64_t one_zero);
  void Fix(int vertex, bool side) { side ? AddCost(vertex, kOne, kNever, 0) : AddCost(kZero, vertex, kNever, 0); }
  // Solves and returns the total cost. Vertices that could be on either side are on side 0.
  int64_t Solve();
  bool SideOf(int vertex) const { return side_[static_cast<size_t>(vertex)]; }

 private:
  struct Edge {
    int to;
    int64_t capacity;
  };
  bool FindLevels();
  int64_t Push();

  std::vector<std::vector<int>> edges_of_ = std::vector<std::vector<int>>(2);
  std::vector<Edge> edges_;  // edge i ^ 1 is the reverse of edge i
  std::vector<int> level_;
  std::vector<size_t> next_;
  std::vector<bool> side_;
};

}  // namespace moka

#endif  // MOKA_GRAPH_PASSES_MIN_CUT_H_

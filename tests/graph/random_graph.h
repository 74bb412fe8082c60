// Random graphs of convolutions, elementwise operators, and everything that can be a view, a part or a copy.
#ifndef MOKA_TESTS_GRAPH_RANDOM_GRAPH_H_
#define MOKA_TESTS_GRAPH_RANDOM_GRAPH_H_

#include <algorithm>
#include <random>
#include <vector>

#include "tests/graph/graph_builder.h"

namespace moka {

// One input "x" of shape [2, 8, 4, w]; up to three outputs.
class RandomGraph {
 public:
  explicit RandomGraph(unsigned seed) : random_(seed) {}

  Graph Make() {
    values_.push_back({b_.Input("x", {2, kChannels, 4, b_.Symbol("w")}), kChannels});
    const int nodes = 3 + Pick(20);
    for (int i = 0; i < nodes; ++i) AddNode();
    std::vector<ValueId> outputs;
    for (int i = 0; i < 1 + Pick(3); ++i) outputs.push_back(values_[values_.size() - 1 - Recent()].id);
    return b_.Finish(outputs);
  }

 private:
  static constexpr int kChannels = 8;
  struct Made {
    ValueId id;
    int channels;
  };
  int Pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  size_t Recent() { return static_cast<size_t>(Pick(std::min<int>(4, static_cast<int>(values_.size())))); }
  Made Any() { return values_[values_.size() - 1 - Recent()]; }

  void AddNode() {
    const Made a = Any(), c = Any();
    switch (Pick(9)) {
      case 0:
        return Add(b_.Node("Relu", {a.id}), a.channels);
      case 1:
        if (a.channels != c.channels) return;
        return Add(b_.Node("Add", {a.id, c.id}), a.channels);
      case 2:
        if (a.channels + c.channels > 40) return;
        return Add(b_.Node("Concat", {a.id, c.id}, {{"axis", int64_t{1}}}), a.channels + c.channels);
      case 3: {
        if (a.channels < 2) return;
        const int cut = 1 + Pick(a.channels - 1);
        const auto parts = b_.Nodes("Split", {a.id, b_.Ints({cut, a.channels - cut})}, {{"axis", int64_t{1}}}, 2);
        Add(parts[0], cut);
        return Add(parts[1], a.channels - cut);
      }
      case 4: {
        const int out = 1 + Pick(12);
        return Add(b_.Conv(a.id, a.channels, out, 1 + 2 * Pick(2)), out);
      }
      case 5:
        return Add(b_.Node("Softmax", {a.id}, {{"axis", int64_t{1}}}), a.channels);
      case 6: {
        const ValueId there = b_.Node("Transpose", {a.id}, {{"perm", std::vector<int64_t>{0, 2, 3, 1}}});
        const ValueId middle = Pick(2) == 0 ? b_.Node("Sigmoid", {there}) : there;
        return Add(b_.Node("Transpose", {middle}, {{"perm", std::vector<int64_t>{0, 3, 1, 2}}}), a.channels);
      }
      case 7: {
        if (a.channels % 2 != 0) return;
        ValueId y = b_.Node("Reshape", {a.id, b_.Ints({2, 2, a.channels / 2, 4, -1})});
        y = b_.Node("Transpose", {y}, {{"perm", std::vector<int64_t>{0, 2, 1, 3, 4}}});
        return Add(b_.Node("Reshape", {y, b_.Ints({2, a.channels, 4, -1})}), a.channels);
      }
      default: {
        const int from = Pick(a.channels);
        return Add(b_.Node("Slice", {a.id, b_.Ints({from}), b_.Ints({a.channels}), b_.Ints({1})}), a.channels - from);
      }
    }
  }
  void Add(ValueId id, int channels) { values_.push_back({id, channels}); }

  std::mt19937 random_;
  GraphBuilder b_;
  std::vector<Made> values_;
};

}  // namespace moka

#endif  // MOKA_TESTS_GRAPH_RANDOM_GRAPH_H_

// Whether passes keep what a graph computes.
#ifndef MOKA_TESTS_GRAPH_CHECK_PASSES_H_
#define MOKA_TESTS_GRAPH_CHECK_PASSES_H_

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "graph/passes/passes.h"
#include "tests/graph/graph_builder.h"
#include "tests/graph/interpreter.h"

namespace moka {

inline void ExpectSameResults(const Graph& before, const Graph& after, const std::string& what) {
  const std::vector<Tensor> inputs = RandomInputs(before, 3, 5);
  const Result<std::vector<Tensor>> want = Interpret(before, inputs), got = Interpret(after, inputs);
  ASSERT_TRUE(want.ok()) << what << ": " << want.status().message();
  ASSERT_TRUE(got.ok()) << what << ": " << got.status().message();
  ASSERT_EQ(want->size(), got->size());
  for (size_t i = 0; i < want->size(); ++i) {
    ASSERT_EQ((*want)[i].shape(), (*got)[i].shape()) << what;
    ASSERT_EQ((*want)[i].type(), (*got)[i].type()) << what;
    if ((*want)[i].type() != DataType::kF32) {
      EXPECT_EQ(0, std::memcmp((*want)[i].data(), (*got)[i].data(), (*want)[i].bytes())) << what;
      continue;
    }
    for (int64_t k = 0; k < (*want)[i].size(); ++k) {
      const float a = (*want)[i].as<float>()[k], b = (*got)[i].as<float>()[k];
      ASSERT_NEAR(a, b, 2e-5f * (1 + std::abs(a))) << what << ", output " << i << ", element " << k;
    }
  }
}

// After each pass alone the graph computes the same, is valid, and a second run of the pass changes nothing.
inline Graph Optimized(const Graph& original) {
  Graph graph = original;
  for (const Pass& pass : Passes()) {
    const Status status = pass.run(graph);
    EXPECT_TRUE(status.ok()) << pass.name << ": " << status.message();
    ExpectSameResults(original, graph, pass.name);
    const size_t nodes = graph.nodes.size();
    EXPECT_TRUE(pass.run(graph).ok()) << pass.name;
    EXPECT_EQ(graph.nodes.size(), nodes) << pass.name << " is not idempotent";
    const Status valid = SortAndCheck(graph);
    EXPECT_TRUE(valid.ok()) << pass.name << ": " << valid.message();
  }
  return graph;
}

}  // namespace moka

#endif  // MOKA_TESTS_GRAPH_CHECK_PASSES_H_

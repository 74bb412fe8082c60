// Runs a graph node by node with the oracles, every value in its own memory and in its own format.
#ifndef MOKA_TESTS_GRAPH_INTERPRETER_H_
#define MOKA_TESTS_GRAPH_INTERPRETER_H_

#include <random>
#include <vector>

#include "graph/graph.h"
#include "moka/tensor.h"

namespace moka {

// One tensor per graph input; symbols take their values from the shapes. Outputs are row-major.
Result<std::vector<Tensor>> Interpret(const Graph& graph, const std::vector<Tensor>& inputs);

// f32 in [-2, 2) for inputs whose dims are `symbol_size` where they are symbolic.
std::vector<Tensor> RandomInputs(const Graph& graph, int64_t symbol_size, uint32_t seed);

}  // namespace moka

#endif  // MOKA_TESTS_GRAPH_INTERPRETER_H_

// Contents that are known before any run.
#ifndef MOKA_GRAPH_CONSTANTS_H_
#define MOKA_GRAPH_CONSTANTS_H_

#include <memory>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace moka {

// Memory for a dense row-major tensor; `data` points to it. Null when the size overflows or memory is short.
std::shared_ptr<HostTensor> AllocateConstant(DataType type, const Shape& shape, void** data);

// The tensor's constant, or its elements where all of them are numbers; else null.
std::shared_ptr<const HostTensor> KnownContents(const Value& value);

// The constant of f32 that `id` is, else null (also for kNoValue).
const HostTensor* ConstantF32(const Graph& graph, ValueId id);

// What computing at load may cost, so that no file can make it long or large. EvaluateNode takes off what it spends.
struct EvaluationBudget {
  uint64_t result_bytes;  // of any one result
  uint64_t total_bytes;
  double flops;
};

// Runs the reference of a node whose sources are all known and whose results have constant dims. src[i] is null for an
// absent operand. kUnsupported where there is no reference, or where the budget is too small.
Result<std::vector<std::shared_ptr<const HostTensor>>> EvaluateNode(
    const Graph& graph, const Node& node, std::span<const std::shared_ptr<const HostTensor>> src,
    EvaluationBudget* budget);

}  // namespace moka

#endif  // MOKA_GRAPH_CONSTANTS_H_

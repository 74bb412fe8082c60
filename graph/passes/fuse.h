// Joining micro-programs.
#ifndef MOKA_GRAPH_PASSES_FUSE_H_
#define MOKA_GRAPH_PASSES_FUSE_H_

#include <vector>

#include "graph/graph.h"
#include "ops/micro_builder.h"

namespace moka {

// The values that a growing program reads, each once.
class ProgramSources {
 public:
  explicit ProgramSources(MicroBuilder* builder) : builder_(builder) {}
  uint8_t CodeOf(ValueId id);
  const std::vector<ValueId>& values() const { return values_; }

 private:
  MicroBuilder* builder_;
  std::vector<ValueId> values_;
};

// Appends the node's program, which starts with `r0`. Where it reads value `from` it takes operand `result` instead.
void AppendProgram(const Node& node, ValueId from, uint8_t result, uint8_t r0, ProgramSources* sources,
                   MicroBuilder* builder);

// Whether the operator runs a program on its result before it is stored.
bool TakesEpilogue(const Node& node);

}  // namespace moka

#endif  // MOKA_GRAPH_PASSES_FUSE_H_

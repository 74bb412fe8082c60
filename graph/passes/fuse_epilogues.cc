#include <algorithm>
#include <iterator>

#include "graph/passes/fuse.h"
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

namespace moka {
namespace {

constexpr const char* kWithEpilogue[] = {"Conv", "ConvTranspose", "Gemm", "MatMul"};

// The operator `main`, then the elementwise `after`, as one node in the place of `after`: there all sources exist.
bool Merge(const Node& main, Node& after) {
  const ValueId between = main.dst[0];
  const auto own = static_cast<size_t>(main.program_begin < 0 ? static_cast<int>(main.src.size()) : main.program_begin);
  MicroBuilder builder;
  ProgramSources sources(&builder);
  if (main.program_begin >= 0) {
    AppendProgram(main, kNoValue, MicroRegister(0), MicroRegister(0), &sources, &builder);
  }
  AppendProgram(after, between, builder.result(), MicroRegister(0), &sources, &builder);
  MicroProgram program;
  if (!builder.ok() || !builder.Finish(&program)) return false;
  Node merged = main;
  merged.src.assign(main.src.begin(), main.src.begin() + static_cast<ptrdiff_t>(own));
  merged.src.insert(merged.src.end(), sources.values().begin(), sources.values().end());
  merged.dst = after.dst;
  merged.program = program;
  merged.program_begin = program.empty() ? -1 : static_cast<int>(own);
  AppendNames(&merged, after);
  after = std::move(merged);
  return true;
}

}  // namespace

bool TakesEpilogue(const Node& node) {
  return std::any_of(std::begin(kWithEpilogue), std::end(kWithEpilogue),
                     [&](const char* name) { return IsOp(node, name); });
}

Status FuseEpilogues(Graph& graph) {
  Uses uses(graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& after = graph.nodes[n];
    if (!IsOp(after, "Elementwise", "moka")) continue;
    // Of several producers the last one: its result need not be kept for long.
    int main = -1;
    for (const ValueId id : after.src) {
      const int p = uses.Producer(id);
      if (p <= main || uses.OnlyReader(id) != static_cast<int>(n)) continue;
      if (!TakesEpilogue(graph.nodes[static_cast<size_t>(p)])) continue;
      if (graph.value(id).tensor.dims != graph.value(after.dst[0]).tensor.dims) continue;
      main = p;
    }
    if (main < 0) continue;
    Node& producer = graph.nodes[static_cast<size_t>(main)];
    if (!Merge(producer, after)) continue;
    uses.producer[static_cast<size_t>(producer.dst[0])] = -1;
    for (const ValueId id : producer.src) {
      uses.RemoveReader(id, main);
      uses.AddReader(id, static_cast<int>(n));
    }
    producer.op = nullptr;
  }
  EraseRemoved(graph);
  return Status();
}

}  // namespace moka

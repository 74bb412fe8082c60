#include <algorithm>

#include "graph/passes/fuse.h"
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"
#include "ops/micro_builder.h"

namespace moka {

uint8_t ProgramSources::CodeOf(ValueId id) {
  const auto it = std::find(values_.begin(), values_.end(), id);
  if (it != values_.end()) return MicroSource(static_cast<int>(it - values_.begin()));
  values_.push_back(id);
  return builder_->AddSource();
}

void AppendProgram(const Node& node, ValueId from, uint8_t result, uint8_t r0, ProgramSources* sources,
                   MicroBuilder* builder) {
  std::vector<uint8_t> codes;
  for (size_t i = static_cast<size_t>(node.program_begin); i < node.src.size(); ++i) {
    codes.push_back(node.src[i] == from ? result : sources->CodeOf(node.src[i]));
  }
  if (builder->ok()) builder->Append(node.program, r0, codes.data());
}

namespace {

constexpr uint8_t kStart = MicroRegister(0);

// before -> node become one program in `node`.
bool Merge(const Node& before, Node& node) {
  const ValueId between = before.dst[0];
  MicroBuilder builder;
  ProgramSources sources(&builder);
  AppendProgram(before, kNoValue, kStart, kStart, &sources, &builder);
  AppendProgram(node, between, builder.result(), kStart, &sources, &builder);
  MicroProgram program;
  if (!builder.ok() || !builder.Finish(&program)) return false;
  node.program = program;
  node.src = sources.values();
  Node merged_names = before;
  AppendNames(&merged_names, node);
  node.fused = std::move(merged_names.fused);
  return true;
}

bool IsElementwise(const Node& node) { return IsOp(node, "Elementwise", "moka"); }

// Merges one producer into graph.nodes[n]; false when there is none that can be.
bool MergeOneProducer(Graph& graph, Uses& uses, int n) {
  Node& node = graph.nodes[static_cast<size_t>(n)];
  for (const ValueId id : node.src) {
    const int p = uses.Producer(id);
    if (p < 0 || uses.OnlyReader(id) != n) continue;
    Node& before = graph.nodes[static_cast<size_t>(p)];
    // A smaller operand is computed once and repeated: not worth computing for every element.
    if (!IsElementwise(before) || graph.value(id).tensor.dims != graph.value(node.dst[0]).tensor.dims) continue;
    if (!Merge(before, node)) continue;
    uses.RemoveReader(id, n);
    uses.producer[static_cast<size_t>(id)] = -1;
    for (const ValueId src : before.src) {
      uses.RemoveReader(src, p);
      uses.AddReader(src, n);
    }
    before.op = nullptr;
    return true;
  }
  return false;
}

}  // namespace

Status FuseElementwise(Graph& graph) {
  Uses uses(graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!IsElementwise(graph.nodes[n])) continue;
    while (MergeOneProducer(graph, uses, static_cast<int>(n))) {
    }
  }
  EraseRemoved(graph);
  return Status();
}

}  // namespace moka

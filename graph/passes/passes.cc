#include "graph/passes/passes.h"

namespace moka {

std::span<const Pass> Passes() {
  static constexpr Pass kPasses[] = {
      {"fuse quantized", FuseQuantized, true},  // before weights become floats
      {"fold constants", FoldConstants},
      {"lower scatter", LowerScatter},
      {"remove shape arithmetic", RemoveShapeArithmetic},
      {"remove dead nodes", RemoveDeadNodes},
      {"remove no-ops", RemoveNoOps},
      {"widen halves", WidenHalves, true},
      {"merge common nodes", MergeCommonNodes},
      {"nest concatenations", NestConcats},
      {"lower einsum", LowerEinsum},
      {"merge transposes", MergeTransposes},
      {"fuse normalization", FuseNormalization, true},
      {"fuse attention", FuseAttention, true},
      {"fold pad into conv", FoldPadIntoConv},
      {"fold scale and shift into conv", FoldAffineIntoConv},
      {"merge branches", MergeBranches},
      {"fold scale and shift into merged conv", FoldAffineIntoConv},
      {"lower elementwise", LowerElementwise},
      {"sink transposes", SinkTransposes},
      {"fuse elementwise", FuseElementwise},
      {"swap products", SwapProducts, true},
      {"fuse epilogues", FuseEpilogues},
      {"remove dead nodes again", RemoveDeadNodes},
      {"materialize constant outputs", MaterializeConstantOutputs},
      {"choose layouts", ChooseLayouts},
  };
  return kPasses;
}

Status Optimize(Graph& graph, bool for_cpu) {
  for (const Pass& pass : Passes()) {
    if (pass.cpu_only && !for_cpu) continue;
    if (Status status = pass.run(graph); !status.ok()) return status.WithContext(pass.name);
  }
  return Status();
}

}  // namespace moka

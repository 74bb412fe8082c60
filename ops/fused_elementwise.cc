// moka.Elementwise: a micro-program over its sources.
#include "ops/infer.h"
#include "ops/op.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferElementwise(InferContext& context) {
  for (size_t i = 0; i < context.src.size(); ++i) MOKA_RETURN_IF_ERROR(CheckType(context, i, {DataType::kF32}));
  context.dst[0].type = DataType::kF32;
  MOKA_ASSIGN_OR_RETURN(context.dst[0].dims, BroadcastSources(context, 0, context.src.size()));
  return Status();
}

template <class Float>
Status ElementwiseReference(const ReferenceCall& reference) {
  if (reference.call.program == nullptr) return Internal("node '", reference.call.name, "' has no program");
  return ApplyProgram(reference, /*has_result=*/false);
}

Cost ElementwiseCost(const OpCall& call) {
  const int ops = call.program == nullptr ? 1 : call.program->num_ops;
  return {static_cast<double>(call.dst[0].NumElements()) * ops};
}

}  // namespace

const OpSchema* ElementwiseSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "moka",
      .name = "Elementwise",
      .min_src = 1,
      .max_src = kMicroMaxSources,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kSame,
      .infer = InferElementwise,
      MOKA_REFERENCES(ElementwiseReference)  //
          .cost = ElementwiseCost,
  };
  return &kSchema;
}

}  // namespace moka

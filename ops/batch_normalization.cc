#include "ops/batch_normalization.h"

#include <cmath>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferBatchNorm(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 2));
  bool training = false;
  MOKA_RETURN_IF_ERROR(ReadFlag(*ctx.attrs, "training_mode", false, &training));
  if (training) return Unsupported("attribute 'training_mode' is 1: moka runs networks, it does not train them");
  if (ctx.dst.size() > 1) return InvalidModel("dst 1: running statistics exist only with training_mode = 1");
  const SymbolicTensor& x = *ctx.src[0];
  static constexpr const char* kNames[] = {"", "scale", "B", "input_mean", "input_var"};
  for (size_t i = 1; i < 5; ++i) {
    MOKA_RETURN_IF_ERROR(CheckType(ctx, i, kFloatTypes));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, 1, 1));
    MOKA_RETURN_IF_ERROR(
        RequireEqual(ctx, ctx.src[i]->dims[0], x.dims[1], StrCat("elements of src ", i, " (", kNames[i], ")")));
  }
  MOKA_RETURN_IF_ERROR(BatchNormParams::From(*ctx.attrs).status());
  return InferSameAsSource(ctx);
}

template <class Float>
Status BatchNormReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const BatchNormParams params, BatchNormParams::From(*call.attrs));
  return WithAccumulator<Float>(call.src[0].type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    const auto channel = [&](size_t i, int64_t c) {
      return Load<Acc>(call.src[i], reference.src[i], c * call.src[i].strides[0]);
    };
    const TensorDesc &x = call.src[0], &y = call.dst[0];
    ForEachIndex(x, [&](const Index& at) {
      const int64_t c = at[1];
      const double variance = static_cast<double>(channel(4, c)) + static_cast<double>(params.epsilon);
      const Acc scale = channel(1, c) / static_cast<Acc>(std::sqrt(variance));
      const Acc value = (Load<Acc>(x, reference.src[0], OffsetOf(x, at)) - channel(3, c)) * scale + channel(2, c);
      Store<Acc>(y, reference.dst[0], OffsetOf(y, at), value);
    });
    return Status();
  });
}

Cost BatchNormCost(const OpCall& call) { return {2 * static_cast<double>(call.dst[0].NumElements())}; }

}  // namespace

Result<BatchNormParams> BatchNormParams::From(const Attributes& attrs) {
  BatchNormParams params;
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "epsilon", 1e-5f, &params.epsilon));
  return params;
}

const OpSchema* BatchNormalizationSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "BatchNormalization",
      .min_src = 5,
      .max_src = 5,
      .min_dst = 1,
      .max_dst = 3,
      .layout = LayoutRule::kSame,
      .infer = InferBatchNorm,
      MOKA_REFERENCES(BatchNormReference)  //
          .cost = BatchNormCost,
  };
  return &kSchema;
}

}  // namespace moka

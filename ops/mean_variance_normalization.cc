#include "ops/mean_variance_normalization.h"

#include <cmath>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferMeanVarianceNorm(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(MeanVarianceParams::From(*ctx.attrs, ctx.src[0]->rank()).status());
  return InferSameAsSource(ctx);
}

template <class Acc>
void MeanVarianceLoops(uint32_t axes, const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  if (x.NumElements() == 0) return;
  TensorDesc kept = x, reduced = x;
  for (size_t i = 0; i < static_cast<size_t>(x.rank); ++i) ((axes >> i & 1) != 0 ? kept : reduced).dims[i] = 1;
  const auto count = static_cast<Acc>(reduced.NumElements());
  ForEachIndex(kept, [&](const Index& outer) {
    const int64_t src = OffsetOf(x, outer), dst = OffsetOf(y, outer);
    const auto load = [&](const Index& at) { return Load<Acc>(x, reference.src[0], src + OffsetOf(x, at)); };
    Acc mean{}, squares{};
    ForEachIndex(reduced, [&](const Index& at) { mean += load(at); });
    mean /= count;
    ForEachIndex(reduced, [&](const Index& at) { squares += (load(at) - mean) * (load(at) - mean); });
    const Acc deviation = std::sqrt(squares / count) + static_cast<Acc>(MeanVarianceParams::kEpsilon);
    ForEachIndex(reduced, [&](const Index& at) {
      Store<Acc>(y, reference.dst[0], dst + OffsetOf(y, at), (load(at) - mean) / deviation);
    });
  });
}

template <class Float>
Status MeanVarianceReference(const ReferenceCall& reference) {
  const TensorDesc& x = reference.call.src[0];
  MOKA_ASSIGN_OR_RETURN(const MeanVarianceParams params, MeanVarianceParams::From(*reference.call.attrs, x.rank));
  x.type == DataType::kF64 ? MeanVarianceLoops<double>(params.axes, reference)
                           : MeanVarianceLoops<Float>(params.axes, reference);
  return Status();
}

Cost MeanVarianceCost(const OpCall& call) { return {6 * static_cast<double>(call.dst[0].NumElements())}; }

}  // namespace

Result<MeanVarianceParams> MeanVarianceParams::From(const Attributes& attrs, int rank) {
  static constexpr int64_t kDefault[] = {0, 2, 3};
  MeanVarianceParams params;
  IntList axes;
  MOKA_RETURN_IF_ERROR(ReadInts(attrs, "axes", &axes));
  MOKA_RETURN_IF_ERROR(ResolveAxes(axes.present ? axes.span() : std::span<const int64_t>(kDefault), rank,
                                   "attribute 'axes'", &params.axes));
  return params;
}

const OpSchema* MeanVarianceNormalizationSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "MeanVarianceNormalization",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kSame,
      .infer = InferMeanVarianceNorm,
      MOKA_REFERENCES(MeanVarianceReference)  //
          .cost = MeanVarianceCost,
  };
  return &kSchema;
}

}  // namespace moka

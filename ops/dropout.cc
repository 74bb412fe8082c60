#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/random_source.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferDropout(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  for (size_t i = 1; i < 3; ++i) {
    if (!ctx.has_src(i)) continue;
    if (i == 1) MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, kFloatTypes));
    if (i == 2) MOKA_RETURN_IF_ERROR(CheckType(ctx, 2, {DataType::kBool}));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, 0, 0));
  }
  int64_t seed = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(*ctx.attrs, "seed", 0, &seed));
  if (ctx.dst.size() > 1) {
    ctx.dst[1].type = DataType::kBool;
    ctx.dst[1].dims = ctx.src[0]->dims;
  }
  return InferSameAsSource(ctx);
}

// The stream that attribute `seed` names, which is an integer here, or a new one.
Result<RandomSource> SourceOf(const Attributes& attrs) {
  int64_t seed = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "seed", 0, &seed));
  if (attrs.Has("seed")) return RandomSource(static_cast<uint64_t>(seed));
  return RandomSource::From(attrs);
}

template <class Float>
Status DropoutReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  const bool training = call.has_src(2) && Load<int64_t>(call.src[2], reference.src[2], 0) != 0;
  double ratio = 0;
  if (training) ratio = call.has_src(1) ? Load<double>(call.src[1], reference.src[1], 0) : 0.5;
  if (!(ratio >= 0 && ratio < 1)) return InvalidArgument("src 1 (ratio) is ", ratio, ", expected a number in [0, 1)");
  MOKA_ASSIGN_OR_RETURN(const RandomSource source, SourceOf(*call.attrs));
  const bool mask = call.dst.size() > 1 && call.dst[1].present();
  int64_t number = 0;
  return WithAccumulator<Float>(x.type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    const auto scale = static_cast<Acc>(1 / (1 - ratio));
    ForEachIndex(x, [&](const Index& at) {
      const bool kept = ratio == 0 || source.Uniform(number++) >= ratio;
      const Acc value = Load<Acc>(x, reference.src[0], OffsetOf(x, at));
      if (y.present()) Store<Acc>(y, reference.dst[0], OffsetOf(y, at), kept ? value * scale : Acc{});
      if (mask) StoreRaw<uint8_t>(reference.dst[1], OffsetOf(call.dst[1], at), kept ? 1 : 0);
    });
    return Status();
  });
}

bool DropoutVaries(const Attributes& attrs) { return !attrs.Has("seed"); }

Cost DropoutCost(const OpCall& call) { return {static_cast<double>(call.src[0].NumElements())}; }

}  // namespace

// Without training mode, which is known when a model is read, formats/ turns it into Identity.
const OpSchema* DropoutSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Dropout",
      .min_src = 1,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 2,
      .layout = LayoutRule::kStrided,
      .infer = InferDropout,
      MOKA_REFERENCES(DropoutReference)  //
          .cost = DropoutCost,
      .varies = DropoutVaries,
  };
  return &kSchema;
}

}  // namespace moka

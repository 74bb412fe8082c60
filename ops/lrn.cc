#include "ops/lrn.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferLrn(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 2));
  MOKA_RETURN_IF_ERROR(LrnParams::From(*ctx.attrs).status());
  return InferSameAsSource(ctx);
}

template <class Acc>
void LrnLoops(const LrnParams& params, const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  ForEachIndex(x, [&](const Index& at) {
    const int64_t own = OffsetOf(x, at), c = at[1];
    const int64_t first = std::max<int64_t>(c - params.before, 0);
    const int64_t last = params.after > x.dims[1] - 1 - c ? x.dims[1] - 1 : c + params.after;
    Acc squares{};
    for (int64_t k = first; k <= last; ++k) {
      const Acc value = Load<Acc>(x, reference.src[0], own + (k - c) * x.strides[1]);
      squares += value * value;
    }
    const Acc base = static_cast<Acc>(params.bias) + static_cast<Acc>(params.alpha) * squares;
    const Acc value = Load<Acc>(x, reference.src[0], own) / std::pow(base, static_cast<Acc>(params.beta));
    Store<Acc>(y, reference.dst[0], OffsetOf(y, at), value);
  });
}

template <class Float>
Status LrnReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const LrnParams params, LrnParams::From(*reference.call.attrs));
  reference.call.src[0].type == DataType::kF64 ? LrnLoops<double>(params, reference)
                                               : LrnLoops<Float>(params, reference);
  return Status();
}

Cost LrnCost(const OpCall& call) {
  const Result<LrnParams> params = LrnParams::From(*call.attrs);
  const double window = params.ok() ? static_cast<double>(params->before + params->after + 1) : 1;
  const double channels = static_cast<double>(call.src[0].dims[1]);
  return {(2 * std::min(window, channels) + 10) * static_cast<double>(call.dst[0].NumElements())};
}

}  // namespace

Result<LrnParams> LrnParams::From(const Attributes& attrs) {
  LrnParams params;
  int64_t size = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "size", 0, &size));
  if (size < 1) return InvalidModel("attribute 'size' is ", size, ", expected at least 1");
  params.before = (size - 1) / 2;
  params.after = size - 1 - params.before;
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "alpha", 1e-4f, &params.alpha));
  params.alpha /= static_cast<float>(size);
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "beta", 0.75f, &params.beta));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "bias", 1, &params.bias));
  return params;
}

const OpSchema* LRNSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "LRN",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kSame,
      .infer = InferLrn,
      MOKA_REFERENCES(LrnReference)  //
          .cost = LrnCost,
  };
  return &kSchema;
}

}  // namespace moka

#include "ops/causal_conv_with_state.h"

#include <cmath>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {

Status ReadCausalActivation(const Attributes& attrs, bool* silu) {
  std::string_view name;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "activation", "none", &name));
  *silu = name == "silu" || name == "swish";
  if (*silu || name == "none") return Status();
  return InvalidModel("attribute 'activation' is '", name, "', expected none, silu or swish");
}

namespace {

Status InferCausalConv(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, kCausalInput, kFloatTypes));
  bool silu = false;
  MOKA_RETURN_IF_ERROR(ReadCausalActivation(*ctx.attrs, &silu));
  for (const int i : {kCausalInput, kCausalWeight, kCausalBias, kCausalPast}) {
    if (!ctx.has_src(i)) continue;
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, i, kCausalInput));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, i == kCausalBias ? 1 : 3, i == kCausalBias ? 1 : 3));
  }
  const std::vector<Dim>&x = ctx.src[kCausalInput]->dims, &w = ctx.src[kCausalWeight]->dims;
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, w[0], x[1], "dimension 0 of src 1 (weight)"));
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, w[1], Dim(1), "dimension 1 of src 1 (weight)"));
  if (w[2] == Dim(0)) return InvalidModel("src 1 (weight): a kernel of 0");
  const std::vector<Dim> state = {x[0], x[1], w[2] - Dim(1)};
  if (ctx.has_src(kCausalBias)) {
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[kCausalBias]->dims[0], x[1], "elements of src 2 (bias)"));
  }
  for (size_t i = 0; ctx.has_src(kCausalPast) && i < 3; ++i) {
    MOKA_RETURN_IF_ERROR(
        RequireEqual(ctx, ctx.src[kCausalPast]->dims[i], state[i], StrCat("dimension ", i, " of src 3 (past_state)")));
  }
  if (ctx.dst.size() > 1) {
    ctx.dst[1].type = ctx.src[kCausalInput]->type;
    ctx.dst[1].dims = state;
  }
  return InferSameAsSource(ctx);
}

template <class Acc>
void CausalConvLoops(bool silu, const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &x = call.src[kCausalInput], &w = call.src[kCausalWeight], &y = call.dst[0];
  const int64_t taps = w.dims[2], length = x.dims[2];
  // Position t of the input with the state before it: those below taps - 1 are the state's.
  const auto padded = [&](int64_t n, int64_t c, int64_t t) {
    if (t >= taps - 1) return Load<Acc>(x, reference.src[kCausalInput], OffsetOf(x, Index{n, c, t - (taps - 1)}));
    if (!call.has_src(kCausalPast)) return Acc{};
    return Load<Acc>(call.src[kCausalPast], reference.src[kCausalPast],
                     OffsetOf(call.src[kCausalPast], Index{n, c, t}));
  };
  if (y.present()) {
    ForEachIndex(y, [&](const Index& at) {
      const int64_t c = at[1];
      Acc sum{};
      for (int64_t k = 0; k < taps; ++k) {
        sum += padded(at[0], c, at[2] + k) * Load<Acc>(w, reference.src[kCausalWeight], OffsetOf(w, Index{c, 0, k}));
      }
      if (call.has_src(kCausalBias))
        sum += Load<Acc>(call.src[kCausalBias], reference.src[kCausalBias], c * call.src[kCausalBias].strides[0]);
      if (silu) sum /= Acc(1) + std::exp(-sum);
      Store<Acc>(y, reference.dst[0], OffsetOf(y, at), sum);
    });
  }
  if (call.dst.size() < 2 || !call.dst[1].present()) return;
  const TensorDesc& state = call.dst[1];
  ForEachIndex(state, [&](const Index& at) {
    Store<Acc>(state, reference.dst[1], OffsetOf(state, at), padded(at[0], at[1], length + at[2]));
  });
}

template <class Float>
Status CausalConvReference(const ReferenceCall& reference) {
  bool silu = false;
  MOKA_RETURN_IF_ERROR(ReadCausalActivation(*reference.call.attrs, &silu));
  reference.call.src[kCausalInput].type == DataType::kF64 ? CausalConvLoops<double>(silu, reference)
                                                          : CausalConvLoops<Float>(silu, reference);
  return Status();
}

Cost CausalConvCost(const OpCall& call) {
  return {2 * static_cast<double>(call.src[kCausalWeight].dims[2]) *
          static_cast<double>(call.src[kCausalInput].NumElements())};
}

}  // namespace

const OpSchema* CausalConvWithStateSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "CausalConvWithState",
      .min_src = 2,
      .max_src = 4,
      .min_dst = 1,
      .max_dst = 2,
      .layout = LayoutRule::kRowMajor,
      .infer = InferCausalConv,
      MOKA_REFERENCES(CausalConvReference)  //
          .cost = CausalConvCost,
  };
  return &kSchema;
}

}  // namespace moka

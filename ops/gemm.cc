#include "ops/gemm.h"

#include <algorithm>

#include "base/status.h"
#include "ops/accumulate.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status ReadAttributes(const Attributes& attrs, GemmParams* params) {
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "alpha", 1, &params->alpha));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "beta", 1, &params->beta));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "transA", false, &params->trans_a));
  return ReadFlag(attrs, "transB", false, &params->trans_b);
}

Status InferGemm(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kWideNumberTypes));
  GemmParams params;
  MOKA_RETURN_IF_ERROR(ReadAttributes(*ctx.attrs, &params));
  for (size_t i = 0; i < 2; ++i) {
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, i, 0));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, 2, 2));
  }
  const std::vector<Dim>&a = ctx.src[0]->dims, &b = ctx.src[1]->dims;
  const size_t a_transposed = params.trans_a ? 1 : 0, b_transposed = params.trans_b ? 1 : 0;
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, a[1 - a_transposed], b[b_transposed],
                                    "columns of src 0 and rows of src 1 (after transA, transB)"));
  ctx.dst[0].type = ctx.src[0]->type;
  ctx.dst[0].dims = {a[a_transposed], b[1 - b_transposed]};
  if (!ctx.has_src(2)) return Status();
  MOKA_RETURN_IF_ERROR(CheckSameType(ctx, 2, 0));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 2, 0, 2));
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> dims, BroadcastDims(ctx, ctx.dst[0].dims, ctx.src[2]->dims));
  for (size_t i = 0; i < 2; ++i) {
    if (dims[i] == ctx.dst[0].dims[i] || !dims[i].is_constant() || !ctx.dst[0].dims[i].is_constant()) continue;
    return InvalidModel("src 2: dimension ", dims[i].constant(), " does not broadcast to ",
                        ctx.dst[0].dims[i].constant());
  }
  return Status();
}

// Strides of C along the rows and columns of the result; 0 where it is broadcast.
std::array<int64_t, 2> BiasStrides(const TensorDesc& c) {
  std::array<int64_t, 2> strides{};
  for (int i = 0; i < c.rank; ++i) {
    const size_t k = static_cast<size_t>(i);
    if (c.dims[k] != 1) strides[k + 2 - static_cast<size_t>(c.rank)] = c.strides[k];
  }
  return strides;
}

template <class Acc>
void GemmLoops(const GemmParams& p, const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &a = call.src[0], &b = call.src[1], &y = call.dst[0];
  const std::array<int64_t, 2> c_strides = call.has_src(2) ? BiasStrides(call.src[2]) : std::array<int64_t, 2>{};
  for (int64_t m = 0; m < p.m; ++m) {
    for (int64_t n = 0; n < p.n; ++n) {
      Acc sum{};
      for (int64_t k = 0; k < p.k; ++k) {
        sum = WrappingAdd(sum, WrappingMul(Load<Acc>(a, reference.src[0], m * p.a_row + k * p.a_col),
                                           Load<Acc>(b, reference.src[1], k * p.b_row + n * p.b_col)));
      }
      // A factor of 1 leaves integers exact.
      if (p.alpha != 1) sum = ConvertElement<Acc>(static_cast<double>(p.alpha) * static_cast<double>(sum));
      if (call.has_src(2)) {
        Acc c = Load<Acc>(call.src[2], reference.src[2], m * c_strides[0] + n * c_strides[1]);
        if (p.beta != 1) c = ConvertElement<Acc>(static_cast<double>(p.beta) * static_cast<double>(c));
        sum = WrappingAdd(sum, c);
      }
      Store<Acc>(y, reference.dst[0], m * y.strides[0] + n * y.strides[1], sum);
    }
  }
}

template <class Float>
Status GemmReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const GemmParams params, GemmParams::From(call));
  return WithAccumulator<Float>(call.src[0].type, [&](auto accumulator) {
    GemmLoops<decltype(accumulator)>(params, reference);
    return Status();
  });
}

Cost GemmCost(const OpCall& call) {
  const int64_t k = call.src[0].NumElements() / std::max<int64_t>(call.dst[0].dims[0], 1);
  const double outputs = static_cast<double>(call.dst[0].NumElements());
  return {outputs * (2 * static_cast<double>(k) + (call.has_src(2) ? 1 : 0))};
}

}  // namespace

Result<GemmParams> GemmParams::From(const OpCall& call) {
  GemmParams params;
  MOKA_RETURN_IF_ERROR(ReadAttributes(*call.attrs, &params));
  const TensorDesc &a = call.src[0], &b = call.src[1];
  const size_t a_transposed = params.trans_a ? 1 : 0, b_transposed = params.trans_b ? 1 : 0;
  params.m = a.dims[a_transposed];
  params.k = a.dims[1 - a_transposed];
  params.n = b.dims[1 - b_transposed];
  params.a_row = a.strides[a_transposed];
  params.a_col = a.strides[1 - a_transposed];
  params.b_row = b.strides[b_transposed];
  params.b_col = b.strides[1 - b_transposed];
  return params;
}

const OpSchema* GemmSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Gemm",
      .min_src = 2,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kSame,
      .infer = InferGemm,
      MOKA_REFERENCES(GemmReference)  //
          .cost = GemmCost,
  };
  return &kSchema;
}

}  // namespace moka

// com.microsoft QLinearSoftmax: src X, its scale, optional zero point, scale and zero point of dst; attributes axis and
// opset (below 13: over all dimensions from axis on).
#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/quantization.h"
#include "ops/reference.h"

namespace moka {
namespace {

struct SoftmaxDims {
  int begin = 0, end = 0;  // the dimensions that are normalised together
};

Status ReadDims(const Attributes& attrs, int rank, SoftmaxDims* dims) {
  int64_t axis = 0, opset = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "axis", -1, &axis));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "opset", 13, &opset));
  MOKA_ASSIGN_OR_RETURN(dims->begin, NormalizeAxis(axis, rank, "attribute 'axis'"));
  dims->end = opset < 13 ? rank : dims->begin + 1;
  return Status();
}

Status InferSoftmax(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kByteTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 1));
  MOKA_RETURN_IF_ERROR(CheckScaleAndZero(ctx, 1, 0));
  SoftmaxDims dims;
  MOKA_RETURN_IF_ERROR(ReadDims(*ctx.attrs, ctx.src[0]->rank(), &dims));
  ctx.dst[0].dims = ctx.src[0]->dims;
  return InferQuantizedType(ctx, 3);
}

Status SoftmaxReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  SoftmaxDims dims;
  MOKA_RETURN_IF_ERROR(ReadDims(*call.attrs, x.rank, &dims));
  if (x.NumElements() == 0) return Status();
  const auto x_scale = ScalarSource<float>(reference, 1), y_scale = ScalarSource<float>(reference, 3);
  const auto y_zero = ScalarSource<int64_t>(reference, 4);
  TensorDesc outer = x, inner = x;
  for (int d = 0; d < x.rank; ++d) (d >= dims.begin && d < dims.end ? outer : inner).dims[static_cast<size_t>(d)] = 1;
  const QuantRange range = QuantRangeOf(y.type);
  ForEachIndex(outer, [&](const Index& at) {
    const int64_t from = OffsetOf(x, at), to = OffsetOf(y, at);
    int64_t largest = INT64_MIN;
    const auto value = [&](const Index& i) { return Load<int64_t>(x, reference.src[0], from + OffsetOf(x, i)); };
    ForEachIndex(inner, [&](const Index& i) { largest = std::max(largest, value(i)); });
    double sum = 0;
    const auto power = [&](const Index& i) { return std::exp(static_cast<double>(value(i) - largest) * x_scale); };
    ForEachIndex(inner, [&](const Index& i) { sum += power(i); });
    ForEachIndex(inner, [&](const Index& i) {
      Store<int64_t>(y, reference.dst[0], to + OffsetOf(y, i), QuantizeScaled(power(i) / sum / y_scale, y_zero, range));
    });
  });
  return Status();
}

}  // namespace

const OpSchema* MicrosoftQLinearSoftmaxSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "com.microsoft",
      .name = "QLinearSoftmax",
      .min_src = 4,
      .max_src = 5,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kSame,
      .infer = InferSoftmax,
#ifdef MOKA_REFERENCE
      .reference = SoftmaxReference,
      .oracle = SoftmaxReference,
#endif
  };
  return &kSchema;
}

}  // namespace moka

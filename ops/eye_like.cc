// EyeLike: src X, a matrix of which only the shape (and the type, where attribute dtype is absent) counts; dst has ones
// on diagonal k and zeros elsewhere.
#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferEyeLike(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 2, 2));
  int64_t k = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(*ctx.attrs, "k", 0, &k));
  MOKA_RETURN_IF_ERROR(ReadType(*ctx.attrs, "dtype", x.type, &ctx.dst[0].type));
  if (ctx.dst[0].type == DataType::kString) return InvalidModel("attribute 'dtype': strings have no one");
  ctx.dst[0].dims = x.dims;
  return Status();
}

template <class Float>
Status EyeLikeReference(const ReferenceCall& reference) {
  const TensorDesc& y = reference.call.dst[0];
  int64_t k = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(*reference.call.attrs, "k", 0, &k));
  return WithAccumulator<Float>(y.type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    ForEachIndex(y, [&](const Index& at) {
      Store<Acc>(y, reference.dst[0], OffsetOf(y, at), at[1] - at[0] == k ? Acc{1} : Acc{0});
    });
    return Status();
  });
}

}  // namespace

const OpSchema* EyeLikeSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "EyeLike",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferEyeLike,
      MOKA_REFERENCES(EyeLikeReference)  //
  };
  return &kSchema;
}

}  // namespace moka

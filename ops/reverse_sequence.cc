#include "ops/reverse_sequence.h"

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {

Status ReadReverseAxes(const Attributes& attrs, size_t* batch, size_t* time) {
  int64_t axes[2];
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "batch_axis", 1, &axes[0]));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "time_axis", 0, &axes[1]));
  for (const int64_t axis : axes) {
    if (axis != 0 && axis != 1) return InvalidModel("attribute 'batch_axis' or 'time_axis' is ", axis, ", not 0 or 1");
  }
  if (axes[0] == axes[1]) return InvalidModel("attributes 'batch_axis' and 'time_axis' are both ", axes[0]);
  *batch = static_cast<size_t>(axes[0]);
  *time = static_cast<size_t>(axes[1]);
  return Status();
}

namespace {

Status InferReverseSequence(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 2));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, {DataType::kI64}));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 1, 1));
  size_t batch = 0, time = 0;
  MOKA_RETURN_IF_ERROR(ReadReverseAxes(*ctx.attrs, &batch, &time));
  MOKA_RETURN_IF_ERROR(
      RequireEqual(ctx, ctx.src[1]->dims[0], ctx.src[0]->dims[batch], "elements of src 1 (sequence_lens)"));
  return InferSameAsSource(ctx);
}

template <class Float>
Status ReverseSequenceReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &x = call.src[0], &lengths = call.src[1], &y = call.dst[0];
  size_t batch = 0, time = 0;
  MOKA_RETURN_IF_ERROR(ReadReverseAxes(*call.attrs, &batch, &time));
  const auto length = [&](int64_t i) { return LoadRaw<int64_t>(reference.src[1], i * lengths.strides[0]); };
  for (int64_t i = 0; i < lengths.dims[0]; ++i) {
    if (length(i) < 0 || length(i) > x.dims[time]) {
      return InvalidArgument("src 1 (sequence_lens): element ", i, " is ", length(i), ", expected 0 to ", x.dims[time]);
    }
  }
  return WithStorageType(x.type, [&](auto bits) {
    using Bits = decltype(bits);
    ForEachIndex(y, [&](const Index& at) {
      Index from = at;
      const int64_t n = length(at[batch]);
      if (at[time] < n) from[time] = n - 1 - at[time];
      StoreRaw(reference.dst[0], OffsetOf(y, at), LoadRaw<Bits>(reference.src[0], OffsetOf(x, from)));
    });
    return Status();
  });
}

}  // namespace

const OpSchema* ReverseSequenceSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "ReverseSequence",
      .min_src = 2,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferReverseSequence,
      MOKA_REFERENCES(ReverseSequenceReference)  //
  };
  return &kSchema;
}

}  // namespace moka

// moka.Lookup: src x (u8 or i8), table [256] (u8 or i8); dst y = table[the byte of x]. What passes make of everything
// that maps one quantized element to another.
#include "base/status.h"
#include "ops/infer.h"
#include "ops/quantization.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferLookup(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kByteTypes));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, kByteTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 1, 1));
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[1]->dims[0], Dim(256), "elements of src 1 (table)"));
  ctx.dst[0].type = ctx.src[1]->type;
  ctx.dst[0].dims = ctx.src[0]->dims;
  return Status();
}

template <class Float>
Status LookupReference(const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  const int64_t step = reference.call.src[1].strides[0];
  ForEachOffset<2>({y, x}, [&](const std::array<int64_t, 2>& at) {
    const auto code = LoadRaw<uint8_t>(reference.src[0], at[1]);
    StoreRaw(reference.dst[0], at[0], LoadRaw<uint8_t>(reference.src[1], code * step));
  });
  return Status();
}

}  // namespace

const OpSchema* MokaLookupSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "moka",
      .name = "Lookup",
      .min_src = 2,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kSame,
      .infer = InferLookup,
      MOKA_REFERENCES(LookupReference)  //
  };
  return &kSchema;
}

}  // namespace moka

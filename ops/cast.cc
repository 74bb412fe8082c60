#include "ops/element.h"
#include "ops/op.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

bool IsInteger(DataType type) { return type == DataType::kI32 || type == DataType::kI64; }

Status InferCast(InferContext& context) {
  DataType to = DataType::kNone;
  MOKA_RETURN_IF_ERROR(ReadType(*context.attrs, "to", DataType::kNone, &to));
  if (to == DataType::kNone) return InvalidModel("attribute 'to' is missing");
  const SymbolicTensor& src = *context.src[0];
  SymbolicTensor& dst = context.dst[0];
  for (const DataType type : {src.type, to}) {
    MOKA_RETURN_IF_ERROR(WithElementType(type, [](auto) { return Status(); }));
  }
  dst.type = to;
  dst.dims = src.dims;
  const bool from_integer = IsInteger(src.type) || src.type == DataType::kBool;
  if (src.elements && from_integer && IsInteger(dst.type)) dst.elements = src.elements;
  return Status();
}

template <class Float>
Status CastReference(const ReferenceCall& reference) {
  const TensorDesc &src = reference.call.src[0], &dst = reference.call.dst[0];
  return WithAccumulator<double>(src.type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    ForEachOffset<2>({dst, src}, [&](const std::array<int64_t, 2>& at) {
      Store<Acc>(dst, reference.dst[0], at[0], Load<Acc>(src, reference.src[0], at[1]));
    });
    return Status();
  });
}

bool CastView(const OpCall& call, int, TensorDesc* dst, int64_t* offset) {
  if (call.src[0].type != call.dst[0].type) return false;
  *dst = call.src[0];
  *offset = 0;
  return true;
}

}  // namespace

const OpSchema* CastSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Cast",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kSame,
      .infer = InferCast,
      MOKA_REFERENCES(CastReference)  //
          .view = CastView,
  };
  return &kSchema;
}

}  // namespace moka

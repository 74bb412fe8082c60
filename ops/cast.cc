#include <iterator>

#include "ops/element.h"
#include "ops/op.h"
#include "ops/reference.h"

namespace moka {
namespace {

// By the number that the standard gives a type (attribute "to").
constexpr DataType kTypes[] = {DataType::kNone, DataType::kF32, DataType::kU8,  DataType::kI8,     DataType::kU16,
                               DataType::kI16,  DataType::kI32, DataType::kI64, DataType::kString, DataType::kBool,
                               DataType::kF16,  DataType::kF64, DataType::kU32, DataType::kU64,    DataType::kNone,
                               DataType::kNone, DataType::kBF16};

bool IsInteger(DataType type) { return type == DataType::kI32 || type == DataType::kI64; }

Status InferCast(InferContext& context) {
  MOKA_ASSIGN_OR_RETURN(const int64_t to, context.attrs->Int("to", 0));
  if (to < 0 || to >= static_cast<int64_t>(std::size(kTypes)) || kTypes[to] == DataType::kNone) {
    return InvalidModel("attribute 'to' is ", to, ", which is no type");
  }
  const SymbolicTensor& src = *context.src[0];
  SymbolicTensor& dst = context.dst[0];
  for (const DataType type : {src.type, kTypes[to]}) {
    MOKA_RETURN_IF_ERROR(WithElementType(type, [](auto) { return Status(); }));
  }
  dst.type = kTypes[to];
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

// Operators on truth values and on bits.
#include <algorithm>
#include <string_view>

#include "ops/elementwise.h"
#include "ops/params.h"

namespace moka {
namespace {

// ---- Inference: truth values are the numbers 0 and 1 ----------------------------------------------------------------

bool AndDims(const Dim& a, const Dim& b, Dim* result) { return *result = a * b, true; }
bool OrDims(const Dim& a, const Dim& b, Dim* result) { return *result = Dim::Max(a, b), true; }
bool XorDims(const Dim& a, const Dim& b, Dim* result) {
  if (!a.is_constant() || !b.is_constant()) return false;
  *result = a == b ? 0 : 1;
  return true;
}
bool NotDim(const Dim& a, Dim* result) { return *result = Dim(1) - a, true; }

Status InferNot(InferContext& context) { return InferUnary(context, {DataType::kBool}, NotDim); }
template <DimBinary combine>
Status InferLogic(InferContext& context) {
  return InferBroadcast(context, {DataType::kBool}, combine);
}

Status InferBits(InferContext& context) { return InferBroadcast(context, kIntegerTypes, nullptr); }
Status InferBitwiseNot(InferContext& context) {
  MOKA_RETURN_IF_ERROR(CheckType(context, 0, kIntegerTypes));
  return InferSameAsSource(context);
}

Status ReadLeft(const Attributes& attrs, bool* left) {
  std::string_view direction;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "direction", "", &direction));
  if (direction != "LEFT" && direction != "RIGHT") {
    return InvalidModel("attribute 'direction' is '", direction, "', expected 'LEFT' or 'RIGHT'");
  }
  *left = direction == "LEFT";
  return Status();
}

Status InferBitShift(InferContext& context) {
  bool left = false;
  MOKA_RETURN_IF_ERROR(ReadLeft(*context.attrs, &left));
  return InferBits(context);
}

// ---- References -----------------------------------------------------------------------------------------------------

// Load and Store of bool give and take 0 and 1. Functions on bits are never called with a float.
#define MOKA_BITS(name, expression)            \
  struct name {                                \
    template <class Acc>                       \
    static Acc Of(const Acc* x, const bool*) { \
      if constexpr (std::is_integral_v<Acc>) { \
        return static_cast<Acc>(expression);   \
      } else {                                 \
        return x[0];                           \
      }                                        \
    }                                          \
  };
MOKA_BITS(AndFunction, x[0] & x[1])
MOKA_BITS(OrFunction, x[0] | x[1])
MOKA_BITS(XorFunction, x[0] ^ x[1])
MOKA_BITS(NotFunction, x[0] == 0)
MOKA_BITS(BitwiseNotFunction, ~x[0])
#undef MOKA_BITS

// A distance of the type's bits or more, or a negative one, shifts everything out.
template <class Float>
Status BitShiftReference(const ReferenceCall& reference) {
  bool left = false;
  MOKA_RETURN_IF_ERROR(ReadLeft(*reference.call.attrs, &left));
  MOKA_ASSIGN_OR_RETURN(const ElementwiseOperands operands, ElementwiseOperands::Of(reference));
  const uint64_t bits = 8 * SizeOf(reference.call.dst[0].type);
  return WithAccumulator<double>(reference.call.dst[0].type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    if constexpr (std::is_integral_v<Acc>) {
      operands.Map<Acc>([&](const Acc* x, const bool*) -> Acc {
        const auto distance = static_cast<uint64_t>(x[1]);
        if (distance >= bits) return left || x[0] >= 0 ? Acc{0} : static_cast<Acc>(-1);
        return left ? static_cast<Acc>(static_cast<uint64_t>(x[0]) << distance) : static_cast<Acc>(x[0] >> distance);
      });
    }
    return Status();
  });
}

}  // namespace

#define MOKA_LOGIC(X)                                   \
  X(And, 2, InferLogic<AndDims>, AndFunction)           \
  X(BitwiseAnd, 2, InferBits, AndFunction)              \
  X(BitwiseNot, 1, InferBitwiseNot, BitwiseNotFunction) \
  X(BitwiseOr, 2, InferBits, OrFunction)                \
  X(BitwiseXor, 2, InferBits, XorFunction)              \
  X(Not, 1, InferNot, NotFunction)                      \
  X(Or, 2, InferLogic<OrDims>, OrFunction)              \
  X(Xor, 2, InferLogic<XorDims>, XorFunction)

#define MOKA_DEFINE(op, sources, infer, function) \
  MOKA_ELEMENTWISE_SCHEMA(op, sources, sources, infer, nullptr, FunctionReference<function>::template Run)
MOKA_LOGIC(MOKA_DEFINE)
#undef MOKA_DEFINE
#undef MOKA_LOGIC

MOKA_ELEMENTWISE_SCHEMA(BitShift, 2, 2, InferBitShift, nullptr, BitShiftReference)

}  // namespace moka

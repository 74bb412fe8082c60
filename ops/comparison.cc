// Comparisons, tests for infinity and NaN, and Where: operators around conditions.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "ops/elementwise.h"
#include "ops/params.h"
#include "ops/string_tensor.h"

namespace moka {
namespace {

// ---- Known elements -------------------------------------------------------------------------------------------------

bool IsAbove(const Dim& a, const Dim& b) { return (a - b - Dim(1)).IsNonNegative(); }
bool IsAtLeast(const Dim& a, const Dim& b) { return (a - b).IsNonNegative(); }

bool EqualDims(const Dim& a, const Dim& b, Dim* result) {
  *result = a == b ? 1 : 0;
  return a == b || IsAbove(a, b) || IsAbove(b, a);
}
bool GreaterDims(const Dim& a, const Dim& b, Dim* result) {
  *result = IsAbove(a, b) ? 1 : 0;
  return IsAbove(a, b) || IsAtLeast(b, a);
}
bool LessDims(const Dim& a, const Dim& b, Dim* result) { return GreaterDims(b, a, result); }
bool GreaterOrEqualDims(const Dim& a, const Dim& b, Dim* result) {
  *result = IsAtLeast(a, b) ? 1 : 0;
  return IsAtLeast(a, b) || IsAbove(b, a);
}
bool LessOrEqualDims(const Dim& a, const Dim& b, Dim* result) { return GreaterOrEqualDims(b, a, result); }

// ---- Inference ------------------------------------------------------------------------------------------------------

constexpr std::initializer_list<DataType> kComparableTypes = {
    DataType::kF32, DataType::kF64, DataType::kF16,  DataType::kBF16,  DataType::kI8,
    DataType::kI16, DataType::kI32, DataType::kI64,  DataType::kU8,    DataType::kU16,
    DataType::kU32, DataType::kU64, DataType::kBool, DataType::kString};

Status AsBool(InferContext& context, Status status) {
  context.dst[0].type = DataType::kBool;
  return status;
}

Status InferEqual(InferContext& context) {
  return AsBool(context, InferBroadcast(context, kComparableTypes, EqualDims));
}
template <DimBinary combine>
Status InferComparison(InferContext& context) {
  return AsBool(context, InferBroadcast(context, kNumberTypes, combine));
}

constexpr std::initializer_list<DataType> kAnyFloatTypes = {
    DataType::kF32,      DataType::kF64,        DataType::kF16,    DataType::kBF16,
    DataType::kF8E4M3FN, DataType::kF8E4M3FNUZ, DataType::kF8E5M2, DataType::kF8E5M2FNUZ};

Status InferFloatTest(InferContext& context) {
  MOKA_RETURN_IF_ERROR(CheckType(context, 0, kAnyFloatTypes));
  return AsBool(context, InferSameAsSource(context));
}

struct InfinityKinds {
  bool negative = true, positive = true;
  static Result<InfinityKinds> From(const Attributes& attrs) {
    InfinityKinds kinds;
    MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "detect_negative", true, &kinds.negative));
    MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "detect_positive", true, &kinds.positive));
    return kinds;
  }
};

Status InferIsInf(InferContext& context) {
  MOKA_RETURN_IF_ERROR(InfinityKinds::From(*context.attrs).status());
  return InferFloatTest(context);
}

// Where all conditions are known, or both sides are the same.
std::optional<std::vector<Dim>> ChosenElements(const InferContext& context, const std::vector<Dim>& dims) {
  const SymbolicTensor &condition = *context.src[0], &x = *context.src[1], &y = *context.src[2];
  // The sides in turn where the other one counts as 0: only a known condition leaves no trace of it.
  const auto masked = [&](const SymbolicTensor& side, int64_t wanted) -> std::optional<std::vector<Dim>> {
    SymbolicTensor mask = condition;
    if (!mask.elements) return std::nullopt;
    for (Dim& dim : *mask.elements) {
      if (!dim.is_constant()) return std::nullopt;
      dim = (dim.constant() != 0) == (wanted != 0) ? 1 : 0;
    }
    return CombineElements(mask, side, dims, [](const Dim& a, const Dim& b, Dim* result) {
      *result = a * b;
      return true;
    });
  };
  auto chosen = masked(x, 1);
  const auto others = masked(y, 0);
  if (!chosen || !others || chosen->size() != others->size()) return std::nullopt;
  for (size_t i = 0; i < chosen->size(); ++i) (*chosen)[i] = (*chosen)[i] + (*others)[i];
  return chosen;
}

Status InferWhere(InferContext& context) {
  MOKA_RETURN_IF_ERROR(CheckType(context, 0, {DataType::kBool}));
  MOKA_RETURN_IF_ERROR(CheckSameType(context, 2, 1));
  MOKA_ASSIGN_OR_RETURN(std::vector<Dim> dims, BroadcastSources(context, 0, 3));
  context.dst[0].type = context.src[1]->type;
  context.dst[0].elements = ChosenElements(context, dims);
  context.dst[0].dims = std::move(dims);
  return Status();
}

// ---- References -----------------------------------------------------------------------------------------------------

#define MOKA_COMPARISON(name, op)                  \
  struct name {                                    \
    template <class Acc>                           \
    static int64_t Of(const Acc* x, const bool*) { \
      return x[0] op x[1] ? 1 : 0;                 \
    }                                              \
  };
MOKA_COMPARISON(EqualFunction, ==)
MOKA_COMPARISON(GreaterFunction, >)
MOKA_COMPARISON(GreaterOrEqualFunction, >=)
MOKA_COMPARISON(LessFunction, <)
MOKA_COMPARISON(LessOrEqualFunction, <=)
#undef MOKA_COMPARISON

// Elements of strings are pointers to them.
template <class Float>
Status EqualReference(const ReferenceCall& reference) {
  if (reference.call.src[0].type != DataType::kString) return FunctionReference<EqualFunction>::Run<Float>(reference);
  MOKA_ASSIGN_OR_RETURN(const ElementwiseOperands operands, ElementwiseOperands::Of(reference));
  ForEachOffset(operands.descs, [&](const auto& at) {
    const std::string& a = StringAt(LoadRaw<StringPointer>(operands.data[0], at[1]));
    const std::string& b = StringAt(LoadRaw<StringPointer>(operands.data[1], at[2]));
    StoreRaw<uint8_t>(operands.dst, at[0], a == b ? 1 : 0);
  });
  return Status();
}

template <class Float>
Status IsInfReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const InfinityKinds kinds, InfinityKinds::From(*reference.call.attrs));
  MOKA_ASSIGN_OR_RETURN(const ElementwiseOperands operands, ElementwiseOperands::Of(reference));
  operands.Map<double>([&](const double* x, const bool*) -> int64_t {
    return std::isinf(x[0]) && (x[0] < 0 ? kinds.negative : kinds.positive) ? 1 : 0;
  });
  return Status();
}

template <class Float>
Status IsNanReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const ElementwiseOperands operands, ElementwiseOperands::Of(reference));
  operands.Map<double>([&](const double* x, const bool*) -> int64_t { return std::isnan(x[0]) ? 1 : 0; });
  return Status();
}

// Copies elements, of whatever type.
template <class Float>
Status WhereReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const ElementwiseOperands operands, ElementwiseOperands::Of(reference));
  const size_t bytes = SizeOf(reference.call.dst[0].type);
  if (bytes == 0) return Unsupported("Where on ", NameOf(reference.call.dst[0].type));
  const auto size = static_cast<int64_t>(bytes);
  ForEachOffset(operands.descs, [&](const auto& at) {
    const size_t side = LoadRaw<uint8_t>(operands.data[0], at[1]) != 0 ? 1 : 2;
    std::memcpy(static_cast<std::byte*>(operands.dst) + at[0] * size,
                static_cast<const std::byte*>(operands.data[side]) + at[side + 1] * size, bytes);
  });
  return Status();
}

}  // namespace

#define MOKA_COMPARISONS(X) \
  X(Greater)                \
  X(GreaterOrEqual)         \
  X(Less)                   \
  X(LessOrEqual)

#define MOKA_DEFINE(op) \
  MOKA_ELEMENTWISE_SCHEMA(op, 2, 2, InferComparison<op##Dims>, nullptr, FunctionReference<op##Function>::template Run)
MOKA_COMPARISONS(MOKA_DEFINE)
#undef MOKA_DEFINE
#undef MOKA_COMPARISONS

MOKA_ELEMENTWISE_SCHEMA(Equal, 2, 2, InferEqual, nullptr, EqualReference)
MOKA_ELEMENTWISE_SCHEMA(IsInf, 1, 1, InferIsInf, nullptr, IsInfReference)
MOKA_ELEMENTWISE_SCHEMA(IsNaN, 1, 1, InferFloatTest, nullptr, IsNanReference)
MOKA_ELEMENTWISE_SCHEMA(Where, 3, 3, InferWhere, nullptr, WhereReference)

}  // namespace moka

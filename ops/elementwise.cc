// Elementwise operators as a table: a row is an operator with its inference, micro-program and integer arithmetic.
#include <algorithm>
#include <array>

#include "ops/element.h"
#include "ops/infer.h"
#include "ops/micro_builder.h"
#include "ops/op.h"
#include "ops/reference.h"

namespace moka {
namespace {

// ---- Inference ------------------------------------------------------------------------------------------------------

constexpr std::initializer_list<DataType> kNumberTypes = {DataType::kF32, DataType::kF64, DataType::kI8,
                                                          DataType::kI16, DataType::kI32, DataType::kI64,
                                                          DataType::kU8,  DataType::kU16, DataType::kU32};

Status InferFloat(InferContext& context) {
  MOKA_RETURN_IF_ERROR(CheckType(context, 0, kFloatTypes));
  return InferSameAsSource(context);
}

Status InferNumber(InferContext& context) {
  MOKA_RETURN_IF_ERROR(CheckType(context, 0, kNumberTypes));
  return InferSameAsSource(context);
}

Status InferClip(InferContext& context) {
  for (size_t bound = 1; bound < context.src.size(); ++bound) {
    if (!context.has_src(bound)) continue;
    MOKA_RETURN_IF_ERROR(CheckSameType(context, bound, 0));
    for (const Dim& dim : context.src[bound]->dims) {
      MOKA_RETURN_IF_ERROR(RequireEqual(context, dim, 1, StrCat("src ", bound, ": elements of a scalar")));
    }
    if (context.src[bound]->rank() > context.src[0]->rank()) {
      return InvalidModel("src ", bound, ": rank ", context.src[bound]->rank(), ", expected a scalar");
    }
  }
  return InferNumber(context);
}

bool AddDims(const Dim& a, const Dim& b, Dim* result) { return *result = a + b, true; }
bool SubDims(const Dim& a, const Dim& b, Dim* result) { return *result = a - b, true; }
bool MulDims(const Dim& a, const Dim& b, Dim* result) { return *result = a * b, true; }
bool MinDims(const Dim& a, const Dim& b, Dim* result) { return *result = Dim::Min(a, b), true; }
bool MaxDims(const Dim& a, const Dim& b, Dim* result) { return *result = Dim::Max(a, b), true; }
// Integer division truncates; that is the floor where nothing is negative.
bool DivDims(const Dim& a, const Dim& b, Dim* result) {
  if (b == Dim(0) || !a.IsNonNegative() || !b.IsNonNegative()) return false;
  *result = Dim::FloorDiv(a, b);
  return true;
}

using DimFunction = bool (*)(const Dim&, const Dim&, Dim*);

// The elements of an operation on the elements of a and b, broadcast; none where they are not known.
std::optional<std::vector<Dim>> CombineElements(const SymbolicTensor& a, const SymbolicTensor& b,
                                                const std::vector<Dim>& dims, DimFunction combine) {
  if (!a.elements || !b.elements) return std::nullopt;
  const auto shape_of = [](const std::vector<Dim>& d) {
    Shape shape;
    for (const Dim& dim : d) shape.push_back(dim.is_constant() ? dim.constant() : -1);
    return shape;
  };
  const Shape shape = shape_of(dims);
  std::array<TensorDesc, 3> descs = {MakeDense(DataType::kI64, shape)};
  // Known elements have known dims.
  if (!BroadcastView(MakeDense(DataType::kI64, shape_of(a.dims)), shape, &descs[1]) ||
      !BroadcastView(MakeDense(DataType::kI64, shape_of(b.dims)), shape, &descs[2]) ||
      descs[0].NumElements() > kMaxTrackedElements) {
    return std::nullopt;
  }
  std::vector<Dim> elements(static_cast<size_t>(descs[0].NumElements()));
  bool known = true;
  ForEachOffset(descs, [&](const std::array<int64_t, 3>& at) {
    known = known && combine((*a.elements)[static_cast<size_t>(at[1])], (*b.elements)[static_cast<size_t>(at[2])],
                             &elements[static_cast<size_t>(at[0])]);
  });
  if (!known) return std::nullopt;
  return elements;
}

template <DimFunction combine>
Status InferArithmetic(InferContext& context) {
  MOKA_RETURN_IF_ERROR(CheckType(context, 0, kNumberTypes));
  SymbolicTensor result = *context.src[0];
  result.constant = nullptr;
  for (size_t i = 1; i < context.src.size(); ++i) {
    if (!context.has_src(i)) return InvalidModel("src ", i, " is missing");
    MOKA_RETURN_IF_ERROR(CheckSameType(context, i, 0));
    MOKA_ASSIGN_OR_RETURN(std::vector<Dim> dims, BroadcastDims(context, result.dims, context.src[i]->dims));
    result.elements = CombineElements(result, *context.src[i], dims, combine);
    result.dims = std::move(dims);
  }
  context.dst[0] = std::move(result);
  return Status();
}

// ---- Micro-programs -------------------------------------------------------------------------------------------------

template <MicroOp op>
bool LowerUnary(const OpCall&, MicroBuilder& b) {
  b.SetResult(b.Emit(op, b.Src(0)));
  return true;
}

template <MicroOp op>
bool LowerFold(const OpCall& call, MicroBuilder& b) {
  uint8_t result = b.Src(0);
  for (int i = 1; i < call.num_src(); ++i) result = b.Emit(op, result, b.Src(i));
  b.SetResult(result);
  return true;
}

bool LowerRelu(const OpCall&, MicroBuilder& b) {
  b.SetResult(b.Emit(MicroOp::kMax, b.Src(0), b.Constant(0)));
  return true;
}

bool LowerNeg(const OpCall&, MicroBuilder& b) {
  b.SetResult(b.Emit(MicroOp::kMul, b.Src(0), b.Constant(-1)));
  return true;
}

bool LowerReciprocal(const OpCall&, MicroBuilder& b) {
  b.SetResult(b.Emit(MicroOp::kDiv, b.Constant(1), b.Src(0)));
  return true;
}

bool LowerClip(const OpCall& call, MicroBuilder& b) {
  const bool lower = call.has_src(1), upper = call.has_src(2);
  uint8_t result = b.Src(0);
  if (lower && upper) {
    result = b.Emit(MicroOp::kClip, result, b.Src(1), b.Src(2));
  } else if (lower) {
    result = b.Emit(MicroOp::kMax, result, b.Src(1));
  } else if (upper) {
    result = b.Emit(MicroOp::kMin, result, b.Src(2));
  }
  b.SetResult(result);
  return true;
}

bool LowerLeakyRelu(const OpCall& call, MicroBuilder& b) {
  const Result<float> alpha = call.attrs->Float("alpha", 0.01f);
  if (!alpha.ok()) return false;
  b.SetResult(b.Emit(MicroOp::kLeakyRelu, b.Src(0), b.Constant(*alpha)));
  return true;
}

bool LowerHardSigmoid(const OpCall& call, MicroBuilder& b) {
  const Result<float> alpha = call.attrs->Float("alpha", 0.2f), beta = call.attrs->Float("beta", 0.5f);
  if (!alpha.ok() || !beta.ok()) return false;
  b.SetResult(b.Emit(MicroOp::kHardSigmoid, b.Src(0), b.Constant(*alpha), b.Constant(*beta)));
  return true;
}

// ---- Integers: two's complement, wrapping ---------------------------------------------------------------------------

// x[i] is the element of source i; has[i] is false where the source is absent.
using IntegerFunction = int64_t (*)(const int64_t* x, const bool* has);

int64_t Wrap(uint64_t value) { return static_cast<int64_t>(value); }
int64_t IntegerAdd(const int64_t* x, const bool*) {
  return Wrap(static_cast<uint64_t>(x[0]) + static_cast<uint64_t>(x[1]));
}
int64_t IntegerSub(const int64_t* x, const bool*) {
  return Wrap(static_cast<uint64_t>(x[0]) - static_cast<uint64_t>(x[1]));
}
int64_t IntegerMul(const int64_t* x, const bool*) {
  return Wrap(static_cast<uint64_t>(x[0]) * static_cast<uint64_t>(x[1]));
}
// Truncates. Division by zero, which the standard leaves open, gives 0.
int64_t IntegerDiv(const int64_t* x, const bool*) {
  if (x[1] == 0) return 0;
  return x[1] == -1 ? Wrap(0 - static_cast<uint64_t>(x[0])) : x[0] / x[1];
}
int64_t IntegerMin(const int64_t* x, const bool* has) { return has[1] ? std::min(x[0], x[1]) : x[0]; }
int64_t IntegerMax(const int64_t* x, const bool* has) { return has[1] ? std::max(x[0], x[1]) : x[0]; }
int64_t IntegerNeg(const int64_t* x, const bool*) { return Wrap(0 - static_cast<uint64_t>(x[0])); }
int64_t IntegerRelu(const int64_t* x, const bool*) { return std::max<int64_t>(x[0], 0); }
int64_t IntegerClip(const int64_t* x, const bool* has) {
  int64_t value = has[1] ? std::max(x[0], x[1]) : x[0];
  return has[2] ? std::min(value, x[2]) : value;
}

// ---- Reference ------------------------------------------------------------------------------------------------------

constexpr size_t kMaxArity = 3;

struct Operands {
  std::array<TensorDesc, kMaxArity + 1> descs;  // the result, then the sources broadcast to it
  std::array<const void*, kMaxArity> data{};
  bool has[kMaxArity] = {};

  Status Set(const ReferenceCall& reference, size_t k, const TensorDesc& desc, const void* pointer) {
    has[k] = desc.present();
    data[k] = pointer;
    if (!has[k]) return Status();
    if (desc.type == descs[0].type && BroadcastView(desc, descs[0].shape(), &descs[k + 1])) return Status();
    return InvalidArgument("node '", reference.call.name, "': ", ToString(desc), " does not broadcast to ",
                           ToString(descs[0]));
  }
};

// f32 and f64 by the operator's own micro-program in double, integers by `integer`.
Status Compute(const ReferenceCall& reference, const Operands& operands, const MicroProgram& program,
               IntegerFunction integer) {
  const DataType type = operands.descs[0].type;
  if (std::find(kFloatTypes.begin(), kFloatTypes.end(), type) == kFloatTypes.end() && integer == nullptr) {
    return Unsupported(reference.call.op->name, " on ", NameOf(type));
  }
  return WithAccumulator<double>(type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    ForEachOffset(operands.descs, [&](const std::array<int64_t, kMaxArity + 1>& at) {
      Acc x[kMaxArity] = {};
      for (size_t k = 0; k < kMaxArity; ++k) {
        if (operands.has[k]) x[k] = Load<Acc>(operands.descs[k + 1], operands.data[k], at[k + 1]);
      }
      Acc result;
      if constexpr (std::is_same_v<Acc, double>) {
        result = MicroRun(program, 0, x);
      } else if constexpr (std::is_same_v<Acc, uint64_t>) {
        int64_t wrapped[kMaxArity];
        for (size_t k = 0; k < kMaxArity; ++k) wrapped[k] = static_cast<int64_t>(x[k]);
        result = static_cast<uint64_t>(integer(wrapped, operands.has));
      } else {
        result = integer(x, operands.has);
      }
      Store<Acc>(operands.descs[0], reference.dst[0], at[0], result);
    });
    return Status();
  });
}

// Operators with any number of sources (Min, Max) fold them one by one into the result.
template <IntegerFunction integer>
struct Reference {
  template <class Float>
  static Status Run(const ReferenceCall& reference) {
    const OpCall& call = reference.call;
    const size_t count = call.src.size();
    const size_t first = call.op->max_src < 0 ? std::min<size_t>(count, 2) : count;
    Operands operands;
    operands.descs.fill(call.dst[0]);
    for (size_t k = 0; k < first; ++k) {
      MOKA_RETURN_IF_ERROR(operands.Set(reference, k, call.src[k], reference.src[k]));
    }
    OpCall part = call;
    part.src = call.src.first(first);
    constexpr uint8_t kCodes[] = {MicroSource(0), MicroSource(1), MicroSource(2)};
    MicroBuilder builder;
    for (size_t k = 0; k < first; ++k) builder.AddSource();
    builder.MapSources(kCodes, static_cast<int>(first));
    MicroProgram program;
    if (!call.op->lower(part, builder) || !builder.Finish(&program)) {
      return InvalidModel("node '", call.name, "': an attribute has the wrong type");
    }
    MOKA_RETURN_IF_ERROR(Compute(reference, operands, program, integer));
    for (size_t i = first; i < count; ++i) {
      MOKA_RETURN_IF_ERROR(operands.Set(reference, 0, call.dst[0], reference.dst[0]));
      MOKA_RETURN_IF_ERROR(operands.Set(reference, 1, call.src[i], reference.src[i]));
      MOKA_RETURN_IF_ERROR(Compute(reference, operands, program, integer));
    }
    return Status();
  }
};

Cost ElementwiseCost(const OpCall& call) { return {static_cast<double>(call.dst[0].NumElements())}; }

}  // namespace

// ---- The table: name, sources, inference, micro-program, integer arithmetic -----------------------------------------

#define MOKA_ELEMENTWISE(X)                                                      \
  X(Add, 2, 2, InferArithmetic<AddDims>, LowerFold<MicroOp::kAdd>, &IntegerAdd)  \
  X(Clip, 1, 3, InferClip, LowerClip, &IntegerClip)                              \
  X(Div, 2, 2, InferArithmetic<DivDims>, LowerFold<MicroOp::kDiv>, &IntegerDiv)  \
  X(Erf, 1, 1, InferFloat, LowerUnary<MicroOp::kErf>, nullptr)                   \
  X(Exp, 1, 1, InferFloat, LowerUnary<MicroOp::kExp>, nullptr)                   \
  X(HardSigmoid, 1, 1, InferFloat, LowerHardSigmoid, nullptr)                    \
  X(HardSwish, 1, 1, InferFloat, LowerUnary<MicroOp::kHardSwish>, nullptr)       \
  X(LeakyRelu, 1, 1, InferFloat, LowerLeakyRelu, nullptr)                        \
  X(Max, 1, -1, InferArithmetic<MaxDims>, LowerFold<MicroOp::kMax>, &IntegerMax) \
  X(Min, 1, -1, InferArithmetic<MinDims>, LowerFold<MicroOp::kMin>, &IntegerMin) \
  X(Mul, 2, 2, InferArithmetic<MulDims>, LowerFold<MicroOp::kMul>, &IntegerMul)  \
  X(Neg, 1, 1, InferNumber, LowerNeg, &IntegerNeg)                               \
  X(Reciprocal, 1, 1, InferFloat, LowerReciprocal, nullptr)                      \
  X(Relu, 1, 1, InferNumber, LowerRelu, &IntegerRelu)                            \
  X(Sigmoid, 1, 1, InferFloat, LowerUnary<MicroOp::kSigmoid>, nullptr)           \
  X(Sub, 2, 2, InferArithmetic<SubDims>, LowerFold<MicroOp::kSub>, &IntegerSub)  \
  X(Tanh, 1, 1, InferFloat, LowerUnary<MicroOp::kTanh>, nullptr)

#define MOKA_DEFINE_ELEMENTWISE(op, low, high, infer_function, lower_function, integer) \
  const OpSchema* op##Schema() {                                                        \
    static constexpr OpSchema kSchema = {                                               \
        .domain = "",                                                                   \
        .name = #op,                                                                    \
        .min_src = low,                                                                 \
        .max_src = high,                                                                \
        .min_dst = 1,                                                                   \
        .max_dst = 1,                                                                   \
        .layout = LayoutRule::kSame,                                                    \
        .infer = infer_function,                                                        \
        MOKA_REFERENCES(Reference<integer>::template Run).cost = ElementwiseCost,       \
        .lower = lower_function,                                                        \
    };                                                                                  \
    return &kSchema;                                                                    \
  }
MOKA_ELEMENTWISE(MOKA_DEFINE_ELEMENTWISE)
#undef MOKA_DEFINE_ELEMENTWISE
#undef MOKA_ELEMENTWISE

}  // namespace moka

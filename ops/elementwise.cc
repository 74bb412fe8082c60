// Arithmetic as a table: a row is an operator with its sources, inference, micro-program and what it does with
// integers: two's complement, wrapping.
#include "ops/elementwise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/accumulate.h"

namespace moka {
namespace {

// ---- Known elements -------------------------------------------------------------------------------------------------

bool AddDims(const Dim& a, const Dim& b, Dim* result) { return *result = a + b, true; }
bool SubDims(const Dim& a, const Dim& b, Dim* result) { return *result = a - b, true; }
bool MulDims(const Dim& a, const Dim& b, Dim* result) { return *result = a * b, true; }
bool MinDims(const Dim& a, const Dim& b, Dim* result) { return *result = Dim::Min(a, b), true; }
bool MaxDims(const Dim& a, const Dim& b, Dim* result) { return *result = Dim::Max(a, b), true; }
bool NegDim(const Dim& a, Dim* result) { return *result = Dim(0) - a, true; }
bool AbsDim(const Dim& a, Dim* result) {
  const Dim negative = Dim(0) - a;
  *result = a.IsNonNegative() ? a : negative;
  return a.IsNonNegative() || negative.IsNonNegative();
}
bool SignDim(const Dim& a, Dim* result) {
  if (a == Dim(0)) return *result = 0, true;
  if ((a - Dim(1)).IsNonNegative()) return *result = 1, true;
  return *result = -1, (Dim(-1) - a).IsNonNegative();
}
// Integer division truncates; that is the floor where nothing is negative.
bool DivDims(const Dim& a, const Dim& b, Dim* result) {
  if (b == Dim(0) || !a.IsNonNegative() || !b.IsNonNegative()) return false;
  *result = Dim::FloorDiv(a, b);
  return true;
}
// Both kinds of remainder agree where nothing is negative.
bool ModDims(const Dim& a, const Dim& b, Dim* result) {
  if (b == Dim(0) || !a.IsNonNegative() || !b.IsNonNegative()) return false;
  *result = Dim::Mod(a, b);
  return true;
}

// ---- Inference ------------------------------------------------------------------------------------------------------

constexpr std::initializer_list<DataType> kSignedTypes = {DataType::kF32,  DataType::kF64, DataType::kF16,
                                                          DataType::kBF16, DataType::kI8,  DataType::kI16,
                                                          DataType::kI32,  DataType::kI64};

Status InferNeg(InferContext& context) { return InferUnary(context, kSignedTypes, NegDim); }
Status InferFloats(InferContext& context) { return InferBroadcast(context, kFloatTypes, nullptr); }

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

Status ReadFmod(const Attributes& attrs, bool* fmod) {
  MOKA_ASSIGN_OR_RETURN(const int64_t value, attrs.Int("fmod", 0));
  if (value != 0 && value != 1) return InvalidModel("attribute 'fmod' is ", value, ", expected 0 or 1");
  *fmod = value == 1;
  return Status();
}

Status InferMod(InferContext& context) {
  bool fmod = false;
  MOKA_RETURN_IF_ERROR(ReadFmod(*context.attrs, &fmod));
  return InferBroadcast(context, kNumberTypes, ModDims);
}

Status InferPow(InferContext& context) {
  MOKA_RETURN_IF_ERROR(CheckType(context, 0, kNumberTypes));
  MOKA_RETURN_IF_ERROR(CheckType(context, 1, kNumberTypes));
  context.dst[0].type = context.src[0]->type;
  MOKA_ASSIGN_OR_RETURN(context.dst[0].dims, BroadcastSources(context, 0, 2));
  return Status();
}

// ---- Micro-programs -------------------------------------------------------------------------------------------------

bool LowerNeg(const OpCall&, MicroBuilder& b) {
  b.SetResult(b.Emit(MicroOp::kMul, b.Src(0), b.Constant(-1)));
  return true;
}

bool LowerReciprocal(const OpCall&, MicroBuilder& b) {
  b.SetResult(b.Emit(MicroOp::kDiv, b.Constant(1), b.Src(0)));
  return true;
}

bool LowerMean(const OpCall& call, MicroBuilder& b) {
  LowerFold<MicroOp::kAdd>(call, b);
  const float count = static_cast<float>(call.num_src());
  if (count > 1) b.SetResult(b.Emit(MicroOp::kDiv, b.result(), b.Constant(count)));
  return true;
}

bool LowerMod(const OpCall& call, MicroBuilder& b) {
  bool fmod = false;
  if (!ReadFmod(*call.attrs, &fmod).ok()) return false;
  b.SetResult(b.Emit(fmod ? MicroOp::kMod : MicroOp::kFloorMod, b.Src(0), b.Src(1)));
  return true;
}

bool LowerPow(const OpCall&, MicroBuilder& b) {
  const uint8_t x = b.Src(0);
  float exponent = 0;
  if (!b.IsConstant(b.Src(1), &exponent)) {
    b.SetResult(b.Emit(MicroOp::kPow, x, b.Src(1)));
  } else if (exponent == 1) {
    b.SetResult(x);
  } else if (exponent == 2) {
    b.SetResult(b.Emit(MicroOp::kMul, x, x));
  } else if (exponent == 3) {
    b.SetResult(b.Emit(MicroOp::kMul, b.Emit(MicroOp::kMul, x, x), x));
  } else if (exponent == -1) {
    b.SetResult(b.Emit(MicroOp::kDiv, b.Constant(1), x));
  } else {
    b.SetResult(b.Emit(MicroOp::kPow, x, b.Src(1)));
  }
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

// ---- Integers -------------------------------------------------------------------------------------------------------

struct AddIntegers {
  template <class Int>
  static Int Of(const Int* x, const bool*) {
    return WrappingAdd(x[0], x[1]);
  }
};
struct SubIntegers {
  template <class Int>
  static Int Of(const Int* x, const bool*) {
    return WrappingSub(x[0], x[1]);
  }
};
struct MulIntegers {
  template <class Int>
  static Int Of(const Int* x, const bool*) {
    return WrappingMul(x[0], x[1]);
  }
};
struct DivIntegers {
  template <class Int>
  static Int Of(const Int* x, const bool*) {
    return WrappingDiv(x[0], x[1]);
  }
};
struct NegIntegers {
  template <class Int>
  static Int Of(const Int* x, const bool*) {
    return WrappingNeg(x[0]);
  }
};
struct AbsIntegers {
  template <class Int>
  static Int Of(const Int* x, const bool*) {
    return std::is_signed_v<Int> && x[0] < 0 ? WrappingNeg(x[0]) : x[0];
  }
};
struct SignIntegers {
  template <class Int>
  static Int Of(const Int* x, const bool*) {
    return static_cast<Int>((x[0] > 0 ? 1 : 0) - (std::is_signed_v<Int> && x[0] < 0 ? 1 : 0));
  }
};
struct ClipIntegers {
  template <class Int>
  static Int Of(const Int* x, const bool* has) {
    const Int value = has[1] ? std::max(x[0], x[1]) : x[0];
    return has[2] ? std::min(value, x[2]) : value;
  }
};

template <bool floor>
struct ModIntegers {
  template <class Int>
  static Int Of(const Int* x, const bool*) {
    return Remainder<floor>(x[0], x[1]);
  }
};

template <class Float>
Status ModReference(const ReferenceCall& reference) {
  bool fmod = false;
  MOKA_RETURN_IF_ERROR(ReadFmod(*reference.call.attrs, &fmod));
  return fmod ? ElementwiseReference<ModIntegers<false>>::Run<Float>(reference)
              : ElementwiseReference<ModIntegers<true>>::Run<Float>(reference);
}

// x to the power of y, wrapping; the reciprocal of an integer is an integer for 1 and -1 only.
template <class Int>
Int IntegerPow(Int x, int64_t y) {
  if (y < 0) {
    if (x == 1) return 1;
    if (!IsMinusOne(x)) return 0;
  }
  Int result = 1;
  for (uint64_t rest = static_cast<uint64_t>(y < 0 ? -(y % 2) : y); rest != 0; rest >>= 1) {
    if ((rest & 1) != 0) result = WrappingMul(result, x);
    x = WrappingMul(x, x);
  }
  return result;
}

// Integers to integer powers stay integers, all else is computed in double.
template <class Float>
Status PowReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const ElementwiseOperands operands, ElementwiseOperands::Of(reference));
  const auto is_float = [](DataType type) {
    return std::find(kFloatTypes.begin(), kFloatTypes.end(), type) != kFloatTypes.end();
  };
  if (is_float(reference.call.src[0].type) || is_float(reference.call.src[1].type)) {
    operands.Map<double>([](const double* x, const bool*) { return std::pow(x[0], x[1]); });
    return Status();
  }
  return WithAccumulator<double>(reference.call.src[0].type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    if constexpr (std::is_integral_v<Acc>) {
      operands.Map<Acc>([](const Acc* x, const bool*) { return IntegerPow<Acc>(x[0], static_cast<int64_t>(x[1])); });
    }
    return Status();
  });
}

// ---- Any number of sources ------------------------------------------------------------------------------------------

struct SumFold {
  template <class Acc>
  static Acc Join(Acc a, Acc b) {
    return WrappingAdd(a, b);
  }
};
struct MaxFold {
  template <class Acc>
  static Acc Join(Acc a, Acc b) {
    if constexpr (std::is_same_v<Acc, double>) return MicroMax(a, b);
    return std::max(a, b);
  }
};
struct MinFold {
  template <class Acc>
  static Acc Join(Acc a, Acc b) {
    if constexpr (std::is_same_v<Acc, double>) return MicroMin(a, b);
    return std::min(a, b);
  }
};

template <class Fold, bool mean = false>
struct VariadicReference {
  template <class Float>
  static Status Run(const ReferenceCall& reference) {
    const OpCall& call = reference.call;
    std::vector<TensorDesc> views(call.src.size());
    for (size_t k = 0; k < views.size(); ++k) {
      if (!BroadcastView(call.src[k], call.dst[0].shape(), &views[k])) {
        return InvalidArgument("node '", call.name, "': ", ToString(call.src[k]), " does not broadcast to ",
                               ToString(call.dst[0]));
      }
    }
    return WithAccumulator<double>(call.dst[0].type, [&](auto accumulator) {
      using Acc = decltype(accumulator);
      ForEachIndex(call.dst[0], [&](const Index& at) {
        Acc value = Load<Acc>(views[0], reference.src[0], OffsetOf(views[0], at));
        for (size_t k = 1; k < views.size(); ++k) {
          value = Fold::Join(value, Load<Acc>(views[k], reference.src[k], OffsetOf(views[k], at)));
        }
        if constexpr (mean) value /= static_cast<Acc>(views.size());
        Store(call.dst[0], reference.dst[0], OffsetOf(call.dst[0], at), value);
      });
      return Status();
    });
  }
};

using MeanReference = VariadicReference<SumFold, true>;

}  // namespace

// ---- The table: name, sources, inference, micro-program, integers; then what needs a reference of its own -----------

#define MOKA_ELEMENTWISE(X)                                                       \
  X(Abs, 1, 1, InferNumberBy<AbsDim>, LowerUnary<MicroOp::kAbs>, AbsIntegers)     \
  X(Add, 2, 2, InferArithmetic<AddDims>, LowerFold<MicroOp::kAdd>, AddIntegers)   \
  X(Clip, 1, 3, InferClip, LowerClip, ClipIntegers)                               \
  X(Div, 2, 2, InferArithmetic<DivDims>, LowerFold<MicroOp::kDiv>, DivIntegers)   \
  X(Mul, 2, 2, InferArithmetic<MulDims>, LowerFold<MicroOp::kMul>, MulIntegers)   \
  X(Neg, 1, 1, InferNeg, LowerNeg, NegIntegers)                                   \
  X(Reciprocal, 1, 1, InferFloat, LowerReciprocal, NoIntegers)                    \
  X(Sign, 1, 1, InferNumberBy<SignDim>, LowerUnary<MicroOp::kSign>, SignIntegers) \
  X(Sub, 2, 2, InferArithmetic<SubDims>, LowerFold<MicroOp::kSub>, SubIntegers)

#define MOKA_DEFINE(op, low, high, infer, lower, integers) \
  MOKA_ELEMENTWISE_SCHEMA(op, low, high, infer, lower, ElementwiseReference<integers>::template Run)
MOKA_ELEMENTWISE(MOKA_DEFINE)
#undef MOKA_DEFINE
#undef MOKA_ELEMENTWISE

MOKA_ELEMENTWISE_SCHEMA(Max, 1, -1, InferArithmetic<MaxDims>, LowerFold<MicroOp::kMax>,
                        VariadicReference<MaxFold>::template Run)
MOKA_ELEMENTWISE_SCHEMA(Mean, 1, -1, InferFloats, LowerMean, MeanReference::template Run)
MOKA_ELEMENTWISE_SCHEMA(Min, 1, -1, InferArithmetic<MinDims>, LowerFold<MicroOp::kMin>,
                        VariadicReference<MinFold>::template Run)
MOKA_ELEMENTWISE_SCHEMA(Mod, 2, 2, InferMod, LowerMod, ModReference)
MOKA_ELEMENTWISE_SCHEMA(Pow, 2, 2, InferPow, LowerPow, PowReference)
MOKA_ELEMENTWISE_SCHEMA(Sum, 1, -1, InferFloats, LowerFold<MicroOp::kAdd>, VariadicReference<SumFold>::template Run)

}  // namespace moka

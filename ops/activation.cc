// Activation functions as a table: a row is an operator with its sources, inference, micro-program and what it does
// with integers.
#include <algorithm>

#include "ops/accumulate.h"
#include "ops/elementwise.h"
#include "ops/params.h"

namespace moka {
namespace {

// ---- Inference ------------------------------------------------------------------------------------------------------

Status CheckFloats(const Attributes& attrs, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    float ignored = 0;
    MOKA_RETURN_IF_ERROR(ReadFloat(attrs, name, 0, &ignored));
  }
  return Status();
}

Status InferActivation(InferContext& context) {
  MOKA_RETURN_IF_ERROR(CheckFloats(*context.attrs, {"alpha", "beta", "gamma"}));
  return InferFloat(context);
}

Status InferCelu(InferContext& context) {
  float alpha = 1;
  MOKA_RETURN_IF_ERROR(ReadFloat(*context.attrs, "alpha", 1, &alpha));
  if (alpha == 0) return InvalidModel("attribute 'alpha' is 0");
  return InferFloat(context);
}

Status ReadTanh(const Attributes& attrs, bool* tanh) {
  std::string_view approximate;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "approximate", "none", &approximate));
  if (approximate != "none" && approximate != "tanh") {
    return InvalidModel("attribute 'approximate' is '", approximate, "', expected 'none' or 'tanh'");
  }
  *tanh = approximate == "tanh";
  return Status();
}

Status InferGelu(InferContext& context) {
  bool tanh = false;
  MOKA_RETURN_IF_ERROR(ReadTanh(*context.attrs, &tanh));
  return InferFloat(context);
}

Status InferShrink(InferContext& context) {
  MOKA_RETURN_IF_ERROR(CheckFloats(*context.attrs, {"bias", "lambd"}));
  return InferNumber(context);
}

// The slope broadcasts to the input, not the other way.
Status InferPRelu(InferContext& context) {
  MOKA_RETURN_IF_ERROR(CheckType(context, 0, kNumberTypes));
  MOKA_RETURN_IF_ERROR(CheckSameType(context, 1, 0));
  const std::vector<Dim>& x = context.src[0]->dims;
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> dims, BroadcastDims(context, x, context.src[1]->dims));
  if (dims.size() != x.size()) {
    return InvalidModel("src 1: rank ", context.src[1]->rank(), ", but src 0 has rank ", x.size());
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    MOKA_RETURN_IF_ERROR(RequireEqual(context, x[i], dims[i], StrCat("dim ", i, " of src 0 against that of src 1")));
  }
  return InferSameAsSource(context);
}

Status InferSwiGlu(InferContext& context) {
  MOKA_RETURN_IF_ERROR(CheckFloats(*context.attrs, {"alpha"}));
  MOKA_RETURN_IF_ERROR(CheckSameType(context, 1, 0));
  MOKA_RETURN_IF_ERROR(CheckRank(context, 1, context.src[0]->rank(), context.src[0]->rank()));
  for (size_t i = 0; i < context.src[0]->dims.size(); ++i) {
    MOKA_RETURN_IF_ERROR(
        RequireEqual(context, context.src[1]->dims[i], context.src[0]->dims[i], StrCat("dim ", i, " of src 1")));
  }
  return InferFloat(context);
}

// ---- Micro-programs -------------------------------------------------------------------------------------------------

bool LowerRelu(const OpCall&, MicroBuilder& b) {
  b.SetResult(b.Emit(MicroOp::kMax, b.Src(0), b.Constant(0)));
  return true;
}

bool LowerLeakyRelu(const OpCall& call, MicroBuilder& b) {
  const Result<float> alpha = call.attrs->Float("alpha", 0.01f);
  if (!alpha.ok()) return false;
  b.SetResult(b.Emit(MicroOp::kLeakyRelu, b.Src(0), b.Constant(*alpha)));
  return true;
}

bool LowerPRelu(const OpCall&, MicroBuilder& b) {
  b.SetResult(b.Emit(MicroOp::kLeakyRelu, b.Src(0), b.Src(1)));
  return true;
}

bool LowerHardSigmoid(const OpCall& call, MicroBuilder& b) {
  const Result<float> alpha = call.attrs->Float("alpha", 0.2f), beta = call.attrs->Float("beta", 0.5f);
  if (!alpha.ok() || !beta.ok()) return false;
  b.SetResult(b.Emit(MicroOp::kHardSigmoid, b.Src(0), b.Constant(*alpha), b.Constant(*beta)));
  return true;
}

bool LowerElu(const OpCall& call, MicroBuilder& b) {
  const Result<float> alpha = call.attrs->Float("alpha", 1);
  if (!alpha.ok()) return false;
  b.SetResult(b.Emit(MicroOp::kElu, b.Src(0), b.Constant(1), b.Constant(*alpha)));
  return true;
}

// max(0, x) + min(0, alpha (exp(x / alpha) - 1)): the second term is 0 for x >= 0, whatever the sign of alpha.
bool LowerCelu(const OpCall& call, MicroBuilder& b) {
  const Result<float> alpha = call.attrs->Float("alpha", 1);
  if (!alpha.ok()) return false;
  b.SetResult(b.Emit(MicroOp::kElu, b.Src(0), b.Constant(1 / *alpha), b.Constant(*alpha)));
  return true;
}

bool LowerSelu(const OpCall& call, MicroBuilder& b) {
  const Result<float> alpha = call.attrs->Float("alpha", 1.67326319217681884765625f);
  const Result<float> gamma = call.attrs->Float("gamma", 1.05070102214813232421875f);
  if (!alpha.ok() || !gamma.ok()) return false;
  const uint8_t elu = b.Emit(MicroOp::kElu, b.Src(0), b.Constant(1), b.Constant(*alpha));
  b.SetResult(b.Emit(MicroOp::kMul, elu, b.Constant(*gamma)));
  return true;
}

bool LowerGelu(const OpCall& call, MicroBuilder& b) {
  bool tanh = false;
  if (!ReadTanh(*call.attrs, &tanh).ok()) return false;
  b.SetResult(b.Emit(tanh ? MicroOp::kGeluTanh : MicroOp::kGelu, b.Src(0)));
  return true;
}

bool LowerSoftsign(const OpCall&, MicroBuilder& b) {
  const uint8_t x = b.Src(0), magnitude = b.Emit(MicroOp::kAbs, x);
  b.SetResult(b.Emit(MicroOp::kDiv, x, b.Emit(MicroOp::kAdd, magnitude, b.Constant(1))));
  return true;
}

bool LowerSwish(const OpCall& call, MicroBuilder& b) {
  const Result<float> alpha = call.attrs->Float("alpha", 1);
  if (!alpha.ok()) return false;
  const uint8_t x = b.Src(0);
  if (*alpha == 1) {
    b.SetResult(b.Emit(MicroOp::kSilu, x));
  } else {
    const uint8_t gate = b.Emit(MicroOp::kSigmoid, b.Emit(MicroOp::kMul, x, b.Constant(*alpha)));
    b.SetResult(b.Emit(MicroOp::kMul, x, gate));
  }
  return true;
}

bool LowerSwiGlu(const OpCall& call, MicroBuilder& b) {
  if (!LowerSwish(call, b)) return false;
  b.SetResult(b.Emit(MicroOp::kMul, b.result(), b.Src(1)));
  return true;
}

bool LowerThresholdedRelu(const OpCall& call, MicroBuilder& b) {
  const Result<float> alpha = call.attrs->Float("alpha", 1);
  if (!alpha.ok()) return false;
  const uint8_t x = b.Src(0), above = b.Emit(MicroOp::kLess, b.Constant(*alpha), x);
  b.SetResult(b.Emit(MicroOp::kSelect, above, x, b.Constant(0)));
  return true;
}

bool LowerShrink(const OpCall& call, MicroBuilder& b) {
  const Result<float> bias = call.attrs->Float("bias", 0), lambd = call.attrs->Float("lambd", 0.5f);
  if (!bias.ok() || !lambd.ok()) return false;
  const uint8_t x = b.Src(0), below = b.Emit(MicroOp::kLess, x, b.Constant(-*lambd));
  const uint8_t above = b.Emit(MicroOp::kLess, b.Constant(*lambd), x);
  const uint8_t lowered = b.Emit(MicroOp::kSub, x, b.Constant(*bias));
  const uint8_t otherwise = b.Emit(MicroOp::kSelect, above, lowered, b.Constant(0));
  b.SetResult(b.Emit(MicroOp::kSelect, below, b.Emit(MicroOp::kAdd, x, b.Constant(*bias)), otherwise));
  return true;
}

// ---- Integers -------------------------------------------------------------------------------------------------------

struct ReluIntegers {
  template <class Int>
  static Int Of(const Int* x, const bool*) {
    return std::max<Int>(x[0], 0);
  }
};
struct PReluIntegers {
  template <class Int>
  static Int Of(const Int* x, const bool*) {
    return std::is_signed_v<Int> && x[0] < 0 ? WrappingMul(x[0], x[1]) : x[0];
  }
};

// The bias is a float whatever the type of the elements.
template <class Float>
Status ShrinkReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const ElementwiseOperands operands, ElementwiseOperands::Of(reference));
  MOKA_ASSIGN_OR_RETURN(const MicroProgram program, ProgramOf(reference.call));
  operands.Map<double>([&](const double* x, const bool*) { return MicroRun(program, 0, x); });
  return Status();
}

}  // namespace

// ---- The table: name, sources, inference, micro-program, integers ---------------------------------------------------

#define MOKA_ACTIVATIONS(X)                                                   \
  X(Celu, 1, 1, InferCelu, LowerCelu, NoIntegers)                             \
  X(Elu, 1, 1, InferActivation, LowerElu, NoIntegers)                         \
  X(Gelu, 1, 1, InferGelu, LowerGelu, NoIntegers)                             \
  X(HardSigmoid, 1, 1, InferActivation, LowerHardSigmoid, NoIntegers)         \
  X(HardSwish, 1, 1, InferFloat, LowerUnary<MicroOp::kHardSwish>, NoIntegers) \
  X(LeakyRelu, 1, 1, InferActivation, LowerLeakyRelu, NoIntegers)             \
  X(Mish, 1, 1, InferFloat, LowerUnary<MicroOp::kMish>, NoIntegers)           \
  X(PRelu, 2, 2, InferPRelu, LowerPRelu, PReluIntegers)                       \
  X(Relu, 1, 1, InferNumber, LowerRelu, ReluIntegers)                         \
  X(Selu, 1, 1, InferActivation, LowerSelu, NoIntegers)                       \
  X(Sigmoid, 1, 1, InferFloat, LowerUnary<MicroOp::kSigmoid>, NoIntegers)     \
  X(Softplus, 1, 1, InferFloat, LowerUnary<MicroOp::kSoftplus>, NoIntegers)   \
  X(Softsign, 1, 1, InferFloat, LowerSoftsign, NoIntegers)                    \
  X(SwiGLU, 2, 2, InferSwiGlu, LowerSwiGlu, NoIntegers)                       \
  X(Swish, 1, 1, InferActivation, LowerSwish, NoIntegers)                     \
  X(ThresholdedRelu, 1, 1, InferActivation, LowerThresholdedRelu, NoIntegers)

#define MOKA_DEFINE(op, low, high, infer, lower, integers) \
  MOKA_ELEMENTWISE_SCHEMA(op, low, high, infer, lower, ElementwiseReference<integers>::template Run)
MOKA_ACTIVATIONS(MOKA_DEFINE)
#undef MOKA_DEFINE
#undef MOKA_ACTIVATIONS

MOKA_ELEMENTWISE_SCHEMA(Shrink, 1, 1, InferShrink, LowerShrink, ShrinkReference)

}  // namespace moka

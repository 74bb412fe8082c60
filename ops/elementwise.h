// What the tables of elementwise operators are made of: inference that tracks small integers, micro-programs, scalar
// references. The tables: elementwise.cc (arithmetic), elementwise_math.cc, activation.cc, comparison.cc, logic.cc.
#ifndef MOKA_OPS_ELEMENTWISE_H_
#define MOKA_OPS_ELEMENTWISE_H_

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <type_traits>
#include <vector>

#include "ops/element.h"
#include "ops/infer.h"
#include "ops/micro_builder.h"
#include "ops/op.h"
#include "ops/reference.h"

namespace moka {

// ---- Inference ------------------------------------------------------------------------------------------------------

// One element of the result from elements that are known as expressions; false where no expression is it.
using DimUnary = bool (*)(const Dim&, Dim*);
using DimBinary = bool (*)(const Dim&, const Dim&, Dim*);

Status InferFloat(InferContext& context);   // one float source, the result is like it
Status InferNumber(InferContext& context);  // one source of numbers, the result is like it
// One source of `types`; the elements of the result by `apply`.
Status InferUnary(InferContext& context, std::initializer_list<DataType> types, DimUnary apply);
// Sources of one of `types`, the same for all, broadcast; the elements of the result by `combine` (null: not tracked).
Status InferBroadcast(InferContext& context, std::initializer_list<DataType> types, DimBinary combine);
// The elements of an operation on the elements of a and b, broadcast to dims; none where they are not known.
std::optional<std::vector<Dim>> CombineElements(const SymbolicTensor& a, const SymbolicTensor& b,
                                                const std::vector<Dim>& dims, DimBinary combine);

template <DimUnary apply>
Status InferNumberBy(InferContext& context) {
  return InferUnary(context, kNumberTypes, apply);
}
template <DimBinary combine>
Status InferArithmetic(InferContext& context) {
  return InferBroadcast(context, kNumberTypes, combine);
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

// The operator's program over at most three sources.
Result<MicroProgram> ProgramOf(const OpCall& call);

// ---- References -----------------------------------------------------------------------------------------------------

inline constexpr size_t kMaxElementwiseSources = 3;

// The operands of a call: the result, then the sources broadcast to it.
struct ElementwiseOperands {
  std::array<TensorDesc, kMaxElementwiseSources + 1> descs;
  std::array<const void*, kMaxElementwiseSources> data{};
  void* dst = nullptr;
  bool has[kMaxElementwiseSources] = {};  // false: an absent source

  static Result<ElementwiseOperands> Of(const ReferenceCall& reference);

  // Stores f(x, has) for every element of the result; x[k] is the element of source k.
  template <class Acc, class F>
  void Map(F&& f) const {
    ForEachOffset(descs, [&](const std::array<int64_t, kMaxElementwiseSources + 1>& at) {
      Acc x[kMaxElementwiseSources] = {};
      for (size_t k = 0; k < kMaxElementwiseSources; ++k) {
        if (has[k]) x[k] = Load<Acc>(descs[k + 1], data[k], at[k + 1]);
      }
      Store(descs[0], dst, at[0], f(static_cast<const Acc*>(x), static_cast<const bool*>(has)));
    });
  }
};

// In tables: what an operator does with integers, `template <class Int> static Int Of(const Int* x, const bool* has)`
// on int64_t and uint64_t.
struct NoIntegers {};

// Floats by the operator's own micro-program in double, integers by Integers::Of.
template <class Integers>
struct ElementwiseReference {
  template <class Float>
  static Status Run(const ReferenceCall& reference) {
    MOKA_ASSIGN_OR_RETURN(const ElementwiseOperands operands, ElementwiseOperands::Of(reference));
    return WithAccumulator<double>(operands.descs[0].type, [&](auto accumulator) -> Status {
      using Acc = decltype(accumulator);
      if constexpr (std::is_same_v<Acc, double>) {
        MOKA_ASSIGN_OR_RETURN(const MicroProgram program, ProgramOf(reference.call));
        operands.Map<double>([&](const double* x, const bool*) { return MicroRun(program, 0, x); });
      } else if constexpr (std::is_same_v<Integers, NoIntegers>) {
        return Unsupported(reference.call.op->name, " on ", NameOf(operands.descs[0].type));
      } else {
        operands.Map<Acc>([](const Acc* x, const bool* has) { return Integers::template Of<Acc>(x, has); });
      }
      return Status();
    });
  }
};

// The accumulator is that of source 0; Function::Of takes double, int64_t and uint64_t and may return any of them or
// bool.
template <class Function>
struct FunctionReference {
  template <class Float>
  static Status Run(const ReferenceCall& reference) {
    MOKA_ASSIGN_OR_RETURN(const ElementwiseOperands operands, ElementwiseOperands::Of(reference));
    return WithAccumulator<double>(reference.call.src[0].type, [&](auto accumulator) {
      using Acc = decltype(accumulator);
      operands.Map<Acc>([](const Acc* x, const bool* has) { return Function::template Of<Acc>(x, has); });
      return Status();
    });
  }
};

Cost ElementwiseCost(const OpCall& call);

// The schema of operator `op` of ai.onnx with one result.
#define MOKA_ELEMENTWISE_SCHEMA(op, low, high, infer_function, lower_function, ...) \
  const OpSchema* op##Schema() {                                                    \
    static constexpr OpSchema kSchema = {                                           \
        .domain = "",                                                               \
        .name = #op,                                                                \
        .min_src = low,                                                             \
        .max_src = high,                                                            \
        .min_dst = 1,                                                               \
        .max_dst = 1,                                                               \
        .layout = LayoutRule::kSame,                                                \
        .infer = infer_function,                                                    \
        MOKA_REFERENCES(__VA_ARGS__).cost = ElementwiseCost,                        \
        .lower = lower_function,                                                    \
    };                                                                              \
    return &kSchema;                                                                \
  }

}  // namespace moka

#endif  // MOKA_OPS_ELEMENTWISE_H_

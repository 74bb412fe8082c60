#include "ops/reduce.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/status.h"
#include "ops/accumulate.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

// The axes to reduce. Without any, all of them, or none with noop_with_empty_axes.
Status ResolveReduced(const Attributes& attrs, const IntList& axes, int rank, uint32_t* mask) {
  MOKA_RETURN_IF_ERROR(ResolveAxes(axes.span(), rank, "src 1 (axes)", mask));
  if (axes.size > 0) return Status();
  bool nothing = false;
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "noop_with_empty_axes", false, &nothing));
  *mask = nothing ? 0 : (uint32_t{1} << rank) - 1;
  return Status();
}

constexpr std::initializer_list<DataType> kOrdered = {DataType::kF32, DataType::kF64, DataType::kF16, DataType::kBF16,
                                                      DataType::kI8,  DataType::kI32, DataType::kI64, DataType::kU8,
                                                      DataType::kU32, DataType::kU64, DataType::kBool};

bool IsExtremum(ReduceKind kind) { return kind == ReduceKind::kReduceMax || kind == ReduceKind::kReduceMin; }

template <ReduceKind kKind>
Status InferReduce(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, IsExtremum(kKind) ? kOrdered : kWideNumberTypes));
  const SymbolicTensor& x = *ctx.src[0];
  IntList axes;
  MOKA_RETURN_IF_ERROR(ReadInts(ctx, 1, "axes", &axes));
  uint32_t mask = 0;
  MOKA_RETURN_IF_ERROR(ResolveReduced(*ctx.attrs, axes, x.rank(), &mask));
  bool keepdims = true;
  MOKA_RETURN_IF_ERROR(ReadFlag(*ctx.attrs, "keepdims", true, &keepdims));
  ctx.dst[0].type = x.type;
  for (int i = 0; i < x.rank(); ++i) {
    if ((mask >> i & 1) == 0) {
      ctx.dst[0].dims.push_back(x.dims[static_cast<size_t>(i)]);
    } else if (keepdims) {
      ctx.dst[0].dims.emplace_back(1);
    }
  }
  return Status();
}

// One loop per operator: s is what was accumulated, x the next element, n their number.
template <class A>
struct Reducer {
  A (*start)();
  A (*step)(A s, A x);
  A (*end)(A s, int64_t n);
};

template <class A>
A Mean(A sum, int64_t n) {
  if (std::is_integral_v<A> && n == 0) return A{};
  return sum / static_cast<A>(n);
}
template <class A>
A Absolute(A x) {
  return x < A{} ? WrappingMul(x, A(-1)) : x;
}
template <class A>
A Root(A x) {
  if constexpr (std::is_integral_v<A>) return static_cast<A>(std::sqrt(static_cast<double>(x)));
  return static_cast<A>(std::sqrt(x));
}

template <class A>
A Logarithm(A x) {
  if constexpr (std::is_integral_v<A>) return ConvertElement<A>(std::log(static_cast<double>(x)));
  return static_cast<A>(std::log(x));
}
template <class A>
A Exponential(A x) {
  if constexpr (std::is_integral_v<A>) return ConvertElement<A>(std::exp(static_cast<double>(x)));
  return static_cast<A>(std::exp(x));
}

template <class A>
const Reducer<A>& ReducerOf(ReduceKind kind) {
  static constexpr Reducer<A> kReducers[] = {
#define MOKA_REDUCE_ROW(name, start, step, end)                                                       \
  {[]() -> A { return start; }, []([[maybe_unused]] A s, [[maybe_unused]] A x) -> A { return step; }, \
   [](A s, [[maybe_unused]] int64_t n) -> A { return end; }},
      MOKA_REDUCE_OPS(MOKA_REDUCE_ROW)
#undef MOKA_REDUCE_ROW
  };
  return kReducers[static_cast<size_t>(kind)];
}

// The smallest and the largest integer are those of the type, not of the accumulator.
template <class A>
A StartOf(ReduceKind kind, DataType type, const Reducer<A>& reducer) {
  A start = reducer.start();
  if (!std::is_integral_v<A> || !IsExtremum(kind)) return start;
  const bool max = kind == ReduceKind::kReduceMax;
  if (type == DataType::kBool) return static_cast<A>(max ? 0 : 1);
  (void)WithElementType(type, [&](auto element) {
    using Limits = std::numeric_limits<decltype(element)>;
    start = ConvertElement<A>(max ? Limits::lowest() : Limits::max());
    return Status();
  });
  return start;
}

template <class Acc>
void ReduceLoops(const ReduceParams& params, const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc& x = call.src[0];
  TensorDesc kept = x, reduced = x;
  int64_t count = 1;
  for (size_t i = 0; i < static_cast<size_t>(x.rank); ++i) {
    const bool is_reduced = (params.axes >> i & 1) != 0;
    (is_reduced ? kept : reduced).dims[i] = 1;
    if (is_reduced) count *= x.dims[i];
  }
  const auto fold = [&](ReduceKind kind, int64_t base, Acc less) {
    const Reducer<Acc>& reducer = ReducerOf<Acc>(kind);
    Acc result = StartOf(kind, x.type, reducer);
    ForEachIndex(reduced, [&](const Index& inner) {
      const Acc element = Load<Acc>(x, reference.src[0], base + OffsetOf(x, inner));
      result = reducer.step(result, kind == ReduceKind::kReduceLogSumExp ? element - less : element);
    });
    return reducer.end(result, count);
  };
  ForEachIndex(kept, [&](const Index& at) {
    const int64_t base = OffsetOf(x, at);
    Acc less{};
    if (params.kind == ReduceKind::kReduceLogSumExp) {
      const Acc largest = fold(ReduceKind::kReduceMax, base, Acc{});
      if (std::isfinite(static_cast<double>(largest))) less = largest;
    }
    int64_t dst_at = 0;
    for (size_t i = 0; i < static_cast<size_t>(x.rank); ++i) dst_at += at[i] * params.dst_strides[i];
    Store<Acc>(call.dst[0], reference.dst[0], dst_at, fold(params.kind, base, less) + less);
  });
}

template <class Float>
Status ReduceReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const ReduceParams params, ReduceParams::From(reference.call));
  return WithAccumulator<Float>(reference.call.src[0].type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    // Sums of exponentials of integers have fractions.
    using Exact = std::conditional_t<std::is_integral_v<Acc>, double, Acc>;
    params.kind == ReduceKind::kReduceLogSumExp ? ReduceLoops<Exact>(params, reference)
                                                : ReduceLoops<Acc>(params, reference);
    return Status();
  });
}

Cost ReduceCost(const OpCall& call) { return {static_cast<double>(call.src[0].NumElements())}; }

constexpr const char* kNames[] = {
#define MOKA_REDUCE_NAME(name, start, step, end) #name,
    MOKA_REDUCE_OPS(MOKA_REDUCE_NAME)
#undef MOKA_REDUCE_NAME
};

template <ReduceKind kKind>
constexpr OpSchema Schema() {
  return {
      .domain = "",
      .name = kNames[static_cast<size_t>(kKind)],
      .min_src = 1,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferReduce<kKind>,
      MOKA_REFERENCES(ReduceReference)  //
          .cost = ReduceCost,
  };
}

}  // namespace

Result<ReduceParams> ReduceParams::From(const OpCall& call) {
  ReduceParams params;
  const std::string_view name = call.op->name;
  const auto* found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) return Internal(name, " is no reduction");
  params.kind = static_cast<ReduceKind>(found - std::begin(kNames));
  IntList axes;
  MOKA_RETURN_IF_ERROR(ReadInts(call, 1, "axes", &axes));
  MOKA_RETURN_IF_ERROR(ResolveReduced(*call.attrs, axes, call.src[0].rank, &params.axes));
  MOKA_RETURN_IF_ERROR(ReadFlag(*call.attrs, "keepdims", true, &params.keepdims));
  size_t next = 0;
  for (int i = 0; i < call.src[0].rank; ++i) {
    const bool reduced = (params.axes >> i & 1) != 0;
    if (!reduced) params.dst_strides[static_cast<size_t>(i)] = call.dst[0].strides[next];
    if (!reduced || params.keepdims) ++next;
  }
  return params;
}

#define MOKA_REDUCE_SCHEMA(name, start, step, end)                     \
  const OpSchema* name##Schema() {                                     \
    static constexpr OpSchema kSchema = Schema<ReduceKind::k##name>(); \
    return &kSchema;                                                   \
  }
MOKA_REDUCE_OPS(MOKA_REDUCE_SCHEMA)
#undef MOKA_REDUCE_SCHEMA

}  // namespace moka

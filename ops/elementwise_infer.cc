#include <algorithm>
#include <array>
#include <utility>

#include "ops/elementwise.h"

namespace moka {

Status InferFloat(InferContext& context) {
  MOKA_RETURN_IF_ERROR(CheckType(context, 0, kFloatTypes));
  return InferSameAsSource(context);
}

Status InferNumber(InferContext& context) {
  MOKA_RETURN_IF_ERROR(CheckType(context, 0, kNumberTypes));
  return InferSameAsSource(context);
}

Status InferUnary(InferContext& context, std::initializer_list<DataType> types, DimUnary apply) {
  MOKA_RETURN_IF_ERROR(CheckType(context, 0, types));
  MOKA_RETURN_IF_ERROR(InferSameAsSource(context));
  const auto& known = context.src[0]->elements;
  if (!known) return Status();
  std::vector<Dim> elements(known->size());
  for (size_t i = 0; i < elements.size(); ++i) {
    if (!apply((*known)[i], &elements[i])) return Status();
  }
  context.dst[0].elements = std::move(elements);
  return Status();
}

std::optional<std::vector<Dim>> CombineElements(const SymbolicTensor& a, const SymbolicTensor& b,
                                                const std::vector<Dim>& dims, DimBinary combine) {
  if (combine == nullptr || !a.elements || !b.elements) return std::nullopt;
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

Status InferBroadcast(InferContext& context, std::initializer_list<DataType> types, DimBinary combine) {
  MOKA_RETURN_IF_ERROR(CheckType(context, 0, types));
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

Result<MicroProgram> ProgramOf(const OpCall& call) {
  constexpr uint8_t kCodes[] = {MicroSource(0), MicroSource(1), MicroSource(2)};
  static_assert(std::size(kCodes) == kMaxElementwiseSources);
  MicroBuilder builder;
  for (size_t k = 0; k < kMaxElementwiseSources; ++k) builder.AddSource();
  builder.MapSources(kCodes, static_cast<int>(kMaxElementwiseSources));
  MicroProgram program;
  if (!call.op->lower(call, builder) || !builder.Finish(&program)) {
    return InvalidModel("node '", call.name, "': an attribute has the wrong type");
  }
  return program;
}

Result<ElementwiseOperands> ElementwiseOperands::Of(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  ElementwiseOperands operands;
  operands.descs.fill(call.dst[0]);
  operands.dst = reference.dst[0];
  if (call.src.size() > kMaxElementwiseSources) return Internal(call.op->name, ": ", call.src.size(), " sources");
  for (size_t k = 0; k < call.src.size(); ++k) {
    operands.has[k] = call.src[k].present();
    operands.data[k] = reference.src[k];
    if (!operands.has[k] || BroadcastView(call.src[k], call.dst[0].shape(), &operands.descs[k + 1])) continue;
    return InvalidArgument("node '", call.name, "': ", ToString(call.src[k]), " does not broadcast to ",
                           ToString(call.dst[0]));
  }
  return operands;
}

Cost ElementwiseCost(const OpCall& call) { return {static_cast<double>(call.dst[0].NumElements())}; }

}  // namespace moka

#include "ops/constant_of_shape.h"

#include <cstring>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/op.h"
#include "ops/reference.h"

namespace moka {

Status ReadFillValue(const Attributes& attrs, const HostTensor** value) {
  *value = nullptr;
  const AttributeValue* found = attrs.Find("value");
  if (found == nullptr) return Status();
  const auto* tensor = std::get_if<HostTensor>(found);
  if (tensor == nullptr) return InvalidModel("attribute 'value' is not a tensor");
  if (tensor->desc.NumElements() != 1) {
    return InvalidModel("attribute 'value' has ", tensor->desc.NumElements(), " elements, expected 1");
  }
  if (SizeOf(tensor->desc.type) == 0) return Unsupported("attribute 'value' is ", NameOf(tensor->desc.type));
  *value = tensor;
  return Status();
}

namespace {

void TrackElements(const HostTensor& value, SymbolicTensor* result) {
  if (value.desc.type != DataType::kI32 && value.desc.type != DataType::kI64) return;
  if (result->rank() > 1) return;
  const Dim count = result->rank() == 0 ? Dim(1) : result->dims[0];
  if (!count.is_constant() || count.constant() > kMaxTrackedElements) return;
  result->elements.emplace(static_cast<size_t>(count.constant()), Dim(Load<int64_t>(value.desc, value.data, 0)));
}

Status InferConstantOfShape(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, {DataType::kI64}));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 1, 1));
  const HostTensor* value = nullptr;
  MOKA_RETURN_IF_ERROR(ReadFillValue(*ctx.attrs, &value));
  MOKA_ASSIGN_OR_RETURN(std::vector<Dim> dims, ctx.Elements(0));
  if (dims.size() > kMaxRank) return Unsupported("src 0: rank ", dims.size(), ", at most ", kMaxRank);
  for (const Dim& dim : dims) {
    if (dim.is_constant() && dim.constant() < 0) return InvalidModel("src 0: dimension of ", dim.constant());
  }
  ctx.dst[0].type = value == nullptr ? DataType::kF32 : value->desc.type;
  ctx.dst[0].dims = std::move(dims);
  if (value != nullptr) TrackElements(*value, &ctx.dst[0]);
  return Status();
}

template <class Float>
Status ConstantOfShapeReference(const ReferenceCall& reference) {
  const HostTensor* value = nullptr;
  MOKA_RETURN_IF_ERROR(ReadFillValue(*reference.call.attrs, &value));
  const TensorDesc& y = reference.call.dst[0];
  const size_t size = SizeOf(y.type);
  std::byte element[8] = {};
  if (value != nullptr) std::memcpy(element, value->data, size);
  ForEachIndex(y, [&](const Index& at) {
    std::memcpy(static_cast<std::byte*>(reference.dst[0]) + OffsetOf(y, at) * static_cast<int64_t>(size), element,
                size);
  });
  return Status();
}

}  // namespace

const OpSchema* ConstantOfShapeSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "ConstantOfShape",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferConstantOfShape,
      MOKA_REFERENCES(ConstantOfShapeReference)  //
  };
  return &kSchema;
}

}  // namespace moka

#include "ops/one_hot.h"

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {

Result<int> OneHotAxis(const Attributes& attrs, int index_rank) {
  int64_t axis = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "axis", -1, &axis));
  return NormalizeAxis(axis, index_rank + 1, "attribute 'axis'");
}

namespace {

constexpr double kDeepest = 0x1p40;

Result<Dim> DepthOf(InferContext& ctx) {
  const SymbolicTensor& depth = *ctx.src[1];
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 0, 1));
  if (depth.rank() == 1) MOKA_RETURN_IF_ERROR(RequireEqual(ctx, depth.dims[0], 1, "elements of src 1 (depth)"));
  if (depth.type == DataType::kI64 || depth.type == DataType::kI32) {
    MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> elements, ctx.Elements(1));
    if (elements.size() != 1) return InvalidModel("src 1 (depth) has ", elements.size(), " elements, expected 1");
    if (elements[0].is_constant() && elements[0].constant() < 0) {
      return InvalidModel("src 1 (depth) is ", elements[0].constant());
    }
    return elements[0];
  }
  if (depth.constant == nullptr) {
    ctx.needed_source = 1;
    return Unsupported("src 1 (depth) determines a shape, but its contents are not known");
  }
  if (depth.constant->desc.NumElements() != 1) return InvalidModel("src 1 (depth) is no single number");
  const double value = Load<double>(depth.constant->desc, depth.constant->data, 0);
  if (!(value >= 0 && value < kDeepest)) return InvalidModel("src 1 (depth) is ", value);
  return Dim(static_cast<int64_t>(value));
}

Status InferOneHot(InferContext& ctx) {
  const SymbolicTensor& indices = *ctx.src[0];
  for (const size_t i : {size_t{0}, size_t{1}}) {
    if (ctx.src[i]->type == DataType::kString || ctx.src[i]->type == DataType::kBool) {
      return InvalidModel("src ", i, " is ", NameOf(ctx.src[i]->type), ", expected numbers");
    }
  }
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 2, 1, 1));
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[2]->dims[0], 2, "elements of src 2 (values)"));
  if (indices.rank() == kMaxRank) return Unsupported("the result has rank ", kMaxRank + 1, ", at most ", kMaxRank);
  MOKA_ASSIGN_OR_RETURN(const int axis, OneHotAxis(*ctx.attrs, indices.rank()));
  MOKA_ASSIGN_OR_RETURN(const Dim depth, DepthOf(ctx));
  ctx.dst[0].type = ctx.src[2]->type;
  ctx.dst[0].dims = indices.dims;
  ctx.dst[0].dims.insert(ctx.dst[0].dims.begin() + axis, depth);
  return Status();
}

template <class Float>
Status OneHotReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &indices = call.src[0], &values = call.src[2], &y = call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const int axis, OneHotAxis(*call.attrs, indices.rank));
  TensorDesc along = indices;  // indices seen from dst: they do not depend on the coordinate at `axis`
  along.rank = y.rank;
  for (int d = 0; d < y.rank; ++d) {
    const size_t k = static_cast<size_t>(d), from = static_cast<size_t>(d < axis ? d : d - 1);
    along.strides[k] = d == axis ? 0 : indices.strides[from];
  }
  const size_t at_axis = static_cast<size_t>(axis);
  const int64_t depth = y.dims[at_axis];
  return WithStorageType(y.type, [&](auto bits) {
    using Bits = decltype(bits);
    const Bits off = LoadRaw<Bits>(reference.src[2], 0), on = LoadRaw<Bits>(reference.src[2], values.strides[0]);
    ForEachIndex(y, [&](const Index& at) {
      const int64_t index = Load<int64_t>(indices, reference.src[0], OffsetOf(along, at));
      StoreRaw(reference.dst[0], OffsetOf(y, at), at[at_axis] == (index < 0 ? index + depth : index) ? on : off);
    });
    return Status();
  });
}

}  // namespace

const OpSchema* OneHotSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "OneHot",
      .min_src = 3,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferOneHot,
      MOKA_REFERENCES(OneHotReference)  //
  };
  return &kSchema;
}

}  // namespace moka

#include <cmath>

#include "base/status.h"
#include "ops/accumulate.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/op.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

constexpr double kLongest = 0x1p40;  // elements; more overflow sizes

Result<double> Number(InferContext& ctx, size_t i) {
  const HostTensor* constant = ctx.src[i]->constant;
  if (constant == nullptr) {
    ctx.needed_source = static_cast<int>(i);
    return Unsupported("src ", i, " determines a shape, but its contents are not known");
  }
  return Load<double>(constant->desc, constant->data, 0);
}

// ceil((limit - start) / delta) elements, none where that is negative.
Result<Dim> FloatLength(InferContext& ctx) {
  MOKA_ASSIGN_OR_RETURN(const double start, Number(ctx, 0));
  MOKA_ASSIGN_OR_RETURN(const double limit, Number(ctx, 1));
  MOKA_ASSIGN_OR_RETURN(const double delta, Number(ctx, 2));
  if (delta == 0) return InvalidModel("src 2 (delta) is 0");
  const double length = std::ceil((limit - start) / delta);
  if (!(length < kLongest)) return InvalidModel("range from ", start, " to ", limit, " by ", delta, " has no end");
  return Dim(length > 0 ? static_cast<int64_t>(length) : 0);
}

Result<Dim> IntLength(InferContext& ctx) {
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> start, ctx.Elements(0));
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> limit, ctx.Elements(1));
  MOKA_ASSIGN_OR_RETURN(const std::vector<int64_t> delta, ctx.Ints(2));
  if (delta[0] == 0) return InvalidModel("src 2 (delta) is 0");
  if (delta[0] < 0) return Dim::Max(0, Dim::CeilDiv(start[0] - limit[0], Dim(0) - Dim(delta[0])));
  return Dim::Max(0, Dim::CeilDiv(limit[0] - start[0], delta[0]));
}

Status InferRange(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0,
                                 {DataType::kF32, DataType::kF64, DataType::kF16, DataType::kBF16, DataType::kI16,
                                  DataType::kI32, DataType::kI64}));
  for (size_t i = 0; i < 3; ++i) {
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, i, 0));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, 0, 1));
    for (const Dim& dim : ctx.src[i]->dims)
      MOKA_RETURN_IF_ERROR(RequireEqual(ctx, dim, 1, StrCat("elements of src ", i)));
  }
  const DataType type = ctx.src[0]->type;
  const bool tracked = type == DataType::kI32 || type == DataType::kI64;
  MOKA_ASSIGN_OR_RETURN(const Dim length, tracked ? IntLength(ctx) : FloatLength(ctx));
  ctx.dst[0].type = type;
  ctx.dst[0].dims = {length};
  if (!tracked || !length.is_constant() || length.constant() > kMaxTrackedElements) return Status();
  const std::optional<std::vector<Dim>> start = KnownElements(*ctx.src[0]), delta = KnownElements(*ctx.src[2]);
  std::vector<Dim> elements;
  for (int64_t i = 0; i < length.constant(); ++i) elements.push_back((*start)[0] + (*delta)[0] * Dim(i));
  ctx.dst[0].elements = std::move(elements);
  return Status();
}

template <class Float>
Status RangeReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  return WithAccumulator<Float>(call.src[0].type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    const Acc start = Load<Acc>(call.src[0], reference.src[0], 0), delta = Load<Acc>(call.src[2], reference.src[2], 0);
    const TensorDesc& y = call.dst[0];
    for (int64_t i = 0; i < y.dims[0]; ++i) {
      Store<Acc>(y, reference.dst[0], i * y.strides[0], WrappingAdd(start, WrappingMul(delta, static_cast<Acc>(i))));
    }
    return Status();
  });
}

}  // namespace

const OpSchema* RangeSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Range",
      .min_src = 3,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferRange,
      MOKA_REFERENCES(RangeReference)  //
  };
  return &kSchema;
}

}  // namespace moka

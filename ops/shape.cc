#include <algorithm>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/op.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

struct DimRange {
  int begin = 0, end = 0;
};

// Attributes `start` and `end` count from the end when negative and are clamped.
Status ReadRange(const Attributes& attrs, int rank, DimRange* range) {
  int64_t start = 0, end = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "start", 0, &start));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "end", rank, &end));
  const auto clamp = [rank](int64_t i) {
    return static_cast<int>(std::clamp<int64_t>(i < 0 ? std::max<int64_t>(i, -rank) + rank : i, 0, rank));
  };
  range->begin = clamp(start);
  range->end = std::max(clamp(end), range->begin);
  return Status();
}

Status InferShape(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  DimRange range;
  MOKA_RETURN_IF_ERROR(ReadRange(*ctx.attrs, x.rank(), &range));
  ctx.dst[0].type = DataType::kI64;
  ctx.dst[0].dims = {Dim(range.end - range.begin)};
  ctx.dst[0].elements.emplace(x.dims.begin() + range.begin, x.dims.begin() + range.end);
  return Status();
}

Status InferSize(InferContext& ctx) {
  ctx.dst[0].type = DataType::kI64;
  ctx.dst[0].dims = {};
  ctx.dst[0].elements = std::vector<Dim>{Product(ctx.src[0]->dims)};
  return Status();
}

template <class Float>
Status ShapeReference(const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  DimRange range;
  MOKA_RETURN_IF_ERROR(ReadRange(*reference.call.attrs, x.rank, &range));
  for (int i = range.begin; i < range.end; ++i) {
    StoreRaw<int64_t>(reference.dst[0], (i - range.begin) * y.strides[0], x.dims[static_cast<size_t>(i)]);
  }
  return Status();
}

template <class Float>
Status SizeReference(const ReferenceCall& reference) {
  StoreRaw<int64_t>(reference.dst[0], 0, reference.call.src[0].NumElements());
  return Status();
}

}  // namespace

const OpSchema* ShapeSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Shape",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferShape,
      MOKA_REFERENCES(ShapeReference)  //
  };
  return &kSchema;
}

const OpSchema* SizeSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Size",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferSize,
      MOKA_REFERENCES(SizeReference)  //
  };
  return &kSchema;
}

}  // namespace moka

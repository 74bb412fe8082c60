#include "ops/depth_to_space.h"

#include <limits>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferDepthToSpace(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 4, 4));
  MOKA_ASSIGN_OR_RETURN(const DepthToSpaceParams params, DepthToSpaceParams::From(*ctx.attrs));
  const Dim block = params.block, channels = Dim::FloorDiv(x.dims[1], block * block);
  MOKA_RETURN_IF_ERROR(
      RequireEqual(ctx, channels * block * block, x.dims[1], "channels of src 0 as a multiple of blocksize^2"));
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims = {x.dims[0], channels, x.dims[2] * block, x.dims[3] * block};
  return Status();
}

Status InferSpaceToDepth(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 4, 4));
  MOKA_ASSIGN_OR_RETURN(const DepthToSpaceParams params, DepthToSpaceParams::From(*ctx.attrs));
  const Dim block = params.block;
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims = {x.dims[0], x.dims[1] * block * block};
  for (size_t d = 2; d < 4; ++d) {
    const Dim part = Dim::FloorDiv(x.dims[d], block);
    MOKA_RETURN_IF_ERROR(
        RequireEqual(ctx, part * block, x.dims[d], StrCat("dimension ", d, " of src 0 as a multiple of blocksize")));
    ctx.dst[0].dims.push_back(part);
  }
  return Status();
}

template <class Float>
Status DepthToSpaceReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const DepthToSpaceParams params, DepthToSpaceParams::From(*reference.call.attrs));
  TensorDesc from, to;
  params.Blocks(reference.call.src[0], reference.call.dst[0], &from, &to);
  return CopyElements(from, reference.src[0], to, reference.dst[0]);
}

template <class Float>
Status SpaceToDepthReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const DepthToSpaceParams params, DepthToSpaceParams::From(*reference.call.attrs));
  TensorDesc from, to;
  params.Blocks(reference.call.dst[0], reference.call.src[0], &to, &from);
  return CopyElements(from, reference.src[0], to, reference.dst[0]);
}

}  // namespace

Result<DepthToSpaceParams> DepthToSpaceParams::From(const Attributes& attrs) {
  DepthToSpaceParams params;
  std::string_view mode;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "mode", "DCR", &mode));
  if (mode != "DCR" && mode != "CRD") return InvalidModel("attribute 'mode' is '", mode, "', expected DCR or CRD");
  params.channel_first = mode == "CRD";
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "blocksize", 0, &params.block));
  if (params.block < 1 || params.block > std::numeric_limits<int16_t>::max()) {
    return InvalidModel("attribute 'blocksize' is ", params.block);
  }
  return params;
}

void DepthToSpaceParams::Blocks(const TensorDesc& deep, const TensorDesc& wide, TensorDesc* deep_blocks,
                                TensorDesc* wide_blocks) const {
  const int64_t channels = wide.dims[1], channel = deep.strides[1], area = block * block;
  *deep_blocks = deep;
  deep_blocks->rank = 6;
  deep_blocks->dims = {deep.dims[0], channels, deep.dims[2], block, deep.dims[3], block};
  deep_blocks->strides = {
      deep.strides[0], channel_first ? area * channel : channel,
      deep.strides[2], channel * block * (channel_first ? 1 : channels),
      deep.strides[3], channel_first ? channel : channel * channels,
  };
  *wide_blocks = wide;
  wide_blocks->rank = 6;
  wide_blocks->dims = deep_blocks->dims;
  wide_blocks->strides = {wide.strides[0], wide.strides[1],         wide.strides[2] * block,
                          wide.strides[2], wide.strides[3] * block, wide.strides[3]};
}

const OpSchema* DepthToSpaceSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "DepthToSpace",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferDepthToSpace,
      MOKA_REFERENCES(DepthToSpaceReference)  //
  };
  return &kSchema;
}

const OpSchema* SpaceToDepthSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "SpaceToDepth",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferSpaceToDepth,
      MOKA_REFERENCES(SpaceToDepthReference)  //
  };
  return &kSchema;
}

}  // namespace moka

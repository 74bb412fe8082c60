#include "ops/group_normalization.h"

#include <cmath>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status CheckOperands(InferContext& ctx, const Dim& elements) {
  static constexpr const char* kNames[] = {"", "scale", "bias"};
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  for (size_t i = 1; i < 3; ++i) {
    MOKA_RETURN_IF_ERROR(CheckType(ctx, i, kFloatTypes));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, 1, 1));
    MOKA_RETURN_IF_ERROR(
        RequireEqual(ctx, ctx.src[i]->dims[0], elements, StrCat("elements of src ", i, " (", kNames[i], ")")));
  }
  return InferSameAsSource(ctx);
}

Status ReadGroups(const Attributes& attrs, GroupNormParams* params) {
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "num_groups", 0, &params->groups));
  if (params->groups < 1) return InvalidModel("attribute 'num_groups' is ", params->groups, ", expected at least 1");
  return ReadFlag(attrs, "scale_per_group", false, &params->scale_per_group);
}

Status InferGroupNorm(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 2));
  GroupNormParams params;
  MOKA_RETURN_IF_ERROR(ReadGroups(*ctx.attrs, &params));
  MOKA_RETURN_IF_ERROR(ReadFloat(*ctx.attrs, "epsilon", 1e-5f, &params.epsilon));
  const Dim &channels = ctx.src[0]->dims[1], groups(params.groups);
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, Dim::FloorDiv(channels, groups) * groups, channels,
                                    StrCat("channels of src 0 in groups of attribute 'num_groups' = ", params.groups)));
  return CheckOperands(ctx, params.scale_per_group ? groups : channels);
}

Status InferInstanceNorm(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 3));
  float epsilon = 0;
  MOKA_RETURN_IF_ERROR(ReadFloat(*ctx.attrs, "epsilon", 1e-5f, &epsilon));
  return CheckOperands(ctx, ctx.src[0]->dims[1]);
}

template <class Acc>
void GroupNormLoops(const GroupNormParams& params, const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  if (x.NumElements() == 0) return;
  TensorDesc group = x;
  group.dims[0] = 1;
  group.dims[1] = params.channels_per_group;
  const auto count = static_cast<Acc>(group.NumElements());
  const auto operand = [&](size_t i, int64_t c) {
    return Load<Acc>(call.src[i], reference.src[i], c * call.src[i].strides[0]);
  };
  for (int64_t task = 0; task < x.dims[0] * params.groups; ++task) {
    const int64_t n = task / params.groups, first = task % params.groups * params.channels_per_group;
    const int64_t src = n * x.strides[0] + first * x.strides[1], dst = n * y.strides[0] + first * y.strides[1];
    const auto load = [&](const Index& at) { return Load<Acc>(x, reference.src[0], src + OffsetOf(x, at)); };
    Acc mean{}, squares{};
    ForEachIndex(group, [&](const Index& at) { mean += load(at); });
    mean /= count;
    ForEachIndex(group, [&](const Index& at) { squares += (load(at) - mean) * (load(at) - mean); });
    const Acc inverse = Acc(1) / std::sqrt(squares / count + static_cast<Acc>(params.epsilon));
    ForEachIndex(group, [&](const Index& at) {
      const int64_t c = params.scale_per_group ? task % params.groups : first + at[1];
      Store<Acc>(y, reference.dst[0], dst + OffsetOf(y, at),
                 (load(at) - mean) * inverse * operand(1, c) + operand(2, c));
    });
  }
}

template <class Float>
Status GroupNormReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const GroupNormParams params, GroupNormParams::From(reference.call));
  reference.call.src[0].type == DataType::kF64 ? GroupNormLoops<double>(params, reference)
                                               : GroupNormLoops<Float>(params, reference);
  return Status();
}

Cost GroupNormCost(const OpCall& call) { return {8 * static_cast<double>(call.dst[0].NumElements())}; }

constexpr OpSchema Schema(const char* name, Status (*infer)(InferContext&)) {
  return {
      .domain = "",
      .name = name,
      .min_src = 3,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kSame,
      .infer = infer,
      MOKA_REFERENCES(GroupNormReference)  //
          .cost = GroupNormCost,
  };
}

}  // namespace

Result<GroupNormParams> GroupNormParams::From(const OpCall& call) {
  GroupNormParams params;
  const int64_t channels = call.src[0].dims[1];
  MOKA_RETURN_IF_ERROR(ReadFloat(*call.attrs, "epsilon", 1e-5f, &params.epsilon));
  if (std::string_view(call.op->name) == "InstanceNormalization") {
    params.groups = channels;
    return params;
  }
  MOKA_RETURN_IF_ERROR(ReadGroups(*call.attrs, &params));
  params.channels_per_group = channels / params.groups;
  return params;
}

const OpSchema* GroupNormalizationSchema() {
  static constexpr OpSchema kSchema = Schema("GroupNormalization", InferGroupNorm);
  return &kSchema;
}

const OpSchema* InstanceNormalizationSchema() {
  static constexpr OpSchema kSchema = Schema("InstanceNormalization", InferInstanceNorm);
  return &kSchema;
}

}  // namespace moka

// Pooling, reductions, Softmax.
#include <algorithm>
#include <cstddef>
#include <string_view>

#include "gpu/choose.h"
#include "gpu/params.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/softmax.h"

namespace moka::gpu {
namespace {

constexpr int kGroup = 64;

// Items that share one result: 1 on drivers that run on a CPU, where shared memory is plain memory.
int TeamFor(const Profile& profile, int64_t count) {
  if (profile.cpu_driver) return 1;
  int team = 1;
  while (team < kGroup && team * 8 < count) team *= 2;
  return team;
}

struct PoolNames {
  const char *kernel, *stride, *pad, *dilation, *end;
};
constexpr PoolNames kPoolNames[kMaxSpatial] = {{"KERNEL_D", "STRIDE_D", "PAD_D", "DILATION_D", "END_D"},
                                               {"KERNEL_H", "STRIDE_H", "PAD_H", "DILATION_H", "END_H"},
                                               {"KERNEL_W", "STRIDE_W", "PAD_W", "DILATION_W", "END_W"}};

// Strides of n, c, z, y, x, in units of which an element has `words`.
void FiveStrides(const TensorDesc& desc, int spatial, int words, int (&out)[5]) {
  out[0] = static_cast<int>(desc.strides[0] * words);
  out[1] = static_cast<int>(desc.strides[1] * words);
  for (int i = 0; i < spatial; ++i) {
    out[5 - spatial + i] = static_cast<int>(desc.strides[static_cast<size_t>(i + 2)] * words);
  }
}

bool AlignedRows(const TensorDesc& desc) {
  if (desc.strides[1] != 1) return false;
  for (int i = 0; i < desc.rank; ++i) {
    const size_t k = static_cast<size_t>(i);
    if (i != 1 && desc.dims[k] != 1 && desc.strides[k] % kVectorLanes != 0) return false;
  }
  return true;
}

}  // namespace

void ChoosePool(const Request& request, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/pool";
  const TensorDesc &src = request.src(0), &dst = request.dst();
  if (src.type != DataType::kF32) return Refuse(offer, kKernel, "src 0: type ", NameOf(src.type), ", not f32");
  const Result<PoolParams> params = PoolParams::From(request.call);
  if (!params.ok()) return Refuse(offer, kKernel, params.status().message());
  const int spatial = params->rank;
  const Window window = params->Expanded(kMaxSpatial);
  const bool indices = request.call.dst.size() > 1 && request.dst(1).present();
  const int padded = PaddedAxis(dst);
  if (padded >= 0 && padded != 1) return Refuse(offer, kKernel, "dst: padding lanes along dimension ", padded);
  PoolKernelParams p{};
  p.inner = static_cast<int>(dst.dims[1]);
  p.lanes = padded == 1 ? static_cast<int>(RoundUp(p.inner, kVectorLanes)) : p.inner;
  p.groups = static_cast<int>(CeilDiv(p.lanes, kVectorLanes));
  Launcher launcher("pool");
  int64_t items = p.groups * dst.dims[0];
  for (int i = 0; i < kMaxSpatial; ++i) {
    const size_t k = static_cast<size_t>(i);
    const int axis = i - (kMaxSpatial - spatial) + 2;
    p.in_size[k] = axis < 2 ? 1 : static_cast<int>(src.dims[static_cast<size_t>(axis)]);
    p.out_size[k] = axis < 2 ? 1 : static_cast<int>(dst.dims[static_cast<size_t>(axis)]);
    items *= p.out_size[k];
    const PoolNames& names = kPoolNames[k];
    launcher.Spec(names.kernel, window.kernel[k]);
    launcher.Spec(names.stride, window.strides[k]);
    launcher.Spec(names.pad, window.pads_begin[k]);
    launcher.Spec(names.dilation, window.dilations[k]);
    launcher.Spec(names.end, window.pads_end[k]);
  }
  p.items = static_cast<int>(items);
  const bool vectors = AlignedRows(src) && AlignedRows(dst) && p.lanes % kVectorLanes == 0;
  const int unit = vectors ? kVectorLanes : 1;
  FiveStrides(src, spatial, 1, p.src_stride);
  FiveStrides(dst, spatial, 1, p.dst_stride);
  for (int i = 0; i < 5; ++i) {
    p.src_stride[i] /= unit;
    p.dst_stride[i] /= unit;
  }
  if (indices) FiveStrides(request.dst(1), spatial, 2, p.index_stride);
  if (indices && padded >= 0 && PaddedAxis(request.dst(1)) != padded) {
    return Refuse(offer, kKernel, "dst 1 lies unlike dst 0");
  }
  launcher.Spec("MAX", params->max);
  launcher.Spec("COUNT_PAD", params->count_include_pad && !params->max);
  launcher.Spec("VECTORS", vectors);
  launcher.Spec("INDICES", !indices ? 0 : params->column_major ? 2 : 1);
  launcher.Params(p);
  launcher.Src(0, 0, offsetof(PoolKernelParams, src_at), 4 * unit);
  launcher.Dst(1, 0, offsetof(PoolKernelParams, dst_at), 4 * unit);
  if (indices) launcher.Dst(2, 1, offsetof(PoolKernelParams, index_at));
  launcher.BindRest(1);
  launcher.Grid(request.profile, items, kGroup);
  const double flops = BytesOf(dst) / 4 * static_cast<double>(window.Points());
  offer->choices.push_back(launcher.MakeChoice(Cost(request.profile, flops, BytesOf(src) + BytesOf(dst), !vectors)));
}

namespace {

// What is reduced, and the strides of dst in the shape of src (0 along the reduced axes).
struct Reduction {
  int kind = 0;
  uint32_t axes = 0;
  std::array<int64_t, kMaxRank> dst_strides{};
};

Result<Reduction> ReductionOf(const OpCall& call) {
  const std::string_view name = call.op->name;
  Reduction reduction;
  if (name == "GlobalAveragePool" || name == "GlobalMaxPool") {
    reduction.kind = static_cast<int>(name == "GlobalMaxPool" ? ReduceKind::kReduceMax : ReduceKind::kReduceMean);
    reduction.axes = ((uint32_t{1} << call.src[0].rank) - 1) & ~uint32_t{3};
    reduction.dst_strides[0] = call.dst[0].strides[0];
    reduction.dst_strides[1] = call.dst[0].strides[1];
    return reduction;
  }
  MOKA_ASSIGN_OR_RETURN(const ReduceParams params, ReduceParams::From(call));
  reduction.kind = static_cast<int>(params.kind);
  reduction.axes = params.axes;
  reduction.dst_strides = params.dst_strides;
  return reduction;
}

}  // namespace

void ChooseReduce(const Request& request, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/reduce";
  const TensorDesc &src = request.src(0), &dst = request.dst();
  if (src.type != DataType::kF32) return Refuse(offer, kKernel, "src 0: type ", NameOf(src.type), ", not f32");
  const Result<Reduction> reduction = ReductionOf(request.call);
  if (!reduction.ok()) return Refuse(offer, kKernel, reduction.status().message());
  // Kept dimensions in the memory order of dst, the one that dst pads first; reduced ones in that of src.
  TensorDesc kept = src, reduced = src;
  int64_t count = 1;
  for (int i = 0; i < src.rank; ++i) {
    const size_t k = static_cast<size_t>(i);
    const bool is_reduced = (reduction->axes >> i & 1) != 0;
    (is_reduced ? kept : reduced).dims[k] = 1;
    if (is_reduced) count *= src.dims[k];
  }
  const int padded = PaddedAxis(dst);
  int pinned = -1;  // the dimension of src that becomes the padded one of dst
  for (int i = 0, next = 0; i < src.rank && padded >= 0; ++i) {
    const bool is_reduced = (reduction->axes >> i & 1) != 0;
    const bool has_place = !is_reduced || dst.rank == src.rank;
    if (has_place && next++ == padded) pinned = i;
  }
  Loops outer, inner;
  const auto add = [&](Loops* loops, const TensorDesc& desc, int axis, int64_t first) {
    const size_t k = static_cast<size_t>(axis);
    Loops::Dim d;
    d.size = desc.dims[k];
    d.stride = {first, src.strides[k]};
    loops->AddOutermost(d);
  };
  if (pinned >= 0) add(&outer, kept, pinned, 1);
  for (int i = src.rank - 1; i >= 0; --i) {
    if (i != pinned) add(&outer, kept, i, reduction->dst_strides[static_cast<size_t>(i)]);
    add(&inner, reduced, i, src.strides[static_cast<size_t>(i)]);
  }
  outer.SortByFirst(pinned >= 0);
  outer.Merge(pinned >= 0);
  inner.SortByFirst(false);
  inner.Merge(false);
  if (outer.dims > 4 || inner.dims > 4) return Refuse(offer, kKernel, "more than 4 dimensions to keep or to reduce");
  ReduceKernelParams p{};
  p.inner = static_cast<int>(outer.at(0).size);
  p.lanes = padded >= 0 ? static_cast<int>(RoundUp(p.inner, kVectorLanes)) : p.inner;
  p.groups = static_cast<int>(CeilDiv(p.lanes, kVectorLanes));
  int64_t items = p.groups;
  for (int d = 1; d < outer.dims; ++d) items *= outer.at(d).size;
  if (p.inner == 0) items = 0;
  p.items = static_cast<int>(items);
  p.count = static_cast<int>(count);
  p.scale = 1.0f / static_cast<float>(count);
  outer.Sizes(p.size);
  outer.Strides(0, p.dst_stride);
  outer.Strides(1, p.src_stride);
  for (size_t i = 0; i < 3; ++i) p.reduced_size[i] = static_cast<int>(inner.dim[i].size);
  inner.Strides(1, p.reduced_stride);
  bool vectors = outer.at(0).stride[1] == 1;
  for (int d = 1; d < outer.dims; ++d) vectors = vectors && outer.at(d).stride[1] % kVectorLanes == 0;
  for (int d = 0; d < inner.dims; ++d) vectors = vectors && inner.at(d).stride[1] % kVectorLanes == 0;
  const int unit = vectors ? kVectorLanes : 1;
  for (int& stride : p.src_stride) stride /= unit;
  for (int& stride : p.reduced_stride) stride /= unit;
  const int team = TeamFor(request.profile, count);
  Launcher launcher("reduce");
  launcher.Spec("DIMS", outer.dims);
  launcher.Spec("REDUCED", inner.dims);
  launcher.Spec("KIND", reduction->kind);
  launcher.Spec("TEAM", team);
  launcher.Spec("GROUP", kGroup);
  launcher.Spec("VECTORS", vectors);
  launcher.Params(p);
  launcher.Src(0, 0, offsetof(ReduceKernelParams, src_at), 4 * unit);
  launcher.Dst(1, 0, offsetof(ReduceKernelParams, dst_at));
  launcher.Grid(request.profile, items * team, kGroup);
  const double bytes = BytesOf(src) + BytesOf(dst);
  offer->choices.push_back(launcher.MakeChoice(Cost(request.profile, BytesOf(src) / 4, bytes, !vectors)));
}

void ChooseSoftmax(const Request& request, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/softmax";
  const TensorDesc &src = request.src(0), &dst = request.dst();
  if (src.type != DataType::kF32) return Refuse(offer, kKernel, "src 0: type ", NameOf(src.type), ", not f32");
  const Result<SoftmaxParams> params = SoftmaxParams::From(request.call);
  if (!params.ok()) return Refuse(offer, kKernel, params.status().message());
  const int padded = PaddedAxis(dst), axis = params->axis;
  const bool pads_rows = padded >= 0 && padded != axis;
  Loops loops;
  const auto add = [&](int i) {
    const size_t k = static_cast<size_t>(i);
    Loops::Dim d;
    d.size = dst.dims[k];
    d.stride = {dst.strides[k], src.strides[k]};
    loops.AddOutermost(d);
  };
  if (pads_rows) add(padded);
  for (int i = dst.rank - 1; i >= 0; --i) {
    if (i != axis && !(pads_rows && i == padded)) add(i);
  }
  loops.SortByFirst(pads_rows);
  loops.Merge(pads_rows);
  if (loops.dims > 6) return Refuse(offer, kKernel, loops.dims, " dimensions, at most 6");
  const size_t a = static_cast<size_t>(axis);
  const int64_t size = dst.rank == 0 ? 1 : dst.dims[a];
  SoftmaxKernelParams p{};
  p.inner = static_cast<int>(loops.at(0).size);
  p.lanes = pads_rows ? static_cast<int>(RoundUp(p.inner, kVectorLanes)) : p.inner;
  p.axis_size = static_cast<int>(size);
  p.axis_lanes = padded == axis ? static_cast<int>(RoundUp(size, kVectorLanes)) : p.axis_size;
  p.src_axis = static_cast<int>(src.strides[a]);
  p.dst_axis = static_cast<int>(dst.strides[a]);
  int64_t rows = p.lanes;
  for (int d = 1; d < loops.dims; ++d) rows *= loops.at(d).size;
  p.rows = static_cast<int>(rows);
  loops.Sizes(p.size);
  loops.Strides(0, p.dst_stride);
  loops.Strides(1, p.src_stride);
  const int team = TeamFor(request.profile, size);
  Launcher launcher("softmax");
  launcher.Spec("DIMS", loops.dims);
  launcher.Spec("TEAM", team);
  launcher.Spec("GROUP", kGroup);
  launcher.Spec("LOG", params->log);
  launcher.Params(p);
  launcher.Src(0, 0, offsetof(SoftmaxKernelParams, src_at));
  launcher.Dst(1, 0, offsetof(SoftmaxKernelParams, dst_at));
  launcher.Grid(request.profile, size == 0 ? 0 : rows * team, kGroup);
  offer->choices.push_back(launcher.MakeChoice(Cost(request.profile, 4 * BytesOf(dst), 4 * BytesOf(dst), true)));
}

}  // namespace moka::gpu

// Kernels that move elements: views that must be copied, Concat, Split, Pad, Gather, Cast.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <string>

#include "gpu/choose.h"
#include "gpu/params.h"
#include "ops/concat.h"
#include "ops/gather.h"
#include "ops/pad.h"
#include "ops/slice.h"
#include "ops/split.h"

namespace moka::gpu {
namespace {

constexpr int kGroup = 64;

// Fills what every row-like kernel begins with.
template <class Params>
Params RowParams(const RowLoops& rows) {
  Params p{};
  p.items = static_cast<int>(rows.items);
  p.inner = static_cast<int>(rows.inner);
  p.lanes = static_cast<int>(rows.lanes);
  p.groups = static_cast<int>(rows.groups);
  return p;
}

double MoveCost(const Request& request) {
  double bytes = 0;
  for (const TensorDesc& dst : request.call.dst) bytes += 2 * BytesOf(dst);
  return Cost(request.profile, 0, bytes, true);
}

// src: a view of source 0 in the shape of dst, `first` elements into it.
void OfferCopy(const Request& request, const TensorDesc& src, int64_t first, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/copy";
  const TensorDesc& dst = request.dst();
  const int words = WordsOf(dst.type);
  RowLoops rows;
  if (!MakeRowLoops(dst, {{dst.strides, words}, {src.strides, words}}, 0, &rows)) {
    return Refuse(offer, kKernel, "dst: padding lanes of two-word elements that do not lie one after the other");
  }
  CopyParams p = RowParams<CopyParams>(rows);
  if (rows.loops.dims > 8) return Refuse(offer, kKernel, rows.loops.dims, " dimensions, at most 8");
  p.src_first = static_cast<int>(first * words);
  rows.loops.Sizes(p.size);
  rows.loops.Strides(0, p.dst_stride);
  rows.loops.Strides(1, p.src_stride);
  Launcher launcher("copy");
  launcher.Spec("DIMS", rows.loops.dims);
  launcher.Params(p);
  launcher.Src(0, 0, offsetof(CopyParams, src_at));
  launcher.Dst(1, 0, offsetof(CopyParams, dst_at));
  launcher.Grid(request.profile, rows.items, kGroup);
  offer->choices.push_back(launcher.MakeChoice(MoveCost(request)));
}

void OfferReshape(const Request& request, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/reshape";
  const TensorDesc &src = request.src(0), &dst = request.dst();
  const int words = WordsOf(dst.type);
  if (words != 1) return Refuse(offer, kKernel, "elements of two words between layouts that no strides join");
  const TensorDesc number = MakeDense(dst.type, dst.shape()), plain = MakeDense(src.type, src.shape());
  RowLoops to;
  if (!MakeRowLoops(dst, {{dst.strides}, {number.strides}}, 0, &to)) {
    return Refuse(offer, kKernel, "dst: padding lanes cannot be reached");
  }
  // Source dimensions in row-major order: operand 0 counts the elements.
  Loops from;
  for (int i = src.rank - 1; i >= 0; --i) {
    Loops::Dim d;
    d.size = src.dims[static_cast<size_t>(i)];
    d.stride[0] = plain.strides[static_cast<size_t>(i)];
    d.stride[1] = src.strides[static_cast<size_t>(i)];
    from.AddOutermost(d);
  }
  from.Merge(false);
  if (to.loops.dims > 5 || from.dims > 5) return Refuse(offer, kKernel, "more than 5 dimensions");
  ReshapeParams p = RowParams<ReshapeParams>(to);
  to.loops.Sizes(p.size);
  to.loops.Strides(0, p.dst_stride);
  to.loops.Strides(1, p.number_stride);
  for (size_t i = 0; i < 4; ++i) p.src_size[i] = static_cast<int>(from.dim[i].size);
  from.Strides(1, p.src_stride);
  Launcher launcher("reshape");
  launcher.Spec("DIMS", to.loops.dims);
  launcher.Spec("SRC_DIMS", from.dims);
  launcher.Params(p);
  launcher.Src(0, 0, offsetof(ReshapeParams, src_at));
  launcher.Dst(1, 0, offsetof(ReshapeParams, dst_at));
  launcher.Grid(request.profile, to.items, kGroup);
  offer->choices.push_back(launcher.MakeChoice(MoveCost(request)));
}

bool RefuseType(std::string_view kernel, DataType type, Offer* offer) {
  if (WordsOf(type) != 0) return false;
  Refuse(offer, kernel, "type ", NameOf(type), " is not made of 4-byte words");
  return true;
}

}  // namespace

void ChooseCopy(const Request& request, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/copy";
  if (RefuseType(kKernel, request.dst().type, offer)) return;
  const OpCall& call = request.call;
  TensorDesc view = request.src(0);
  int64_t first = 0;
  if (std::string_view(call.op->name) == "Slice") {  // as a view only where steps are positive, as a copy always
    const Result<SliceParams> slice = SliceParams::From(call);
    if (!slice.ok()) return Refuse(offer, kKernel, slice.status().message());
    slice->Part(call, &view, &first);
  } else if (call.op->view != nullptr && !call.op->view(call, 0, &view, &first)) {
    if (view.NumElements() == request.dst().NumElements()) return OfferReshape(request, offer);
    return Refuse(offer, kKernel, "no strides describe the result");
  }
  // moka.Copy and Expand have no view; nothing is repeated where the shapes are equal.
  if (!BroadcastView(view, request.dst().shape(), &view)) return Refuse(offer, kKernel, "src does not fit dst");
  OfferCopy(request, view, first, offer);
}

void ChooseConcat(const Request& request, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/concat";
  constexpr int kMaxParts = 7;
  const TensorDesc& dst = request.dst();
  if (RefuseType(kKernel, dst.type, offer)) return;
  const Result<ConcatParams> concat = ConcatParams::From(request.call);
  if (!concat.ok()) return Refuse(offer, kKernel, concat.status().message());
  const int parts = static_cast<int>(request.call.src.size()), words = WordsOf(dst.type);
  if (parts > kMaxParts) return Refuse(offer, kKernel, parts, " sources, at most ", kMaxParts);
  const std::array<int64_t, kMaxRank>* strides[kMaxParts];
  for (int k = 0; k < kMaxParts; ++k) strides[k] = &request.src(k < parts ? k : 0).strides;
  RowLoops rows;
  const bool ok = MakeRowLoops(dst,
                               {{dst.strides, words},
                                {*strides[0], words},
                                {*strides[1], words},
                                {*strides[2], words},
                                {*strides[3], words},
                                {*strides[4], words},
                                {*strides[5], words},
                                {*strides[6], words}},
                               uint32_t{1} << concat->axis, &rows);
  if (!ok) return Refuse(offer, kKernel, "dst: padding lanes of two-word elements");
  const Loops& loops = rows.loops;
  const int axis = loops.FindAxis(concat->axis);
  if (loops.dims > 4) return Refuse(offer, kKernel, loops.dims, " dimensions, at most 4");
  ConcatKernelParams p = RowParams<ConcatKernelParams>(rows);
  loops.Sizes(p.size);
  loops.Strides(0, p.dst_stride);
  Launcher launcher("concat");
  int64_t end = 0;
  for (int k = 0; k < parts; ++k) {
    end += request.src(k).dims[static_cast<size_t>(concat->axis)];
    p.end[k] = static_cast<int>(end);
    for (int d = 0; d < loops.dims; ++d) {
      launcher.Spec(StrCat("S", k, "_", d), loops.at(d).stride[static_cast<size_t>(k + 1)]);
    }
    launcher.Src(k, k, offsetof(ConcatKernelParams, part_at) + 4 * static_cast<size_t>(k));
  }
  launcher.Dst(kMaxParts, 0, offsetof(ConcatKernelParams, dst_at));
  launcher.BindRest(0);
  launcher.Spec("DIMS", loops.dims);
  launcher.Spec("AXIS", axis);
  launcher.Spec("PARTS", parts);
  launcher.Params(p);
  launcher.Grid(request.profile, rows.items, kGroup);
  offer->choices.push_back(launcher.MakeChoice(MoveCost(request)));
}

void ChooseSplit(const Request& request, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/split";
  constexpr int kMaxParts = 4;
  const TensorDesc& src = request.src(0);
  const Result<SplitParams> split = SplitParams::From(request.call);
  if (!split.ok()) return Refuse(offer, kKernel, split.status().message());
  const int parts = static_cast<int>(request.call.dst.size()), words = WordsOf(src.type);
  if (words != 1) return Refuse(offer, kKernel, "type ", NameOf(src.type), " is not one 4-byte word");
  if (parts > kMaxParts) return Refuse(offer, kKernel, parts, " results, at most ", kMaxParts);
  SplitKernelParams p{};
  Launcher launcher("split");
  int64_t items = 0, first = 0;
  int padded_parts = 0, whole_parts = 0, axis = -1, dims = 1;
  for (int k = 0; k < parts; ++k) {
    const TensorDesc& dst = request.dst(k);
    const int64_t along = dst.dims[static_cast<size_t>(split->axis)];
    RowLoops rows;
    MakeRowLoops(dst, {{dst.strides}, {src.strides}}, uint32_t{1} << split->axis, &rows);
    const Loops& loops = rows.loops;
    if (loops.dims > 5) return Refuse(offer, kKernel, "dst ", k, ": ", loops.dims, " dimensions, at most 5");
    if (loops.at(0).size > 1 && loops.at(0).stride[0] != 1) {
      return Refuse(offer, kKernel, "dst ", k, ": stride of the innermost dimension is not 1");
    }
    const int at = loops.FindAxis(split->axis);
    for (int d = 0; d < 5; ++d) {
      const int size = d == at ? 1 : static_cast<int>(loops.at(d).size);
      const int stride = static_cast<int>(loops.at(d).stride[1]);
      if (k > 0 && along > 0 && (at != axis || size != p.size[d] || stride != p.src_stride[d])) {
        return Refuse(offer, kKernel, "dst ", k, " lies unlike dst 0");
      }
      if (k == 0) p.size[d] = size;
      if (k == 0) p.src_stride[d] = stride;
      if (d > 0) launcher.Spec(StrCat("S", k, "_", d), loops.at(d).stride[0]);
    }
    if (k == 0) axis = at;
    dims = std::max(dims, loops.dims);
    if (rows.inner % kVectorLanes != 0) ++(rows.lanes != rows.inner ? padded_parts : whole_parts);
    items += rows.items;
    p.end[k] = static_cast<int>(items);
    p.along[k] = static_cast<int>(along);
    p.src_first[k] = static_cast<int>(first * src.strides[static_cast<size_t>(split->axis)]);
    launcher.Dst(1 + k, k, offsetof(SplitKernelParams, part_at) + 4 * static_cast<size_t>(k));
    first += along;
  }
  if (padded_parts > 0 && whole_parts > 0) return Refuse(offer, kKernel, "only some results have padding lanes");
  p.items = static_cast<int>(items);
  launcher.Src(0, 0, offsetof(SplitKernelParams, src_at));
  launcher.BindRest(1);
  launcher.Spec("DIMS", dims);
  launcher.Spec("AXIS", axis);
  launcher.Spec("PARTS", parts);
  launcher.Spec("PADDED", padded_parts > 0);
  launcher.Params(p);
  launcher.Grid(request.profile, items, kGroup);
  offer->choices.push_back(launcher.MakeChoice(MoveCost(request)));
}

void ChoosePad(const Request& request, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/pad";
  const TensorDesc &src = request.src(0), &dst = request.dst();
  if (RefuseType(kKernel, dst.type, offer)) return;
  const Result<PadParams> pad = PadParams::From(request.call);
  if (!pad.ok()) return Refuse(offer, kKernel, pad.status().message());
  const int words = WordsOf(dst.type);
  uint32_t pinned = 0;
  for (int i = 0; i < dst.rank; ++i) {
    const size_t k = static_cast<size_t>(i);
    if (pad->begin[k] != 0 || pad->end[k] != 0) pinned |= uint32_t{1} << i;
  }
  RowLoops rows;
  if (!MakeRowLoops(dst, {{dst.strides, words}, {src.strides, words}}, pinned, &rows)) {
    return Refuse(offer, kKernel, "dst: padding lanes of two-word elements");
  }
  if (rows.loops.dims > 5) return Refuse(offer, kKernel, rows.loops.dims, " dimensions, at most 5");
  PadKernelParams p = RowParams<PadKernelParams>(rows);
  rows.loops.Sizes(p.size);
  rows.loops.Strides(0, p.dst_stride);
  rows.loops.Strides(1, p.src_stride);
  for (int d = 0; d < 5; ++d) {
    const Loops::Dim& dim = rows.loops.at(d);
    p.src_size[d] = static_cast<int>(dim.pinned ? src.dims[static_cast<size_t>(dim.axis)] : dim.size);
    p.begin[d] = static_cast<int>(dim.pinned ? pad->begin[static_cast<size_t>(dim.axis)] : 0);
  }
  if (dst.type == DataType::kF32) {
    p.value = std::bit_cast<int32_t>(static_cast<float>(pad->value));
  } else {
    p.value = static_cast<int32_t>(pad->value);
  }
  if (words == 2 && (!pad->value_known || (pad->value != 0 && !(dst.type == DataType::kI64 && pad->value == -1)))) {
    return Refuse(offer, kKernel, "a constant of two words that differ");
  }
  Launcher launcher("pad");
  launcher.Spec("DIMS", rows.loops.dims);
  launcher.Spec("MODE", static_cast<int>(pad->mode));
  launcher.Spec("VALUE", pad->value_known ? 0 : 1);
  launcher.Params(p);
  launcher.Src(0, 0, offsetof(PadKernelParams, src_at));
  if (!pad->value_known) launcher.Src(1, 2, offsetof(PadKernelParams, value_at));
  launcher.Dst(2, 0, offsetof(PadKernelParams, dst_at));
  launcher.BindRest(0);
  launcher.Grid(request.profile, rows.items, kGroup);
  offer->choices.push_back(launcher.MakeChoice(MoveCost(request)));
}

void ChooseGather(const Request& request, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/gather";
  const TensorDesc &src = request.src(0), &indices = request.src(1), &dst = request.dst();
  if (RefuseType(kKernel, dst.type, offer)) return;
  const Result<GatherParams> gather = GatherParams::From(request.call);
  if (!gather.ok()) return Refuse(offer, kKernel, gather.status().message());
  const int words = WordsOf(dst.type), index_words = WordsOf(indices.type);
  // Strides of the data and of the indices in the shape of dst, in words.
  std::array<int64_t, kMaxRank> from{}, at{};
  for (int i = 0; i < dst.rank; ++i) {
    const size_t k = static_cast<size_t>(i);
    if (i < gather->axis) {
      from[k] = src.strides[k] * words;
    } else if (i < gather->axis + indices.rank) {
      at[k] = indices.strides[static_cast<size_t>(i - gather->axis)] * index_words;
    } else {
      from[k] = src.strides[static_cast<size_t>(i - indices.rank + 1)] * words;
    }
  }
  if (words == 2) return Refuse(offer, kKernel, "type ", NameOf(dst.type), " has two words");
  RowLoops rows;
  MakeRowLoops(dst, {{dst.strides}, {from}, {at}}, 0, &rows);
  if (rows.loops.dims > 5) return Refuse(offer, kKernel, rows.loops.dims, " dimensions, at most 5");
  GatherKernelParams p = RowParams<GatherKernelParams>(rows);
  rows.loops.Sizes(p.size);
  rows.loops.Strides(0, p.dst_stride);
  rows.loops.Strides(1, p.src_stride);
  rows.loops.Strides(2, p.index_stride);
  p.axis_size = static_cast<int>(src.dims[static_cast<size_t>(gather->axis)]);
  p.axis_stride = static_cast<int>(src.strides[static_cast<size_t>(gather->axis)]);
  Launcher launcher("gather");
  launcher.Spec("DIMS", rows.loops.dims);
  launcher.Params(p);
  launcher.Src(0, 0, offsetof(GatherKernelParams, src_at));
  launcher.Src(1, 1, offsetof(GatherKernelParams, index_at));
  launcher.Dst(2, 0, offsetof(GatherKernelParams, dst_at));
  launcher.Grid(request.profile, rows.items, kGroup);
  offer->choices.push_back(launcher.MakeChoice(MoveCost(request)));
}

void ChooseCast(const Request& request, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/cast";
  const TensorDesc &src = request.src(0), &dst = request.dst();
  const auto code = [](DataType type) {
    switch (type) {
      case DataType::kF32:
        return 0;
      case DataType::kI32:
        return 1;
      case DataType::kI64:
        return 2;
      case DataType::kBool:
        return 3;
      default:
        return -1;
    }
  };
  if (code(src.type) < 0) return Refuse(offer, kKernel, "src 0: type ", NameOf(src.type));
  if (code(dst.type) < 0 || dst.type == DataType::kBool) return Refuse(offer, kKernel, "dst: type ", NameOf(dst.type));
  if (!SameShape(src, dst)) return Refuse(offer, kKernel, "src and dst differ in shape");
  // In words, of bool in bytes.
  std::array<int64_t, kMaxRank> from = src.strides, to = dst.strides;
  for (int64_t& stride : from) stride *= src.type == DataType::kI64 ? 2 : 1;
  for (int64_t& stride : to) stride *= dst.type == DataType::kI64 ? 2 : 1;
  RowLoops rows;
  MakeRowLoops(dst, {{to}, {from}}, 0, &rows);
  if (rows.loops.dims > 8) return Refuse(offer, kKernel, rows.loops.dims, " dimensions, at most 8");
  CastParams p = RowParams<CastParams>(rows);
  rows.loops.Sizes(p.size);
  rows.loops.Strides(0, p.dst_stride);
  rows.loops.Strides(1, p.src_stride);
  Launcher launcher("cast");
  launcher.Spec("DIMS", rows.loops.dims);
  launcher.Spec("FROM", code(src.type));
  launcher.Spec("TO", code(dst.type));
  launcher.Params(p);
  launcher.Src(0, 0, offsetof(CastParams, src_at), src.type == DataType::kBool ? 1 : 4);
  launcher.Dst(1, 0, offsetof(CastParams, dst_at));
  launcher.Grid(request.profile, rows.items, kGroup);
  offer->choices.push_back(launcher.MakeChoice(MoveCost(request)));
}

}  // namespace moka::gpu

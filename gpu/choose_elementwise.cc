// moka.Elementwise (micro-programs alone) and BatchNormalization whose statistics are not constant.
#include <cstddef>

#include "gpu/choose.h"
#include "gpu/epilogue.h"
#include "gpu/params.h"
#include "ops/batch_normalization.h"

namespace moka::gpu {
namespace {

constexpr int kGroup = 64;

// Sources that dst may overwrite: the kernel reads an element only where it writes it.
uint32_t InPlace(const OpCall& call) {
  uint32_t mask = 0;
  for (size_t i = 0; i < call.src.size() && i < 32; ++i) {
    const TensorDesc &src = call.src[i], &dst = call.dst[0];
    bool same = src.type == dst.type && SameShape(src, dst);
    for (int d = 0; same && d < dst.rank; ++d) {
      same = dst.dims[static_cast<size_t>(d)] == 1 ||
             src.strides[static_cast<size_t>(d)] == dst.strides[static_cast<size_t>(d)];
    }
    if (same) mask |= uint32_t{1} << i;
  }
  return mask;
}

}  // namespace

void ChooseElementwise(const Request& request, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/micro";
  const OpCall& call = request.call;
  if (call.program == nullptr || call.program->empty()) return Refuse(offer, kKernel, "no program");
  if (request.dst().type != DataType::kF32) {
    return Refuse(offer, kKernel, "dst: type ", NameOf(request.dst().type), ", not f32");
  }
  for (size_t i = 0; i < call.src.size(); ++i) {
    if (call.src[i].present() && call.src[i].type != DataType::kF32) {
      return Refuse(offer, kKernel, "src ", i, ": type ", NameOf(call.src[i].type), ", not f32");
    }
  }
  Epilogue program(call, true);
  program.AddOperand(-1, 4);
  if (!program.AddSources(0)) return Refuse(offer, kKernel, "a source does not broadcast to dst");
  program.Layout(nullptr);
  const RowLoops& rows = program.rows();
  MicroParams p{};
  p.items = static_cast<int>(rows.items);
  p.inner = static_cast<int>(rows.inner);
  p.groups = static_cast<int>(rows.groups);
  Launcher launcher(StrCat("micro", program.suffix()));
  if (const std::string reason = program.Finish(&launcher, p.e, offsetof(MicroParams, e)); !reason.empty()) {
    return Refuse(offer, kKernel, reason);
  }
  const bool vectors = program.whole_vectors();
  launcher.Spec("VECTORS", vectors);
  launcher.Params(p);
  launcher.BindRest(4);
  launcher.Grid(request.profile, rows.items, kGroup);
  double bytes = BytesOf(request.dst());
  for (const TensorDesc& src : call.src) bytes += BytesOf(src);
  Choice choice = launcher.MakeChoice(Cost(request.profile, BytesOf(request.dst()), bytes, !vectors));
  choice.in_place = InPlace(call);
  offer->choices.push_back(std::move(choice));
}

void ChooseBatchNorm(const Request& request, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/batch_norm";
  const TensorDesc &src = request.src(0), &dst = request.dst();
  for (int i = 0; i < 5; ++i) {
    if (request.src(i).type != DataType::kF32) return Refuse(offer, kKernel, "src ", i, ": not f32");
    if (i > 0 && request.src(i).strides[0] != 1 && request.src(i).dims[0] > 1) {
      return Refuse(offer, kKernel, "src ", i, ": stride is not 1");
    }
  }
  const Result<BatchNormParams> norm = BatchNormParams::From(*request.call.attrs);
  if (!norm.ok()) return Refuse(offer, kKernel, norm.status().message());
  if (norm->training) return Refuse(offer, kKernel, "attribute 'training_mode' is 1");
  std::array<int64_t, kMaxRank> channel{};
  if (dst.rank > 1) channel[1] = 1;
  RowLoops rows;
  MakeRowLoops(dst, {{dst.strides}, {src.strides}, {channel}}, 0, &rows);
  if (rows.loops.dims > 5) return Refuse(offer, kKernel, rows.loops.dims, " dimensions, at most 5");
  BatchNormKernelParams p{};
  p.items = static_cast<int>(rows.items);
  p.inner = static_cast<int>(rows.inner);
  p.lanes = static_cast<int>(rows.lanes);
  p.groups = static_cast<int>(rows.groups);
  p.epsilon = norm->epsilon;
  rows.loops.Sizes(p.size);
  rows.loops.Strides(0, p.dst_stride);
  rows.loops.Strides(1, p.src_stride);
  rows.loops.Strides(2, p.channel_stride);
  Launcher launcher("batch_norm");
  launcher.Spec("DIMS", rows.loops.dims);
  launcher.Params(p);
  constexpr size_t kOffsets[] = {offsetof(BatchNormKernelParams, src_at), offsetof(BatchNormKernelParams, scale_at),
                                 offsetof(BatchNormKernelParams, bias_at), offsetof(BatchNormKernelParams, mean_at),
                                 offsetof(BatchNormKernelParams, var_at)};
  for (int i = 0; i < 5; ++i) launcher.Src(i, i, kOffsets[i]);
  launcher.Dst(5, 0, offsetof(BatchNormKernelParams, dst_at));
  launcher.Grid(request.profile, rows.items, kGroup);
  offer->choices.push_back(launcher.MakeChoice(Cost(request.profile, BytesOf(dst), 2 * BytesOf(dst), true)));
}

}  // namespace moka::gpu

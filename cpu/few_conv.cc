// Convolution of few input channels, as of a picture (cpu/few_line-inl.h).
#include <algorithm>

#include "cpu/depthwise.h"
#include "cpu/epilogue.h"
#include "cpu/kernel.h"
#include "cpu/pack.h"
#include "cpu/row_maps.h"
#include "ops/conv.h"

namespace moka::cpu {
namespace {

constexpr int64_t kMostChannels = 4;
constexpr double kUnitPoints = 512 << 10;  // multiply-adds of one unit, at least

struct FewLaunch {
  Epilogue epilogue;
  int64_t batch, out_h, src_image, pad_h, has_bias;
  FewLines block;  // pointers and what differs between units are set by each of them
  int64_t lines;   // of one unit
  int64_t line_blocks;

  int64_t WindowFloats() const {
    const int64_t width = (kMostFewPixels - 1) * block.stride_w + block.kernel_w;
    return RoundUp(width * block.depth * block.planes * block.kernel_h, 16);
  }
};

Status SetSource(const TensorDesc& x, FewLines* block) {
  const int64_t channels = x.dims[1];
  const bool planar = x.strides[3] == 1 || x.dims[3] == 1;
  const bool together = (channels == 1 || x.strides[1] == 1) && x.strides[3] == channels;
  if (!planar && !together) return Unsupported("src 0: stride of W is ", x.strides[3]);
  block->src_row = x.strides[2];
  block->src_plane = together ? 0 : x.strides[1];
  block->planes = together ? 1 : channels;
  block->depth = together ? channels : 1;
  block->in_h = x.dims[2];
  block->in_w = x.dims[3];
  return {};
}

Status SetWindow(const Window& window, FewLines* block, int64_t* pad_h) {
  if (window.dilations[1] != 1) return Unsupported("dilation of ", window.dilations[1]);
  block->kernel_h = window.kernel[0];
  block->kernel_w = window.kernel[1];
  block->stride_h = window.strides[0];
  block->stride_w = window.strides[1];
  block->dilation_h = window.dilations[0];
  block->pad_w = window.pads_begin[1];
  block->taps = block->kernel_w * block->depth;
  *pad_h = window.pads_begin[0];
  const int64_t step = block->stride_w * block->depth;
  if (step > 4 && step != 6 && step != 12) return Unsupported("stride of ", block->stride_w);
  return {};
}

}  // namespace

Status ChooseFew(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const ConvParams params, ConvParams::From(call));
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  if (params.rank != 2) return Unsupported(params.rank, " spatial dimensions");
  if (params.group != 1 || x.dims[1] == 0 || x.dims[1] > kMostChannels) return Unsupported(x.dims[1], " channels");
  if (y.strides[1] != 1) return Unsupported("dst: stride of C is ", y.strides[1], ", not 1");
  if (call.constants.size() < 2 || call.constants[1] == nullptr) return Unsupported("src 1: not constant");
  if (call.has_src(2) && call.src[2].strides[0] != 1) return Unsupported("src 2: stride is not 1");
  FewLaunch launch{};
  launch.batch = x.dims[0];
  launch.out_h = y.dims[2];
  launch.src_image = x.strides[0];
  launch.has_bias = call.has_src(2) ? 1 : 0;
  FewLines& block = launch.block;
  MOKA_RETURN_IF_ERROR(SetSource(x, &block));
  MOKA_RETURN_IF_ERROR(SetWindow(params.Expanded(2), &block, &launch.pad_h));
  block.out.width = y.dims[3];
  block.out.channels = y.dims[1];
  MOKA_RETURN_IF_ERROR(MakeEpilogue(call, 1, &launch.epilogue));
  const int64_t points = block.kernel_h * block.kernel_w, channels = x.dims[1];
  const auto line_work = static_cast<double>(block.out.width * block.out.channels * points * channels);
  launch.lines = std::clamp<int64_t>(static_cast<int64_t>(kUnitPoints / std::max(line_work, 1.0)), 1, launch.out_h);
  launch.line_blocks = CeilDiv(launch.out_h, launch.lines);
  const PanelSource weight = {
      {1, block.kernel_h, block.kernel_w, channels}, {points, block.kernel_w, 1, points}, points * channels, 1.0f};
  choice->packs.push_back(PanelPackSpec(1, FewWidths(kernel.simd->depthwise->lanes), weight, block.out.channels, 1, 0));
  choice->units = launch.batch * launch.line_blocks;
  choice->scratch_per_worker = static_cast<uint64_t>(launch.WindowFloats()) * sizeof(float);
  if (launch.epilogue.kind == Epilogue::kProgram) choice->scratch_per_worker += MicroScratchBytes();
  choice->rows = ConvRowMaps(call, params, launch.epilogue.micro);
  choice->cost_us = line_work * static_cast<double>(launch.batch * launch.out_h) * 2 / kFlopsPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return {};
}

void RunFewLines(const KernelArgs& args, int64_t image, int64_t first, int64_t last, int worker) {
  const auto& launch = args.Launch<FewLaunch>();
  const MicroLaunch& micro = launch.epilogue.micro;
  const int64_t width = launch.block.out.width, channels = launch.block.out.channels;
  float* scratch = args.WorkerScratch(worker);
  FewLines block = launch.block;
  block.src = args.Src(0) + image * launch.src_image;
  block.y = first * block.stride_h - launch.pad_h;
  block.weight = static_cast<const float*>(args.packs[0]);
  block.window = scratch;
  const int64_t row = (image * launch.out_h + first) * width;
  block.out = OutputOfLines(args, launch.epilogue, launch.has_bias != 0, row, last - first, width, channels);
  args.simd->depthwise->few(block);
  if (launch.epilogue.kind != Epilogue::kProgram) return;
  const float* src[kCodeMaxSources];
  for (int k = 0; k < micro.num_sources; ++k) src[k] = args.Src(micro.src_index[k]);
  args.simd->run_micro(micro, args.Dst(), src, row, row + (last - first) * width, 0, channels,
                       scratch + launch.WindowFloats());
}

void RunFew(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<FewLaunch>();
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t first = unit % launch.line_blocks * launch.lines;
    RunFewLines(args, unit / launch.line_blocks, first, std::min(first + launch.lines, launch.out_h), worker);
  }
}

}  // namespace moka::cpu

// Depthwise convolution (each channel makes one or more of its own) and convolution with groups narrower than a vector,
// channels-last.
#include "cpu/depthwise.h"

#include <algorithm>
#include <cstring>

#include "cpu/byte_product.h"
#include "cpu/epilogue.h"
#include "cpu/kernel.h"
#include "cpu/pack.h"
#include "cpu/row_maps.h"
#include "cpu/strassen.h"
#include "ops/conv.h"

namespace moka::cpu {
namespace {

constexpr std::string_view kFormat = "cpu/depthwise.2";
constexpr double kUnitPoints = 64 << 10;  // multiply-adds of one unit, at least
constexpr int64_t kSmallImage = 64;       // pixels
constexpr int64_t kManyWeights = 160 << 10;
constexpr int64_t kL1Floats = 8 << 10, kL2Floats = 256 << 10;  // of a core's caches
constexpr int64_t kFewestCached = 32;                          // channels

struct DepthwiseLaunch {
  Epilogue epilogue;
  int64_t batch, out_h, src_image;
  int64_t pad_h;
  int64_t has_bias;
  DepthwiseLines block;  // pointers and what differs between units are set by each of them
  // A unit: some lines, or all lines of some channels.
  int64_t lines, line_blocks, channels, channel_blocks;
  int64_t cached;  // channels that go through all lines of a unit before the next ones
};

// As many channels as leave what two lines read and write in the L1 cache, so that what neighbours share comes from the
// L2 cache once. All of them where those would be few (wide images come from memory, in the order in which they lie),
// in small images and in groups, which multiply more often than they read.
int64_t CachedChannels(const DepthwiseLines& line, int64_t out_h, int64_t step) {
  const int64_t reads = (line.kernel_h + line.stride_h) * line.in_w, writes = 2 * line.out.width;
  const int64_t weights = line.kernel_h * line.kernel_w;
  const int64_t channels = kL1Floats / (reads + writes + weights) / step * step;
  const bool pays = line.group == 1 && out_h * line.out.width > kSmallImage && channels >= kFewestCached;
  return pays ? channels : RoundUp(line.out.channels, step);
}

Status ChooseLines(const Kernel& kernel, const OpCall& call, const ConvParams& params, Choice* choice) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  if (params.rank > 2) return Unsupported(params.rank, " spatial dimensions");
  if (x.strides[1] != 1) return Unsupported("src 0: stride of C is ", x.strides[1], ", not 1");
  if (y.strides[1] != 1) return Unsupported("dst: stride of C is ", y.strides[1], ", not 1");
  if (call.constants.size() < 2 || call.constants[1] == nullptr) return Unsupported("src 1: not constant");
  if (call.has_src(2) && call.src[2].strides[0] != 1) return Unsupported("src 2: stride is not 1");
  const Window window = params.Expanded(2);
  const size_t h = 2, w = params.rank == 2 ? 3 : 2;  // dimensions of height and width
  const bool flat = params.rank == 1;
  DepthwiseLaunch launch{};
  launch.batch = x.dims[0];
  launch.out_h = flat ? 1 : y.dims[h];
  launch.src_image = x.strides[0];
  launch.pad_h = window.pads_begin[0];
  launch.has_bias = call.has_src(2) ? 1 : 0;
  DepthwiseLines& line = launch.block;
  line.in_h = flat ? 1 : x.dims[h];
  line.src_row = flat ? 0 : x.strides[h];
  line.src_pixel = x.strides[w];
  line.in_w = x.dims[w];
  line.kernel_h = window.kernel[0];
  line.kernel_w = window.kernel[1];
  line.stride_h = window.strides[0];
  line.stride_w = window.strides[1];
  line.dilation_h = window.dilations[0];
  line.dilation_w = window.dilations[1];
  line.pad_w = window.pads_begin[1];
  line.group = call.src[1].dims[1];
  line.repeat = y.dims[1] / x.dims[1];
  line.out.width = y.dims[w];
  line.out.channels = y.dims[1];
  MOKA_RETURN_IF_ERROR(MakeEpilogue(call, 1, &launch.epilogue));
  const int lanes = kernel.simd->depthwise->lanes;
  const int64_t vectors = CeilDiv(line.out.channels, lanes), step = lanes * line.repeat;  // units start at an input
  const int64_t points = line.kernel_h * line.kernel_w * line.group;
  const auto line_work = static_cast<double>(line.out.width * line.out.channels * points);
  const int64_t pairs = std::max<int64_t>(static_cast<int64_t>(kUnitPoints / std::max(line_work, 1.0)) / 2, 1);
  launch.lines = std::clamp<int64_t>(2 * pairs, 1, launch.out_h);
  launch.cached = CachedChannels(line, launch.out_h, step);
  if (launch.cached < line.out.channels) {  // the more lines, the more is read once
    const int64_t share = RoundUp(CeilDiv(launch.out_h, kernel.workers), 2);
    launch.lines = std::clamp(share, launch.lines, launch.out_h);
  }
  launch.channels = line.out.channels;
  // Of small images workers share the channels, as they do in products around them.
  if (kernel.workers > 1 && launch.out_h * line.out.width <= kSmallImage && vectors >= 2 * kernel.workers) {
    launch.lines = launch.out_h;
    launch.channels = RoundUp(CeilDiv(line.out.channels, kernel.workers), step);
  }
  // Weights that would not stay in the L2 cache meet all lines, a block of channels at a time.
  if (line.out.channels * points > kManyWeights) {
    launch.lines = launch.out_h;
    launch.channels = std::min(launch.channels, RoundUp(kManyWeights / 2 / points, step));
  }
  launch.line_blocks = CeilDiv(launch.out_h, launch.lines);
  launch.channel_blocks = CeilDiv(line.out.channels, launch.channels);
  PackSpec spec;
  spec.src = 1;
  spec.format = kFormat;
  spec.params = {line.out.channels, line.group, line.kernel_h, line.kernel_w, lanes};
  spec.bytes = static_cast<uint64_t>(vectors * lanes * points) * sizeof(float);
  choice->packs.push_back(spec);
  choice->units = launch.batch * launch.line_blocks * launch.channel_blocks;
  choice->in_place = InPlace(call, launch.epilogue);
  choice->rows = ConvRowMaps(call, params, launch.epilogue.micro);
  if (launch.epilogue.kind == Epilogue::kProgram) choice->scratch_per_worker = MicroScratchBytes();
  choice->cost_us = line_work * static_cast<double>(launch.batch * launch.out_h) * 2 / (kFlopsPerMicrosecond / 2);
  choice->launch = Blob::Of(launch);
  return {};
}

Status ChooseDepthwise(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const ConvParams params, ConvParams::From(call));
  if (!params.Depthwise(call)) return Unsupported("not depthwise");
  return ChooseLines(kernel, call, params, choice);
}

Status ChooseGrouped(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const ConvParams params, ConvParams::From(call));
  const int64_t group = call.src[1].dims[1], lanes = kernel.simd->depthwise->lanes;
  if (params.group < 2 || group < 2 || group > lanes || lanes % group != 0) {
    return Unsupported("not groups of 2 to ", lanes, " channels, a power of 2");
  }
  if (call.dst[0].dims[1] != call.src[0].dims[1]) {
    return Unsupported("groups of ", group, " inputs have other numbers of outputs");
  }
  return ChooseLines(kernel, call, params, choice);
}

// Channels [begin, end) of lines [first, last), without the program. `ring`: of a chain, where the lines that follow do
// not exist yet.
void RunCached(const KernelArgs& args, int64_t image, int64_t first, int64_t last, int64_t begin, int64_t end,
               bool ring) {
  const auto& launch = args.Launch<DepthwiseLaunch>();
  const int64_t width = launch.block.out.width;
  DepthwiseLines block = launch.block;
  block.src = args.Src(0) + image * launch.src_image + begin / block.repeat;
  block.y = first * block.stride_h - launch.pad_h;
  block.ahead = !ring && block.in_h * block.src_row > kL2Floats;
  block.weight = static_cast<const float*>(args.packs[0]) + begin * block.kernel_h * block.kernel_w * block.group;
  block.out = OutputOfLines(args, launch.epilogue, launch.has_bias != 0, (image * launch.out_h + first) * width,
                            last - first, width, end - begin);
  block.out.dst += begin;
  if (block.out.bias != nullptr) block.out.bias += begin;
  if (block.out.residual != nullptr) block.out.residual += begin;
  (block.group == 1 ? args.simd->depthwise->lines : args.simd->depthwise->grouped)(block);
}

// The same, a part of the channels after the other, and then the program.
void RunChannels(const KernelArgs& args, int64_t image, int64_t first, int64_t last, int64_t begin, int64_t end,
                 bool ring, int worker) {
  const auto& launch = args.Launch<DepthwiseLaunch>();
  const MicroLaunch& micro = launch.epilogue.micro;
  for (int64_t c = begin; c < end; c += launch.cached) {
    RunCached(args, image, first, last, c, std::min(c + launch.cached, end), ring);
  }
  if (launch.epilogue.kind != Epilogue::kProgram) return;
  const int64_t width = launch.block.out.width;
  const float* src[kCodeMaxSources];
  for (int k = 0; k < micro.num_sources; ++k) src[k] = args.Src(micro.src_index[k]);
  args.simd->run_micro(micro, args.Dst(), src, (image * launch.out_h + first) * width,
                       (image * launch.out_h + last) * width, begin, end, args.WorkerScratch(worker));
}

void RunLines(const KernelArgs& args, int64_t image, int64_t first, int64_t last, int worker) {
  RunChannels(args, image, first, last, 0, args.Launch<DepthwiseLaunch>().block.out.channels, true, worker);
}

void RunDepthwise(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<DepthwiseLaunch>();
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t channel = unit % launch.channel_blocks * launch.channels, block = unit / launch.channel_blocks;
    const int64_t first = block % launch.line_blocks * launch.lines;
    RunChannels(args, block / launch.line_blocks, first, std::min(first + launch.lines, launch.out_h), channel,
                std::min(channel + launch.channels, launch.block.out.channels), false, worker);
  }
}

Status PackDepthwise(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) {
  const int64_t channels = spec.params[0], group = spec.params[1], height = spec.params[2], width = spec.params[3];
  const int64_t lanes = spec.params[4], vectors = CeilDiv(channels, lanes);
  const int64_t points = group * height * width;
  if (dst.size() != static_cast<uint64_t>(vectors * lanes * points) * sizeof(float)) return Internal("pack ", kFormat);
  std::memset(dst.data(), 0, dst.size());
  const auto* from = static_cast<const std::byte*>(src.data);
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t k = 0; k < group; ++k) {
      const int64_t input = group == lanes ? k : c % group ^ k;
      for (int64_t y = 0; y < height; ++y) {
        for (int64_t x = 0; x < width; ++x) {
          const int64_t to = (c / lanes * points + (y * group + k) * width + x) * lanes + c % lanes;
          std::memcpy(dst.data() + to * 4, from + (c * points + (input * height + y) * width + x) * 4, 4);
        }
      }
    }
  }
  return {};
}

}  // namespace

LineOutput OutputOfLines(const KernelArgs& args, const Epilogue& epilogue, bool bias, int64_t row, int64_t lines,
                         int64_t width, int64_t channels) {
  const MicroLaunch& micro = epilogue.micro;
  LineOutput out{};
  out.bias = bias ? args.Src(2) : nullptr;
  out.lo = epilogue.lo;
  out.hi = epilogue.hi;
  out.lines = lines;
  out.width = width;
  out.channels = channels;
  const auto step = [&](const auto& operand, int64_t rows, bool several) {
    return several ? RowOffset(micro, operand, row + rows) - RowOffset(micro, operand, row) : 0;
  };
  out.dst = args.Dst() + RowOffset(micro, micro.dst, row);
  out.line = step(micro.dst, width, lines > 1);
  out.pixel = step(micro.dst, 1, width > 1);
  if (const int k = epilogue.residual; k >= 0) {
    out.residual = args.Src(micro.src_index[k]) + RowOffset(micro, micro.src[k], row);
    out.residual_line = step(micro.src[k], width, lines > 1);
    out.residual_pixel = step(micro.src[k], 1, width > 1);
  }
  return out;
}

std::span<const KernelRow> DepthwiseRows() {
  static constexpr KernelRow kRows[] = {{"Conv", "depthwise", &ChooseDepthwise, &RunDepthwise, true, false, &RunLines},
                                        {"Conv", "conv_grouped", &ChooseGrouped, &RunDepthwise, true, false, &RunLines},
                                        {"Conv", "conv_few", &ChooseFew, &RunFew, true, false, &RunFewLines}};
  return kRows;
}

std::span<const PackFormat> PackFormats() {
  static constexpr PackFormat kFormats[] = {
      {"cpu/panels.2", &PackPanels},          {kTransposedPanels, &PackTransposedPanels},
      {kWinogradPanels, &PackWinograd},       {kFormat, &PackDepthwise},
      {"cpu/byte_panels.2", &PackBytePanels}, {"cpu/byte_depthwise.1", &PackByteDepthwise},
      {kBf16Panels, &PackBf16Panels},         {kPairedPanels, &PackPairedPanels}};
  return kFormats;
}

}  // namespace moka::cpu

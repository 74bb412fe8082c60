// Convolution as an implicit GEMM: a row of A is one output pixel, its columns are the kernel's points times channels.
//
// Nothing is gathered per pixel. A unit of work (some output lines of one image and group) first copies the inputs it
// reads into a slab [depth][height][width][channels] with the padding as zeros; there every output pixel finds its
// inputs at one base pointer plus offsets that are the same for all pixels, and the points of a kernel row are
// contiguous (without dilation). So padding, groups, 1D and 3D, and sources in any layout (the first layer reads the
// caller's row-major picture) need no kernels of their own. Copying costs one load and store per input against
// 2 * kernel * outputs operations. Without padding the slab is left out and the source is read in place.
#include "ops/conv.h"

#include <algorithm>
#include <array>

#include "cpu/epilogue.h"
#include "cpu/kernel.h"
#include "cpu/pack.h"
#include "cpu/slab.h"

namespace moka::cpu {
namespace {

constexpr int64_t kSlabFloats = 64 << 10;     // of one unit's inputs
constexpr int64_t kSmallWeights = 512 << 10;  // bytes that stay in the L2 cache while lines go by
constexpr int64_t kMaxPixels = 512;           // of one unit
constexpr int64_t kManyPixels = 192;          // enough to read large weights seldom
constexpr double kUnitFlops = 8e6;
constexpr int64_t kUnits = 16;  // wanted where there is enough work
constexpr int kMaxSegments = 512;

struct Dims3 {
  int64_t d, h, w;
};

struct ConvLaunch {
  Epilogue epilogue;
  int64_t batch, groups, channels, outputs;  // channels and outputs of one group
  Dims3 in, out, kernel, stride, dilation, pad;
  int64_t src_n, src_c;
  Dims3 src;         // strides
  int32_t in_place;  // the source is read where it is
  int32_t packed;    // the weights come from the pack
  int32_t bias;      // source, or -1
  PanelSource weight;
  int64_t weight_group;  // elements between groups in the weight
  // A unit: `lines` output rows of at most `cols` pixels, one group, some panels.
  int64_t lines, line_blocks, cols, col_blocks, panels, panels_per_unit, panel_blocks;

  int64_t K() const { return weight.K(); }
  Dims3 SlabDims(int64_t lines_now, int64_t cols_now) const {
    return {(kernel.d - 1) * dilation.d + 1, (lines_now - 1) * stride.h + (kernel.h - 1) * dilation.h + 1,
            (cols_now - 1) * stride.w + (kernel.w - 1) * dilation.w + 1};
  }
  int64_t SlabFloats() const {
    if (in_place != 0) return 0;
    const Dims3 slab = SlabDims(lines, cols);
    return kernel.d * slab.h * slab.w * channels;  // only the planes that are read
  }
};

struct Scratch {
  int64_t slab, panel, micro, floats;

  Scratch(const ConvLaunch& launch, const TileTable& table) {
    slab = RoundUp(3 * launch.lines * launch.cols * static_cast<int64_t>(sizeof(void*) / sizeof(float)), 16);
    panel = slab + RoundUp(launch.SlabFloats(), 16);
    micro = panel + (launch.packed != 0 ? 0 : table.panel() * launch.K());
    floats =
        micro +
        (launch.epilogue.kind == Epilogue::kProgram ? static_cast<int64_t>(MicroScratchBytes() / sizeof(float)) : 0);
  }
};

Dims3 Spatial(const TensorDesc& desc, bool strides) {
  Dims3 result = strides ? Dims3{0, 0, 0} : Dims3{1, 1, 1};
  int64_t* const targets[] = {&result.d, &result.h, &result.w};
  const int rank = desc.rank - 2;
  for (int i = 0; i < rank; ++i) {
    const auto d = static_cast<size_t>(2 + i);
    *targets[3 - rank + i] = strides ? desc.strides[d] : desc.dims[d];
  }
  return result;
}

Dims3 ToDims3(const std::array<int64_t, kMaxSpatial>& a) { return {a[0], a[1], a[2]}; }

void ChooseBlocks(const TileTable& table, ConvLaunch* launch) {
  const int64_t k = launch->K(), n = launch->outputs;
  launch->panels = NumPanels(table, n);
  launch->col_blocks = CeilDiv(launch->out.w, kMaxPixels);
  launch->cols = CeilDiv(launch->out.w, launch->col_blocks);
  const double pixel_flops = 2.0 * static_cast<double>(k * n);
  const double total = pixel_flops * static_cast<double>(launch->batch * launch->groups) *
                       static_cast<double>(launch->out.d * launch->out.h * launch->out.w);
  int64_t pixels = kManyPixels;
  if (k * n * static_cast<int64_t>(sizeof(float)) <= kSmallWeights) {
    const double wanted = std::max(kUnitFlops, std::min(2 * kUnitFlops, total / kUnits));
    pixels = static_cast<int64_t>(std::min(wanted / pixel_flops, static_cast<double>(kMaxPixels)));
  }
  launch->lines = std::clamp<int64_t>(CeilDiv(pixels, launch->cols), 1, launch->out.h);
  while (launch->lines > 1 && launch->SlabFloats() > kSlabFloats) --launch->lines;
  launch->line_blocks = CeilDiv(launch->out.h, launch->lines);
  launch->lines = CeilDiv(launch->out.h, launch->line_blocks);
  while (launch->SlabFloats() > kSlabFloats && launch->cols > 2 * kMaxTileRows) {
    launch->cols = CeilDiv(launch->out.w, ++launch->col_blocks);
  }
  const int64_t blocks = launch->batch * launch->groups * launch->out.d * launch->line_blocks * launch->col_blocks;
  const int64_t by_count = CeilDiv(kUnits, blocks);
  const auto by_work = static_cast<int64_t>(total / static_cast<double>(blocks) / (kUnitFlops / 4));
  launch->panel_blocks = std::clamp<int64_t>(std::min(by_count, by_work), 1, launch->panels);
  launch->panels_per_unit = CeilDiv(launch->panels, launch->panel_blocks);
  launch->panel_blocks = CeilDiv(launch->panels, launch->panels_per_unit);
}

// True where a pixel's inputs can be read from the source: no padding, channels side by side.
bool CanReadInPlace(const ConvLaunch& launch, const ConvParams& params) {
  return !params.Padded() && (launch.src_c == 1 || launch.channels == 1);
}

int NumSegments(const ConvLaunch& launch, bool row_contiguous) {
  return static_cast<int>(launch.kernel.d * launch.kernel.h * (row_contiguous ? 1 : launch.kernel.w));
}

// True where the inputs of one kernel row are contiguous for strides of the pixels.
bool RowContiguous(const ConvLaunch& launch, int64_t pixel_stride) {
  return launch.kernel.w == 1 || (launch.dilation.w == 1 && pixel_stride == launch.channels);
}

Status ChooseConv(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const ConvParams params, ConvParams::From(call));
  const TensorDesc &x = call.src[0], &w = call.src[1], &y = call.dst[0];
  if (y.dims[1] != 1 && y.strides[1] != 1) return Unsupported("dst: stride of C is ", y.strides[1], ", not 1");
  if (call.has_src(2) && call.src[2].strides[0] != 1 && y.dims[1] != 1) return Unsupported("src 2: stride is not 1");
  ConvLaunch launch{};
  const Window window = params.Expanded(kMaxSpatial);
  launch.batch = x.dims[0];
  launch.groups = params.group;
  launch.channels = w.dims[1];
  launch.outputs = w.dims[0] / params.group;
  launch.in = Spatial(x, false);
  launch.out = Spatial(y, false);
  launch.kernel = ToDims3(window.kernel);
  launch.stride = ToDims3(window.strides);
  launch.dilation = ToDims3(window.dilations);
  launch.pad = ToDims3(window.pads_begin);
  launch.src_n = x.strides[0];
  launch.src_c = x.strides[1];
  launch.src = Spatial(x, true);
  launch.in_place = CanReadInPlace(launch, params) ? 1 : 0;
  if (NumSegments(launch, RowContiguous(launch, launch.in_place != 0 ? launch.src.w : launch.channels)) >
      kMaxSegments) {
    return Unsupported("kernel of ", params.Points(), " points");
  }
  launch.bias = call.has_src(2) ? 2 : -1;
  launch.packed = call.constants.size() > 1 && call.constants[1] != nullptr ? 1 : 0;
  const Dims3& k = launch.kernel;
  const int64_t points = k.d * k.h * k.w;
  launch.weight = {{k.d, k.h, k.w, launch.channels}, {k.h * k.w, k.w, 1, points}, points * launch.channels, 1.0f};
  launch.weight_group = launch.outputs * points * launch.channels;
  if (launch.packed == 0) {
    const Dims3 strides = Spatial(w, true);
    launch.weight = {
        {k.d, k.h, k.w, launch.channels}, {strides.d, strides.h, strides.w, w.strides[1]}, w.strides[0], 1.0f};
    launch.weight_group = launch.outputs * w.strides[0];
  }
  MOKA_RETURN_IF_ERROR(MakeEpilogue(call, 1, &launch.epilogue));
  const TileTable& table = *kernel.simd->tile;
  ChooseBlocks(table, &launch);
  if (launch.packed != 0) {
    choice->packs.push_back(PanelPackSpec(1, table, launch.weight, launch.outputs, launch.groups, launch.weight_group));
  }
  choice->units =
      launch.batch * launch.out.d * launch.line_blocks * launch.col_blocks * launch.groups * launch.panel_blocks;
  choice->scratch_per_worker = static_cast<uint64_t>(Scratch(launch, table).floats) * sizeof(float);
  choice->in_place = InPlace(call, launch.epilogue);
  const auto weights = static_cast<double>(launch.K() * launch.outputs * launch.groups);
  const auto pixels = static_cast<double>(launch.batch * launch.out.d * launch.out.h * launch.out.w);
  choice->cost_us = 2.0 * weights * pixels / kFlopsPerMicrosecond + 4.0 * weights / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return {};
}

// What of the output one unit computes.
struct Unit {
  int64_t image, plane, line, lines, col, cols, group, panel_begin, panel_end;

  Unit(const ConvLaunch& launch, int64_t index) {
    panel_begin = index % launch.panel_blocks * launch.panels_per_unit;
    panel_end = std::min(panel_begin + launch.panels_per_unit, launch.panels);
    index /= launch.panel_blocks;
    group = index % launch.groups;
    index /= launch.groups;
    col = index % launch.col_blocks * launch.cols;
    cols = std::min(launch.cols, launch.out.w - col);
    index /= launch.col_blocks;
    line = index % launch.line_blocks * launch.lines;
    lines = std::min(launch.lines, launch.out.h - line);
    index /= launch.line_blocks;
    plane = index % launch.out.d;
    image = index / launch.out.d;
  }
};

// One slab row: pixels [x, x + width) of source row (plane, y), zeros outside.
void FillRow(const ConvLaunch& launch, const float* src, int64_t plane, int64_t y, int64_t x, int64_t width,
             float* dst) {
  const bool outside = plane < 0 || plane >= launch.in.d || y < 0 || y >= launch.in.h;
  const float* row = outside ? nullptr : src + plane * launch.src.d + y * launch.src.h;
  FillSlabRow({row, launch.in.w, launch.src.w, launch.src_c, launch.channels}, x, width, dst);
}

void FillSlab(const ConvLaunch& launch, const Unit& unit, const float* src, const Dims3& slab, float* dst) {
  for (int64_t z = 0; z < launch.kernel.d; ++z) {
    const int64_t plane = unit.plane * launch.stride.d - launch.pad.d + z * launch.dilation.d;
    for (int64_t y = 0; y < slab.h; ++y, dst += slab.w * launch.channels) {
      FillRow(launch, src, plane, unit.line * launch.stride.h - launch.pad.h + y,
              unit.col * launch.stride.w - launch.pad.w, slab.w, dst);
    }
  }
}

// Where the inputs of a unit are: a base for its first pixel, strides between pixels, offsets of the kernel's points.
struct Inputs {
  const float* base;
  int64_t line_stride, pixel_stride;
  int64_t segments[kMaxSegments];
  int num_segments;
  int64_t k_len;
};

void SetSegments(const ConvLaunch& launch, int64_t plane, int64_t row, int64_t pixel, Inputs* inputs) {
  const bool whole_rows = RowContiguous(launch, pixel);
  inputs->line_stride = launch.stride.h * row;
  inputs->pixel_stride = launch.stride.w * pixel;
  inputs->k_len = launch.channels * (whole_rows ? launch.kernel.w : 1);
  inputs->num_segments = 0;
  for (int64_t z = 0; z < launch.kernel.d; ++z) {
    for (int64_t y = 0; y < launch.kernel.h; ++y) {
      for (int64_t x = 0; x < (whole_rows ? 1 : launch.kernel.w); ++x) {
        inputs->segments[inputs->num_segments++] =
            z * plane + y * launch.dilation.h * row + x * launch.dilation.w * pixel;
      }
    }
  }
}

void PrepareInputs(const KernelArgs& args, const ConvLaunch& launch, const Unit& unit, float* slab_memory,
                   Inputs* inputs) {
  const float* src = args.Src(0) + unit.image * launch.src_n + unit.group * launch.channels * launch.src_c;
  if (launch.in_place != 0) {
    SetSegments(launch, launch.dilation.d * launch.src.d, launch.src.h, launch.src.w, inputs);
    inputs->base = src + unit.plane * launch.stride.d * launch.src.d + unit.line * inputs->line_stride +
                   unit.col * inputs->pixel_stride;
    return;
  }
  const Dims3 slab = launch.SlabDims(unit.lines, unit.cols);
  FillSlab(launch, unit, src, slab, slab_memory);
  const int64_t row = slab.w * launch.channels;
  SetSegments(launch, slab.h * row, row, launch.channels, inputs);
  inputs->base = slab_memory;
}

int64_t OutputRow(const ConvLaunch& launch, const Unit& unit, int64_t line) {
  return ((unit.image * launch.out.d + unit.plane) * launch.out.h + unit.line + line) * launch.out.w + unit.col;
}

void RunEpilogue(const KernelArgs& args, const ConvLaunch& launch, const Unit& unit, float* scratch) {
  const MicroLaunch& micro = launch.epilogue.micro;
  const float* src[kCodeMaxSources];
  for (int k = 0; k < micro.num_sources; ++k) src[k] = args.Src(micro.src_index[k]);
  const TileTable& table = *args.simd->tile;
  const Panel last = PanelAt(table, launch.outputs, unit.panel_end - 1);
  const int64_t first_col = unit.group * launch.outputs;
  const int64_t begin = first_col + PanelAt(table, launch.outputs, unit.panel_begin).col;
  const int64_t end = first_col + last.col + last.cols;
  if (unit.cols == launch.out.w) {
    const int64_t row = OutputRow(launch, unit, 0);
    args.simd->run_micro(micro, args.Dst(), src, row, row + unit.lines * unit.cols, begin, end, scratch);
    return;
  }
  for (int64_t line = 0; line < unit.lines; ++line) {
    const int64_t row = OutputRow(launch, unit, line);
    args.simd->run_micro(micro, args.Dst(), src, row, row + unit.cols, begin, end, scratch);
  }
}

void RunUnit(const KernelArgs& args, const ConvLaunch& launch, const Unit& unit, const Inputs& inputs, float* scratch,
             const Scratch& layout) {
  const Epilogue& epilogue = launch.epilogue;
  const MicroLaunch& micro = epilogue.micro;
  const TileTable& table = *args.simd->tile;
  const int64_t pixels = unit.lines * unit.cols;
  auto** a = reinterpret_cast<const float**>(scratch);
  auto** dst = reinterpret_cast<float**>(scratch) + pixels;
  auto** residual = epilogue.residual >= 0 ? a + 2 * pixels : nullptr;
  for (int64_t line = 0, i = 0; line < unit.lines; ++line) {
    const int64_t row = OutputRow(launch, unit, line);
    for (int64_t x = 0; x < unit.cols; ++x, ++i) {
      a[i] = inputs.base + line * inputs.line_stride + x * inputs.pixel_stride;
      dst[i] = args.Dst() + RowOffset(micro, micro.dst, row + x);
      if (residual == nullptr) continue;
      const int k = epilogue.residual;
      residual[i] = args.Src(micro.src_index[k]) + RowOffset(micro, micro.src[k], row + x);
    }
  }
  const Block block = {&table,
                       pixels,
                       a,
                       dst,
                       residual,
                       inputs.segments,
                       inputs.num_segments,
                       inputs.k_len,
                       launch.bias >= 0 ? args.Src(launch.bias) : nullptr,
                       epilogue.lo,
                       epilogue.hi};
  const int64_t k = launch.K();
  for (int64_t p = unit.panel_begin; p < unit.panel_end; ++p) {
    const Panel panel = PanelAt(table, launch.outputs, p);
    const float* b = scratch + layout.panel;
    if (launch.packed != 0) {
      b = static_cast<const float*>(args.packs[0]) + unit.group * PackedFloats(table, k, launch.outputs) +
          panel.col * k;
    } else {
      PackPanel(args.Src(1) + unit.group * launch.weight_group, launch.weight, panel, table.lanes,
                scratch + layout.panel);
    }
    RunPanel(block, panel, b, unit.group * launch.outputs);
  }
  if (epilogue.kind == Epilogue::kProgram) RunEpilogue(args, launch, unit, scratch + layout.micro);
}

void RunConv(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<ConvLaunch>();
  const Scratch layout(launch, *args.simd->tile);
  float* scratch = args.WorkerScratch(worker);
  Inputs inputs;
  int64_t prepared = -1;
  for (int64_t index = begin; index < end; ++index) {
    const Unit unit(launch, index);
    if (prepared != index / launch.panel_blocks) {
      PrepareInputs(args, launch, unit, scratch + layout.slab, &inputs);
      prepared = index / launch.panel_blocks;
    }
    RunUnit(args, launch, unit, inputs, scratch, layout);
  }
}

}  // namespace

std::span<const KernelRow> ConvRows() {
  static constexpr KernelRow kRows[] = {{"Conv", "conv_igemm", &ChooseConv, &RunConv, true}};
  return kRows;
}

}  // namespace moka::cpu

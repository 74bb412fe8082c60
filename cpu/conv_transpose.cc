// Transposed convolution as one convolution of stride 1 for each phase of the result.
//
// With stride s the results o whose (o + pad) mod s is the same use the same taps of the kernel, every
// (s / gcd(s, dilation))-th: these results are a phase, and a phase is a convolution of stride 1 whose rows of A are
// inputs (offsets that are the same for all pixels of the phase) and whose results lie s apart. So the tiles of GEMM
// and convolution do the work, no product is computed that padding or the neighbour phases would throw away, and
// nothing is added up in memory. A 2 x 2 kernel with stride 2 is four products of pixels with a matrix each.
#include "ops/conv_transpose.h"

#include <algorithm>
#include <numeric>

#include "cpu/dot_tile.h"
#include "cpu/epilogue.h"
#include "cpu/kernel.h"
#include "cpu/pack.h"
#include "cpu/slab.h"

namespace moka::cpu {
namespace {

constexpr int64_t kSlabFloats = 64 << 10;  // of one unit's inputs
constexpr int64_t kManyPixels = 96;        // of a phase in one unit: enough to read large weights seldom
constexpr double kUnitFlops = 8e6;
constexpr int64_t kUnits = 16;  // wanted where there is enough work
constexpr int kMaxSegments = 512;
enum : size_t { kD, kH, kW };

struct ConvTransposeLaunch {
  Epilogue epilogue;
  int64_t batch, groups, channels, outputs;  // channels and outputs of one group
  int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3];
  int64_t tap_step[3];    // between the taps of a phase
  int64_t input_step[3];  // between the inputs of neighbouring taps of a phase
  int64_t src_n, src_c, src[3];
  int32_t in_place;  // the source is read where it is
  int32_t packed;    // the weights come from the pack
  int32_t bias;      // source, or -1
  int32_t dots;      // by inner products
  int64_t weight_c, weight_m, weight_k[3], weight_group;
  int64_t first_col, slab_cols;  // inputs that a row of results reads
  // A unit: `lines` rows of results of one plane, one group, some panels.
  int64_t lines, line_blocks, panels, panels_per_unit, panel_blocks;

  // The most taps that a phase has along a dimension.
  int64_t MaxTaps(size_t i) const { return CeilDiv(kernel[i], tap_step[i]); }
  int64_t MaxK() const { return MaxTaps(kD) * MaxTaps(kH) * MaxTaps(kW) * channels; }
  int64_t MaxPixels() const { return CeilDiv(lines, stride[kH]) * CeilDiv(out[kW], stride[kW]); }
  // Input rows that `count` rows of results can read.
  int64_t SlabRows(int64_t count) const { return (count - 1 + (kernel[kH] - 1) * dilation[kH]) / stride[kH] + 2; }
  int64_t SlabFloats() const { return in_place != 0 ? 0 : MaxTaps(kD) * SlabRows(lines) * slab_cols * channels; }
};

const TileTable& TilesOf(const Simd& simd, const ConvTransposeLaunch& launch) {
  return launch.dots != 0 ? *simd.dots : *simd.tile;
}

// The taps first, first + tap_step ... of result o along one dimension. They read the inputs input, input -
// input_step...
struct Phase {
  int64_t first = 0, taps = 0, input = 0;
};

int64_t TapCount(int64_t kernel, int64_t step, int64_t first) {
  return first < kernel ? CeilDiv(kernel - first, step) : 0;
}

constexpr int64_t kMaxStride = 32;

Phase PhaseOf(const ConvTransposeLaunch& launch, size_t i, int64_t o) {
  const int64_t stride = launch.stride[i], at = o + launch.pad[i];
  Phase phase;
  for (; phase.first < launch.tap_step[i]; ++phase.first) {
    const int64_t left = at - phase.first * launch.dilation[i];
    if (left % stride != 0) continue;
    phase.taps = TapCount(launch.kernel[i], launch.tap_step[i], phase.first);
    phase.input = left / stride;
    return phase;
  }
  phase.first = 0;
  return phase;
}

struct Scratch {
  int64_t slab, panel, micro, floats;

  Scratch(const ConvTransposeLaunch& launch, const TileTable& table) {
    slab = RoundUp(3 * launch.MaxPixels() * static_cast<int64_t>(sizeof(void*) / sizeof(float)), 16);
    panel = slab + RoundUp(launch.SlabFloats(), 16);
    micro = panel + (launch.packed != 0 ? 0 : table.widths.widest * launch.MaxK());
    floats =
        micro +
        (launch.epilogue.kind == Epilogue::kProgram ? static_cast<int64_t>(MicroScratchBytes() / sizeof(float)) : 0);
  }
};

// ---- Weights ------------------------------------------------------------------------------------------------------

// A block of packed weights for each phase (its first taps along the three dimensions), in the order of the phases.
struct PhasePack {
  int64_t kernel[3], step[3], channels, outputs;

  int64_t K(int64_t d, int64_t h, int64_t w) const {
    return TapCount(kernel[0], step[0], d) * TapCount(kernel[1], step[1], h) * TapCount(kernel[2], step[2], w) *
           channels;
  }
  // Calls f(first taps, floats before the block) for every phase; returns all floats.
  template <class F>
  int64_t ForEach(const PanelWidths& widths, F&& f) const {
    int64_t begin = 0;
    for (int64_t d = 0; d < step[0]; ++d) {
      for (int64_t h = 0; h < step[1]; ++h) {
        for (int64_t w = 0; w < step[2]; ++w) {
          f(d, h, w, begin);
          begin += PackedFloats(widths, K(d, h, w), outputs);
        }
      }
    }
    return begin;
  }
  int64_t Floats(const PanelWidths& widths) const {
    return ForEach(widths, [](int64_t, int64_t, int64_t, int64_t) {});
  }
};

PhasePack PackOf(const ConvTransposeLaunch& launch) {
  PhasePack pack{};
  std::copy_n(launch.kernel, 3, pack.kernel);
  std::copy_n(launch.tap_step, 3, pack.step);
  pack.channels = launch.channels;
  pack.outputs = launch.outputs;
  return pack;
}

// Where the weights of a phase are, from its first tap on.
PanelSource PhaseWeights(const PhasePack& pack, int64_t d, int64_t h, int64_t w, const int64_t* tap_strides,
                         int64_t channel_stride, int64_t output_stride) {
  return {{TapCount(pack.kernel[0], pack.step[0], d), TapCount(pack.kernel[1], pack.step[1], h),
           TapCount(pack.kernel[2], pack.step[2], w), pack.channels},
          {pack.step[0] * tap_strides[0], pack.step[1] * tap_strides[1], pack.step[2] * tap_strides[2], channel_stride},
          output_stride,
          1.0f};
}

// ---- Choosing -----------------------------------------------------------------------------------------------------

// Inputs that the results [begin, end) read along a dimension: [*low, *high].
void InputRange(const ConvTransposeLaunch& launch, size_t i, int64_t begin, int64_t end, int64_t* low, int64_t* high) {
  *low = INT64_MAX;
  *high = INT64_MIN;
  for (int64_t o = begin; o < end; ++o) {
    const Phase phase = PhaseOf(launch, i, o);
    if (phase.taps == 0) continue;
    *high = std::max(*high, phase.input);
    *low = std::min(*low, phase.input - (phase.taps - 1) * launch.input_step[i]);
  }
  if (*low > *high) *low = *high = 0;
}

bool ReadsInside(const ConvTransposeLaunch& launch) {
  for (size_t i = 0; i < 3; ++i) {
    int64_t low = 0, high = 0;
    InputRange(launch, i, 0, launch.out[i], &low, &high);
    if (low < 0 || high >= launch.in[i]) return false;
  }
  return launch.src_c == 1 || launch.channels == 1;
}

void ChooseBlocks(const TileTable& table, ConvTransposeLaunch* launch) {
  launch->panels = NumPanels(table.widths, launch->outputs);
  const int64_t stride = launch->stride[kH], phases = stride * launch->stride[kW];
  const double line_flops = 2.0 * static_cast<double>(launch->channels * launch->outputs * launch->out[kW]) *
                            static_cast<double>(launch->kernel[kD] * launch->kernel[kH] * launch->kernel[kW]) /
                            static_cast<double>(launch->stride[kD] * phases);
  const auto by_work = static_cast<int64_t>(std::min(kUnitFlops / line_flops, 1e9));
  const int64_t by_pixels = kManyPixels * phases / std::max<int64_t>(launch->out[kW], 1);
  const auto round = [&](int64_t lines) { return std::max(lines / stride, int64_t{1}) * stride; };
  launch->lines = round(std::min(std::max(by_work, by_pixels), launch->out[kH] + stride - 1));
  while (launch->lines > stride && launch->SlabFloats() > kSlabFloats) launch->lines -= stride;
  launch->line_blocks = CeilDiv(launch->out[kH], launch->lines);
  launch->lines = round(CeilDiv(launch->out[kH], launch->line_blocks) + stride - 1);
  launch->line_blocks = CeilDiv(launch->out[kH], launch->lines);
  const int64_t blocks = launch->batch * launch->groups * launch->out[kD] * launch->line_blocks;
  launch->panel_blocks = std::clamp<int64_t>(CeilDiv(kUnits, blocks), 1, launch->panels);
  const double unit_flops = line_flops * static_cast<double>(launch->lines);
  const auto by_flops = static_cast<int64_t>(std::min(unit_flops / (kUnitFlops / 4), 1e9));
  launch->panel_blocks = std::clamp<int64_t>(std::min(launch->panel_blocks, by_flops), 1, launch->panels);
  launch->panels_per_unit = CeilDiv(launch->panels, launch->panel_blocks);
  launch->panel_blocks = CeilDiv(launch->panels, launch->panels_per_unit);
}

Status FillLaunch(const OpCall& call, ConvTransposeLaunch* launch) {
  MOKA_ASSIGN_OR_RETURN(const ConvTransposeParams params, ConvTransposeParams::From(call));
  const TensorDesc &x = call.src[0], &w = call.src[1], &y = call.dst[0];
  const Window window = params.Expanded(kMaxSpatial);
  launch->batch = x.dims[0];
  launch->groups = params.group;
  launch->channels = w.dims[0] / params.group;
  launch->outputs = w.dims[1];
  launch->src_n = x.strides[0];
  launch->src_c = x.strides[1];
  launch->weight_c = w.strides[0];
  launch->weight_m = w.strides[1];
  launch->weight_group = launch->channels * w.strides[0];
  for (size_t i = 0; i < 3; ++i) {
    launch->kernel[i] = window.kernel[i];
    launch->stride[i] = window.strides[i];
    launch->dilation[i] = window.dilations[i];
    launch->pad[i] = window.pads_begin[i];
    const int64_t common = std::gcd(launch->stride[i], launch->dilation[i]);
    launch->tap_step[i] = launch->stride[i] / common;
    launch->input_step[i] = launch->dilation[i] / common;
    launch->in[i] = launch->out[i] = 1;
    const size_t missing = static_cast<size_t>(3 - params.rank);
    if (i < missing) continue;
    const size_t d = i - missing + 2;
    launch->in[i] = x.dims[d];
    launch->out[i] = y.dims[d];
    launch->src[i] = x.strides[d];
    launch->weight_k[i] = w.strides[d];
  }
  return Status();
}

Status ChooseConvTranspose(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  const TensorDesc& y = call.dst[0];
  if (y.dims[1] != 1 && y.strides[1] != 1) return Unsupported("dst: stride of C is ", y.strides[1], ", not 1");
  if (call.has_src(2) && call.src[2].strides[0] != 1 && y.dims[1] != 1) return Unsupported("src 2: stride is not 1");
  ConvTransposeLaunch launch{};
  MOKA_RETURN_IF_ERROR(FillLaunch(call, &launch));
  if (launch.MaxK() / std::max<int64_t>(launch.channels, 1) > kMaxSegments || launch.channels == 0) {
    return Unsupported("a phase of ", launch.MaxK(), " products");
  }
  // Phases are counted one by one.
  if (*std::max_element(launch.tap_step, launch.tap_step + 3) > kMaxStride)
    return Unsupported("a stride beyond ", kMaxStride);
  launch.bias = call.has_src(2) ? 2 : -1;
  launch.packed = call.constants.size() > 1 && call.constants[1] != nullptr ? 1 : 0;
  launch.in_place = ReadsInside(launch) ? 1 : 0;
  int64_t last_col = 0;
  InputRange(launch, kW, 0, launch.out[kW], &launch.first_col, &last_col);
  launch.slab_cols = last_col - launch.first_col + 1;
  MOKA_RETURN_IF_ERROR(MakeEpilogue(call, 1, &launch.epilogue));
  const bool dots = launch.packed != 0 && DotsPay(*kernel.simd->dots, *kernel.simd->tile, launch.outputs,
                                                  launch.MaxK() / launch.channels, launch.channels);
  launch.dots = dots ? 1 : 0;
  const TileTable& table = TilesOf(*kernel.simd, launch);
  ChooseBlocks(table, &launch);
  if (launch.packed != 0) {
    const PhasePack pack = PackOf(launch);
    PackSpec spec;
    spec.src = 1;
    spec.format = kTransposedPanels;
    spec.params = {pack.kernel[0],
                   pack.kernel[1],
                   pack.kernel[2],
                   pack.step[0],
                   pack.step[1],
                   pack.step[2],
                   pack.channels,
                   pack.outputs,
                   launch.groups,
                   table.PackWidths().granule,
                   table.PackWidths().widest};
    spec.bytes = static_cast<uint64_t>(launch.groups * pack.Floats(table.widths)) * sizeof(float);
    choice->packs.push_back(spec);
  }
  choice->units = launch.batch * launch.out[kD] * launch.line_blocks * launch.groups * launch.panel_blocks;
  choice->scratch_per_worker = static_cast<uint64_t>(Scratch(launch, table).floats) * sizeof(float);
  choice->in_place = InPlace(call, launch.epilogue);
  const double weights = static_cast<double>(launch.kernel[0] * launch.kernel[1] * launch.kernel[2]) *
                         static_cast<double>(launch.channels * launch.outputs * launch.groups);
  const auto inputs = static_cast<double>(launch.batch * launch.in[0] * launch.in[1] * launch.in[2]);
  choice->cost_us = 2.0 * weights * inputs / kFlopsPerMicrosecond + 4.0 * weights / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

// ---- Running ------------------------------------------------------------------------------------------------------

struct Unit {
  int64_t image, plane, line, lines, group, panel_begin, panel_end;

  Unit(const ConvTransposeLaunch& launch, int64_t index) {
    panel_begin = index % launch.panel_blocks * launch.panels_per_unit;
    panel_end = std::min(panel_begin + launch.panels_per_unit, launch.panels);
    index /= launch.panel_blocks;
    group = index % launch.groups;
    index /= launch.groups;
    line = index % launch.line_blocks * launch.lines;
    lines = std::min(launch.lines, launch.out[kH] - line);
    index /= launch.line_blocks;
    plane = index % launch.out[kD];
    image = index / launch.out[kD];
  }
};

// Input (plane_tap 0, row, col) is base + row * row_step + col * pixel_step; the next tap of the plane is plane_step
// on.
struct Inputs {
  const float* base;
  int64_t plane_step, row_step, pixel_step;
};

Inputs PrepareInputs(const KernelArgs& args, const ConvTransposeLaunch& launch, const Unit& unit, float* slab) {
  const float* src = args.Src(0) + unit.image * launch.src_n + unit.group * launch.channels * launch.src_c;
  const Phase planes = PhaseOf(launch, kD, unit.plane);
  if (launch.in_place != 0) {
    return {src + planes.input * launch.src[kD], -launch.input_step[kD] * launch.src[kD], launch.src[kH],
            launch.src[kW]};
  }
  int64_t low = 0, high = 0;
  InputRange(launch, kH, unit.line, unit.line + unit.lines, &low, &high);
  const int64_t row = launch.slab_cols * launch.channels, rows = high - low + 1;
  float* dst = slab;
  for (int64_t tap = 0; tap < planes.taps; ++tap) {
    const int64_t z = planes.input - tap * launch.input_step[kD];
    for (int64_t y = low; y <= high; ++y, dst += row) {
      const bool inside = z >= 0 && z < launch.in[kD] && y >= 0 && y < launch.in[kH];
      const float* from = inside ? src + z * launch.src[kD] + y * launch.src[kH] : nullptr;
      FillSlabRow({from, launch.in[kW], launch.src[kW], launch.src_c, launch.channels}, launch.first_col,
                  launch.slab_cols, dst);
    }
  }
  return {slab - low * row - launch.first_col * launch.channels, rows * row, row, launch.channels};
}

// The results of a unit that share their taps.
struct PhaseRun {
  Phase d, h, w;
  int64_t line, col;  // the first result, in the unit's lines
};

int64_t OutputRow(const ConvTransposeLaunch& launch, const Unit& unit, int64_t line) {
  return ((unit.image * launch.out[kD] + unit.plane) * launch.out[kH] + unit.line + line) * launch.out[kW];
}

int SetSegments(const ConvTransposeLaunch& launch, const Inputs& inputs, const PhaseRun& phase, int64_t* segments) {
  int count = 0;
  for (int64_t z = 0; z < phase.d.taps; ++z) {
    for (int64_t y = 0; y < phase.h.taps; ++y) {
      for (int64_t x = 0; x < phase.w.taps; ++x) {
        segments[count++] = z * inputs.plane_step - y * launch.input_step[kH] * inputs.row_step -
                            x * launch.input_step[kW] * inputs.pixel_step;
      }
    }
  }
  return count;
}

// Fills the pointers of a phase's pixels; returns their number.
int64_t SetPixels(const KernelArgs& args, const ConvTransposeLaunch& launch, const Unit& unit, const Inputs& inputs,
                  const PhaseRun& phase, const float** a, float** dst, const float** residual) {
  const MicroLaunch& micro = launch.epilogue.micro;
  const int64_t step = launch.stride[kW], cols = CeilDiv(launch.out[kW] - phase.col, step);
  int64_t i = 0, row = phase.h.input;
  for (int64_t line = phase.line; line < unit.lines; line += launch.stride[kH], ++row, i += cols) {
    const int64_t first = OutputRow(launch, unit, line) + phase.col;
    const float* at = inputs.base + row * inputs.row_step + phase.w.input * inputs.pixel_step;
    for (int64_t col = 0; col < cols; ++col) a[i + col] = at + col * inputs.pixel_step;
    SetRowsOfLine(micro, micro.dst, args.Dst(), first, step, cols, dst + i);
    if (residual == nullptr) continue;
    const int k = launch.epilogue.residual;
    SetRowsOfLine(micro, micro.src[k], args.Src(micro.src_index[k]), first, step, cols, residual + i);
  }
  return i;
}

void RunPhase(const KernelArgs& args, const ConvTransposeLaunch& launch, const Unit& unit, const Inputs& inputs,
              const PhaseRun& phase, float* scratch, const Scratch& layout) {
  const TileTable& table = TilesOf(*args.simd, launch);
  auto** a = reinterpret_cast<const float**>(scratch);
  auto** dst = reinterpret_cast<float**>(scratch) + launch.MaxPixels();
  auto** residual = launch.epilogue.residual >= 0 ? a + 2 * launch.MaxPixels() : nullptr;
  int64_t segments[kMaxSegments];
  const int count = SetSegments(launch, inputs, phase, segments);
  const int64_t pixels = SetPixels(args, launch, unit, inputs, phase, a, dst, residual);
  const Block block = {&table,
                       pixels,
                       a,
                       dst,
                       residual,
                       segments,
                       count,
                       launch.channels,
                       launch.bias >= 0 ? args.Src(launch.bias) : nullptr,
                       launch.epilogue.lo,
                       launch.epilogue.hi};
  const PhasePack pack = PackOf(launch);
  const PanelSource weights = PhaseWeights(pack, phase.d.first, phase.h.first, phase.w.first, launch.weight_k,
                                           launch.weight_c, launch.weight_m);
  const float* packed = nullptr;
  if (launch.packed != 0) {
    const int64_t group = pack.ForEach(table.widths, [&](int64_t d, int64_t h, int64_t w, int64_t begin) {
      if (d == phase.d.first && h == phase.h.first && w == phase.w.first) {
        packed = static_cast<const float*>(args.packs[0]) + begin;
      }
    });
    packed += unit.group * group;
  }
  for (int64_t p = unit.panel_begin; p < unit.panel_end; ++p) {
    const Panel panel = PanelAt(table.widths, launch.outputs, p);
    const float* b = scratch + layout.panel;
    if (launch.packed != 0) {
      b = packed + panel.col * weights.K();
    } else {
      const float* from = args.Src(1) + unit.group * launch.weight_group + phase.d.first * launch.weight_k[kD] +
                          phase.h.first * launch.weight_k[kH] + phase.w.first * launch.weight_k[kW];
      PackPanel(from, weights, panel, scratch + layout.panel);
    }
    RunPanel(block, panel, b, unit.group * launch.outputs);
  }
}

void RunEpilogue(const KernelArgs& args, const ConvTransposeLaunch& launch, const Unit& unit, float* scratch) {
  const MicroLaunch& micro = launch.epilogue.micro;
  const float* src[kCodeMaxSources];
  for (int k = 0; k < micro.num_sources; ++k) src[k] = args.Src(micro.src_index[k]);
  const TileTable& table = TilesOf(*args.simd, launch);
  const Panel last = PanelAt(table.widths, launch.outputs, unit.panel_end - 1);
  const int64_t first = unit.group * launch.outputs;
  const int64_t begin = first + PanelAt(table.widths, launch.outputs, unit.panel_begin).col;
  args.simd->run_micro(micro, args.Dst(), src, OutputRow(launch, unit, 0), OutputRow(launch, unit, unit.lines), begin,
                       first + last.col + last.cols, scratch);
}

void RunConvTranspose(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<ConvTransposeLaunch>();
  const Scratch layout(launch, TilesOf(*args.simd, launch));
  float* scratch = args.WorkerScratch(worker);
  Inputs inputs{};
  int64_t prepared = -1;
  for (int64_t index = begin; index < end; ++index) {
    const Unit unit(launch, index);
    if (prepared != index / launch.panel_blocks) {
      inputs = PrepareInputs(args, launch, unit, scratch + layout.slab);
      prepared = index / launch.panel_blocks;
    }
    const Phase plane = PhaseOf(launch, kD, unit.plane);
    for (int64_t line = 0; line < std::min(launch.stride[kH], unit.lines); ++line) {
      const Phase row = PhaseOf(launch, kH, unit.line + line);
      for (int64_t col = 0; col < std::min(launch.stride[kW], launch.out[kW]); ++col) {
        const PhaseRun phase = {plane, row, PhaseOf(launch, kW, col), line, col};
        RunPhase(args, launch, unit, inputs, phase, scratch, layout);
      }
    }
    if (launch.epilogue.kind == Epilogue::kProgram) RunEpilogue(args, launch, unit, scratch + layout.micro);
  }
}

}  // namespace

Status PackTransposedPanels(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) {
  const auto& p = spec.params;
  const PhasePack pack = {{p[0], p[1], p[2]}, {p[3], p[4], p[5]}, p[6], p[7]};
  const int64_t groups = p[8];
  const PanelWidths widths = {static_cast<int>(p[9]), static_cast<int>(p[10])};
  const int64_t group_floats = pack.Floats(widths), points = pack.kernel[0] * pack.kernel[1] * pack.kernel[2];
  if (dst.size() != static_cast<uint64_t>(groups * group_floats) * sizeof(float)) {
    return Internal("pack '", spec.format, "': ", dst.size(), " bytes");
  }
  const int64_t taps[3] = {pack.kernel[1] * pack.kernel[2], pack.kernel[2], 1};
  const auto* weight = static_cast<const std::byte*>(src.data);
  for (int64_t group = 0; group < groups; ++group) {
    auto* out = reinterpret_cast<float*>(dst.data()) + group * group_floats;
    pack.ForEach(widths, [&](int64_t d, int64_t h, int64_t w, int64_t begin) {
      const PanelSource source = PhaseWeights(pack, d, h, w, taps, pack.outputs * points, points);
      const int64_t first = group * pack.channels * pack.outputs * points + d * taps[0] + h * taps[1] + w * taps[2];
      if (source.K() == 0) return;
      for (int64_t i = 0; i < NumPanels(widths, pack.outputs); ++i) {
        const Panel panel = PanelAt(widths, pack.outputs, i);
        PackPanel(weight + first * static_cast<int64_t>(sizeof(float)), source, panel,
                  out + begin + panel.col * source.K());
      }
    });
  }
  return {};
}

std::span<const KernelRow> ConvTransposeRows() {
  static constexpr KernelRow kRows[] = {
      {"ConvTranspose", "conv_transpose", &ChooseConvTranspose, &RunConvTranspose, true}};
  return kRows;
}

}  // namespace moka::cpu

// Convolution as an implicit GEMM (cpu/conv_shape.h) on tiles of f32 or of bf16, or by inner products. Where kernels
// reach far outside of the image, tap by tap.
#include "ops/conv.h"

#include <algorithm>
#include <array>
#include <limits>

#include "cpu/bf16_tile.h"
#include "cpu/conv_product.h"
#include "cpu/conv_shape.h"
#include "cpu/dot_tile.h"
#include "cpu/epilogue.h"
#include "cpu/gemm.h"
#include "cpu/pack.h"
#include "cpu/row_maps.h"
#include "cpu/winograd.h"

namespace moka::cpu {
namespace {

constexpr int64_t kSlabBytes = 256 << 10;  // of one unit's inputs
constexpr double kUnitFlops = 8e6;
constexpr int64_t kFetchedWeights = 8 << 10;  // floats that leave the L1 cache: the next panel is fetched ahead

struct ConvLaunch {
  Epilogue epilogue;
  ConvShape shape;
  int32_t packed;  // the weights come from the pack
  int32_t bias;    // source, or -1
  PanelSource weight;
  int64_t weight_group;  // elements between groups in the weight
  int64_t bf16;          // bytes of an element of the slab once it is rounded; 0: products of f32
  int64_t column_bytes;  // of packed weights
  int64_t dots;          // by inner products
  int64_t trims;         // taps outside of the image are left out
  int64_t inside;        // tap by tap, each for the pixels for which it lies inside
  TrimmedTaps taps;

  int64_t K() const { return weight.K(); }
  int64_t Element() const { return bf16 != 0 ? bf16 : int64_t{sizeof(float)}; }
};

const TileTable& TilesOf(const Simd& simd, const ConvLaunch& launch) {
  return launch.bf16 != 0 ? simd.bf16->tile : launch.dots != 0 ? *simd.dots : *simd.tile;
}

// Floats: pointers, the slab, a row of it before it is rounded, a panel, the program's tiles.
struct Scratch {
  int64_t slab, line, panel, micro, floats;

  Scratch(const ConvLaunch& launch, const TileTable& table) {
    const ConvShape& shape = launch.shape;
    const int64_t pointers = (launch.inside != 0 ? 5 : 3) * shape.lines * shape.cols;
    slab = RoundUp(pointers * static_cast<int64_t>(sizeof(void*) / sizeof(float)), 16);
    line = slab + RoundUp(CeilDiv(shape.SlabElements() * launch.Element(), sizeof(float)), 16);
    panel = line + (launch.bf16 == 0 ? 0 : RoundUp(shape.SlabDims(1, shape.cols).w * shape.channels, 16));
    micro = panel + (launch.packed != 0 ? 0 : table.widths.widest * launch.K());
    floats =
        micro +
        (launch.epilogue.kind == Epilogue::kProgram ? static_cast<int64_t>(MicroScratchBytes() / sizeof(float)) : 0);
  }
};

enum class Products { kTiles, kDots, kInside };

template <Products kProducts = Products::kTiles>
Status ChooseConv(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const ConvParams params, ConvParams::From(call));
  const TensorDesc &w = call.src[1], &y = call.dst[0];
  if (y.dims[1] != 1 && y.strides[1] != 1) return Unsupported("dst: stride of C is ", y.strides[1], ", not 1");
  if (call.has_src(2) && call.src[2].strides[0] != 1 && y.dims[1] != 1) return Unsupported("src 2: stride is not 1");
  ConvLaunch launch{};
  launch.shape = MakeConvShape(call, params, 1);
  launch.taps = {launch.shape.kernel, {0, 0, 0}};
  if (kernel.bf16) launch.shape.in_place = 0;
  launch.trims = !kernel.bf16 && kProducts != Products::kDots ? 1 : 0;
  if (launch.trims != 0) launch.taps = TrimKernel(&launch.shape);
  if (kProducts == Products::kInside) {
    if (launch.shape.in_place != 0 || !InsidePays(launch.shape)) return Unsupported("most of the kernel lies inside");
    launch.inside = launch.shape.in_place = 1;
  }
  const ConvShape& shape = launch.shape;
  if (shape.NumSegments() > kMaxSegments) return Unsupported("kernel of ", params.Points(), " points");
  launch.bias = call.has_src(2) ? 2 : -1;
  launch.packed = call.constants.size() > 1 && call.constants[1] != nullptr ? 1 : 0;
  if ((kernel.bf16 || kProducts == Products::kDots) && launch.packed == 0) return Unsupported("src 1: no constant");
  const Dims3& k = launch.taps.kernel;
  const int64_t points = k.d * k.h * k.w;
  launch.weight = {{k.d, k.h, k.w, shape.channels}, {k.h * k.w, k.w, 1, points}, points * shape.channels, 1.0f};
  launch.weight_group = shape.outputs * points * shape.channels;
  if (launch.packed == 0) {
    const Dims3 strides = Spatial(w, true);
    launch.weight = {
        {k.d, k.h, k.w, shape.channels}, {strides.d, strides.h, strides.w, w.strides[1]}, w.strides[0], 1.0f};
    launch.weight_group = shape.outputs * w.strides[0];
  }
  MOKA_RETURN_IF_ERROR(MakeEpilogue(call, 1, &launch.epilogue));
  const int64_t segment = shape.Points() * shape.channels / shape.NumSegments();
  if (kProducts == Products::kDots) {
    if (!DotsPay(*kernel.simd->dots, *kernel.simd->tile, shape.outputs, shape.NumSegments(), segment)) {
      return Unsupported(shape.outputs, " outputs");
    }
    launch.dots = 1;
  }
  launch.bf16 = kernel.bf16 ? kernel.simd->bf16->element : 0;
  launch.column_bytes = kernel.bf16 ? Bf16ColumnBytes(launch.K(), segment) : launch.K() * int64_t{sizeof(float)};
  const TileTable& table = TilesOf(*kernel.simd, launch);
  const int64_t weight_bytes = kernel.bf16 ? 2 : sizeof(float);
  ChooseBlocks({kSlabBytes / launch.Element(), weight_bytes, kUnitFlops, NumPanels(table.widths, shape.outputs),
                2 * kMaxTileRows, kernel.workers},
               &launch.shape);
  if (launch.packed != 0) {
    choice->packs.push_back(kernel.bf16 ? Bf16PanelPackSpec(1, table.widths, launch.weight, segment, shape.outputs,
                                                            shape.groups, launch.weight_group)
                                        : PanelPackSpec(1, table.PackWidths(), launch.weight, shape.outputs,
                                                        shape.groups, launch.weight_group));
  }
  choice->units = shape.Units();
  choice->scratch_per_worker = static_cast<uint64_t>(Scratch(launch, table).floats) * sizeof(float);
  choice->in_place = InPlace(call, launch.epilogue);
  if (shape.col_blocks == 1 && launch.bf16 == 0) choice->rows = ConvRowMaps(call, params, launch.epilogue.micro);
  const auto weights = static_cast<double>(shape.Points() * shape.channels * shape.outputs * shape.groups);
  const auto pixels = static_cast<double>(shape.batch * shape.out.d * shape.out.h * shape.out.w);
  const double speed = launch.bf16 == 2 ? 2 : 1;
  choice->cost_us = 2.0 * weights * pixels / (speed * kFlopsPerMicrosecond) +
                    static_cast<double>(weight_bytes) * weights / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return {};
}

void RunEpilogue(const KernelArgs& args, const ConvLaunch& launch, const ConvUnit& unit, float* scratch) {
  const MicroLaunch& micro = launch.epilogue.micro;
  const float* src[kCodeMaxSources];
  for (int k = 0; k < micro.num_sources; ++k) src[k] = args.Src(micro.src_index[k]);
  const TileTable& table = TilesOf(*args.simd, launch);
  const Panel last = PanelAt(table.widths, launch.shape.outputs, unit.panel_end - 1);
  const int64_t first_col = unit.group * launch.shape.outputs;
  const int64_t begin = first_col + PanelAt(table.widths, launch.shape.outputs, unit.panel_begin).col;
  const int64_t end = first_col + last.col + last.cols;
  if (unit.cols == launch.shape.out.w) {
    const int64_t row = OutputRow(launch.shape, unit, 0);
    args.simd->run_micro(micro, args.Dst(), src, row, row + unit.lines * unit.cols, begin, end, scratch);
    return;
  }
  for (int64_t line = 0; line < unit.lines; ++line) {
    const int64_t row = OutputRow(launch.shape, unit, line);
    args.simd->run_micro(micro, args.Dst(), src, row, row + unit.cols, begin, end, scratch);
  }
}

// Taps that follow each other both in the inputs' segments and in the packed weights.
struct TapRun {
  int64_t segment, num_segments, tap;
};

// Those of the taps that a unit needs. Planes and rows that lie outside for all of it are left out where what is left
// is one run still: results must not depend on how lines are divided into units.
int FindRuns(const ConvLaunch& launch, const ConvUnit& unit, const ConvInputs<float>& inputs, TapRun* runs) {
  if (launch.trims == 0) {
    runs[0] = {0, inputs.num_segments, 0};
    return 1;
  }
  const ConvShape& shape = launch.shape;
  const TrimmedTaps& taps = launch.taps;
  const bool whole_rows = shape.kernel.w == taps.kernel.w, whole_planes = whole_rows && shape.kernel.h == taps.kernel.h;
  Range planes{0, shape.kernel.d}, rows{0, shape.kernel.h};
  if (shape.kernel.d == 1 && whole_rows) {
    rows = TapsInside(unit.line, unit.lines, shape.stride.h, shape.pad.h, rows.end, shape.dilation.h, shape.in.h);
  } else if (whole_planes) {
    planes = TapsInside(unit.plane, 1, shape.stride.d, shape.pad.d, planes.end, shape.dilation.d, shape.in.d);
  }
  const int64_t row_segments = inputs.num_segments / (shape.kernel.d * shape.kernel.h);
  int count = 0;
  for (int64_t z = planes.begin; z < planes.end; ++z) {
    for (int64_t y = rows.begin; y < rows.end; ++y) {
      const int64_t row = (taps.first.d + z) * taps.kernel.h + taps.first.h + y;
      const TapRun run = {(z * shape.kernel.h + y) * row_segments, row_segments, row * taps.kernel.w + taps.first.w};
      TapRun* last = count == 0 ? nullptr : &runs[count - 1];
      const int64_t rows_so_far = last == nullptr ? 0 : last->num_segments / row_segments;
      if (last != nullptr && last->tap + rows_so_far * shape.kernel.w == run.tap) {
        last->num_segments += row_segments;
      } else {
        runs[count++] = run;
      }
    }
  }
  return count;
}

// RunPanel run by run: the sums so far are in dst.
void RunTaps(const Block& whole, const Panel& panel, const float* b, int64_t tap_floats, int64_t first_col,
             const TapRun* runs, int count) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Block block = whole;
  if (count == 0) {
    block.num_segments = 0;
    return RunPanel(block, panel, b, first_col);
  }
  for (int i = 0; i < count; ++i) {
    const bool last = i + 1 == count;
    block.segments = whole.segments + runs[i].segment;
    block.num_segments = runs[i].num_segments;
    block.residual = i == 0 ? whole.residual : whole.dst;
    block.bias = i == 0 ? whole.bias : nullptr;
    block.lo = last ? whole.lo : -kInfinity;
    block.hi = last ? whole.hi : kInfinity;
    RunPanel(block, panel, b + runs[i].tap * tap_floats, first_col);
  }
}

Range Within(const Range& range, int64_t first, int64_t count) {
  return {std::clamp<int64_t>(range.begin - first, 0, count), std::clamp<int64_t>(range.end - first, 0, count)};
}

// RunPanel tap by tap. The order of a pixel's sums depends on the pixel alone. `a` and `dst` have room for the
// pointers of a unit.
void RunInside(const ConvLaunch& launch, const ConvUnit& unit, const Block& whole, const Panel& panel, const float* b,
               const float** a, float** dst) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const ConvShape& shape = launch.shape;
  const Dims3 &kernel = shape.kernel, &dilation = shape.dilation, &pad = shape.pad;
  const int64_t first_col = unit.group * shape.outputs, tap_floats = shape.channels * panel.width;
  Block block = whole;
  block.among = true;
  block.num_segments = 0;
  block.lo = -kInfinity;
  block.hi = kInfinity;
  RunPanel(block, panel, b, first_col);
  block.a = a;
  block.dst = dst;
  block.residual = dst;
  block.bias = nullptr;
  block.num_segments = 1;
  block.k_len = shape.channels;
  for (int64_t tap = 0; tap < shape.Points(); ++tap) {
    const int64_t x = tap % kernel.w, y = tap / kernel.w % kernel.h, z = tap / (kernel.w * kernel.h);
    const Range planes = OutputsInside(z * dilation.d - pad.d, shape.stride.d, shape.in.d, shape.out.d);
    if (unit.plane < planes.begin || unit.plane >= planes.end) continue;
    const Range rows = OutputsInside(y * dilation.h - pad.h, shape.stride.h, shape.in.h, shape.out.h);
    const Range cols = OutputsInside(x * dilation.w - pad.w, shape.stride.w, shape.in.w, shape.out.w);
    const Range lines = Within(rows, unit.line, unit.lines), pixels = Within(cols, unit.col, unit.cols);
    const int64_t count = pixels.end - pixels.begin;
    block.rows = 0;
    for (int64_t line = lines.begin; line < lines.end; ++line, block.rows += count) {
      std::copy_n(whole.a + line * unit.cols + pixels.begin, count, a + block.rows);
      std::copy_n(whole.dst + line * unit.cols + pixels.begin, count, dst + block.rows);
    }
    const TrimmedTaps& taps = launch.taps;
    const int64_t in_weights =
        ((taps.first.d + z) * taps.kernel.h + taps.first.h + y) * taps.kernel.w + taps.first.w + x;
    const int64_t segment = z * dilation.d * shape.src.d + y * dilation.h * shape.src.h + x * dilation.w * shape.src.w;
    block.segments = &segment;
    RunPanel(block, panel, b + in_weights * tap_floats, first_col);
  }
  if (whole.lo == -kInfinity && whole.hi == kInfinity) return;
  block = whole;
  block.among = true;
  block.num_segments = 0;
  block.residual = whole.dst;
  block.bias = nullptr;
  RunPanel(block, panel, b, first_col);
}

// `cold`: a worker meets these panels for the first time, so that each fetches the next one.
void RunUnit(const KernelArgs& args, const ConvLaunch& launch, const ConvUnit& unit, const ConvInputs<float>& inputs,
             bool cold, float* scratch, const Scratch& layout) {
  const Epilogue& epilogue = launch.epilogue;
  const MicroLaunch& micro = epilogue.micro;
  const TileTable& table = TilesOf(*args.simd, launch);
  const int64_t pixels = unit.lines * unit.cols;
  auto** a = reinterpret_cast<const float**>(scratch);
  auto** dst = reinterpret_cast<float**>(scratch) + pixels;
  auto** residual = epilogue.residual >= 0 ? a + 2 * pixels : nullptr;
  const int64_t element = launch.Element();
  for (int64_t line = 0; line < unit.lines; ++line) {
    const int64_t row = OutputRow(launch.shape, unit, line), i = line * unit.cols;
    const std::byte* first = reinterpret_cast<const std::byte*>(inputs.base) + line * inputs.line_stride * element;
    for (int64_t x = 0; x < unit.cols; ++x) {
      a[i + x] = reinterpret_cast<const float*>(first + x * inputs.pixel_stride * element);
    }
    SetRowsOfLine(micro, micro.dst, args.Dst(), row, 1, unit.cols, dst + i);
    if (residual == nullptr) continue;
    const int k = epilogue.residual;
    SetRowsOfLine(micro, micro.src[k], args.Src(micro.src_index[k]), row, 1, unit.cols, residual + i);
  }
  Block block = {&table,
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
  TapRun runs[kMaxSegments];
  const int num_runs = FindRuns(launch, unit, inputs, runs);
  const int64_t group_bytes = RoundUp(launch.shape.outputs, table.widths.granule) * launch.column_bytes;
  const bool fetches = cold && launch.packed != 0 && launch.bf16 == 0 && launch.dots == 0 && num_runs == 1 &&
                       launch.K() * launch.shape.outputs > kFetchedWeights;
  for (int64_t p = unit.panel_begin; p < unit.panel_end; ++p) {
    const Panel panel = PanelAt(table.widths, launch.shape.outputs, p);
    const float* b = scratch + layout.panel;
    if (launch.packed != 0) {
      const auto* packed = static_cast<const std::byte*>(args.packs[0]) + unit.group * group_bytes;
      b = reinterpret_cast<const float*>(packed + panel.col * launch.column_bytes);
    } else {
      PackPanel(args.Src(1) + unit.group * launch.weight_group, launch.weight, panel, scratch + layout.panel);
    }
    if (launch.inside != 0) {
      RunInside(launch, unit, block, panel, b, a + 3 * pixels, dst + 3 * pixels);
      continue;
    }
    block.next = fetches && p + 1 < launch.shape.panels ? b + launch.K() * panel.width : nullptr;
    RunTaps(block, panel, b, launch.shape.channels * panel.width, unit.group * launch.shape.outputs, runs, num_runs);
  }
  if (epilogue.kind == Epilogue::kProgram) RunEpilogue(args, launch, unit, scratch + layout.micro);
}

// Pixels [x, x + width) of one row, rounded to bf16; `line` has room for them.
void RoundRow(const Bf16Table& table, const SlabSource& source, int64_t x, int64_t width, float* line, std::byte* dst) {
  const int64_t channels = source.channels;
  if (source.src != nullptr && x >= 0 && x + width <= source.width && source.channel_stride == 1 &&
      source.pixel_stride == channels) {
    return table.round(source.src + x * channels, width * channels, dst);
  }
  FillSlabRow(source, x, width, line);
  table.round(line, width * channels, dst);
}

void PrepareRounded(const KernelArgs& args, const ConvLaunch& launch, const ConvUnit& unit, float* scratch,
                    const Scratch& layout, ConvInputs<float>* inputs) {
  const ConvShape& shape = launch.shape;
  const Dims3 slab = shape.SlabDims(unit.lines, unit.cols);
  const int64_t row = slab.w * shape.channels;
  auto* dst = reinterpret_cast<std::byte*>(scratch + layout.slab);
  ForEachSlabRow(shape, unit, SourceOf(shape, unit, args.Src(0)), [&](const SlabSource& source, int64_t x) {
    RoundRow(*args.simd->bf16, source, x, slab.w, scratch + layout.line, dst);
    dst += row * launch.bf16;
  });
  SetSegments(shape, slab.h * row, row, shape.channels, inputs);
  inputs->base = scratch + layout.slab;
}

void RunConv(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<ConvLaunch>();
  const Scratch layout(launch, TilesOf(*args.simd, launch));
  float* scratch = args.WorkerScratch(worker);
  ConvInputs<float> inputs;
  int64_t prepared = -1;
  for (int64_t index = begin; index < end; ++index) {
    const ConvUnit unit(launch.shape, index);
    if (prepared != index / launch.shape.panel_blocks) {
      if (launch.bf16 != 0) {
        PrepareRounded(args, launch, unit, scratch, layout, &inputs);
      } else {
        PrepareInputs(launch.shape, unit, args.Src(0), 0.0f, scratch + layout.slab, &inputs);
      }
      prepared = index / launch.shape.panel_blocks;
    }
    RunUnit(args, launch, unit, inputs, index < begin + launch.shape.panel_blocks, scratch, layout);
  }
}

void RunConvRows(const KernelArgs& args, int64_t image, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<ConvLaunch>();
  const ConvShape& shape = launch.shape;
  const Scratch layout(launch, TilesOf(*args.simd, launch));
  float* scratch = args.WorkerScratch(worker);
  ConvInputs<float> inputs;
  for (int64_t line = begin; line < end; line += shape.lines) {
    for (int64_t group = 0; group < shape.groups; ++group) {
      const ConvUnit unit(shape, image, line, std::min(shape.lines, end - line), group);
      PrepareInputs(shape, unit, args.Src(0), 0.0f, scratch + layout.slab, &inputs);
      RunUnit(args, launch, unit, inputs, false, scratch, layout);
    }
  }
}

}  // namespace

std::span<const KernelRow> ConvRows() {
  static constexpr KernelRow kRows[] = {
      {"Conv", "conv_dot", &ChooseConv<Products::kDots>, &RunConv, true, false, &RunConvRows},
      {"Conv", "conv_winograd", &ChooseWinograd, &RunWinograd, true, true},
      {"Conv", "conv_bf16", &ChooseConv<>, &RunConv, true, true},
      {"Conv", "conv_winograd", &ChooseWinograd, &RunWinograd, true},
      {"Conv", "conv_strassen", &ChooseConvStrassen, &RunGemm, true},
      {"Conv", "conv_product", &ChooseConvProduct, &RunGemm, true},
      {"Conv", "conv_inside", &ChooseConv<Products::kInside>, &RunConv, true, false, &RunConvRows},
      {"Conv", "conv_igemm", &ChooseConv<>, &RunConv, true, false, &RunConvRows},
      {"Conv", "conv_winograd_4x4", &ChooseWinogradOf<4>, &RunWinograd, true, false, nullptr, true},
      {"Conv", "conv_winograd_2x2", &ChooseWinogradOf<2>, &RunWinograd, true, false, nullptr, true}};
  return kRows;
}

}  // namespace moka::cpu

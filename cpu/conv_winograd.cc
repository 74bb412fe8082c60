// 3x3 convolution by Winograd's minimal filtering (cpu/winograd.h), strides of 1 or 2: per unit of work, a block of
// tiles is transformed, then for each panel of output channels one product for each point of the transform, of matrices
// [tiles, channels] x [channels, panel] are formed and transformed back.
#include <algorithm>
#include <cstring>
#include <limits>

#include "cpu/bf16_tile.h"
#include "cpu/conv_shape.h"
#include "cpu/epilogue.h"
#include "cpu/kernel.h"
#include "cpu/pack.h"
#include "cpu/winograd.h"
#include "ops/conv.h"

namespace moka::cpu {
namespace {

// Of the transformed inputs of a unit: with the sums of a panel beside them they stay in a cache of 1 MiB. With many
// channels, kBlockTiles all the same, so that the weights are worth being read, up to kMostFloats.
constexpr int64_t kBlockFloats = 72 << 10, kMostFloats = 168 << 10;
constexpr int64_t kBlockTiles = 16;
// Where not even those fit: weights come from memory once for each block, its inputs once for each panel.
constexpr int64_t kStreamedTiles = 32;
// Rows of the products' tiles.
constexpr int64_t kTileRows = 4;
// Below this many tiles a unit reads its weights too often.
constexpr int64_t kLeastTiles = 24;
constexpr int64_t kWantedUnits = 8;
// With fewer it may be divided all the same where workers would have nothing to do.
constexpr int64_t kFewTiles = 4;

struct WinogradLaunch {
  Epilogue epilogue;
  int32_t bias;  // source, or -1
  int32_t size;  // of WinogradTable
  int64_t batch, channels, outputs;
  int64_t stride, in_h, in_w, pad_h, pad_w, out_h, out_w;
  int64_t src_image, src_row, src_pixel;
  // A unit: at most tile_rows x tile_cols tiles of one image, panels_per_unit panels.
  int64_t tiles_h, tiles_w, tile_rows, tile_cols, row_blocks, col_blocks, panels, panels_per_unit, panel_blocks;

  int64_t sum_width;  // of the widest panel

  int64_t UnitTiles() const { return tile_rows * tile_cols; }
  int64_t Units() const { return batch * row_blocks * col_blocks * panel_blocks; }
};

// Floats of one worker: a pixel of zeros, inputs, sums, and the pointers to rows that the tiles of GEMM want.
struct Scratch {
  int64_t channel_step, point_step, sum_step, inputs, sums, pointers, micro, floats;

  Scratch(const WinogradLaunch& launch, int64_t points) {
    const int64_t tiles = launch.UnitTiles();
    channel_step = RoundUp(launch.channels, 16);
    // An odd number of cache lines, so that the points do not fall into the same sets of a cache.
    point_step = RoundUp(tiles * channel_step, 32) + 16;
    sum_step = RoundUp(tiles * launch.sum_width, 32) + 16;
    inputs = channel_step;
    sums = inputs + points * point_step;
    pointers = sums + points * sum_step;
    micro = pointers + RoundUp(2 * tiles * static_cast<int64_t>(sizeof(void*) / sizeof(float)), 16);
    const bool program = launch.epilogue.kind == Epilogue::kProgram;
    floats = micro + (program ? static_cast<int64_t>(MicroScratchBytes() / sizeof(float)) : 0);
  }
};

// ---- Choosing -----------------------------------------------------------------------------------------------------

// Estimates in microseconds. What the fewer products save has to pay for the transforms, for weights that are up to
// four times as many bytes, and for short sums: a tile of GEMM loads and stores its sums whatever the number of
// channels.
constexpr double kFlops = 100e3, kBytes = 24e3, kTransformed = 9e3;  // a microsecond
constexpr double kStartChannels = 12;

// `bf16`: the products by which a session would replace them; null: of f32.
double DirectCost(const WinogradLaunch& launch, const Bf16Table* bf16) {
  const auto channels = static_cast<double>(launch.channels), outputs = static_cast<double>(launch.outputs);
  const auto pixels = static_cast<double>(launch.batch * launch.out_h * launch.out_w);
  const double speed = bf16 != nullptr && bf16->element == 2 ? 2 : 1, weight_bytes = bf16 != nullptr ? 2 : 4;
  return 18 * (channels + kStartChannels / 9) * outputs * pixels / (speed * kFlops) +
         9 * weight_bytes * channels * outputs / kBytes;
}

double Cost(const WinogradLaunch& launch, const WinogradSize& size) {
  const auto channels = static_cast<double>(launch.channels), outputs = static_cast<double>(launch.outputs);
  const auto tiles =
      static_cast<double>(launch.batch * CeilDiv(launch.out_h, size.out) * CeilDiv(launch.out_w, size.out));
  const double points = size.Points(), kernels = size.Kernels();
  return 2 * points * (channels + kStartChannels) * outputs * tiles / kFlops +
         points * (channels + outputs) * tiles / kTransformed + 4 * kernels * channels * outputs / kBytes;
}

// Small images have few large tiles to share the large weights: there the smaller ones are faster.
Status ChooseSize(const WinogradTable& table, const Bf16Table* bf16, WinogradLaunch* launch) {
  const auto cost = [&](const WinogradSize& size) {
    return size.stride == launch->stride ? Cost(*launch, size) : std::numeric_limits<double>::infinity();
  };
  const WinogradSize* best = std::min_element(std::begin(table.sizes), std::end(table.sizes),
                                              [&](const auto& a, const auto& b) { return cost(a) < cost(b); });
  // Of two that are as fast, the smaller weights of direct products are preferred; to bf16, the smaller errors of f32.
  const double limit = bf16 != nullptr ? 1.1 : 0.9;
  if (cost(*best) >= limit * DirectCost(*launch, bf16)) {
    return Unsupported("the transforms would cost more than they save");
  }
  launch->size = static_cast<int32_t>(best - table.sizes);
  return {};
}

// Blocks of whole rows of tiles where they fit, else parts of one row.
void ChooseBlocks(const TileTable& table, const WinogradSize& size, int workers, WinogradLaunch* launch) {
  const int64_t tile = size.Points() * RoundUp(launch->channels, 16);
  const int64_t few = kBlockTiles * tile <= kMostFloats ? kBlockTiles : kStreamedTiles;
  const int64_t most = std::max(kBlockFloats / tile, few);
  launch->tiles_h = CeilDiv(launch->out_h, size.out);
  launch->tiles_w = CeilDiv(launch->out_w, size.out);
  launch->col_blocks = CeilDiv(launch->tiles_w, most);
  launch->tile_cols = std::min(RoundUp(CeilDiv(launch->tiles_w, launch->col_blocks), kTileRows), launch->tiles_w);
  launch->col_blocks = CeilDiv(launch->tiles_w, launch->tile_cols);
  const int64_t rows = std::clamp<int64_t>(most / launch->tile_cols, 1, launch->tiles_h);
  launch->row_blocks = CeilDiv(launch->tiles_h, rows);
  const auto blocks = [&] { return launch->batch * launch->row_blocks * launch->col_blocks; };
  while (blocks() < kWantedUnits && launch->row_blocks < launch->tiles_h &&
         CeilDiv(launch->tiles_h, launch->row_blocks + 1) * launch->tile_cols >= kLeastTiles) {
    ++launch->row_blocks;
  }
  launch->panels = NumPanels(table.widths, launch->outputs);
  launch->sum_width = PanelAt(table.widths, launch->outputs, 0).width;
  // Each block of panels transforms the inputs again, which a pair of panels is worth.
  const int64_t wanted = workers == 1 ? 1 : kWantedUnits;
  launch->panel_blocks = std::clamp<int64_t>(CeilDiv(wanted, blocks()), 1, CeilDiv(launch->panels, 2));
  // As many units for each worker as for the others.
  if (blocks() * launch->panel_blocks % workers != 0) {
    const int64_t rows = std::min<int64_t>(RoundUp(launch->row_blocks, workers), launch->tiles_h);
    if (launch->tiles_h * launch->tile_cols >= rows * kFewTiles) launch->row_blocks = rows;
  }
  launch->tile_rows = CeilDiv(launch->tiles_h, launch->row_blocks);
  launch->panels_per_unit = CeilDiv(launch->panels, launch->panel_blocks);
  launch->panel_blocks = CeilDiv(launch->panels, launch->panels_per_unit);
}

Status CheckForm(const OpCall& call, const ConvParams& params) {
  const TensorDesc &x = call.src[0], &w = call.src[1], &y = call.dst[0];
  if (params.rank != 2) return Unsupported(params.rank, " spatial dimensions");
  const Window window = params.Expanded(2);
  for (size_t i = 0; i < 2; ++i) {
    if (window.kernel[i] != 3 || window.strides[i] > 2 || window.strides[i] != window.strides[0] ||
        window.dilations[i] != 1) {
      return Unsupported("not 3x3 with strides of 1 or 2 and without dilations");
    }
  }
  if (w.dims[1] != x.dims[1]) return Unsupported("groups");
  if (x.dims[1] != 1 && x.strides[1] != 1) return Unsupported("src 0: stride of C is ", x.strides[1], ", not 1");
  if (y.dims[1] != 1 && y.strides[1] != 1) return Unsupported("dst: stride of C is ", y.strides[1], ", not 1");
  if (call.constants.size() < 2 || call.constants[1] == nullptr) return Unsupported("src 1: not constant");
  if (call.has_src(2) && call.src[2].strides[0] != 1) return Unsupported("src 2: stride is not 1");
  return {};
}

// Everything but size and blocks.
Result<WinogradLaunch> MakeLaunch(const OpCall& call) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const ConvParams params, ConvParams::From(call));
  MOKA_RETURN_IF_ERROR(CheckForm(call, params));
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  const Window window = params.Expanded(2);
  WinogradLaunch launch{};
  launch.bias = call.has_src(2) ? 2 : -1;
  launch.batch = x.dims[0];
  launch.channels = x.dims[1];
  launch.outputs = y.dims[1];
  launch.in_h = x.dims[2];
  launch.in_w = x.dims[3];
  launch.stride = window.strides[0];
  launch.pad_h = window.pads_begin[0];
  launch.pad_w = window.pads_begin[1];
  launch.out_h = y.dims[2];
  launch.out_w = y.dims[3];
  launch.src_image = x.strides[0];
  launch.src_row = x.strides[2];
  launch.src_pixel = x.strides[3];
  if (launch.channels == 0 || launch.outputs * launch.out_h * launch.out_w == 0) return Unsupported("empty");
  return launch;
}

Status Finish(const Kernel& kernel, const OpCall& call, WinogradLaunch launch, Choice* choice) {
  const TileTable& table = *kernel.simd->tile;
  const WinogradSize& size = kernel.simd->winograd->sizes[launch.size];
  ChooseBlocks(table, size, kernel.workers, &launch);
  MOKA_RETURN_IF_ERROR(MakeEpilogue(call, 1, &launch.epilogue));
  PackSpec spec;
  spec.src = 1;
  spec.format = kWinogradPanels;
  spec.params = {launch.outputs, launch.channels, table.widths.granule, table.widths.widest, launch.size};
  const int64_t packed = size.Kernels() * PackedFloats(table.widths, launch.channels, launch.outputs);
  spec.bytes = static_cast<uint64_t>(packed) * sizeof(float);
  choice->packs.push_back(spec);
  choice->spacious = true;
  choice->units = launch.Units();
  choice->scratch_per_worker = static_cast<uint64_t>(Scratch(launch, size.Points()).floats) * sizeof(float);
  choice->in_place = InPlace(call, launch.epilogue);
  const auto products = static_cast<double>(launch.batch * launch.tiles_h * launch.tiles_w * launch.channels);
  choice->cost_us = 2.0 * size.Points() * products * static_cast<double>(launch.outputs) / kFlopsPerMicrosecond +
                    4.0 * static_cast<double>(packed) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return {};
}

}  // namespace

Status ChooseWinograd(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_ASSIGN_OR_RETURN(WinogradLaunch launch, MakeLaunch(call));
  MOKA_RETURN_IF_ERROR(ChooseSize(*kernel.simd->winograd, kernel.bf16 ? kernel.simd->bf16 : nullptr, &launch));
  return Finish(kernel, call, launch, choice);
}

template <int size>
Status ChooseWinogradOf(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_ASSIGN_OR_RETURN(WinogradLaunch launch, MakeLaunch(call));
  const int32_t index = size + (launch.stride == 2 ? 2 : 0);
  if (ChooseSize(*kernel.simd->winograd, nullptr, &launch).ok() && launch.size == index) {
    return Unsupported("conv_winograd takes these tiles");
  }
  launch.size = index;
  return Finish(kernel, call, launch, choice);
}
template Status ChooseWinogradOf<0>(const Kernel&, const OpCall&, Choice*);
template Status ChooseWinogradOf<1>(const Kernel&, const OpCall&, Choice*);

namespace {

// ---- Running ------------------------------------------------------------------------------------------------------

struct Unit {
  int64_t image, tile_y, tile_rows, tile_x, tile_cols, panel_begin, panel_end;

  Unit(const WinogradLaunch& launch, int64_t index) {
    panel_begin = index % launch.panel_blocks * launch.panels_per_unit;
    panel_end = std::min(panel_begin + launch.panels_per_unit, launch.panels);
    index /= launch.panel_blocks;
    tile_x = index % launch.col_blocks * launch.tile_cols;
    tile_cols = std::min(launch.tile_cols, launch.tiles_w - tile_x);
    index /= launch.col_blocks;
    const int64_t block = index % launch.row_blocks;
    tile_y = PartBegin(launch.tiles_h, block, launch.row_blocks);
    tile_rows = PartBegin(launch.tiles_h, block + 1, launch.row_blocks) - tile_y;
    image = index / launch.row_blocks;
  }
  int64_t tiles() const { return tile_rows * tile_cols; }
};

class Runner {
 public:
  Runner(const KernelArgs& args, int worker)
      : args_(args),
        launch_(args.Launch<WinogradLaunch>()),
        size_(args.simd->winograd->sizes[launch_.size]),
        table_(*args.simd->tile),
        layout_(launch_, size_.Points()),
        scratch_(args.WorkerScratch(worker)) {
    std::memset(scratch_, 0, static_cast<size_t>(layout_.channel_step) * sizeof(float));
  }

  void TransformInputs(const Unit& unit) {
    const float* pixels[kWinogradMaxPoints];
    WinogradInput in{pixels, launch_.channels, nullptr, layout_.point_step,
                     size_.out * size_.stride * launch_.src_pixel};
    for (int64_t t = 0; t < unit.tiles(); ++t) {
      FindPixels(unit, t, pixels);
      in.dst = scratch_ + layout_.inputs + t * layout_.channel_step;
      size_.input(in);
    }
  }

  void RunPanels(const Unit& unit) {
    for (int64_t p = unit.panel_begin; p < unit.panel_end; ++p) {
      const Panel panel = PanelAt(table_.widths, launch_.outputs, p);
      Multiply(unit, panel);
      for (int64_t t = 0; t < unit.tiles(); ++t) TransformOutput(unit, panel, t);
    }
    if (launch_.epilogue.kind == Epilogue::kProgram) RunProgram(unit);
  }

 private:
  // Those outside are zeros.
  void FindPixels(const Unit& unit, int64_t t, const float** pixels) const {
    const int64_t in = size_.in, out = size_.out * size_.stride, step = launch_.src_pixel;
    const int64_t y0 = (unit.tile_y + t / unit.tile_cols) * out - launch_.pad_h;
    const int64_t x0 = (unit.tile_x + t % unit.tile_cols) * out - launch_.pad_w;
    const bool whole = x0 >= 0 && x0 + in <= launch_.in_w;
    for (int64_t y = y0; y < y0 + in; ++y, pixels += in) {
      const bool inside = y >= 0 && y < launch_.in_h;
      const float* row = args_.Src(0) + unit.image * launch_.src_image + y * launch_.src_row + x0 * step;
      if (inside && whole) {
        for (int64_t x = 0; x < in; ++x) pixels[x] = row + x * step;
      } else {
        for (int64_t x = 0; x < in; ++x) {
          pixels[x] = inside && x0 + x >= 0 && x0 + x < launch_.in_w ? row + x * step : scratch_;
        }
      }
    }
  }

  void Multiply(const Unit& unit, const Panel& panel) {
    const int64_t width = panel.width;
    // A product of one row adds up in another order. Which tiles are alone in a block depends on the number of workers,
    // so such a tile is multiplied twice.
    const int64_t rows = std::max(unit.tiles(), std::min<int64_t>(launch_.UnitTiles(), 2));
    auto** a = reinterpret_cast<const float**>(scratch_ + layout_.pointers);
    auto** dst = reinterpret_cast<float**>(scratch_ + layout_.pointers) + rows;
    const int64_t segment = 0;
    const Block block = {&table_, rows, a, dst, nullptr, &segment, 1, launch_.channels, nullptr, -kInfinity, kInfinity};
    const float* kernels = static_cast<const float*>(args_.packs[0]) + panel.col * launch_.channels * size_.Kernels();
    for (int64_t point = 0; point < size_.Points(); ++point) {
      const float* b = kernels + size_.KernelOf(point) * launch_.channels * width;
      const float* inputs = scratch_ + layout_.inputs + point * layout_.point_step;
      float* sums = scratch_ + layout_.sums + point * layout_.sum_step;
      for (int64_t t = 0; t < rows; ++t) {
        a[t] = inputs + std::min(t, unit.tiles() - 1) * layout_.channel_step;
        dst[t] = sums + t * launch_.sum_width;
      }
      RunPanel(block, panel, b, -panel.col);
    }
  }

  void TransformOutput(const Unit& unit, const Panel& panel, int64_t t) {
    const MicroLaunch& micro = launch_.epilogue.micro;
    const int64_t y = (unit.tile_y + t / unit.tile_cols) * size_.out;
    const int64_t x = (unit.tile_x + t % unit.tile_cols) * size_.out;
    const int64_t row = (unit.image * launch_.out_h + y) * launch_.out_w + x;
    WinogradOutput out{};
    out.sums = scratch_ + layout_.sums + t * launch_.sum_width;
    out.step = layout_.sum_step;
    out.rows = std::min<int64_t>(size_.out, launch_.out_h - y);
    out.cols = std::min<int64_t>(size_.out, launch_.out_w - x);
    out.channels = panel.cols;
    out.bias = launch_.bias >= 0 ? args_.Src(launch_.bias) + panel.col : nullptr;
    out.lo = launch_.epilogue.lo;
    out.hi = launch_.epilogue.hi;
    out.dst = args_.Dst() + RowOffset(micro, micro.dst, row) + panel.col;
    SetSteps(micro, micro.dst, row, out, &out.dst_row, &out.dst_pixel);
    if (const int k = launch_.epilogue.residual; k >= 0) {
      out.residual = args_.Src(micro.src_index[k]) + RowOffset(micro, micro.src[k], row) + panel.col;
      SetSteps(micro, micro.src[k], row, out, &out.residual_row, &out.residual_pixel);
    }
    size_.output(out);
  }

  // Elements between the rows and between the pixels of an operand of the micro-program.
  template <class Operand>
  void SetSteps(const MicroLaunch& micro, const Operand& operand, int64_t row, const WinogradOutput& out,
                int64_t* row_step, int64_t* pixel_step) const {
    const int64_t first = RowOffset(micro, operand, row);
    *row_step = out.rows > 1 ? RowOffset(micro, operand, row + launch_.out_w) - first : 0;
    *pixel_step = out.cols > 1 ? RowOffset(micro, operand, row + 1) - first : 0;
  }

  void RunProgram(const Unit& unit) {
    const MicroLaunch& micro = launch_.epilogue.micro;
    const float* src[kCodeMaxSources];
    for (int k = 0; k < micro.num_sources; ++k) src[k] = args_.Src(micro.src_index[k]);
    const Panel last = PanelAt(table_.widths, launch_.outputs, unit.panel_end - 1);
    const int64_t begin = PanelAt(table_.widths, launch_.outputs, unit.panel_begin).col, end = last.col + last.cols;
    const int64_t y_end = std::min((unit.tile_y + unit.tile_rows) * size_.out, launch_.out_h);
    const int64_t x = unit.tile_x * size_.out;
    const int64_t cols = std::min((unit.tile_x + unit.tile_cols) * size_.out, launch_.out_w) - x;
    for (int64_t y = unit.tile_y * size_.out; y < y_end; ++y) {
      const int64_t row = (unit.image * launch_.out_h + y) * launch_.out_w + x;
      args_.simd->run_micro(micro, args_.Dst(), src, row, row + cols, begin, end, scratch_ + layout_.micro);
    }
  }

  static constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const KernelArgs& args_;
  const WinogradLaunch& launch_;
  const WinogradSize& size_;
  const TileTable& table_;
  const Scratch layout_;
  float* const scratch_;
};

}  // namespace

void RunWinograd(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<WinogradLaunch>();
  Runner runner(args, worker);
  int64_t transformed = -1;
  for (int64_t index = begin; index < end; ++index) {
    const Unit unit(launch, index);
    if (transformed != index / launch.panel_blocks) {
      runner.TransformInputs(unit);
      transformed = index / launch.panel_blocks;
    }
    runner.RunPanels(unit);
  }
}

}  // namespace moka::cpu

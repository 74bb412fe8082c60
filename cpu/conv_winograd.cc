// 3x3 convolution with strides of 1 or 2, and 5x5, by Winograd's minimal filtering (cpu/winograd.h): per unit of work,
// a block of tiles is transformed, then for each panel of output channels one product for each point of the transform,
// of matrices [tiles, channels] x [channels, panel] are formed and transformed back. The planes of a volume are
// transformed one by one, and those that the planes of a kernel meet are added up as more channels of the products.
// Dilated kernels are plain ones on images that lie between each other.
#include <algorithm>
#include <cstring>
#include <limits>

#include "cpu/fetch_list.h"
#include "cpu/kernel.h"
#include "cpu/pack.h"
#include "cpu/winograd.h"
#include "cpu/winograd_launch.h"

namespace moka::cpu {
namespace {

// Products of a sum over several planes that are added up alone: in parts the errors are smaller.
constexpr int64_t kPart = 128;

struct Unit {
  int64_t image, group, first_y, first_x, plane, planes, tile_y, tile_rows, tile_x, tile_cols, panel_begin, panel_end;

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
    index /= launch.row_blocks;
    const int64_t plane_block = index % launch.plane_blocks;
    plane = PartBegin(launch.out.d, plane_block, launch.plane_blocks);
    planes = PartBegin(launch.out.d, plane_block + 1, launch.plane_blocks) - plane;
    index /= launch.plane_blocks;
    first_x = index % launch.dilation.w;
    index /= launch.dilation.w;
    first_y = index % launch.dilation.h;
    index /= launch.dilation.h;
    group = index % launch.groups;
    image = index / launch.groups;
  }
  int64_t plane_tiles() const { return tile_rows * tile_cols; }
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
    auto* segments = reinterpret_cast<int64_t*>(scratch_ + layout_.segments);
    for (int64_t z = 0; z < launch_.kernel.d; ++z) segments[z] = z * launch_.dilation.d * layout_.plane_step;
  }

  void TransformInputs(const Unit& unit) {
    const float* pixels[kWinogradMaxPoints];
    WinogradInput in{pixels, launch_.channels, nullptr, layout_.point_step,
                     size_.out * size_.stride * launch_.dilation.w * launch_.src.w};
    for (int64_t i = 0; i < launch_.Span(unit.planes); ++i) {
      const int64_t plane = unit.plane * launch_.stride.d - launch_.pad.d + i;
      if (plane < 0 || plane >= launch_.in.d || !IsMet(unit, i)) continue;
      for (int64_t t = 0; t < unit.plane_tiles(); ++t) {
        FindPixels(unit, plane, t, pixels);
        in.dst = scratch_ + layout_.inputs + i * layout_.plane_step + t * layout_.channel_step;
        size_.input(in);
      }
    }
  }

  // Meanwhile fetches the pixels of the unit that comes later, unless it is null, and the places of the results.
  void RunPanels(const Unit& unit, const Unit* later) {
    fetch_ = FetchList();
    if (launch_.fetch_source != 0 && later != nullptr) AddPixels(*later);
    if (launch_.fetch_results != 0) AddResults(unit);
    fetch_.Start(size_.Points() * (unit.panel_end - unit.panel_begin));
    for (int64_t p = unit.panel_begin; p < unit.panel_end; ++p) {
      const Panel panel = PanelAt(table_.widths, launch_.outputs, p);
      Multiply(unit, panel);
      for (int64_t z = 0; z < unit.planes; ++z) {
        for (int64_t t = 0; t < unit.plane_tiles(); ++t) TransformOutput(unit, panel, z, t);
      }
    }
    if (launch_.epilogue.kind != Epilogue::kProgram) return;
    for (int64_t z = unit.plane; z < unit.plane + unit.planes; ++z) RunProgram(unit, z);
  }

 private:
  // The i-th plane under the unit, by a plane of the kernel.
  bool IsMet(const Unit& unit, int64_t i) const {
    for (int64_t z = 0; z < launch_.kernel.d; ++z) {
      const int64_t first = i - z * launch_.dilation.d;
      if (first >= 0 && first % launch_.stride.d == 0 && first / launch_.stride.d < unit.planes) return true;
    }
    return false;
  }

  void AddPixels(const Unit& unit) {
    const int64_t out = size_.out * size_.stride, beyond = size_.in - out;
    const int64_t y = unit.tile_y * out - launch_.pad.h, x = unit.tile_x * out - launch_.pad.w;
    const int64_t y_begin = std::max<int64_t>(y, 0), x_begin = std::max<int64_t>(x, 0);
    const int64_t y_end = std::min(y + unit.tile_rows * out + beyond, launch_.in.h);
    const int64_t x_end = std::min(x + unit.tile_cols * out + beyond, launch_.in.w);
    for (int64_t i = 0; i < launch_.Span(unit.planes); ++i) {
      const int64_t plane = unit.plane * launch_.stride.d - launch_.pad.d + i;
      if (plane < 0 || plane >= launch_.in.d || !IsMet(unit, i)) continue;
      const float* image = args_.Src(0) + unit.image * launch_.src_image + plane * launch_.src.d;
      fetch_.Add(image + y_begin * launch_.src.h + x_begin * launch_.src.w, launch_.src.h, y_end - y_begin,
                 (x_end - x_begin) * launch_.src.w);
    }
  }

  void AddResults(const Unit& unit) {
    const MicroLaunch& micro = launch_.epilogue.micro;
    const int64_t y = unit.tile_y * size_.out, x = unit.tile_x * size_.out;
    const int64_t rows = std::min((unit.tile_y + unit.tile_rows) * size_.out, launch_.out.h) - y;
    const int64_t cols = std::min((unit.tile_x + unit.tile_cols) * size_.out, launch_.out.w) - x;
    for (int64_t z = unit.plane; z < unit.plane + unit.planes; ++z) {
      const int64_t row = OutputRow(unit, z, y, x), first = RowOffset(micro, micro.dst, row);
      const int64_t step = rows > 1 ? RowOffset(micro, micro.dst, row + launch_.out.w) - first : 0;
      fetch_.Add(args_.Dst() + first, step, rows, cols * launch_.outputs);
    }
  }

  // Those outside are zeros.
  void FindPixels(const Unit& unit, int64_t plane, int64_t t, const float** pixels) const {
    const int64_t in = size_.in, dilation = launch_.dilation.w, step = dilation * launch_.src.w;
    const int64_t y0 = TileY(unit, t) * size_.stride - launch_.pad.h;
    const int64_t x0 = TileX(unit, t) * size_.stride - launch_.pad.w;
    const bool whole = x0 >= 0 && x0 + (in - 1) * dilation < launch_.in.w;
    const float* image =
        args_.Src(0) + unit.image * launch_.src_image + unit.group * launch_.channels + plane * launch_.src.d;
    for (int64_t i = 0; i < in; ++i, pixels += in) {
      const int64_t y = y0 + i * launch_.dilation.h;
      const bool inside = y >= 0 && y < launch_.in.h;
      const float* row = image + y * launch_.src.h + x0 * launch_.src.w;
      if (inside && whole) {
        for (int64_t x = 0; x < in; ++x) pixels[x] = row + x * step;
      } else {
        for (int64_t x = 0; x < in; ++x) {
          const int64_t at = x0 + x * dilation;
          pixels[x] = inside && at >= 0 && at < launch_.in.w ? row + x * step : scratch_;
        }
      }
    }
  }

  // The first pixel of the result in a tile.
  int64_t TileY(const Unit& unit, int64_t t) const {
    return unit.first_y + (unit.tile_y + t / unit.tile_cols) * size_.out * launch_.dilation.h;
  }
  int64_t TileX(const Unit& unit, int64_t t) const {
    return unit.first_x + (unit.tile_x + t % unit.tile_cols) * size_.out * launch_.dilation.w;
  }

  // Rows of products that meet the same planes of the kernel.
  struct Run {
    int64_t rows;
    Range met;
  };

  int FindRuns(const Unit& unit, Run* runs) const {
    int count = 0;
    for (int64_t z = 0; z < unit.planes; ++z) {
      const Range met = launch_.KernelPlanes(unit.plane + z);
      if (count == 0 || runs[count - 1].met != met) runs[count++] = {0, met};
      runs[count - 1].rows += unit.plane_tiles();
    }
    return count;
  }

  void Multiply(const Unit& unit, const Panel& panel) {
    const int64_t tiles = unit.plane_tiles(), rows = unit.planes * tiles;
    auto** a = reinterpret_cast<const float**>(scratch_ + layout_.pointers);
    auto** dst = reinterpret_cast<float**>(scratch_ + layout_.pointers) + rows;
    for (int64_t z = 0; z < unit.planes; ++z) {
      const float* inputs = scratch_ + layout_.inputs + z * launch_.stride.d * layout_.plane_step;
      for (int64_t t = 0; t < tiles; ++t) a[z * tiles + t] = inputs + t * layout_.channel_step;
    }
    for (int64_t i = 0; i < rows; ++i) dst[i] = scratch_ + layout_.sums + i * launch_.sum_width;
    Run runs[kWinogradPlanes];
    const int count = FindRuns(unit, runs);
    const int64_t first_col = unit.group * RoundUp(launch_.outputs, table_.widths.granule) + panel.col;  // as packed
    const float* kernels = static_cast<const float*>(args_.packs[0]) + first_col * launch_.K() * size_.Kernels();
    for (int64_t point = 0; point < size_.Points(); ++point) {
      const float* b = kernels + size_.KernelOf(point) * launch_.K() * panel.width;
      int64_t row = 0;
      const int64_t next = point + 1 < size_.Points() ? size_.KernelOf(point + 1) : size_.Kernels();
      const float* next_b = next != size_.KernelOf(point) ? kernels + next * launch_.K() * panel.width : nullptr;
      for (int i = 0; i < count; row += runs[i++].rows) {
        MultiplyRun(runs[i], panel, b, i + 1 == count ? next_b : nullptr, a + row, dst + row);
      }
      for (int64_t i = 0; i < rows; ++i) {
        a[i] += layout_.point_step;
        dst[i] += layout_.sum_step;
      }
    }
  }

  // `next_b`: of the point that comes next, or null.
  void MultiplyRun(const Run& run, const Panel& panel, const float* b, const float* next_b, const float* const* a,
                   float* const* dst) {
    const auto* segments = reinterpret_cast<const int64_t*>(scratch_ + layout_.segments);
    const int64_t part = std::max<int64_t>(kPart / launch_.channels, 1);
    Block block = {&table_, run.rows, a, dst, nullptr, segments, 0, launch_.channels, nullptr, -kInfinity, kInfinity};
    block.among = true;  // which tiles are alone depends on the number of workers
    block.next = fetch_.Take(&block.next_lines);
    block.then = next_b;
    int64_t z = run.met.begin;
    do {
      block.segments = segments + z;
      block.num_segments = std::min(part, run.met.end - z);
      RunPanel(block, panel, b + z * launch_.channels * panel.width, -panel.col);
      block.residual = dst;
      block.next = block.then = nullptr;
      z += part;
    } while (z < run.met.end);
  }

  void TransformOutput(const Unit& unit, const Panel& panel, int64_t z, int64_t t) {
    const MicroLaunch& micro = launch_.epilogue.micro;
    const int64_t y = TileY(unit, t), x = TileX(unit, t);
    if (y >= launch_.out.h || x >= launch_.out.w) return;
    const int64_t row = OutputRow(unit, unit.plane + z, y, x);
    const int64_t first_col = unit.group * launch_.outputs + panel.col;
    WinogradOutput out{};
    out.sums = scratch_ + layout_.sums + (z * unit.plane_tiles() + t) * launch_.sum_width;
    out.step = layout_.sum_step;
    out.rows = std::min<int64_t>(size_.out, CeilDiv(launch_.out.h - y, launch_.dilation.h));
    out.cols = std::min<int64_t>(size_.out, CeilDiv(launch_.out.w - x, launch_.dilation.w));
    out.channels = panel.cols;
    out.bias = launch_.bias >= 0 ? args_.Src(launch_.bias) + first_col : nullptr;
    out.lo = launch_.epilogue.lo;
    out.hi = launch_.epilogue.hi;
    out.dst = args_.Dst() + RowOffset(micro, micro.dst, row) + first_col;
    SetSteps(micro, micro.dst, row, out, &out.dst_row, &out.dst_pixel);
    if (const int k = launch_.epilogue.residual; k >= 0) {
      out.residual = args_.Src(micro.src_index[k]) + RowOffset(micro, micro.src[k], row) + first_col;
      SetSteps(micro, micro.src[k], row, out, &out.residual_row, &out.residual_pixel);
    }
    size_.output(out);
  }

  int64_t OutputRow(const Unit& unit, int64_t z, int64_t y, int64_t x) const {
    return ((unit.image * launch_.out.d + z) * launch_.out.h + y) * launch_.out.w + x;
  }

  // Elements between the rows and between the pixels of an operand of the micro-program.
  template <class Operand>
  void SetSteps(const MicroLaunch& micro, const Operand& operand, int64_t row, const WinogradOutput& out,
                int64_t* row_step, int64_t* pixel_step) const {
    const int64_t first = RowOffset(micro, operand, row);
    *row_step = out.rows > 1 ? RowOffset(micro, operand, row + launch_.dilation.h * launch_.out.w) - first : 0;
    *pixel_step = out.cols > 1 ? RowOffset(micro, operand, row + launch_.dilation.w) - first : 0;
  }

  void RunProgram(const Unit& unit, int64_t z) {
    const MicroLaunch& micro = launch_.epilogue.micro;
    const float* src[kCodeMaxSources];
    for (int k = 0; k < micro.num_sources; ++k) src[k] = args_.Src(micro.src_index[k]);
    const Panel last = PanelAt(table_.widths, launch_.outputs, unit.panel_end - 1);
    const int64_t first_col = unit.group * launch_.outputs, end = first_col + last.col + last.cols;
    const int64_t begin = first_col + PanelAt(table_.widths, launch_.outputs, unit.panel_begin).col;
    const int64_t last_tile = unit.plane_tiles() - 1, dilation = launch_.dilation.w;
    const int64_t y_end = std::min(TileY(unit, last_tile) + size_.out * launch_.dilation.h, launch_.out.h);
    const int64_t x_begin = TileX(unit, 0);
    const int64_t x_end = std::min(TileX(unit, last_tile) + size_.out * dilation, launch_.out.w);
    const int64_t count = dilation == 1 ? x_end - x_begin : 1;  // neighbours
    for (int64_t y = TileY(unit, 0); y < y_end; y += launch_.dilation.h) {
      for (int64_t x = x_begin; x < x_end; x += count * dilation) {
        const int64_t row = OutputRow(unit, z, y, x);
        args_.simd->run_micro(micro, args_.Dst(), src, row, row + count, begin, end, scratch_ + layout_.micro);
      }
    }
  }

  static constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const KernelArgs& args_;
  const WinogradLaunch& launch_;
  const WinogradSize& size_;
  const TileTable& table_;
  const WinogradScratch layout_;
  FetchList fetch_;
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
    const bool last = index + 1 == end || transformed == (index + 1) / launch.panel_blocks;
    const Unit later(launch, last ? index : index + 1);
    runner.RunPanels(unit, last ? nullptr : &later);
  }
}

}  // namespace moka::cpu

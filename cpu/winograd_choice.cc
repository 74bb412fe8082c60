// Whether Winograd's algorithm pays for a convolution, which of its sizes, and in what blocks.
#include <algorithm>
#include <limits>

#include "cpu/bf16_tile.h"
#include "cpu/pack.h"
#include "cpu/winograd.h"
#include "cpu/winograd_launch.h"
#include "ops/conv.h"

namespace moka::cpu {
namespace {

// Of the transformed inputs of a unit: with the sums of a panel beside them they stay in a cache of 1 MiB. With many
// channels, kBlockTiles all the same, so that the weights are worth being read, up to kMostFloats.
constexpr int64_t kBlockFloats = 72 << 10, kMostFloats = 168 << 10;
constexpr int64_t kBlockTiles = 16;
// Where not even those fit: weights come from memory once for each block, its inputs once for each panel.
constexpr int64_t kStreamedTiles = 32;
// Those of all planes of a unit, at least.
constexpr int64_t kVolumeTiles = 32;
// Rows of the products' tiles.
constexpr int64_t kTileRows = 4;
// Below this many tiles a unit reads its weights too often.
constexpr int64_t kLeastTiles = 24;
constexpr int64_t kWantedUnits = 8;
// Larger values are fetched while products are computed.
constexpr int64_t kCachedFloats = 256 << 10;
// With fewer it may be divided all the same where workers would have nothing to do.
constexpr int64_t kFewTiles = 4;

// Estimates in microseconds, of one group. What the fewer products save has to pay for the transforms, for weights that
// are up to four times as many bytes, and for short sums: a tile of GEMM loads and stores its sums whatever the number
// of channels.
constexpr double kFlops = 100e3, kBytes = 24e3, kTransformed = 9e3;  // a microsecond
constexpr double kStart = 12;                                        // products

// Planes of kernels that planes of the result need.
double MetPlanes(const WinogradLaunch& launch) {
  int64_t sum = 0;
  for (int64_t z = 0; z < launch.out.d; ++z) sum += launch.KernelPlanes(z).end - launch.KernelPlanes(z).begin;
  return static_cast<double>(sum);
}

// `bf16`: the products by which a session would replace them; null: of f32.
double DirectCost(const WinogradLaunch& launch, const Bf16Table* bf16) {
  const auto channels = static_cast<double>(launch.channels), outputs = static_cast<double>(launch.outputs);
  const auto pixels = static_cast<double>(launch.batch * launch.out.h * launch.out.w);
  const double taps = launch.met * static_cast<double>(launch.kernel.h * launch.kernel.w);
  const double speed = bf16 != nullptr && bf16->element == 2 ? 2 : 1, weight_bytes = bf16 != nullptr ? 2 : 4;
  const double products = taps * channels * MetPlanes(launch) + kStart * static_cast<double>(launch.out.d);
  return 2 * products * outputs * pixels / (speed * kFlops) +
         weight_bytes * taps * static_cast<double>(launch.K()) * outputs / kBytes;
}

// ChooseBlocks was called.
double Cost(const WinogradLaunch& launch, const WinogradSize& size) {
  const auto channels = static_cast<double>(launch.channels), outputs = static_cast<double>(launch.outputs);
  const auto tiles = static_cast<double>(launch.Images() * launch.tiles_h * launch.tiles_w);
  const auto planes = static_cast<double>(launch.out.d);
  const double transformed = static_cast<double>(launch.plane_blocks * launch.Span(launch.planes));
  const double points = size.Points(), kernels = size.Kernels();
  return 2 * points * (channels * MetPlanes(launch) + kStart * planes) * outputs * tiles / kFlops +
         points * (channels * transformed + outputs * planes) * tiles / kTransformed +
         4 * kernels * static_cast<double>(launch.K()) * outputs / kBytes;
}

// Of the result, in a unit: those in between meet inputs that were transformed for their neighbours as well.
int64_t ChoosePlanes(const WinogradLaunch& launch) {
  return launch.kernel.d > 1 && launch.dilation.d == 1 && launch.stride.d < launch.kernel.d ? kWinogradPlanes : 1;
}

// Blocks of whole rows of tiles where they fit, else parts of one row.
void ChooseBlocks(const TileTable& table, const WinogradSize& size, int workers, WinogradLaunch* launch) {
  const int64_t tile = size.Points() * RoundUp(launch->channels, 16);
  const int64_t few = kBlockTiles * tile <= kMostFloats ? kBlockTiles : kStreamedTiles;
  int64_t most = std::max(kBlockFloats / tile, few);
  launch->planes = ChoosePlanes(*launch);
  launch->plane_blocks = CeilDiv(launch->out.d, launch->planes);
  launch->planes = CeilDiv(launch->out.d, launch->plane_blocks);
  if (launch->kernel.d > 1) most = std::max(most, kVolumeTiles) / launch->planes;
  launch->tiles_h = CeilDiv(CeilDiv(launch->out.h, launch->dilation.h), size.out);
  launch->tiles_w = CeilDiv(CeilDiv(launch->out.w, launch->dilation.w), size.out);
  launch->col_blocks = CeilDiv(launch->tiles_w, most);
  launch->tile_cols = std::min(RoundUp(CeilDiv(launch->tiles_w, launch->col_blocks), kTileRows), launch->tiles_w);
  launch->col_blocks = CeilDiv(launch->tiles_w, launch->tile_cols);
  const int64_t rows = std::clamp<int64_t>(most / launch->tile_cols, 1, launch->tiles_h);
  launch->row_blocks = CeilDiv(launch->tiles_h, rows);
  while (launch->Blocks() < kWantedUnits && launch->row_blocks < launch->tiles_h &&
         CeilDiv(launch->tiles_h, launch->row_blocks + 1) * launch->tile_cols >= kLeastTiles) {
    ++launch->row_blocks;
  }
  launch->panels = NumPanels(table.widths, launch->outputs);
  launch->sum_width = PanelAt(table.widths, launch->outputs, 0).width;
  // Each block of panels transforms the inputs again, which a pair of panels is worth.
  const int64_t wanted = workers == 1 ? 1 : kWantedUnits;
  launch->panel_blocks = std::clamp<int64_t>(CeilDiv(wanted, launch->Blocks()), 1, CeilDiv(launch->panels, 2));
  // As many units for each worker as for the others.
  if (launch->Units() % workers != 0) {
    const int64_t rows = std::min<int64_t>(RoundUp(launch->row_blocks, workers), launch->tiles_h);
    if (launch->tiles_h * launch->tile_cols >= rows * kFewTiles) launch->row_blocks = rows;
  }
  launch->tile_rows = CeilDiv(launch->tiles_h, launch->row_blocks);
  launch->panels_per_unit = CeilDiv(launch->panels, launch->panel_blocks);
  launch->panel_blocks = CeilDiv(launch->panels, launch->panels_per_unit);
}

bool Fits(const WinogradSize& size, const WinogradLaunch& launch) {
  return size.taps == launch.kernel.h && size.stride == launch.stride.h;
}

// Small images have few large tiles to share the large weights: there the smaller ones are faster.
Status ChooseSize(const Kernel& kernel, const Bf16Table* bf16, WinogradLaunch* launch) {
  double best = std::numeric_limits<double>::infinity();
  const WinogradLaunch form = *launch;
  for (int32_t i = 0; i < kWinogradSizes; ++i) {
    const WinogradSize& size = kernel.simd->winograd->sizes[i];
    if (!Fits(size, form)) continue;
    WinogradLaunch other = form;
    ChooseBlocks(*kernel.simd->tile, size, kernel.workers, &other);
    other.size = i;
    if (const double cost = Cost(other, size); cost < best) {
      best = cost;
      *launch = other;
    }
  }
  // Of two that are as fast, the smaller weights of direct products are preferred; to bf16, the smaller errors of f32.
  const double limit = bf16 != nullptr ? 1.1 : 0.9;
  if (best >= limit * DirectCost(form, bf16)) return Unsupported("the transforms would cost more than they save");
  return {};
}

Status CheckForm(const OpCall& call, const ConvShape& shape) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  const Dims3 &kernel = shape.kernel, &stride = shape.stride;
  if (kernel.h != kernel.w || stride.h != stride.w)
    return Unsupported("no square in each plane, or strides that differ");
  if (stride.h != 1 && (shape.dilation.h != 1 || shape.dilation.w != 1)) return Unsupported("strides and dilations");
  if (x.dims[1] != 1 && x.strides[1] != 1) return Unsupported("src 0: stride of C is ", x.strides[1], ", not 1");
  if (y.dims[1] != 1 && y.strides[1] != 1) return Unsupported("dst: stride of C is ", y.strides[1], ", not 1");
  if (call.constants.size() < 2 || call.constants[1] == nullptr) return Unsupported("src 1: not constant");
  if (call.has_src(2) && call.src[2].strides[0] != 1) return Unsupported("src 2: stride is not 1");
  return {};
}

// Values of pixels side by side that no L2 cache holds.
bool ComesFromMemory(int64_t batch, const Dims3& dims, int64_t channels, const TensorDesc& desc) {
  return desc.strides[desc.rank - 1] == channels && batch * dims.d * dims.h * dims.w * channels >= kCachedFloats;
}

// Everything but size and blocks.
Result<WinogradLaunch> MakeLaunch(const Kernel& kernel, const OpCall& call) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const ConvParams params, ConvParams::From(call));
  const ConvShape shape = MakeConvShape(call, params, 1);
  MOKA_RETURN_IF_ERROR(CheckForm(call, shape));
  WinogradLaunch launch{};
  launch.bias = call.has_src(2) ? 2 : -1;
  launch.batch = shape.batch;
  launch.groups = shape.groups;
  launch.channels = shape.channels;
  launch.outputs = shape.outputs;
  launch.in = shape.in;
  launch.out = shape.out;
  launch.kernel = shape.kernel;
  launch.stride = shape.stride;
  launch.pad = shape.pad;
  launch.dilation = shape.dilation;
  launch.met = shape.dilation.h * shape.dilation.w == 1 ? 1 : InsideShare(shape);
  launch.src_image = shape.src_n;
  launch.src = shape.src;
  const bool side_by_side = launch.dilation.h * launch.dilation.w == 1;  // pixels of a unit
  launch.fetch_source = side_by_side && ComesFromMemory(launch.batch, launch.in, launch.channels, call.src[0]) ? 1 : 0;
  launch.fetch_results = side_by_side && ComesFromMemory(launch.batch, launch.out, launch.outputs, call.dst[0]) ? 1 : 0;
  if (launch.channels == 0 || launch.outputs * launch.out.d * launch.out.h * launch.out.w == 0) {
    return Unsupported("empty");
  }
  const Range planes =
      TapsInside(0, launch.out.d, launch.stride.d, launch.pad.d, launch.kernel.d, launch.dilation.d, launch.in.d);
  launch.kernel_planes = launch.kernel.d;
  launch.first_plane = std::min(planes.begin, launch.kernel.d - 1);
  launch.kernel.d = std::max<int64_t>(planes.end - launch.first_plane, 1);
  launch.pad.d -= launch.first_plane * launch.dilation.d;
  const auto& sizes = kernel.simd->winograd->sizes;
  const bool found =
      std::any_of(std::begin(sizes), std::end(sizes), [&](const WinogradSize& size) { return Fits(size, launch); });
  if (!found) return Unsupported("not 3x3 with strides of 1 or 2, nor 5x5 with strides of 1");
  return launch;
}

Status Finish(const Kernel& kernel, const OpCall& call, WinogradLaunch launch, Choice* choice) {
  const TileTable& table = *kernel.simd->tile;
  const WinogradSize& size = kernel.simd->winograd->sizes[launch.size];
  MOKA_RETURN_IF_ERROR(MakeEpilogue(call, 1, &launch.epilogue));
  PackSpec spec;
  spec.src = 1;
  spec.format = kWinogradPanels;
  spec.params = {launch.outputs,       launch.channels,    table.widths.granule, table.widths.widest, launch.size,
                 launch.kernel_planes, launch.first_plane, launch.kernel.d,      launch.groups};
  const int64_t packed = launch.groups * size.Kernels() * PackedFloats(table.widths, launch.K(), launch.outputs);
  spec.bytes = static_cast<uint64_t>(packed) * sizeof(float);
  choice->packs.push_back(spec);
  choice->spacious = true;
  choice->units = launch.Units();
  choice->scratch_per_worker = static_cast<uint64_t>(WinogradScratch(launch, size.Points()).floats) * sizeof(float);
  choice->in_place = InPlace(call, launch.epilogue);
  const auto products =
      static_cast<double>(launch.groups * launch.Images() * launch.tiles_h * launch.tiles_w * launch.channels);
  choice->cost_us =
      2.0 * size.Points() * products * MetPlanes(launch) * static_cast<double>(launch.outputs) / kFlopsPerMicrosecond +
      4.0 * static_cast<double>(packed) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return {};
}

}  // namespace

Status ChooseWinograd(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_ASSIGN_OR_RETURN(WinogradLaunch launch, MakeLaunch(kernel, call));
  MOKA_RETURN_IF_ERROR(ChooseSize(kernel, kernel.bf16 ? kernel.simd->bf16 : nullptr, &launch));
  return Finish(kernel, call, launch, choice);
}

template <int out>
Status ChooseWinogradOf(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_ASSIGN_OR_RETURN(WinogradLaunch launch, MakeLaunch(kernel, call));
  WinogradLaunch chosen = launch;
  const bool taken = ChooseSize(kernel, nullptr, &chosen).ok();
  const auto& sizes = kernel.simd->winograd->sizes;
  const auto* size = std::find_if(std::begin(sizes), std::end(sizes), [&](const WinogradSize& candidate) {
    return candidate.out == out && Fits(candidate, launch);
  });
  if (size == std::end(sizes)) return Unsupported("no such tiles");
  launch.size = static_cast<int32_t>(size - std::begin(sizes));
  if (taken && chosen.size == launch.size) return Unsupported("conv_winograd takes these tiles");
  ChooseBlocks(*kernel.simd->tile, *size, kernel.workers, &launch);
  return Finish(kernel, call, launch, choice);
}
template Status ChooseWinogradOf<4>(const Kernel&, const OpCall&, Choice*);
template Status ChooseWinogradOf<2>(const Kernel&, const OpCall&, Choice*);

}  // namespace moka::cpu

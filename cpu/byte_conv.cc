// ConvInteger and QLinearConv as implicit GEMMs (cpu/conv_shape.h) on tiles of bytes. Padding is the zero point of the
// source, so that sums of columns correct for it everywhere alike.
#include <algorithm>

#include "cpu/byte_product.h"
#include "cpu/conv_shape.h"
#include "cpu/kernel.h"

namespace moka::cpu {
namespace {

constexpr int64_t kSlabBytes = 128 << 10;  // of one unit's inputs
constexpr double kUnitFlops = 16e6;
constexpr double kByteSpeed = 2;  // against f32, for estimates

struct ImageStrides {
  int64_t n, d, h, w;
};

struct ByteConvLaunch {
  ByteProduct product;
  ConvShape shape;
  ByteWeights weights;
  int64_t weight_group;  // elements between groups in the weights
  int64_t packed, element;
  ImageStrides dst, residual;
  int64_t quads, rest;  // of a segment
};

struct Scratch {
  int64_t sums, finish, slab, panel, bytes;

  Scratch(const ByteConvLaunch& launch, const ByteTable& table) {
    const ConvShape& shape = launch.shape;
    const int64_t pixels = shape.lines * shape.cols;
    sums = RoundUp(3 * pixels * static_cast<int64_t>(sizeof(void*)), 64);
    finish = RoundUp(sums + pixels * 4, 64);
    slab = finish + kFinishArrays * 4 * table.widths.widest;
    panel = RoundUp(slab + (shape.in_place != 0 ? 0 : shape.SlabElements() + 4), 64);
    bytes = panel + (launch.packed != 0 ? 0 : table.widths.widest * launch.weights.ColumnBytes());
  }
};

ImageStrides StridesOf(const TensorDesc& desc) {
  const Dims3 spatial = Spatial(desc, true);
  return {desc.strides[0], spatial.d, spatial.h, spatial.w};
}

Status CheckChannels(const TensorDesc& desc, const char* what) {
  if (desc.dims[1] != 1 && desc.strides[1] != 1)
    return Unsupported(what, ": stride of C is ", desc.strides[1], ", not 1");
  return Status();
}

ByteWeights WeightsOf(const ConvShape& shape, const TensorDesc& w, bool packed) {
  const Dims3& k = shape.kernel;
  const bool whole_rows = shape.RowContiguous(shape.in_place != 0 ? shape.src.w : shape.channels);
  ByteWeights weights = {{k.d, k.h, k.w, shape.channels},
                         {k.h * k.w, k.w, 1, shape.Points()},
                         shape.Points() * shape.channels,
                         shape.channels * (whole_rows ? k.w : 1),
                         w.type == DataType::kI8};
  if (packed) return weights;
  const Dims3 strides = Spatial(w, true);
  const int64_t own[] = {strides.d, strides.h, strides.w, w.strides[1]};
  std::copy_n(own, 4, weights.k_strides);
  weights.n_stride = w.strides[0];
  return weights;
}

Status ChooseByteConv(const Kernel& kernel, const OpCall& call, Choice* choice) {
  const ProductRoles& roles = ProductRolesOf(*call.op);
  const auto weight_index = static_cast<size_t>(roles.b);
  MOKA_ASSIGN_OR_RETURN(const ConvParams params, ConvParams::From(call, weight_index));
  const TensorDesc &w = call.src[weight_index], &y = call.dst[0];
  MOKA_RETURN_IF_ERROR(CheckChannels(y, "dst"));
  ByteConvLaunch launch{};
  launch.shape = MakeConvShape(call, params, weight_index);
  ConvShape& shape = launch.shape;
  if (shape.NumSegments() > kMaxSegments) return Unsupported("kernel of ", params.Points(), " points");
  MOKA_RETURN_IF_ERROR(MakeByteProduct(call, shape.Points() * shape.channels, &launch.product));
  launch.packed = call.constants.size() > weight_index && call.constants[weight_index] != nullptr ? 1 : 0;
  launch.weights = WeightsOf(shape, w, launch.packed != 0);
  launch.weight_group = shape.outputs * (launch.packed != 0 ? launch.weights.K() : w.strides[0]);
  launch.element = static_cast<int64_t>(SizeOf(y.type));
  launch.dst = StridesOf(y);
  if (launch.product.residual >= 0) {
    const TensorDesc& residual = call.src[static_cast<size_t>(launch.product.residual)];
    MOKA_RETURN_IF_ERROR(CheckChannels(residual, "residual"));
    launch.residual = StridesOf(residual);
  }
  // Behind the rows of a slab there is memory to read, and the weights there are 0.
  const bool read_over = shape.in_place == 0;
  launch.quads = read_over ? CeilDiv(launch.weights.segment, 4) : launch.weights.segment / 4;
  launch.rest = read_over ? 0 : launch.weights.segment % 4;
  const ByteTable& table = *kernel.simd->bytes;
  ChooseBlocks({kSlabBytes, 1, kUnitFlops, NumPanels(table.widths, shape.outputs), 2 * kMaxTileRows, kernel.workers},
               &shape);
  if (launch.packed != 0) {
    choice->packs.push_back(
        BytePanelPackSpec(roles.b, table, launch.weights, shape.outputs, shape.groups, launch.weight_group));
  }
  choice->units = shape.Units();
  choice->scratch_per_worker = static_cast<uint64_t>(Scratch(launch, table).bytes);
  const auto weights = static_cast<double>(launch.weights.K() * shape.outputs * shape.groups);
  const auto pixels = static_cast<double>(shape.batch * shape.out.d * shape.out.h * shape.out.w);
  choice->cost_us = 2.0 * weights * pixels / (kByteSpeed * kFlopsPerMicrosecond) + weights / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return {};
}

// The rows of a unit: pointers to A, dst and the residual, and the sums of A's rows where they are needed.
void FillRows(const KernelArgs& args, const ByteConvLaunch& launch, const ConvUnit& unit,
              const ConvInputs<uint8_t>& inputs, bool row_sums, std::byte* scratch, ByteBlock* block) {
  const int64_t pixels = unit.lines * unit.cols;
  auto** a = reinterpret_cast<const uint8_t**>(scratch);
  auto** dst = reinterpret_cast<void**>(scratch) + pixels;
  auto** residual = launch.product.residual >= 0 ? a + 2 * pixels : nullptr;
  const auto* others = residual != nullptr ? static_cast<const uint8_t*>(args.src[launch.product.residual]) : nullptr;
  const int64_t cols = unit.cols, a_step = inputs.pixel_stride, dst_step = launch.dst.w * launch.element;
  const int64_t residual_step = launch.residual.w;
  for (int64_t line = 0, i = 0; line < unit.lines; ++line, i += cols) {
    const auto offset = [&](const ImageStrides& s) {
      return unit.image * s.n + unit.plane * s.d + (unit.line + line) * s.h + unit.col * s.w;
    };
    const uint8_t* from = inputs.base + line * inputs.line_stride;
    auto* to = static_cast<std::byte*>(args.dst[0]) + offset(launch.dst) * launch.element;
    for (int64_t x = 0; x < cols; ++x) {
      a[i + x] = from + x * a_step;
      dst[i + x] = to + x * dst_step;
    }
    if (residual == nullptr) continue;
    const uint8_t* other = others + offset(launch.residual);
    for (int64_t x = 0; x < cols; ++x) residual[i + x] = other + x * residual_step;
  }
  block->rows = pixels;
  block->a = a;
  block->dst = dst;
  block->residual = residual;
  block->sums = nullptr;
  if (!row_sums) return;
  auto* sums = reinterpret_cast<int32_t*>(scratch + Scratch(launch, *block->table).sums);
  const std::span<const int64_t> segments(inputs.segments, static_cast<size_t>(inputs.num_segments));
  for (int64_t i = 0; i < pixels; ++i) sums[i] = RowSum(a[i], segments, inputs.k_len, block->flip);
  block->sums = sums;
}

void RunUnit(const KernelArgs& args, const ByteConvLaunch& launch, const ConvUnit& unit,
             const ConvInputs<uint8_t>& inputs, bool row_sums, std::byte* scratch) {
  const ByteTable& table = *args.simd->bytes;
  const Scratch layout(launch, table);
  const ConvShape& shape = launch.shape;
  ByteBlock block{};
  block.table = &table;
  block.segments = inputs.segments;
  block.num_segments = inputs.num_segments;
  block.quads = launch.quads;
  block.rest = launch.rest;
  block.flip = launch.product.Flip();
  FillRows(args, launch, unit, inputs, row_sums, scratch, &block);
  ByteFinish finish = PrepareFinish(launch.product, args);
  const int64_t first_col = unit.group * shape.outputs;
  for (int64_t p = unit.panel_begin; p < unit.panel_end; ++p) {
    const Panel panel = PanelAt(table.widths, shape.outputs, p);
    const std::byte* packed = scratch + layout.panel;
    if (launch.packed != 0) {
      packed = static_cast<const std::byte*>(args.packs[0]) +
               unit.group * PackedBytes(table, launch.weights, shape.outputs) +
               panel.col * launch.weights.ColumnBytes();
    } else {
      const auto* weight = static_cast<const uint8_t*>(args.src[launch.product.b]) + unit.group * launch.weight_group;
      PackBytePanel(weight, launch.weights, panel, scratch + layout.panel);
    }
    FillFinishArrays(launch.product, args, first_col + panel.col, panel.cols, panel.width,
                     reinterpret_cast<const int32_t*>(packed), row_sums,
                     reinterpret_cast<int32_t*>(scratch + layout.finish), &finish);
    RunBytePanel(block, panel, packed, first_col, finish);
  }
}

void RunByteConv(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<ByteConvLaunch>();
  const ConvShape& shape = launch.shape;
  auto* scratch = reinterpret_cast<std::byte*>(args.WorkerScratch(worker));
  auto* slab = reinterpret_cast<uint8_t*>(scratch + Scratch(launch, *args.simd->bytes).slab);
  const bool row_sums = NeedsRowSums(launch.product, args, shape.outputs * shape.groups);
  ConvInputs<uint8_t> inputs;
  int64_t prepared = -1;
  for (int64_t index = begin; index < end; ++index) {
    const ConvUnit unit(shape, index);
    if (prepared != index / shape.panel_blocks) {
      PrepareInputs(shape, unit, static_cast<const uint8_t*>(args.src[launch.product.a]),
                    PaddingByte(launch.product, args), slab, &inputs);
      prepared = index / shape.panel_blocks;
    }
    RunUnit(args, launch, unit, inputs, row_sums, scratch);
  }
}

}  // namespace

std::span<const KernelRow> ByteConvRows() {
  static constexpr KernelRow kRows[] = {
      {"ConvInteger", "byte_conv", &ChooseByteConv, &RunByteConv},
      {"QLinearConv", "byte_conv", &ChooseByteConv, &RunByteConv},
      {"moka.QLinearConv", "byte_conv", &ChooseByteConv, &RunByteConv},
  };
  return kRows;
}

}  // namespace moka::cpu

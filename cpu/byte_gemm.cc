// MatMulInteger, QLinearMatMul, MatMulIntegerToFloat and QGemm on tiles of bytes.
#include <algorithm>

#include "cpu/byte_product.h"
#include "cpu/kernel.h"
#include "ops/matmul.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitRows = 192;
constexpr double kUnitFlops = 8e6;
constexpr int64_t kUnits = 16;

struct ByteGemmLaunch {
  ByteProduct product;
  MatMulParams p;
  ByteWeights weights;
  int64_t packed, shared;  // one right matrix for all batches: they are more rows
  int64_t element;
  int64_t rows, row_blocks, rows_per_unit, panels, panel_blocks, panels_per_unit;
};

struct Scratch {
  int64_t sums, finish, panel, bytes;

  Scratch(const ByteGemmLaunch& launch, const ByteTable& table) {
    sums = RoundUp(2 * launch.rows_per_unit * static_cast<int64_t>(sizeof(void*)), 64);
    finish = RoundUp(sums + launch.rows_per_unit * 4, 64);
    panel = finish + kFinishArrays * 4 * table.widths.widest;
    bytes = panel + (launch.packed != 0 ? 0 : table.widths.widest * launch.weights.ColumnBytes());
  }
};

Result<MatMulParams> ParamsOf(const OpCall& call, const ProductRoles& roles) {
  if (std::string_view(call.op->name) != "QGemm") return MatMulParams::From(call, static_cast<size_t>(roles.b));
  MOKA_ASSIGN_OR_RETURN(const ProductAttributes attributes, ProductAttributes::Read(*call.attrs));
  const TensorDesc &a = call.src[static_cast<size_t>(roles.a)], &b = call.src[static_cast<size_t>(roles.b)];
  const size_t a_k = attributes.trans_a ? 0 : 1, b_k = attributes.trans_b ? 1 : 0;
  MatMulParams p;
  p.m = a.dims[1 - a_k];
  p.n = b.dims[1 - b_k];
  p.k = a.dims[a_k];
  p.a_row = a.strides[1 - a_k];
  p.a_col = a.strides[a_k];
  p.b_row = b.strides[b_k];
  p.b_col = b.strides[1 - b_k];
  p.dst_row = call.dst[0].strides[0];
  p.dst_col = call.dst[0].strides[1];
  return p;
}

void ChooseBlocks(const ByteTable& table, ByteGemmLaunch* launch) {
  const int64_t batches = launch->p.Batches();
  launch->rows = launch->p.m * (launch->shared != 0 ? batches : 1);
  launch->panels = NumPanels(table.widths, launch->p.n);
  launch->row_blocks = CeilDiv(launch->rows, kUnitRows);
  launch->rows_per_unit = CeilDiv(launch->rows, std::max<int64_t>(launch->row_blocks, 1));
  const int64_t blocks = launch->row_blocks * (launch->shared != 0 ? 1 : batches);
  const double flops = 2.0 * static_cast<double>(launch->rows_per_unit * launch->p.n * launch->p.k);
  const auto by_work = static_cast<int64_t>(flops / (kUnitFlops / 4));
  launch->panel_blocks = std::clamp<int64_t>(std::min(CeilDiv(kUnits, std::max<int64_t>(blocks, 1)), by_work), 1,
                                             std::max<int64_t>(launch->panels, 1));
  launch->panels_per_unit = CeilDiv(launch->panels, launch->panel_blocks);
  launch->panel_blocks = CeilDiv(launch->panels, std::max<int64_t>(launch->panels_per_unit, 1));
}

Status ChooseByteGemm(const Kernel& kernel, const OpCall& call, Choice* choice) {
  const ProductRoles& roles = ProductRolesOf(*call.op);
  ByteGemmLaunch launch{};
  MOKA_ASSIGN_OR_RETURN(launch.p, ParamsOf(call, roles));
  const MatMulParams& p = launch.p;
  if (p.k > 1 && p.a_col != 1) return Unsupported("src ", roles.a, ": rows are not contiguous");
  if (p.n > 1 && p.dst_col != 1) return Unsupported("dst: rows are not contiguous");
  if (p.k == 0) return Unsupported("no columns");
  if (roles.bias >= 0 && call.has_src(roles.bias)) {
    const TensorDesc& bias = call.src[static_cast<size_t>(roles.bias)];
    if (bias.NumElements() != 1 && bias.dims[static_cast<size_t>(bias.rank - 1)] != p.n) {
      return Unsupported("src ", roles.bias, ": an element a row");
    }
  }
  MOKA_RETURN_IF_ERROR(MakeByteProduct(call, p.k, &launch.product));
  launch.shared = std::all_of(p.b_batch.begin(), p.b_batch.begin() + p.batch_rank, [](int64_t s) { return s == 0; });
  const auto b = static_cast<size_t>(roles.b);
  const bool constant = call.constants.size() > b && call.constants[b] != nullptr;
  launch.packed = constant && launch.shared != 0 ? 1 : 0;
  launch.weights = {{1, 1, 1, p.k}, {0, 0, 0, p.b_row}, p.b_col, p.k, call.src[b].type == DataType::kI8};
  launch.element = static_cast<int64_t>(SizeOf(call.dst[0].type));
  const ByteTable& table = *kernel.simd->bytes;
  ChooseBlocks(table, &launch);
  if (launch.packed != 0) choice->packs.push_back(BytePanelPackSpec(roles.b, table, launch.weights, p.n, 1, 0));
  choice->units = (launch.shared != 0 ? 1 : p.Batches()) * launch.row_blocks * launch.panel_blocks;
  choice->scratch_per_worker = static_cast<uint64_t>(Scratch(launch, table).bytes);
  const double flops = 2.0 * static_cast<double>(p.Batches() * p.m * p.n * p.k);
  choice->cost_us = flops / (2 * kFlopsPerMicrosecond) + static_cast<double>(p.n * p.k) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

// Offsets of batch `index`.
struct BatchOffsets {
  int64_t a = 0, b = 0, dst = 0;

  BatchOffsets(const MatMulParams& p, int64_t index) {
    for (int d = p.batch_rank - 1; d >= 0; --d) {
      const auto i = static_cast<size_t>(d);
      const int64_t at = index % p.batch[i];
      index /= p.batch[i];
      a += at * p.a_batch[i];
      b += at * p.b_batch[i];
      dst += at * p.dst_batch[i];
    }
  }
};

void RunUnit(const KernelArgs& args, const ByteGemmLaunch& launch, int64_t unit, bool row_sums, std::byte* scratch) {
  const ByteTable& table = *args.simd->bytes;
  const Scratch layout(launch, table);
  const MatMulParams& p = launch.p;
  const int64_t panel_begin = unit % launch.panel_blocks * launch.panels_per_unit;
  const int64_t panel_end = std::min(panel_begin + launch.panels_per_unit, launch.panels);
  unit /= launch.panel_blocks;
  const int64_t row_begin = unit % launch.row_blocks * launch.rows_per_unit;
  const int64_t rows = std::min(launch.rows_per_unit, launch.rows - row_begin);
  const BatchOffsets batch(p, launch.shared != 0 ? 0 : unit / launch.row_blocks);
  const int64_t segment = 0;
  auto** a = reinterpret_cast<const uint8_t**>(scratch);
  auto** dst = reinterpret_cast<void**>(scratch) + rows;
  auto* sums = reinterpret_cast<int32_t*>(scratch + layout.sums);
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t row = row_begin + i;
    const BatchOffsets at = launch.shared != 0 ? BatchOffsets(p, row / p.m) : batch;
    a[i] = static_cast<const uint8_t*>(args.src[launch.product.a]) + at.a + row % p.m * p.a_row;
    dst[i] = static_cast<std::byte*>(args.dst[0]) + (at.dst + row % p.m * p.dst_row) * launch.element;
    if (row_sums) sums[i] = RowSum(a[i], {&segment, 1}, p.k, launch.product.Flip());
  }
  const ByteBlock block = {
      &table, rows, a, dst, nullptr, row_sums ? sums : nullptr, &segment, 1, p.k / 4, p.k % 4, launch.product.Flip()};
  ByteFinish finish = PrepareFinish(launch.product, args);
  for (int64_t i = panel_begin; i < panel_end; ++i) {
    const Panel panel = PanelAt(table.widths, p.n, i);
    const std::byte* packed = scratch + layout.panel;
    if (launch.packed != 0) {
      packed = static_cast<const std::byte*>(args.packs[0]) + panel.col * launch.weights.ColumnBytes();
    } else {
      PackBytePanel(static_cast<const uint8_t*>(args.src[launch.product.b]) + batch.b, launch.weights, panel,
                    scratch + layout.panel);
    }
    FillFinishArrays(launch.product, args, panel.col, panel.cols, panel.width, reinterpret_cast<const int32_t*>(packed),
                     row_sums, reinterpret_cast<int32_t*>(scratch + layout.finish), &finish);
    RunBytePanel(block, panel, packed, 0, finish);
  }
}

void RunByteGemm(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<ByteGemmLaunch>();
  const bool row_sums = NeedsRowSums(launch.product, args, launch.p.n);
  auto* scratch = reinterpret_cast<std::byte*>(args.WorkerScratch(worker));
  for (int64_t unit = begin; unit < end; ++unit) RunUnit(args, launch, unit, row_sums, scratch);
}

}  // namespace

std::span<const KernelRow> ByteGemmRows() {
  static constexpr KernelRow kRows[] = {
      {"MatMulInteger", "byte_gemm", &ChooseByteGemm, &RunByteGemm},
      {"QLinearMatMul", "byte_gemm", &ChooseByteGemm, &RunByteGemm},
      {"com.microsoft.MatMulIntegerToFloat", "byte_gemm", &ChooseByteGemm, &RunByteGemm},
      {"com.microsoft.QGemm", "byte_gemm", &ChooseByteGemm, &RunByteGemm},
  };
  return kRows;
}

}  // namespace moka::cpu

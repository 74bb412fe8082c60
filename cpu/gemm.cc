#include "cpu/gemm.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "cpu/bf16_tile.h"
#include "cpu/pack.h"
#include "cpu/strassen.h"
#include "cpu/tail.h"
#include "ops/gemm.h"
#include "ops/matmul.h"

namespace moka::cpu {
namespace {

// What a block of rows meets stays in the L2 cache: a part of A, and a part of a panel of B. Narrow panels belong to
// targets whose cache is smaller.
constexpr int64_t kBlockBytes = 192 << 10;          // of A at least
constexpr int64_t kBlockBytesPerColumn = 10 << 10;  // of a panel
constexpr int64_t kMaxChunk = 768;                  // elements of K at a time, where there are rows to share them
constexpr int64_t kChunkRows = 2 * kMaxTileRows;
constexpr int64_t kMaxBlockRows = 240;
constexpr double kUnitFlops = 2e6;
constexpr int64_t kUnits = 16;       // wanted where there is enough work
constexpr int64_t kLeastPairs = 24;  // of rows, in a part of a block

int64_t BatchOffset(const GemmLaunch& launch, const int64_t* strides, int64_t index) {
  int64_t offset = 0;
  for (int i = launch.batch_rank - 1; i >= 0; --i) {
    offset += index % launch.batch[i] * strides[i];
    index /= launch.batch[i];
  }
  return offset;
}

const TileTable& TilesOf(const Simd& simd, const GemmLaunch& launch) {
  return launch.bf16 != 0 ? simd.bf16->tile : *simd.tile;
}

// Floats from one rounded row of A to the next: not a power of two, so that rows do not meet in the sets of a cache.
int64_t RoundedStep(const GemmLaunch& launch) { return RoundUp(launch.k * launch.bf16 / 4 + 1, 32) + 16; }

// Scratch of a worker: pointers (a, dst, residual), A where it must be transposed, A rounded to bf16, one panel, the
// program's tiles.
struct Scratch {
  int64_t a, rounded, panel, strassen, micro, floats;

  explicit Scratch(const GemmLaunch& launch, const TileTable& table) {
    const int64_t pointers = 3 * launch.unit_rows * static_cast<int64_t>(sizeof(void*) / sizeof(float));
    a = RoundUp(pointers, 16);
    rounded = a + (launch.a_col == 1 ? 0 : RoundUp(launch.unit_rows * launch.k, 16));
    panel = rounded + (launch.bf16 == 0 ? 0 : launch.unit_rows * RoundedStep(launch));
    strassen = panel + (launch.packed != 0 ? 0 : table.widths.widest * launch.k);
    micro =
        strassen + (launch.strassen == 0 ? 0 : RoundUp(Strassen::ScratchFloats(table, launch.unit_rows, launch.k), 16));
    floats =
        micro +
        (launch.epilogue.kind == Epilogue::kProgram ? static_cast<int64_t>(MicroScratchBytes() / sizeof(float)) : 0);
  }
};

// Units become pairs of panels. Of an odd number of pairs the last one is multiplied plainly, panel by panel: two
// workers are balanced then.
void UsePairs(const PanelWidths& widths, GemmLaunch* launch) {
  const int64_t pairs = PanelPairs(widths, launch->n);
  launch->panels_per_unit = RoundUp(launch->panels_per_unit, 2);
  const bool odd = pairs * launch->row_blocks % 2 != 0 && launch->panels_per_unit == 2;
  launch->strassen = 2 * (odd ? pairs - 1 : pairs);
  launch->single = launch->panels - launch->strassen;
}

void ChooseBlocks(const TileTable& table, GemmLaunch* launch) {
  launch->panels = NumPanels(table.widths, launch->n);
  const bool f32 = launch->bf16 == 0;
  const int64_t chunks = !f32 || launch->rows < kChunkRows ? 1 : CeilDiv(std::max<int64_t>(launch->k, 1), kMaxChunk);
  launch->chunk = std::max<int64_t>(CeilDiv(launch->k, chunks), 1);
  const int64_t row_bytes = launch->chunk * (f32 ? int64_t{sizeof(float)} : launch->bf16);
  const int64_t block_bytes = f32 ? std::max(kBlockBytes, kBlockBytesPerColumn * table.widths.widest) : kBlockBytes;
  launch->block_rows = std::clamp<int64_t>(block_bytes / row_bytes, kMaxTileRows, kMaxBlockRows);
  if (launch->packed == 0) launch->block_rows = std::max(launch->block_rows, kMaxBlockRows);
  if (launch->strassen != 0) launch->block_rows = std::max(launch->block_rows, kStrassenRows);
  const double row_flops = 2.0 * static_cast<double>(launch->n * launch->k);
  const double total = row_flops * static_cast<double>(launch->rows * launch->groups);
  // Where there are more columns than rows, units share rows rather than columns: B is read once.
  if (launch->packed != 0 && total > kUnits * kUnitFlops && (launch->rows > launch->n || !f32)) {
    const int64_t least = launch->strassen != 0 ? kStrassenRows : 2 * kMaxTileRows;
    const auto wanted = static_cast<int64_t>(total / kUnits / row_flops);
    launch->block_rows = std::min(launch->block_rows, std::max<int64_t>(RoundUp(wanted, kMaxTileRows), least));
  }
  launch->block_rows = std::min(launch->block_rows, launch->rows);
  launch->row_blocks = CeilDiv(launch->rows, launch->block_rows);
  launch->block_rows = CeilDiv(launch->rows, launch->row_blocks);
  // A panel's weights cost as much to read as eight rows of work.
  const double panel_work = static_cast<double>(2 * launch->block_rows + 16) *
                            static_cast<double>(launch->k * std::min(launch->n, int64_t{table.widths.widest}));
  const int64_t by_count = CeilDiv(kUnits, launch->row_blocks * launch->groups);
  const auto by_work = static_cast<int64_t>(panel_work * static_cast<double>(launch->panels) / (kUnitFlops / 2));
  launch->panel_blocks = std::clamp<int64_t>(std::min(by_count, by_work), 1, launch->panels);
  launch->panels_per_unit = CeilDiv(launch->panels, launch->panel_blocks);
  if (launch->strassen != 0) UsePairs(table.widths, launch);
  launch->panel_blocks = CeilDiv(launch->panels - launch->single, launch->panels_per_unit) + launch->single;
}

// Workers share blocks of rows rather than panels: each makes the sums of its own rows, which it wrote in the step
// before. Rows pair as they do without parts, so results are the same for any number of workers.
void DivideBlocks(int64_t workers, GemmLaunch* launch) {
  launch->parts = 1;
  launch->unit_rows = launch->block_rows;
  if (launch->strassen == 0 || launch->row_blocks >= 2 * workers) return;
  const int64_t wanted = workers / std::gcd(launch->row_blocks, workers), pairs = CeilDiv(launch->block_rows, 2);
  const int64_t most = pairs / kLeastPairs;
  for (int64_t parts = 2; parts <= std::min(wanted, most); ++parts) {
    if (wanted % parts == 0) launch->parts = parts;
  }
  if (launch->parts == 1) return;
  launch->unit_rows = 2 * CeilDiv(pairs, launch->parts);
  launch->single = 0;
  launch->panels_per_unit = RoundUp(CeilDiv(launch->panels, wanted / launch->parts), 2);
  launch->panel_blocks = CeilDiv(launch->panels, launch->panels_per_unit);
}

PackSpec PackOf(const Kernel& kernel, const GemmLaunch& launch) {
  const PanelWidths& widths = TilesOf(*kernel.simd, launch).widths;
  if (launch.bf16 != 0) return Bf16PanelPackSpec(1, widths, launch.b, launch.k, launch.n, 1, 0);
  if (launch.paired != 0) return PairedPanelPackSpec(1, widths, launch.b, launch.n);
  return PanelPackSpec(1, widths, launch.b, launch.n, 1, 0);
}

// True where C is one row, added as it is.
bool IsBias(const TensorDesc& c, const GemmParams& params) {
  if (params.beta != 1 || c.rank < 1 || c.NumElements() != params.n) return false;
  const auto last = static_cast<size_t>(c.rank - 1);
  return c.dims[last] == params.n && (params.n == 1 || c.strides[last] == 1);
}

template <GemmAlgorithm kAlgorithm>
Status ChooseGemm(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const GemmParams params, GemmParams::From(call));
  if (params.n > 1 && call.dst[0].strides[1] != 1) return Unsupported("dst: stride of N is not 1");
  GemmLaunch launch{};
  launch.groups = 1;
  launch.rows = launch.m = params.m;
  launch.n = params.n;
  launch.k = params.k;
  launch.a_row = params.a_row;
  launch.a_col = params.k == 1 ? 1 : params.a_col;
  launch.bias = -1;
  MOKA_RETURN_IF_ERROR(MakeEpilogue(call, 1, &launch.epilogue));
  if (call.has_src(2) && params.beta != 0) {
    if (IsBias(call.src[2], params)) {
      launch.bias = 2;
    } else {
      MOKA_RETURN_IF_ERROR(PrependScaledAdd(call, 2, params.beta, 1, &launch.epilogue));
    }
  }
  const bool constant = call.constants.size() > 1 && call.constants[1] != nullptr;
  launch.b = {{1, 1, 1, params.k}, {0, 0, 0, params.b_row}, params.b_col, params.alpha};
  if (constant) {  // the weight as it is in the file
    launch.b.k_strides[3] = params.trans_b ? 1 : params.n;
    launch.b.n_stride = params.trans_b ? params.k : 1;
  }
  return FinishGemm(kernel, call, true, kAlgorithm, &launch, choice);
}

template <GemmAlgorithm kAlgorithm>
Status ChooseMatMul(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const MatMulParams params, MatMulParams::From(call));
  if (params.n > 1 && params.dst_col != 1) return Unsupported("dst: stride of N is not 1");
  const bool vector = call.src[0].rank == 1 || call.src[1].rank == 1;
  if (vector && call.program != nullptr) return Unsupported("epilogue after a product with a vector");
  GemmLaunch launch{};
  launch.m = params.m;
  launch.n = params.n;
  launch.k = params.k;
  launch.a_row = params.a_row;
  launch.a_col = params.k == 1 ? 1 : params.a_col;
  launch.bias = -1;
  launch.batch_rank = params.batch_rank;
  bool shared_b = true;
  TensorDesc dst;  // [batch..., m, n], also where a vector dropped m or n
  dst.type = DataType::kF32;
  dst.rank = params.batch_rank + 2;
  if (dst.rank > kMaxRank) return Unsupported("rank above ", kMaxRank);
  for (int i = 0; i < params.batch_rank; ++i) {
    const auto d = static_cast<size_t>(i);
    launch.batch[i] = dst.dims[d] = params.batch[d];
    launch.a_batch[i] = params.a_batch[d];
    launch.b_batch[i] = params.b_batch[d];
    dst.strides[d] = params.dst_batch[d];
    if (params.batch[d] != 1 && params.b_batch[d] != 0) shared_b = false;
  }
  const auto rows_dim = static_cast<size_t>(params.batch_rank);
  dst.dims[rows_dim] = params.m;
  dst.strides[rows_dim] = params.dst_row;
  dst.dims[rows_dim + 1] = params.n;
  dst.strides[rows_dim + 1] = params.n == 1 ? 1 : params.dst_col;
  OpCall full = call;
  full.dst = {&dst, 1};
  MOKA_RETURN_IF_ERROR(MakeEpilogue(full, params.batch_rank + 1, &launch.epilogue));
  launch.groups = shared_b ? 1 : params.Batches();
  launch.rows = shared_b ? params.Batches() * params.m : params.m;
  launch.b = {{1, 1, 1, params.k}, {0, 0, 0, params.b_row}, params.b_col, 1.0f};
  const bool constant = call.constants.size() > 1 && call.constants[1] != nullptr;
  if (constant && shared_b) {
    launch.b.k_strides[3] = params.n;
    launch.b.n_stride = 1;
  }
  return FinishGemm(kernel, call, shared_b, kAlgorithm, &launch, choice);
}

// Rows [first, first + rows) and, of a part, as many or one less of the second half of its block.
struct UnitRows {
  int64_t group, first, rows, second, second_rows;

  UnitRows(const GemmLaunch& launch, int64_t part) {
    const int64_t row_block = part / launch.parts;  // of all groups
    group = row_block / launch.row_blocks;
    const int64_t block = group * launch.rows + row_block % launch.row_blocks * launch.block_rows;
    rows = std::min(launch.block_rows, (group + 1) * launch.rows - block);
    first = block;
    second = block + rows;
    second_rows = 0;
    if (launch.parts == 1) return;
    const int64_t half = CeilDiv(rows, 2), index = part % launch.parts;
    const int64_t begin = PartBegin(half, index, launch.parts), end = PartBegin(half, index + 1, launch.parts);
    second_rows = std::min(end, rows - half) - begin;
    first += begin;
    second = block + half + begin;
    rows = end - begin;
  }
};

// Fills the pointers of a block's rows. Where a row of A is not contiguous, it is copied to `copy`; where products are
// of bf16, it is rounded to `rounded`.
void PrepareRows(const KernelArgs& args, const GemmLaunch& launch, int64_t first, int64_t rows, const float** a,
                 float** dst, const float** residual, float* copy, float* rounded) {
  const MicroLaunch& micro = launch.epilogue.micro;
  for (int64_t i = 0; i < rows;) {
    const int64_t row = first + i, batch = row / launch.m, in_batch = row - batch * launch.m;
    const int64_t count = std::min(rows - i, launch.m - in_batch);
    const float* from = args.Src(0) + BatchOffset(launch, launch.a_batch, batch) + in_batch * launch.a_row;
    for (int64_t r = 0; r < count; ++r) a[i + r] = from + r * launch.a_row;
    SetRowsOfLine(micro, micro.dst, args.Dst(), row, 1, count, dst + i);
    if (residual != nullptr) {
      const int k = launch.epilogue.residual;
      SetRowsOfLine(micro, micro.src[k], args.Src(micro.src_index[k]), row, 1, count, residual + i);
    }
    i += count;
  }
  if (launch.a_col != 1) {
    for (int64_t k = 0; k < launch.k; ++k) {
      for (int64_t i = 0; i < rows; ++i) copy[i * launch.k + k] = a[i][k * launch.a_col];
    }
    for (int64_t i = 0; i < rows; ++i) a[i] = copy + i * launch.k;
  }
  if (launch.bf16 == 0) return;
  for (int64_t i = 0; i < rows; ++i, rounded += RoundedStep(launch)) {
    args.simd->bf16->round(a[i], launch.k, rounded);
    a[i] = rounded;
  }
}

struct PanelRange {
  int64_t begin, end;
};
// Units of several panels and single ones take turns by halves: two workers, each with neighbouring units, get as much.
PanelRange PanelsOf(const GemmLaunch& launch, int64_t panel_block) {
  const int64_t joined = launch.panel_blocks - launch.single, rest = launch.panels - launch.single;
  const int64_t half = (joined / 2) + (launch.single / 2);
  const bool second = panel_block >= half;
  const int64_t at = second ? panel_block - half : panel_block;
  const int64_t joined_here = second ? joined - joined / 2 : joined / 2;
  if (at >= joined_here) {
    const int64_t panel = rest + (second ? launch.single / 2 : 0) + at - joined_here;
    return {panel, panel + 1};
  }
  const int64_t begin = ((second ? joined / 2 : 0) + at) * launch.panels_per_unit;
  return {begin, std::min(begin + launch.panels_per_unit, rest)};
}

bool MayPair(const GemmLaunch& launch, const PanelWidths& widths, const float* packed, int64_t panel) {
  return panel < launch.strassen && packed[PackedFloats(widths, launch.k, launch.n) + panel / 2] != 0;
}

}  // namespace

Status FinishGemm(const Kernel& kernel, const OpCall& call, bool shared_b, GemmAlgorithm algorithm, GemmLaunch* launch,
                  Choice* choice) {
  UseTail(launch->bias < 0, &launch->epilogue);
  launch->packed = shared_b && call.constants.size() > 1 && call.constants[1] != nullptr ? 1 : 0;
  if (kernel.bf16 && launch->packed == 0) return Unsupported("src 1: not one constant matrix");
  launch->bf16 = kernel.bf16 ? kernel.simd->bf16->element : 0;
  launch->column_bytes = kernel.bf16 ? Bf16ColumnBytes(launch->k, launch->k) : launch->k * int64_t{sizeof(float)};
  const TileTable& table = TilesOf(*kernel.simd, *launch);
  // Whatever the algorithm, so that both share a pack.
  launch->paired = launch->packed != 0 && launch->bf16 == 0 && HasPairs(table, launch->k, launch->n) ? 1 : 0;
  if (algorithm == GemmAlgorithm::kStrassen) {
    if (launch->paired == 0) return Unsupported("src 1: no constant pairs of panels");
    launch->strassen = launch->n;  // ChooseBlocks says which part
  }
  ChooseBlocks(table, launch);
  if (launch->strassen != 0 && launch->block_rows < kLeastStrassenRows) return Unsupported("rows: too few");
  DivideBlocks(kernel.workers, launch);
  if (launch->packed != 0) choice->packs.push_back(PackOf(kernel, *launch));
  choice->units = launch->groups * launch->row_blocks * launch->parts * launch->panel_blocks;
  choice->scratch_per_worker = static_cast<uint64_t>(Scratch(*launch, table).floats) * sizeof(float);
  choice->in_place = InPlace(call, launch->epilogue);
  const auto flops =
      2.0 * static_cast<double>(launch->groups * launch->rows) * static_cast<double>(launch->n * launch->k);
  const auto weight_bytes = static_cast<double>(launch->groups * launch->n * launch->column_bytes);
  const double speed = launch->bf16 == 2 ? 2 : 1;
  choice->cost_us = flops / (speed * kFlopsPerMicrosecond) + weight_bytes / kBytesPerMicrosecond;
  choice->launch = Blob::Of(*launch);
  return {};
}

void RunGemm(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<GemmLaunch>();
  const Epilogue& epilogue = launch.epilogue;
  const TileTable& table = TilesOf(*args.simd, launch);
  const Scratch layout(launch, table);
  float* scratch = args.WorkerScratch(worker);
  auto** a = reinterpret_cast<const float**>(scratch);
  auto** dst = reinterpret_cast<float**>(scratch) + launch.unit_rows;
  auto** residual = epilogue.residual >= 0 ? a + 2 * launch.unit_rows : nullptr;
  const Tail tail(epilogue, args);
  const int bias = launch.bias >= 0 ? launch.bias : epilogue.bias >= 0 ? epilogue.micro.src_index[epilogue.bias] : -1;
  Block block = {&table,      0,           a,
                 dst,         residual,    nullptr,
                 1,           0,           bias >= 0 ? args.Src(bias) : nullptr,
                 epilogue.lo, epilogue.hi, epilogue.kind == Epilogue::kTail ? &tail : nullptr};
  Strassen strassen(*args.simd, launch.strassen != 0 ? launch.unit_rows : 0, launch.k, launch.chunk,
                    scratch + layout.strassen);
  block.among = launch.strassen != 0;
  bool by_strassen = false;
  int64_t prepared = -1;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t part = unit / launch.panel_blocks;
    const UnitRows rows(launch, part);
    block.rows = rows.rows + rows.second_rows;
    if (prepared != part) {
      PrepareRows(args, launch, rows.first, rows.rows, a, dst, residual, scratch + layout.a, scratch + layout.rounded);
      if (rows.second_rows > 0) {
        PrepareRows(args, launch, rows.second, rows.second_rows, a + rows.rows, dst + rows.rows,
                    residual != nullptr ? residual + rows.rows : nullptr, scratch + layout.a + rows.rows * launch.k,
                    scratch + layout.rounded);
      }
      by_strassen = launch.strassen != 0 && strassen.Prepare(a, dst, residual, block.rows);
      prepared = part;
    }
    const PanelRange range = PanelsOf(launch, unit % launch.panel_blocks);
    const float* weight = launch.packed != 0
                              ? static_cast<const float*>(args.packs[0])
                              : args.Src(1) + BatchOffset(launch, launch.b_batch, launch.groups > 1 ? rows.group : 0);
    for (int64_t p = range.begin; p < range.end; ++p) {
      const Panel panel = PanelAt(table.widths, launch.n, p);
      const int64_t at = panel.col * launch.column_bytes / int64_t{sizeof(float)};
      if (by_strassen && MayPair(launch, table.widths, weight, p)) {
        strassen.Run(block, panel, PanelAt(table.widths, launch.n, p + 1), weight + at, p + 3 < launch.strassen);
        ++p;
        continue;
      }
      if (launch.packed == 0) PackPanel(weight, launch.b, panel, scratch + layout.panel);
      const float* b = launch.packed != 0 ? weight + at : scratch + layout.panel;
      const float* ahead = b + CeilDiv(launch.chunk, int64_t{table.step}) * panel.width;
      RunChunks(block, panel, b, {0, launch.k, launch.chunk, ahead, launch.packed != 0 && p + 1 < launch.panels});
    }
    if (epilogue.kind != Epilogue::kProgram) continue;
    const float* src[kCodeMaxSources];
    for (int k = 0; k < epilogue.micro.num_sources; ++k) src[k] = args.Src(epilogue.micro.src_index[k]);
    const Panel last = PanelAt(table.widths, launch.n, range.end - 1);
    const int64_t col = PanelAt(table.widths, launch.n, range.begin).col, end_col = last.col + last.cols;
    for (const auto [row, count] : {std::array{rows.first, rows.rows}, {rows.second, rows.second_rows}}) {
      args.simd->run_micro(epilogue.micro, args.Dst(), src, row, row + count, col, end_col, scratch + layout.micro);
    }
  }
}

std::span<const KernelRow> GemmRows() {
  constexpr GemmAlgorithm kPlain = GemmAlgorithm::kPlain, kStrassen = GemmAlgorithm::kStrassen;
  static constexpr KernelRow kRows[] = {{"Gemm", "gemm_bf16", &ChooseGemm<kPlain>, &RunGemm, true, true},
                                        {"Gemm", "gemm_strassen", &ChooseGemm<kStrassen>, &RunGemm, true},
                                        {"Gemm", "gemm", &ChooseGemm<kPlain>, &RunGemm, true},
                                        {"MatMul", "matmul_bf16", &ChooseMatMul<kPlain>, &RunGemm, true, true},
                                        {"MatMul", "matmul_strassen", &ChooseMatMul<kStrassen>, &RunGemm, true},
                                        {"MatMul", "matmul", &ChooseMatMul<kPlain>, &RunGemm, true}};
  return kRows;
}

}  // namespace moka::cpu

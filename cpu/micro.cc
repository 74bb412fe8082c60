#include "cpu/micro.h"

#include <algorithm>
#include <limits>
#include <span>
#include <string_view>

#include "cpu/device.h"
#include "cpu/kernel.h"
#include "cpu/row_maps.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitElements = 16384;  // of one unit: 64 KB of the result

// Strides of `desc` seen with the dims of `dst`, 0 where it is broadcast. False where numpy's rules do not allow it.
bool BroadcastStrides(const TensorDesc& desc, const TensorDesc& dst, int64_t* strides) {
  const int shift = dst.rank - desc.rank;
  if (shift < 0) return false;
  for (int i = 0; i < dst.rank; ++i) {
    strides[i] = 0;
    if (i < shift) continue;
    const int64_t dim = desc.dims[static_cast<size_t>(i - shift)];
    if (dim == dst.dims[static_cast<size_t>(i)]) {
      if (dim != 1) strides[i] = desc.strides[static_cast<size_t>(i - shift)];
    } else if (dim != 1) {
      return false;
    }
  }
  return true;
}

// Dimensions of the loop, outermost first, with the strides of every operand: 0 is dst, 1 + k is source k.
struct Loop {
  int rank = 0;
  int64_t dims[kMaxRank];
  int64_t strides[1 + kCodeMaxSources][kMaxRank];
};

void KeepDims(const Loop& all, std::span<const int> order, int operands, Loop* loop) {
  loop->rank = static_cast<int>(order.size());
  for (int i = 0; i < loop->rank; ++i) {
    loop->dims[i] = all.dims[order[static_cast<size_t>(i)]];
    for (int o = 0; o < operands; ++o) loop->strides[o][i] = all.strides[o][order[static_cast<size_t>(i)]];
  }
}

// Merges dimension i + 1 into i wherever every operand walks through both with one stride. `last`: the rank up to
// which merging is allowed.
void MergeDims(int operands, int last, Loop* loop) {
  for (int i = 0; i + 1 < last;) {
    bool merge = true;
    for (int o = 0; o < operands && merge; ++o) {
      merge = loop->strides[o][i] == loop->strides[o][i + 1] * loop->dims[i + 1];
    }
    if (!merge) {
      ++i;
      continue;
    }
    loop->dims[i] *= loop->dims[i + 1];
    for (int o = 0; o < operands; ++o) loop->strides[o][i] = loop->strides[o][i + 1];
    for (int j = i + 1; j + 1 < loop->rank; ++j) {
      loop->dims[j] = loop->dims[j + 1];
      for (int o = 0; o < operands; ++o) loop->strides[o][j] = loop->strides[o][j + 1];
    }
    --loop->rank;
    --last;
  }
}

MicroLaunch::Operand MakeOperand(const Loop& loop, int operand) {
  MicroLaunch::Operand result{};
  const int rows_rank = loop.rank - 1;
  for (int i = 0; i < rows_rank; ++i) result.row_strides[i] = loop.strides[operand][i];
  result.col_stride = loop.strides[operand][rows_rank];
  result.regular = true;
  result.row_step = rows_rank > 0 ? result.row_strides[rows_rank - 1] : 0;
  int64_t step = result.row_step;
  for (int i = rows_rank - 1; i >= 0; --i) {
    if (loop.dims[i] != 1 && result.row_strides[i] != step) result.regular = false;
    step *= loop.dims[i];
  }
  return result;
}

// The order of the loop over `all`: dimensions of size 1 dropped, the columns last.
int OrderDims(const Loop& all, int inner, int* order) {
  int rank = 0;
  for (int i = 0; i < all.rank; ++i) {
    if (i != inner && all.dims[i] != 1) order[rank++] = i;
  }
  if (inner >= 0) {
    order[rank++] = inner;
  } else {
    std::stable_sort(order, order + rank, [&](int a, int b) { return all.strides[0][a] > all.strides[0][b]; });
  }
  return rank;
}

Status MakeLoop(const OpCall& call, int inner, MicroLaunch* launch) {
  const TensorDesc& dst = call.dst[0];
  Loop all;
  all.rank = dst.rank;
  for (int i = 0; i < dst.rank; ++i) {
    all.dims[i] = dst.dims[static_cast<size_t>(i)];
    all.strides[0][i] = dst.strides[static_cast<size_t>(i)];
  }
  const int operands = 1 + launch->num_sources;
  for (int k = 0; k < launch->num_sources; ++k) {
    const TensorDesc& desc = call.src[static_cast<size_t>(launch->src_index[k])];
    if (desc.type != DataType::kF32) return Unsupported("src ", launch->src_index[k], ": not f32");
    if (!BroadcastStrides(desc, dst, all.strides[1 + k])) {
      return Unsupported("src ", launch->src_index[k], ": does not broadcast to dst");
    }
  }
  int order[kMaxRank];
  const int rank = OrderDims(all, inner, order);
  Loop loop;
  KeepDims(all, {order, static_cast<size_t>(rank)}, operands, &loop);
  MergeDims(operands, inner >= 0 ? loop.rank - 1 : loop.rank, &loop);
  if (loop.rank == 0) {
    loop.rank = 1;
    loop.dims[0] = 1;
    for (int o = 0; o < operands; ++o) loop.strides[o][0] = 0;
  }
  launch->row_rank = loop.rank - 1;
  launch->rows = 1;
  for (int i = 0; i < launch->row_rank; ++i) launch->rows *= launch->row_dims[i] = loop.dims[i];
  launch->cols = loop.dims[loop.rank - 1];
  launch->dst = MakeOperand(loop, 0);
  for (int k = 0; k < launch->num_sources; ++k) launch->src[k] = MakeOperand(loop, 1 + k);
  return {};
}

// What comes after the last write of register 0 computes nothing that is stored.
int LiveOps(const MicroProgram& program) {
  int live = program.num_ops;
  while (live > 0 && program.ops[live - 1].dst != 0) --live;
  return live;
}

}  // namespace

Status BindMicro(const OpCall& call, int inner, bool load_dst, MicroLaunch* launch) {
  *launch = MicroLaunch{};
  launch->load_dst = load_dst ? 1 : 0;
  if (call.program != nullptr) {
    const MicroProgram& program = *call.program;
    launch->num_ops = LiveOps(program);
    std::copy_n(program.ops, launch->num_ops, launch->ops);
    launch->num_constants = program.num_constants;
    std::copy_n(program.constants, program.num_constants, launch->constants);
    launch->num_sources = program.num_sources;
    for (int k = 0; k < program.num_sources; ++k) launch->src_index[k] = call.program_begin + k;
  }
  return MakeLoop(call, inner, launch);
}

Status PrependScaledAdd(const OpCall& call, int index, float scale, int inner, MicroLaunch* launch) {
  const int source = launch->num_sources++, constant = launch->num_constants++;
  launch->src_index[source] = index;
  launch->constants[constant] = scale;
  std::copy_backward(launch->ops, launch->ops + launch->num_ops, launch->ops + launch->num_ops + 1);
  ++launch->num_ops;
  launch->ops[0] = {MicroOp::kMulAdd, 0, MicroSource(source), MicroConstant(constant), MicroRegister(0), {}};
  return MakeLoop(call, inner, launch);
}

uint32_t SourcesLikeDst(const OpCall& call, const MicroLaunch& launch) {
  uint32_t mask = 0;
  for (int k = 0; k < launch.num_sources; ++k) {
    const TensorDesc& src = call.src[static_cast<size_t>(launch.src_index[k])];
    if (!SameShape(src, call.dst[0])) continue;
    bool same = true;
    for (int i = 0; i < src.rank; ++i) {
      const size_t d = static_cast<size_t>(i);
      if (src.dims[d] != 1 && src.strides[d] != call.dst[0].strides[d]) same = false;
    }
    if (same) mask |= 1u << launch.src_index[k];
  }
  return mask;
}

namespace {

struct ElementwiseLaunch {
  MicroLaunch micro;
  int64_t rows_per_unit;  // when units_per_row is 1
  int64_t units_per_row;  // long rows are cut
  int64_t cols_per_unit;
  MicroLaunch rows;  // the same with the channels as columns, where a chain may want rows of images
};

void ChooseBlocks(ElementwiseLaunch* launch) {
  const MicroLaunch& micro = launch->micro;
  launch->units_per_row = std::max<int64_t>(1, CeilDiv(micro.cols, kUnitElements));
  launch->cols_per_unit = RoundUp(CeilDiv(micro.cols, launch->units_per_row), 16);
  launch->rows_per_unit =
      launch->units_per_row > 1 ? 1 : std::max<int64_t>(1, kUnitElements / std::max<int64_t>(micro.cols, 1));
}

int64_t Units(const ElementwiseLaunch& launch) {
  const int64_t rows = launch.micro.rows;
  return launch.units_per_row > 1 ? rows * launch.units_per_row : CeilDiv(rows, launch.rows_per_unit);
}

double CostUs(const MicroLaunch& micro) {
  const auto elements = static_cast<double>(micro.rows * micro.cols);
  return elements * (4.0 + 4.0 * micro.num_sources) / kBytesPerMicrosecond + elements * micro.num_ops * 1e-4;
}

Status ChooseElementwise(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  if (call.program == nullptr) return Unsupported("no program");
  ElementwiseLaunch launch{};
  MOKA_RETURN_IF_ERROR(BindMicro(call, -1, false, &launch.micro));
  ChooseBlocks(&launch);
  if (call.dst[0].rank == 4) MOKA_RETURN_IF_ERROR(BindMicro(call, 1, false, &launch.rows));
  choice->units = Units(launch);
  choice->cost_us = CostUs(launch.micro);
  choice->scratch_per_worker = MicroScratchBytes();
  choice->in_place = SourcesLikeDst(call, launch.micro);
  choice->rows = ProgramRowMaps(call, launch.micro);
  choice->launch = Blob::Of(launch);
  return {};
}

void RunElementwiseRows(const KernelArgs& args, int64_t image, int64_t begin, int64_t end, int worker) {
  const MicroLaunch& micro = args.Launch<ElementwiseLaunch>().rows;
  const float* src[kCodeMaxSources];
  for (int k = 0; k < micro.num_sources; ++k) src[k] = args.Src(micro.src_index[k]);
  const TensorDesc& dst = args.dst_desc[0];
  args.simd->run_micro(micro, args.Dst(), src, (image * dst.dims[2] + begin) * dst.dims[3],
                       (image * dst.dims[2] + end) * dst.dims[3], 0, micro.cols, args.WorkerScratch(worker));
}

void RunElementwise(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<ElementwiseLaunch>();
  const MicroLaunch& micro = launch.micro;
  const float* src[kCodeMaxSources];
  for (int k = 0; k < micro.num_sources; ++k) src[k] = args.Src(micro.src_index[k]);
  float* scratch = args.WorkerScratch(worker);
  if (launch.units_per_row == 1) {
    const int64_t row_end = std::min(end * launch.rows_per_unit, micro.rows);
    args.simd->run_micro(micro, args.Dst(), src, begin * launch.rows_per_unit, row_end, 0, micro.cols, scratch);
    return;
  }
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t row = unit / launch.units_per_row;
    const int64_t col = unit % launch.units_per_row * launch.cols_per_unit;
    args.simd->run_micro(micro, args.Dst(), src, row, row + 1, col, std::min(col + launch.cols_per_unit, micro.cols),
                         scratch);
  }
}

}  // namespace

Status ChooseProgramPass(const OpCall& call, int64_t* units, uint64_t* scratch_per_worker, double* cost_us,
                         Blob* launch) {
  if (call.dst[0].type != DataType::kF32) return Unsupported("dst 0: a program after ", NameOf(call.dst[0].type));
  ElementwiseLaunch elementwise{};
  MOKA_RETURN_IF_ERROR(BindMicro(call, -1, true, &elementwise.micro));
  ChooseBlocks(&elementwise);
  *units = Units(elementwise);
  *scratch_per_worker = MicroScratchBytes();
  *cost_us = CostUs(elementwise.micro);
  *launch = Blob::Of(elementwise);
  return {};
}

void RunProgramPass(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  RunElementwise(args, begin, end, worker);
}

std::span<const KernelRow> MicroRows() {
  static constexpr KernelRow kRows[] = {
      {"moka.Elementwise", "micro", &ChooseElementwise, &RunElementwise, true, false, &RunElementwiseRows}};
  return kRows;
}

}  // namespace moka::cpu

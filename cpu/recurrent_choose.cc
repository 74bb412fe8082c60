// Which kernel LSTM, GRU and RNN run with, and how their work is divided.
#include <algorithm>
#include <limits>

#include "cpu/recurrent_launch.h"

namespace moka::cpu {
namespace {

constexpr int64_t kBlockRows = 2 * kMaxTileRows;
constexpr int64_t kLeastBlockRows = 4;         // where a batch is divided for several workers
constexpr int64_t kGateFloats = 256 << 10;     // of all gates of a unit's rows in the steps of one product
constexpr int64_t kPartColumns = 64;           // of a gate, about
constexpr double kLeastPhaseMicroseconds = 4;  // estimated, for workers to share it

using P = RecurrentParams;

PanelSource SourceOf(const RecurrentWeight& weight) { return {{1, 1, 1, weight.k}, {0, 0, 0, 1}, weight.k, 1.0f}; }

bool IsConstant(const OpCall& call, size_t src) {
  return src < call.constants.size() && call.constants[src] != nullptr;
}

RecurrentWeight MakeWeight(const OpCall& call, const PanelWidths& widths, size_t src, int gates, int64_t slices,
                           int64_t n, int64_t k) {
  const TensorDesc& desc = call.src[src];
  return {IsConstant(call, src) ? 1 : 0,
          gates,
          slices,
          n,
          k,
          NumPanels(widths, n),
          PackedFloats(widths, k, n),
          desc.strides[0],
          desc.strides[1],
          desc.strides[2]};
}

void AddPack(const Kernel& kernel, size_t src, int directions, const RecurrentWeight& weight, Choice* choice) {
  if (weight.packed == 0) return;
  choice->packs.push_back(PanelPackSpec(static_cast<int>(src), kernel.simd->tile->widths, SourceOf(weight), weight.n,
                                        directions * weight.gates * weight.slices, weight.n * weight.k));
}

bool Contiguous(const TensorDesc& desc) {
  const size_t last = static_cast<size_t>(desc.rank - 1);
  return desc.dims[last] <= 1 || desc.strides[last] == 1;
}

Status RequireFloats(const OpCall& call) {
  for (size_t i = 0; i < call.src.size(); ++i) {
    if (!call.src[i].present() || i == P::kLens) continue;
    if (call.src[i].type != DataType::kF32) return Unsupported("src ", i, ": ", NameOf(call.src[i].type), ", not f32");
    if (i != P::kW && i != P::kR && !Contiguous(call.src[i])) return Unsupported("src ", i, ": rows with gaps");
  }
  for (size_t i = 0; i < call.dst.size(); ++i) {
    if (call.dst[i].present() && !Contiguous(call.dst[i])) return Unsupported("dst ", i, ": rows with gaps");
  }
  return Status();
}

void FillOperands(const OpCall& call, RecurrentLaunch* launch) {
  const RecurrentParams& params = launch->params;
  const auto state = [&](std::span<const TensorDesc> descs, size_t i, RecurrentStrides* strides) {
    const bool present = i < descs.size() && descs[i].present();
    if (present) *strides = params.StridesOfState(descs[i]);
    return present ? 1 : 0;
  };
  launch->x = params.StridesOfX(call.src[P::kX]);
  launch->has_b = call.has_src(P::kB) ? 1 : 0;
  launch->has_lens = call.has_src(P::kLens) ? 1 : 0;
  launch->has_p = call.has_src(P::kP) ? 1 : 0;
  if (launch->has_b != 0) launch->b_direction = call.src[P::kB].strides[0];
  if (launch->has_p != 0) launch->p_direction = call.src[P::kP].strides[0];
  launch->has_h0 = state(call.src, P::kInitialH, &launch->h0);
  launch->has_c0 = state(call.src, P::kInitialC, &launch->c0);
  launch->has_yh = state(call.dst, 1, &launch->yh);
  launch->has_yc = state(call.dst, 2, &launch->yc);
  launch->has_y = !call.dst.empty() && call.dst[0].present() ? 1 : 0;
  if (launch->has_y != 0) launch->y = params.StridesOfY(call.dst[0]);
}

// Only where a vector is multiplied as two halves, as on Zen 4: Zen 5 was slower with it.
bool RunsAhead(const Simd& simd, const RecurrentLaunch& launch) {
  if (simd.recurrent->product == nullptr || simd.tile->widths.granule == simd.recurrent->lanes) return false;
  const auto widest = [&](const RecurrentWeight& weight) {
    return weight.Panels() * simd.recurrent->widest == weight.Columns();
  };
  return launch.block_rows == 1 && launch.sizes.steps > simd.recurrent->ahead_rows && widest(launch.w) &&
         widest(launch.r);
}

// Gates are multiplied together, but for the candidate of a GRU; or in parts, whose columns of each gate are in panels
// of their own. Where only gates together fill the widest panels, they stay together to be multiplied ahead.
void DivideColumns(const Simd& simd, const OpCall& call, RecurrentLaunch* launch) {
  const int64_t hidden = launch->sizes.hidden, columns = launch->Columns(), input = launch->sizes.input;
  const int gates = launch->params.gates(), r_gates = launch->params.kind == RecurrentKind::kGru ? 3 : 1;
  const PanelWidths& widths = simd.tile->widths;
  launch->parts = 1;
  launch->w = MakeWeight(call, widths, P::kW, 1, 1, columns, input);
  launch->r = MakeWeight(call, widths, P::kR, r_gates, 1, columns / r_gates, hidden);
  launch->ahead = RunsAhead(simd, *launch) ? 1 : 0;
  const bool fills = hidden % kPartColumns == 0;
  if (launch->params.directions > 1) return;  // two workers have a sequence each, which loses a twentieth by parts
  if (hidden < 2 * kPartColumns || launch->w.packed == 0 || launch->r.packed == 0) return;
  if (launch->ahead != 0 && !fills) return;
  const int64_t slices = fills ? hidden / kPartColumns : 1, n = hidden / slices;
  launch->w = MakeWeight(call, widths, P::kW, gates, slices, n, input);
  launch->r = MakeWeight(call, widths, P::kR, gates, slices, n, hidden);
  launch->part_panels = std::max<int64_t>(fills ? NumPanels(widths, n) : kPartColumns / widths.widest, 1);
  launch->parts = CeilDiv(launch->r.Panels(), launch->part_panels);
}

// Into blocks for `workers`, where each gets a few rows. One row alone sums in another order than rows together, so
// there is none: results do not depend on the number of workers.
void DivideBatch(int64_t workers, RecurrentLaunch* launch) {
  const int64_t batch = launch->sizes.batch;
  launch->blocks = std::max(CeilDiv(batch, kBlockRows), std::min(workers, batch / kLeastBlockRows)) + 1;
  do {
    --launch->blocks;
    launch->block_rows = CeilDiv(batch, launch->blocks);
  } while (launch->blocks > 1 && batch % launch->block_rows == 1);
  launch->blocks = CeilDiv(batch, launch->block_rows);
}

RecurrentLayout MakeLayout(const RecurrentLaunch& launch, const RecurrentTable& table) {
  constexpr auto kPerPointer = static_cast<int64_t>(sizeof(void*) / sizeof(float));
  const int64_t rows = launch.block_rows, hidden = launch.sizes.hidden, columns = launch.Columns();
  const bool ahead = launch.ahead != 0;
  RecurrentLayout layout{};
  layout.h = layout.gates + RoundUp(launch.chunk * rows * columns, 16);
  layout.c = layout.h + RoundUp(2 * rows * hidden, 16);
  layout.extra = layout.c + RoundUp(rows * hidden, 16);
  layout.bias = layout.extra + RoundUp(rows * hidden, 16);
  layout.x = layout.bias + RoundUp(columns + hidden, 16);
  layout.w = layout.x + (ahead ? RoundUp(2 * table.ahead_rows * launch.sizes.input, 16) : 0);
  layout.r = layout.w + (launch.w.packed != 0 ? 0 : launch.w.Floats());
  layout.parts = layout.r + (launch.r.packed != 0 ? 0 : launch.r.Floats());
  layout.pointers = RoundUp((2 * launch.chunk + 2) * rows * kPerPointer, 16);
  layout.sums = layout.pointers + RoundUp(CeilDiv(sizeof(RecurrentAhead), sizeof(float)), 16);
  layout.part_floats = ahead ? layout.sums + table.ahead_rows * table.lanes : layout.pointers;
  layout.floats = layout.parts + launch.parts * layout.part_floats;
  return layout;
}

Status ChooseRecurrent(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireFloats(call));
  RecurrentLaunch launch{};
  MOKA_ASSIGN_OR_RETURN(launch.params, RecurrentParams::From(call));
  const RecurrentParams& params = launch.params;
  launch.sizes = RecurrentSizes::Of(params, call);
  const RecurrentSizes& sizes = launch.sizes;
  if (sizes.steps == 0 || sizes.batch == 0 || sizes.input == 0 || sizes.hidden == 0) {
    return Unsupported("an empty operand");
  }
  if (call.has_src(P::kLens) && sizes.batch > 1 && call.src[P::kLens].strides[0] != 1) {
    return Unsupported("src 4 (sequence_lens): stride is not 1");
  }
  for (size_t d = 0; d < 2; ++d) {
    const auto& functions = params.activations[d];
    const float clip = params.clip > 0 ? params.clip : std::numeric_limits<float>::infinity();
    launch.cells[d] = {functions[0], functions[1], functions[2], clip, params.input_forget};
  }
  FillOperands(call, &launch);
  DivideBatch(CeilDiv(kernel.workers, params.directions), &launch);
  DivideColumns(*kernel.simd, call, &launch);
  AddPack(kernel, P::kW, params.directions, launch.w, choice);
  AddPack(kernel, P::kR, params.directions, launch.r, choice);
  launch.chunk = std::clamp<int64_t>(kGateFloats / (launch.block_rows * launch.Columns()), 1, sizes.steps);
  launch.ahead = RunsAhead(*kernel.simd, launch) ? 1 : 0;
  if (launch.ahead != 0) launch.chunk = 2 * kernel.simd->recurrent->ahead_rows;  // of these steps and of the next ones
  const double flops_us = call.op->cost(call).flops / kFlopsPerMicrosecond;
  choice->cost_us =
      flops_us + 4.0 * static_cast<double>(sizes.steps * launch.Columns() * sizes.hidden) / kBytesPerMicrosecond;
  const double phase_us = flops_us / static_cast<double>(launch.Sequences() * launch.Phases());
  const bool shared = launch.parts > 1 && kernel.workers > launch.Sequences() && phase_us >= kLeastPhaseMicroseconds;
  launch.shared = shared ? 1 : 0;
  launch.layout = MakeLayout(launch, *kernel.simd->recurrent);
  const auto bytes = static_cast<uint64_t>(launch.layout.floats) * sizeof(float);
  choice->units = launch.Sequences() * (shared ? launch.parts : 1);
  choice->phases = shared ? launch.Phases() : 1;
  (shared ? choice->scratch : choice->scratch_per_worker) =
      bytes * static_cast<uint64_t>(shared ? launch.Sequences() : 1);
  choice->launch = Blob::Of(launch);
  return Status();
}

}  // namespace

std::span<const KernelRow> RecurrentRows() {
  static constexpr KernelRow kRows[] = {{"LSTM", "lstm", &ChooseRecurrent, &RunRecurrent},
                                        {"GRU", "gru", &ChooseRecurrent, &RunRecurrent},
                                        {"RNN", "rnn", &ChooseRecurrent, &RunRecurrent}};
  return kRows;
}

}  // namespace moka::cpu

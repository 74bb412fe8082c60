// LSTM, GRU, RNN. A unit is one direction of a block of rows of the batch, over all steps: the inputs of many steps are
// one product with W, then each step multiplies the rows' states with R, on top of it, and runs the cell. Where there
// is one row, the inputs of later steps are multiplied beside states (cpu/recurrent_ahead.h).
#include "cpu/recurrent.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "cpu/kernel.h"
#include "cpu/pack.h"
#include "cpu/recurrent_ahead.h"

namespace moka::cpu {
namespace {

constexpr int64_t kBlockRows = 2 * kMaxTileRows;
constexpr int64_t kLeastBlockRows = 4;      // where a batch is divided for several workers
constexpr int64_t kGateFloats = 256 << 10;  // of all gates of a unit's rows in the steps of one product

using P = RecurrentParams;

// Constants of one weight, [directions][n_groups * n][k].
struct RecurrentWeight {
  int32_t packed, groups;
  int64_t n, k;                                  // of one group
  int64_t direction_stride, n_stride, k_stride;  // of the operand, where it is not packed

  int64_t Floats(const TileTable& table) const { return groups * PackedFloats(table.widths, k, n); }
};

struct RecurrentLaunch {
  RecurrentParams params;
  RecurrentCell cells[2];
  RecurrentSizes sizes;
  RecurrentWeight w, r;
  RecurrentStrides x, y, h0, c0, yh, yc;
  int64_t b_direction, p_direction;
  int32_t has_b, has_lens, has_h0, has_c0, has_p, has_y, has_yh, has_yc;
  int64_t block_rows, blocks, chunk;
  int32_t ahead;  // inputs are multiplied beside states

  int64_t Columns() const { return params.gates() * sizes.hidden; }
};

// Scratch of a worker, in floats. Rows of pointers come first.
struct Layout {
  int64_t gates, h, c, extra, bias, ahead, w, r, floats;

  Layout(const RecurrentLaunch& launch, const Simd& simd) {
    const TileTable& table = *simd.tile;
    const int64_t rows = launch.block_rows, hidden = launch.sizes.hidden;
    const int64_t pointers = 2 * rows * launch.chunk + 3 * rows;
    gates = RoundUp(pointers * static_cast<int64_t>(sizeof(void*) / sizeof(float)), 16);
    h = gates + RoundUp(launch.chunk * rows * launch.Columns(), 16);
    c = h + RoundUp(rows * hidden, 16);
    extra = c + RoundUp(rows * hidden, 16);
    bias = extra + RoundUp(rows * hidden, 16);
    ahead = bias + RoundUp(launch.Columns() + hidden, 16);
    w = ahead + (launch.ahead == 0 ? 0 : RoundUp(RecurrentAhead::ScratchFloats(simd, launch.sizes.input), 16));
    r = w + (launch.w.packed != 0 ? 0 : launch.w.Floats(table));
    floats = r + (launch.r.packed != 0 ? 0 : launch.r.Floats(table));
  }
};

PanelSource SourceOf(const RecurrentWeight& weight, int64_t k_stride, int64_t n_stride) {
  return {{1, 1, 1, weight.k}, {0, 0, 0, k_stride}, n_stride, 1.0f};
}

RecurrentWeight MakeWeight(const OpCall& call, size_t src, int groups, int64_t n, int64_t k) {
  const TensorDesc& desc = call.src[src];
  const bool constant = src < call.constants.size() && call.constants[src] != nullptr;
  return {constant ? 1 : 0, groups, n, k, desc.strides[0], desc.strides[1], desc.strides[2]};
}

void AddPack(const Kernel& kernel, size_t src, int directions, const RecurrentWeight& weight, Choice* choice) {
  if (weight.packed == 0) return;
  choice->packs.push_back(PanelPackSpec(static_cast<int>(src), kernel.simd->tile->widths, SourceOf(weight, 1, weight.k),
                                        weight.n, int64_t{directions} * weight.groups, weight.n * weight.k));
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

bool RunsAhead(const Simd& simd, const RecurrentLaunch& launch) {
  if (simd.recurrent->product == nullptr) return false;
  const PanelWidths& widths = simd.tile->widths;
  const auto widest = [&](int64_t n) { return NumPanels(widths, n) * simd.recurrent->widest == n; };
  return launch.block_rows == 1 && launch.sizes.steps > simd.recurrent->ahead_rows && widest(launch.w.n) &&
         widest(launch.r.n);
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
  // The candidate of a GRU is multiplied apart: R is packed in gates.
  const int r_groups = params.kind == RecurrentKind::kGru ? 3 : 1;
  launch.w = MakeWeight(call, P::kW, 1, launch.Columns(), sizes.input);
  launch.r = MakeWeight(call, P::kR, r_groups, launch.Columns() / r_groups, sizes.hidden);
  AddPack(kernel, P::kW, params.directions, launch.w, choice);
  AddPack(kernel, P::kR, params.directions, launch.r, choice);
  DivideBatch(CeilDiv(kernel.workers, params.directions), &launch);
  launch.chunk = std::clamp<int64_t>(kGateFloats / (launch.block_rows * launch.Columns()), 1, sizes.steps);
  launch.ahead = RunsAhead(*kernel.simd, launch) ? 1 : 0;
  if (launch.ahead != 0) launch.chunk = 2 * kernel.simd->recurrent->ahead_rows;  // of these steps and of the next ones
  choice->units = params.directions * launch.blocks;
  choice->scratch_per_worker = static_cast<uint64_t>(Layout(launch, *kernel.simd).floats) * sizeof(float);
  const double flops = call.op->cost(call).flops;
  choice->cost_us = flops / kFlopsPerMicrosecond +
                    4.0 * static_cast<double>(sizes.steps * launch.Columns() * sizes.hidden) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

// ---- Running ------------------------------------------------------------------------------------------------------

class RecurrentUnit {
 public:
  RecurrentUnit(const KernelArgs& args, const RecurrentLaunch& launch, float* scratch, int64_t unit)
      : args_(args),
        launch_(launch),
        table_(*args.simd->tile),
        direction_(static_cast<int>(unit / launch.blocks)),
        first_(unit % launch.blocks * launch.block_rows),
        rows_(std::min(launch.block_rows, launch.sizes.batch - first_)),
        hidden_(launch.sizes.hidden),
        columns_(launch.Columns()) {
    const Layout layout(launch, *args.simd);
    auto** pointers = reinterpret_cast<float**>(scratch);
    x_rows_ = const_cast<const float**>(pointers);
    gate_rows_ = pointers + launch.chunk * launch.block_rows;
    h_rows_ = gate_rows_ + launch.chunk * launch.block_rows;
    extra_rows_ = h_rows_ + launch.block_rows;
    gates_ = scratch + layout.gates;
    h_ = scratch + layout.h;
    c_ = scratch + layout.c;
    extra_ = scratch + layout.extra;
    bias_ = scratch + layout.bias;
    w_ = Weights(launch.w, P::kW, 0, scratch + layout.w);
    r_ = Weights(launch.r, P::kR, launch.w.packed, scratch + layout.r);
    ahead_scratch_ = scratch + layout.ahead;
  }

  Status Run() {
    MOKA_RETURN_IF_ERROR(CheckLengths());
    Start();
    if (launch_.ahead != 0) {
      RunAhead();
      Finish();
      return Status();
    }
    for (int64_t step = 0; step < longest_; step += launch_.chunk) {
      const int64_t end = std::min(step + launch_.chunk, longest_);
      MultiplyInputs(step, end);
      for (int64_t s = step; s < end; ++s)
        Step(s, gates_ + (s - step) * rows_ * columns_, gate_rows_ + (s - step) * rows_);
    }
    Finish();
    return Status();
  }

 private:
  // The first steps are as many as whole turns leave.
  void RunAhead() {
    const int64_t rows = args_.simd->recurrent->ahead_rows;
    RecurrentAhead ahead(*args_.simd, w_, launch_.sizes.input, columns_, bias_, ahead_scratch_);
    ahead_ = &ahead;
    int64_t first = 0;  // row of gates
    int64_t end = longest_ == 0 ? 0 : (longest_ - 1) % rows + 1;
    MultiplyInputs(0, end);
    for (int64_t i = 0; i < launch_.chunk; ++i) gate_rows_[i] = gates_ + i * columns_;
    for (int64_t step = 0; step < longest_; end += rows, first = rows - first) {
      if (end < longest_) {
        const int64_t x_step = launch_.params.reversed(direction_) ? -launch_.x.step : launch_.x.step;
        ahead.Begin(RowOf(args_.Src(P::kX), launch_.x, StepOf(0, end), 0), x_step, gate_rows_[rows - first],
                    (end - step) * (columns_ / args_.simd->recurrent->widest));
      }
      for (int64_t i = first; step < end; ++step, ++i) Step(step, gate_rows_[i], gate_rows_ + i);
    }
  }

  int64_t LengthOf(int64_t row) const {
    return launch_.has_lens != 0 ? static_cast<const int32_t*>(args_.src[P::kLens])[first_ + row] : launch_.sizes.steps;
  }
  int64_t StepOf(int64_t row, int64_t step) const {  // in X and Y
    return launch_.params.reversed(direction_) ? LengthOf(row) - 1 - step : step;
  }
  template <class T>
  T* RowOf(T* base, const RecurrentStrides& strides, int64_t step, int64_t row) const {
    return base + step * strides.step + direction_ * strides.direction + (first_ + row) * strides.batch;
  }

  const float* Weights(const RecurrentWeight& weight, int src, int pack, float* scratch) const {
    if (weight.packed != 0) {
      const int index = src == P::kW ? 0 : pack;
      return static_cast<const float*>(args_.packs[index]) + direction_ * weight.Floats(table_);
    }
    const PanelSource source = SourceOf(weight, weight.k_stride, weight.n_stride);
    const float* from = args_.Src(src) + direction_ * weight.direction_stride;
    const int64_t group_floats = PackedFloats(table_.widths, weight.k, weight.n);
    for (int64_t group = 0; group < weight.groups; ++group) {
      for (int64_t i = 0; i < NumPanels(table_.widths, weight.n); ++i) {
        const Panel panel = PanelAt(table_.widths, weight.n, i);
        PackPanel(from + group * weight.n * weight.n_stride, source, panel,
                  scratch + group * group_floats + panel.col * weight.k);
      }
    }
    return scratch;
  }

  Status CheckLengths() {
    longest_ = 0;
    for (int64_t row = 0; row < rows_; ++row) {
      MOKA_RETURN_IF_ERROR(CheckSequenceLength(first_ + row, LengthOf(row), launch_.sizes.steps));
      longest_ = std::max(longest_, LengthOf(row));
    }
    return Status();
  }

  void Start() {
    const auto bytes = static_cast<size_t>(hidden_) * sizeof(float);
    for (int64_t row = 0; row < rows_; ++row) {
      h_rows_[row] = h_ + row * hidden_;
      extra_rows_[row] = extra_ + row * hidden_;
      float* c = c_ + row * hidden_;
      std::memset(h_rows_[row], 0, bytes);
      std::memset(c, 0, bytes);
      if (launch_.has_h0 != 0) std::memcpy(h_rows_[row], RowOf(args_.Src(P::kInitialH), launch_.h0, 0, row), bytes);
      if (launch_.has_c0 != 0) std::memcpy(c, RowOf(args_.Src(P::kInitialC), launch_.c0, 0, row), bytes);
    }
    // Both biases are one, but that of a GRU's candidate where the reset gate scales the product with R.
    std::memset(bias_, 0, static_cast<size_t>(columns_ + hidden_) * sizeof(float));
    if (launch_.has_b == 0) return;
    const float* b = args_.Src(P::kB) + direction_ * launch_.b_direction;
    const int64_t joined = SplitsCandidate() ? 2 * hidden_ : columns_;
    for (int64_t n = 0; n < columns_; ++n) bias_[n] = n < joined ? b[n] + b[columns_ + n] : b[n];
    if (SplitsCandidate()) std::memcpy(bias_ + columns_, b + columns_ + 2 * hidden_, bytes);
  }
  bool SplitsCandidate() const {
    return launch_.params.kind == RecurrentKind::kGru && launch_.params.linear_before_reset;
  }

  // `back`: the last panel first. Weights as large as the cache are read to and fro: what was read last is still there.
  void Multiply(const RecurrentWeight& weight, const float* packed, int64_t group, int64_t rows, const float* const* a,
                float* const* dst, bool add, const float* bias, int64_t first_col, bool back = false) {
    const int64_t zero = 0;
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const Block block = {&table_,  rows, a,        dst,  add ? const_cast<const float* const*>(dst) : nullptr,
                         &zero,    1,    weight.k, bias, -kInfinity,
                         kInfinity};
    const float* b = packed + group * PackedFloats(table_.widths, weight.k, weight.n);
    const int64_t panels = NumPanels(table_.widths, weight.n);
    for (int64_t i = 0; i < panels; ++i) {
      const Panel panel = PanelAt(table_.widths, weight.n, back ? panels - 1 - i : i);
      RunPanel(block, panel, b + panel.col * weight.k, first_col);
    }
  }

  void MultiplyStates(int64_t group, const float* const* a, float* const* dst, bool add, const float* bias,
                      int64_t first_col, bool back) {
    if (ahead_ == nullptr) return Multiply(launch_.r, r_, group, rows_, a, dst, add, bias, first_col, back);
    const int64_t n = launch_.r.n, k = launch_.r.k, widest = table_.widths.widest;
    float* sums = *dst + first_col;
    if (!add) std::memcpy(sums, bias, static_cast<size_t>(n) * sizeof(float));
    const float* b = r_ + group * n * k;
    for (int64_t i = 0; i < n; i += widest) {
      const int64_t col = back ? n - widest - i : i;
      ahead_->Multiply(*a, k, b + col * k, sums + col);
    }
  }

  // Rows beyond their length are multiplied too, with what is in X there or, reversed, at its first step.
  void MultiplyInputs(int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      for (int64_t row = 0; row < rows_; ++row) {
        const int64_t i = (s - begin) * rows_ + row;
        x_rows_[i] = RowOf(args_.Src(P::kX), launch_.x, std::max<int64_t>(StepOf(row, s), 0), row);
        gate_rows_[i] = gates_ + i * columns_;
      }
    }
    Multiply(launch_.w, w_, 0, (end - begin) * rows_, x_rows_, gate_rows_, false, bias_, 0);
  }

  void Step(int64_t step, float* gates, float* const* gate_rows) {
    const RecurrentCell& cell = launch_.cells[direction_];
    const RecurrentTable& cells = *args_.simd->recurrent;
    const RecurrentKind kind = launch_.params.kind;
    const bool gru = kind == RecurrentKind::kGru;
    const bool back = step % 2 != 0;
    for (int64_t i = 0; i < (gru ? 2 : 1); ++i) {
      const int64_t group = gru && back ? 1 - i : i;
      MultiplyStates(group, h_rows_, gate_rows, true, nullptr, group * launch_.r.n, back);
    }
    if (gru) ResetCandidate(cell, cells, gates, gate_rows);
    for (int64_t row = 0; row < rows_; ++row) {
      if (step >= LengthOf(row)) continue;
      const float* gate = gates + row * columns_;
      if (kind == RecurrentKind::kLstm) {
        const float* peephole = launch_.has_p != 0 ? args_.Src(P::kP) + direction_ * launch_.p_direction : nullptr;
        cells.lstm(cell, gate, peephole, c_ + row * hidden_, h_rows_[row], hidden_);
      } else if (gru) {
        cells.gru(cell, gate, gate + 2 * hidden_, h_rows_[row], hidden_);
      } else {
        cells.rnn(cell, gate, h_rows_[row], hidden_);
      }
      if (launch_.has_y == 0) continue;
      std::memcpy(RowOf(args_.Dst(), launch_.y, StepOf(row, step), row), h_rows_[row],
                  static_cast<size_t>(hidden_) * sizeof(float));
    }
  }

  // Completes what goes into a GRU's candidate.
  void ResetCandidate(const RecurrentCell& cell, const RecurrentTable& cells, float* gates, float* const* gate_rows) {
    const int64_t candidate = 2 * hidden_;
    if (SplitsCandidate()) {
      MultiplyStates(2, h_rows_, extra_rows_, false, bias_ + columns_, 0, false);
      for (int64_t row = 0; row < rows_; ++row) {
        float* gate = gates + row * columns_;
        cells.gru_reset(cell, gate + hidden_, extra_rows_[row], gate + candidate, gate + candidate, hidden_);
      }
      return;
    }
    for (int64_t row = 0; row < rows_; ++row) {
      cells.gru_reset(cell, gates + row * columns_ + hidden_, h_rows_[row], nullptr, extra_rows_[row], hidden_);
    }
    MultiplyStates(2, extra_rows_, gate_rows, true, nullptr, candidate, false);
  }

  void Finish() {
    const auto bytes = static_cast<size_t>(hidden_) * sizeof(float);
    for (int64_t row = 0; row < rows_; ++row) {
      for (int64_t step = LengthOf(row); launch_.has_y != 0 && step < launch_.sizes.steps; ++step) {
        std::memset(RowOf(args_.Dst(), launch_.y, step, row), 0, bytes);
      }
      if (launch_.has_yh != 0) std::memcpy(RowOf(args_.Dst(1), launch_.yh, 0, row), h_rows_[row], bytes);
      if (launch_.has_yc != 0) std::memcpy(RowOf(args_.Dst(2), launch_.yc, 0, row), c_ + row * hidden_, bytes);
    }
  }

  const KernelArgs& args_;
  const RecurrentLaunch& launch_;
  const TileTable& table_;
  const int direction_;
  const int64_t first_, rows_, hidden_, columns_;
  int64_t longest_ = 0;
  const float** x_rows_;
  float **gate_rows_, **h_rows_, **extra_rows_;
  float *gates_, *h_, *c_, *extra_, *bias_, *ahead_scratch_;
  const float *w_, *r_;
  RecurrentAhead* ahead_ = nullptr;
};

void RunRecurrent(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<RecurrentLaunch>();
  for (int64_t unit = begin; unit < end; ++unit) {
    Status status = RecurrentUnit(args, launch, args.WorkerScratch(worker), unit).Run();
    if (!status.ok()) return args.error->Set(std::move(status));
  }
}

}  // namespace

std::span<const KernelRow> RecurrentRows() {
  static constexpr KernelRow kRows[] = {{"LSTM", "lstm", &ChooseRecurrent, &RunRecurrent},
                                        {"GRU", "gru", &ChooseRecurrent, &RunRecurrent},
                                        {"RNN", "rnn", &ChooseRecurrent, &RunRecurrent}};
  return kRows;
}

}  // namespace moka::cpu

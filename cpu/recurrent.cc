// LSTM, GRU, RNN. The inputs of many steps are one product with W, then each step multiplies the rows' states with R,
// on top of it, and runs the cell. Where there is one row, the inputs of later steps are multiplied beside states
// (cpu/recurrent_ahead.h).
#include "cpu/recurrent.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "cpu/recurrent_launch.h"
#include "cpu/vector.h"

namespace moka::cpu {
namespace {

using P = RecurrentParams;

class Sequence {
 public:
  Sequence(const KernelArgs& args, const RecurrentLaunch& launch, float* memory, int64_t index)
      : args_(args),
        launch_(launch),
        layout_(launch.layout),
        widths_(args.simd->tile->widths),
        table_(*args.simd->recurrent),
        memory_(memory),
        direction_(static_cast<int>(index / launch.blocks)),
        first_(index % launch.blocks * launch.block_rows),
        rows_(std::min(launch.block_rows, launch.sizes.batch - first_)),
        hidden_(launch.sizes.hidden),
        columns_(launch.Columns()) {
    for (int64_t row = 0; row < rows_; ++row) longest_ = std::max(longest_, LengthOf(row));
    if (launch.ahead != 0 && longest_ > 0) first_turn_ = (longest_ - 1) % table_.ahead_rows + 1;
    w_ = Weights(launch.w, 0, layout_.w);
    r_ = Weights(launch.r, launch.w.packed, layout_.r);
  }

  Status Check() const {
    for (int64_t row = 0; row < rows_; ++row) {
      MOKA_RETURN_IF_ERROR(CheckSequenceLength(first_ + row, LengthOf(row), launch_.sizes.steps));
    }
    return Status();
  }

  void PackWeights() const {
    PackWeight(launch_.w, P::kW, layout_.w);
    PackWeight(launch_.r, P::kR, layout_.r);
  }

  // Runs the parts [begin, end), in every other step the last one first: weights as large as the cache are read to and
  // fro, what was read last is still there.
  void Run(int64_t phase, int64_t begin, int64_t end) {
    const int64_t step = (phase - 1) / launch_.PhasesPerStep(), half = (phase - 1) % launch_.PhasesPerStep();
    if (phase > 0 && step >= longest_) return;
    first_part_ = begin;
    end_part_ = end;
    begin_ = FirstColumn(begin);
    size_ = std::min(FirstColumn(end), hidden_) - begin_;
    if (phase == 0) {
      Begin();
    } else {
      Step(step, half);
    }
    if (phase == 0 ? longest_ == 0 : step + 1 == longest_ && half + 1 == launch_.PhasesPerStep()) Finish();
  }

 private:
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

  const float* Weights(const RecurrentWeight& weight, int pack, int64_t offset) const {
    if (weight.packed == 0) return memory_ + offset;
    return static_cast<const float*>(args_.packs[pack]) + direction_ * weight.Floats();
  }
  void PackWeight(const RecurrentWeight& weight, int src, int64_t offset) const {
    if (weight.packed != 0) return;
    const PanelSource source = {{1, 1, 1, weight.k}, {0, 0, 0, weight.k_stride}, weight.n_stride, 1.0f};
    const float* from = args_.Src(src) + direction_ * weight.direction_stride;
    for (int64_t i = 0; i < weight.gates * weight.Panels(); ++i) {
      const RecurrentPanel panel(widths_, weight, 0, i);
      PackPanel(from + panel.col * weight.n_stride, source, panel.panel, memory_ + offset + panel.offset);
    }
  }

  float* States(int64_t step, int64_t row) const {  // before that step
    return memory_ + layout_.h + (step % 2 * rows_ + row) * hidden_;
  }
  float* CellState(int64_t row) const { return memory_ + layout_.c + row * hidden_; }
  float* Extra(int64_t row) const { return memory_ + layout_.extra + row * hidden_; }
  float* Gates(int64_t i) const { return memory_ + layout_.gates + i * columns_; }
  float* bias() const { return memory_ + layout_.bias; }
  float* Transposed(int64_t turn) const {
    return memory_ + layout_.x + turn % 2 * table_.ahead_rows * launch_.sizes.input;
  }
  bool SplitsCandidate() const { return launch_.params.kind == RecurrentKind::kGru && !launch_.InHalves(); }

  template <class F>
  void ForEachPart(bool back, F&& f) {
    for (int64_t i = first_part_; i < end_part_; ++i) {
      EnterPart(back ? first_part_ + end_part_ - 1 - i : i);
      f();
    }
  }
  void EnterPart(int64_t index) {
    float* memory = memory_ + layout_.parts + index * layout_.part_floats;
    part_ = index;
    x_rows_ = reinterpret_cast<const float**>(memory);
    gate_rows_ = reinterpret_cast<float**>(memory) + launch_.chunk * rows_;
    state_rows_ = gate_rows_ + launch_.chunk * rows_;
    extra_rows_ = state_rows_ + rows_;
    ahead_ = reinterpret_cast<RecurrentAhead*>(memory + layout_.pointers);
  }
  // Of a part in each gate. One part alone has all.
  int64_t FirstPanel(const RecurrentWeight& weight, int64_t part) const {
    return std::min(part * (launch_.parts == 1 ? weight.Panels() : launch_.part_panels), weight.Panels());
  }
  int64_t FirstColumn(int64_t part) const {
    const int64_t panel = FirstPanel(launch_.r, part);
    return panel == launch_.r.Panels() ? launch_.r.Columns()
                                       : RecurrentPanel(widths_, launch_.r, 0, panel).FirstColumn();
  }

  struct Product {
    int64_t rows;
    const float* const* a;
    float* const* dst;
    bool add;
    const float* bias;
    int64_t first_col;  // in dst, of the gate
  };
  void Multiply(const RecurrentWeight& weight, const float* packed, int64_t gate, const Product& p, bool back) const {
    const int64_t zero = 0;
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const float* const* residual = p.add ? const_cast<const float* const*>(p.dst) : nullptr;
    const Block block = {args_.simd->tile, p.rows, p.a,        p.dst,    residual, &zero, 1,
                         weight.k,         p.bias, -kInfinity, kInfinity};
    const int64_t shift = p.first_col - gate * weight.Columns();
    const int64_t begin = FirstPanel(weight, part_), end = FirstPanel(weight, part_ + 1);
    for (int64_t i = begin; i < end; ++i) {
      const RecurrentPanel panel(widths_, weight, gate, back ? begin + end - 1 - i : i);
      RunPanel(block, panel.panel, packed + panel.offset, shift + panel.col);
    }
  }

  void MultiplyStates(int64_t gate, const Product& p, bool back) const {
    if (launch_.ahead == 0) return Multiply(launch_.r, r_, gate, p, back);
    const int64_t begin = FirstPanel(launch_.r, part_), end = FirstPanel(launch_.r, part_ + 1);
    const int64_t widest = table_.widest, k = launch_.r.k;  // of all panels
    const float* r = r_ + gate * launch_.r.Columns() * k;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t col = (back ? begin + end - 1 - i : i) * widest;
      float* sums = *p.dst + p.first_col + col;
      if (!p.add) std::memcpy(sums, p.bias + p.first_col + col, static_cast<size_t>(widest) * sizeof(float));
      ahead_->Multiply(*p.a, k, r + col * k, sums);
    }
  }

  // Rows beyond their length are multiplied too, with what is in X there or, reversed, at its first step.
  void MultiplyInputs(int64_t begin, int64_t end) const {
    for (int64_t s = begin; s < end; ++s) {
      for (int64_t row = 0; row < rows_; ++row) {
        x_rows_[(s - begin) * rows_ + row] =
            RowOf(args_.Src(P::kX), launch_.x, std::max<int64_t>(StepOf(row, s), 0), row);
      }
    }
    for (int64_t gate = 0; gate < launch_.w.gates; ++gate) {
      const int64_t first_col = gate * launch_.w.Columns();
      Multiply(launch_.w, w_, gate, {(end - begin) * rows_, x_rows_, gate_rows_, false, bias(), first_col}, false);
    }
  }

  void Begin();
  void BeginStates() const;
  void BeginBias() const;
  void Finish() const;
  void Step(int64_t step, int64_t half);
  struct Turn {
    int64_t index, begin, end;
  };
  Turn TurnOf(int64_t step) const;
  int64_t FirstGates(int64_t step) const;
  void PrepareGates(int64_t step) const;
  void TransposeInputs(int64_t turn, int64_t step) const;
  void Reset(int64_t step) const;
  void RunCells(int64_t step) const;

  const KernelArgs& args_;
  const RecurrentLaunch& launch_;
  const RecurrentLayout& layout_;
  const PanelWidths widths_;
  const RecurrentTable& table_;
  float* const memory_;
  const int direction_;
  const int64_t first_, rows_, hidden_, columns_;
  int64_t longest_ = 0;
  int64_t first_turn_ = 0;  // steps of the first turn: as many as whole turns leave
  const float *w_, *r_;
  // Of the parts that run, and of one of them:
  int64_t first_part_ = 0, end_part_ = 0;
  int64_t begin_ = 0, size_ = 0;  // hidden units
  int64_t part_ = 0;
  const float** x_rows_ = nullptr;
  float **gate_rows_ = nullptr, **state_rows_ = nullptr, **extra_rows_ = nullptr;
  RecurrentAhead* ahead_ = nullptr;
};

void Sequence::Begin() {
  BeginStates();
  BeginBias();
  ForEachPart(false, [&] {
    for (int64_t i = 0; i < launch_.chunk * rows_; ++i) gate_rows_[i] = Gates(i);
    for (int64_t row = 0; row < rows_; ++row) extra_rows_[row] = Extra(row);
    if (launch_.ahead == 0) return;
    // Neighbouring parts multiply neighbouring vectors of one panel.
    const AheadVectors vectors = {part_, launch_.parts, columns_ / table_.lanes / launch_.parts};
    float* sums = memory_ + layout_.parts + part_ * layout_.part_floats + layout_.sums;
    new (ahead_) RecurrentAhead(table_, w_, launch_.sizes.input, vectors, bias(), sums);
    TransposeInputs(0, first_turn_);
  });
}

void Sequence::BeginStates() const {
  const auto bytes = static_cast<size_t>(size_) * sizeof(float);
  for (int64_t row = 0; row < rows_; ++row) {
    float* h = States(0, row) + begin_;
    float* c = CellState(row) + begin_;
    std::memset(h, 0, bytes);
    std::memset(c, 0, bytes);
    if (launch_.has_h0 != 0) std::memcpy(h, RowOf(args_.Src(P::kInitialH), launch_.h0, 0, row) + begin_, bytes);
    if (launch_.has_c0 != 0) std::memcpy(c, RowOf(args_.Src(P::kInitialC), launch_.c0, 0, row) + begin_, bytes);
  }
}

// Both biases are one, but that of a GRU's candidate where the reset gate scales the product with R.
void Sequence::BeginBias() const {
  const float* b = launch_.has_b != 0 ? args_.Src(P::kB) + direction_ * launch_.b_direction : nullptr;
  for (int64_t gate = 0; gate < launch_.params.gates(); ++gate) {
    const bool apart = gate == 2 && SplitsCandidate();
    for (int64_t n = gate * hidden_ + begin_; n < gate * hidden_ + begin_ + size_; ++n) {
      bias()[n] = b == nullptr ? 0.0f : apart ? b[n] : b[n] + b[columns_ + n];
      if (apart) bias()[hidden_ + n] = b == nullptr ? 0.0f : b[columns_ + n];
    }
  }
}

// The inputs of the turn that begins with `step`, for all parts to multiply while the one before runs: each part
// transposes some of their columns.
void Sequence::TransposeInputs(int64_t turn, int64_t step) const {
  if (step >= longest_) return;
  const int64_t rows = table_.ahead_rows, input = launch_.sizes.input;
  const int64_t begin = PartBegin(input, part_, launch_.parts), end = PartBegin(input, part_ + 1, launch_.parts);
  const int64_t x_step = launch_.params.reversed(direction_) ? -launch_.x.step : launch_.x.step;
  const float* x = RowOf(args_.Src(P::kX), launch_.x, StepOf(0, step), 0) + begin;
  args_.simd->vector->transpose(x, x_step, Transposed(turn) + begin * rows, rows, rows, end - begin);
}

// Of steps whose inputs are multiplied ahead: each turn but the first has ahead_rows of them.
Sequence::Turn Sequence::TurnOf(int64_t step) const {
  const int64_t rows = table_.ahead_rows, index = CeilDiv(step + 1 - first_turn_, rows);
  return {index, index == 0 ? 0 : first_turn_ + (index - 1) * rows, first_turn_ + index * rows};
}

// Where in the chunk the gates of a step are.
int64_t Sequence::FirstGates(int64_t step) const {
  if (launch_.ahead == 0) return step % launch_.chunk * rows_;
  const Turn turn = TurnOf(step);
  return turn.index % 2 * table_.ahead_rows + step - turn.begin;
}

// What is in the gates of a step before its states are multiplied.
void Sequence::PrepareGates(int64_t step) const {
  if (launch_.ahead == 0) {
    if (step % launch_.chunk == 0) MultiplyInputs(step, std::min(step + launch_.chunk, longest_));
    return;
  }
  const Turn turn = TurnOf(step);
  if (step == 0) MultiplyInputs(0, turn.end);
  if (step == turn.begin && turn.end < longest_) {
    const int64_t panels = FirstPanel(launch_.r, part_ + 1) - FirstPanel(launch_.r, part_);
    ahead_->Begin(Transposed(turn.index), Gates((turn.index + 1) % 2 * table_.ahead_rows), columns_,
                  (turn.end - turn.begin) * launch_.r.gates * panels);
  }
  if (step + 1 == turn.end) TransposeInputs(turn.index + 1, turn.end + table_.ahead_rows);
}

void Sequence::Step(int64_t step, int64_t half) {
  const bool gru = launch_.params.kind == RecurrentKind::kGru;
  const int64_t gates = gru ? 2 : launch_.r.gates, first = FirstGates(step);
  const bool back = step % 2 != 0;
  ForEachPart(back, [&] {
    if (half == 1) {
      return MultiplyStates(2, {rows_, extra_rows_, gate_rows_ + first, true, nullptr, 2 * hidden_}, false);
    }
    PrepareGates(step);
    for (int64_t row = 0; row < rows_; ++row) state_rows_[row] = States(step, row);
    for (int64_t i = 0; i < gates; ++i) {
      const int64_t gate = back ? gates - 1 - i : i, col = gate * launch_.r.Columns();
      MultiplyStates(gate, {rows_, state_rows_, gate_rows_ + first, true, nullptr, col}, back);
    }
    if (SplitsCandidate()) MultiplyStates(2, {rows_, state_rows_, extra_rows_, false, bias() + columns_, 0}, false);
  });
  if (gru && half == 0) Reset(step);
  if (half + 1 == launch_.PhasesPerStep()) RunCells(step);
}

// What goes into a GRU's candidate.
void Sequence::Reset(int64_t step) const {
  const RecurrentCell& cell = launch_.cells[direction_];
  for (int64_t row = 0; row < rows_; ++row) {
    float* gates = Gates(FirstGates(step) + row) + begin_;
    float* candidate = gates + 2 * hidden_;
    float* extra = Extra(row) + begin_;
    if (SplitsCandidate()) {
      table_.gru_reset(cell, gates + hidden_, extra, candidate, candidate, size_);
    } else {
      table_.gru_reset(cell, gates + hidden_, States(step, row) + begin_, nullptr, extra, size_);
    }
  }
}

void Sequence::RunCells(int64_t step) const {
  const RecurrentCell& cell = launch_.cells[direction_];
  const auto bytes = static_cast<size_t>(size_) * sizeof(float);
  const float* peephole = launch_.has_p != 0 ? args_.Src(P::kP) + direction_ * launch_.p_direction + begin_ : nullptr;
  for (int64_t row = 0; row < rows_; ++row) {
    const float* gates = Gates(FirstGates(step) + row) + begin_;
    const float* old = States(step, row) + begin_;
    float* fresh = States(step + 1, row) + begin_;
    if (step >= LengthOf(row)) {
      std::memcpy(fresh, old, bytes);
      continue;
    }
    if (launch_.params.kind == RecurrentKind::kLstm) {
      table_.lstm(cell, gates, peephole, hidden_, CellState(row) + begin_, fresh, size_);
    } else if (launch_.params.kind == RecurrentKind::kGru) {
      table_.gru(cell, gates, gates + 2 * hidden_, old, fresh, size_);
    } else {
      table_.rnn(cell, gates, fresh, size_);
    }
    if (launch_.has_y != 0) std::memcpy(RowOf(args_.Dst(), launch_.y, StepOf(row, step), row) + begin_, fresh, bytes);
  }
}

void Sequence::Finish() const {
  const auto bytes = static_cast<size_t>(size_) * sizeof(float);
  for (int64_t row = 0; row < rows_; ++row) {
    for (int64_t step = LengthOf(row); launch_.has_y != 0 && step < launch_.sizes.steps; ++step) {
      std::memset(RowOf(args_.Dst(), launch_.y, step, row) + begin_, 0, bytes);
    }
    const float* h = States(longest_, row) + begin_;
    if (launch_.has_yh != 0) std::memcpy(RowOf(args_.Dst(1), launch_.yh, 0, row) + begin_, h, bytes);
    if (launch_.has_yc == 0) continue;
    std::memcpy(RowOf(args_.Dst(2), launch_.yc, 0, row) + begin_, CellState(row) + begin_, bytes);
  }
}

void RunShared(const KernelArgs& args, const RecurrentLaunch& launch, int64_t begin, int64_t end) {
  const int64_t floats = launch.layout.floats;
  const int64_t units = launch.Sequences() * launch.parts;  // of a phase
  for (int64_t unit = begin, last = 0; unit < end; unit = last) {
    if (!args.error->ok()) return;  // no phase follows a length that is wrong
    const int64_t phase = unit / units, index = unit % units / launch.parts, part = unit % launch.parts;
    last = std::min(end, unit - part + launch.parts);
    Sequence sequence(args, launch, reinterpret_cast<float*>(args.scratch) + index * floats, index);
    if (phase == 0) {
      if (Status status = sequence.Check(); !status.ok()) return args.error->Set(std::move(status));
    }
    sequence.Run(phase, part, part + last - unit);
  }
}

}  // namespace

void RunRecurrent(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<RecurrentLaunch>();
  if (launch.shared != 0) return RunShared(args, launch, begin, end);
  for (int64_t unit = begin; unit < end; ++unit) {
    Sequence sequence(args, launch, args.WorkerScratch(worker), unit);
    if (Status status = sequence.Check(); !status.ok()) return args.error->Set(std::move(status));
    sequence.PackWeights();
    for (int64_t phase = 0; phase < launch.Phases(); ++phase) sequence.Run(phase, 0, launch.parts);
  }
}

}  // namespace moka::cpu

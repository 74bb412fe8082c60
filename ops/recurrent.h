// LSTM, GRU and RNN. src 0 X, 1 W [directions, gates * hidden, input], 2 R [directions, gates * hidden, hidden],
// 3 B [directions, 2 * gates * hidden], 4 sequence_lens [batch], 5 initial_h; LSTM also 6 initial_c, 7 P (peepholes).
// dst 0 Y, 1 Y_h, LSTM also 2 Y_c, each optional. Gates in the order of the file: LSTM i o f c, GRU z r h.
#ifndef MOKA_OPS_RECURRENT_H_
#define MOKA_OPS_RECURRENT_H_

#include <array>
#include <cstdint>

#include "ops/op.h"

namespace moka {

enum class RecurrentKind : int32_t { kLstm, kGru, kRnn };

enum class GateFunction : int32_t {
  kRelu,
  kTanh,
  kSigmoid,
  kAffine,
  kLeakyRelu,
  kThresholdedRelu,
  kScaledTanh,
  kHardSigmoid,
  kElu,
  kSoftsign,
  kSoftplus,
};
struct GateActivation {
  GateFunction function = GateFunction::kTanh;
  float alpha = 0, beta = 0;
};

// Strides, in elements, of [step, direction, batch]; 0 where the operand has no such dimension.
struct RecurrentStrides {
  int64_t step = 0, direction = 0, batch = 0;
};

struct RecurrentParams {
  static constexpr int kX = 0, kW = 1, kR = 2, kB = 3, kLens = 4, kInitialH = 5, kInitialC = 6, kP = 7;

  RecurrentKind kind = RecurrentKind::kLstm;
  int directions = 1;
  bool first_reversed = false;  // the second direction of two always is
  bool batch_first = false;     // attribute `layout`
  bool input_forget = false, linear_before_reset = false;
  float clip = 0;  // 0: none
  // Of each direction: LSTM f g h, GRU f g, RNN f.
  std::array<std::array<GateActivation, 3>, 2> activations{};

  int gates() const { return kind == RecurrentKind::kLstm ? 4 : kind == RecurrentKind::kGru ? 3 : 1; }
  int functions() const { return kind == RecurrentKind::kLstm ? 3 : kind == RecurrentKind::kGru ? 2 : 1; }
  int results() const { return kind == RecurrentKind::kLstm ? 3 : 2; }
  bool reversed(int direction) const { return direction == 1 || first_reversed; }

  static Result<RecurrentParams> From(RecurrentKind kind, const Attributes& attrs);
  static Result<RecurrentParams> From(const OpCall& call);

  RecurrentStrides StridesOfX(const TensorDesc& x) const;
  RecurrentStrides StridesOfY(const TensorDesc& y) const;
  RecurrentStrides StridesOfState(const TensorDesc& state) const;  // initial_h, Y_h, initial_c, Y_c
};

struct RecurrentSizes {
  int64_t steps, batch, input, hidden;

  static RecurrentSizes Of(const RecurrentParams& params, const OpCall& call);
};

// Checks one element of sequence_lens.
Status CheckSequenceLength(int64_t row, int64_t length, int64_t steps);

}  // namespace moka

#endif  // MOKA_OPS_RECURRENT_H_

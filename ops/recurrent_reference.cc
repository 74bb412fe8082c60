#include <cmath>
#include <type_traits>
#include <vector>

#include "base/status.h"
#include "ops/element.h"
#include "ops/recurrent.h"

namespace moka {
namespace {

template <class A>
A Activate(const GateActivation& activation, A x) {
  const A alpha = activation.alpha, beta = activation.beta, zero = 0, one = 1;
  switch (activation.function) {
    case GateFunction::kRelu:
      return x > zero || x != x ? x : zero;
    case GateFunction::kTanh:
      return std::tanh(x);
    case GateFunction::kSigmoid:
      return one / (one + std::exp(-x));
    case GateFunction::kAffine:
      return alpha * x + beta;
    case GateFunction::kLeakyRelu:
      return x < zero ? alpha * x : x;
    case GateFunction::kThresholdedRelu:
      return x < alpha ? zero : x;
    case GateFunction::kScaledTanh:
      return alpha * std::tanh(beta * x);
    case GateFunction::kHardSigmoid: {
      const A y = alpha * x + beta;
      return y < zero ? zero : y > one ? one : y;
    }
    case GateFunction::kElu:
      return x < zero ? alpha * std::expm1(x) : x;
    case GateFunction::kSoftsign:
      return x / (one + std::abs(x));
    case GateFunction::kSoftplus:
      return (x > zero ? x : zero) + std::log1p(std::exp(-std::abs(x)));
  }
  return x;
}

// One direction of one row of the batch.
template <class A>
class RowReference {
 public:
  RowReference(const ReferenceCall& reference, const RecurrentParams& params, int direction, int64_t row)
      : reference_(reference),
        call_(reference.call),
        params_(params),
        sizes_(RecurrentSizes::Of(params, reference.call)),
        direction_(direction),
        row_(row),
        hidden_(static_cast<size_t>(sizes_.hidden)),
        h_(hidden_),
        c_(hidden_),
        x_part_(hidden_ * static_cast<size_t>(params.gates())),
        h_part_(x_part_.size()) {}

  Status Run() {
    int64_t length = sizes_.steps;
    if (call_.has_src(P::kLens)) {
      const TensorDesc& lens = call_.src[P::kLens];
      length = Load<int64_t>(lens, reference_.src[P::kLens], row_ * lens.strides[0]);
      MOKA_RETURN_IF_ERROR(CheckSequenceLength(row_, length, sizes_.steps));
    }
    ReadState(P::kInitialH, h_);
    if (params_.kind == RecurrentKind::kLstm) ReadState(P::kInitialC, c_);
    for (int64_t step = 0; step < length; ++step) {
      const int64_t at = params_.reversed(direction_) ? length - 1 - step : step;
      MultiplyInput(at);
      MultiplyState(h_, 0, params_.gates());
      if (params_.kind == RecurrentKind::kLstm) StepLstm();
      if (params_.kind == RecurrentKind::kGru) StepGru();
      if (params_.kind == RecurrentKind::kRnn) StepRnn();
      WriteY(at, false);
    }
    for (int64_t at = length; at < sizes_.steps; ++at) WriteY(at, true);
    WriteState(1, h_);
    WriteState(2, c_);
    return Status();
  }

 private:
  using P = RecurrentParams;

  A At(int src, int64_t i, int64_t j, int64_t k = 0) const {
    const TensorDesc& desc = call_.src[static_cast<size_t>(src)];
    const int64_t offset = i * desc.strides[0] + j * desc.strides[1] + (desc.rank > 2 ? k * desc.strides[2] : 0);
    return moka::Load<A>(desc, reference_.src[static_cast<size_t>(src)], offset);
  }
  A Bias(int64_t column) const { return call_.has_src(P::kB) ? At(P::kB, direction_, column) : A{}; }

  void ReadState(int src, std::vector<A>& state) const {
    if (!call_.has_src(src)) return;
    for (int64_t j = 0; j < sizes_.hidden; ++j) {
      state[static_cast<size_t>(j)] = params_.batch_first ? At(src, row_, direction_, j) : At(src, direction_, row_, j);
    }
  }

  void MultiplyInput(int64_t at) {
    const int64_t columns = params_.gates() * sizes_.hidden;
    for (int64_t n = 0; n < columns; ++n) {
      A sum{};
      for (int64_t k = 0; k < sizes_.input; ++k) {
        sum += (params_.batch_first ? At(P::kX, row_, at, k) : At(P::kX, at, row_, k)) * At(P::kW, direction_, n, k);
      }
      x_part_[static_cast<size_t>(n)] = sum + Bias(n);
    }
  }

  // h_part of the gates [first, end) = state * R^T + their bias.
  void MultiplyState(const std::vector<A>& state, int first, int end) {
    const int64_t columns = params_.gates() * sizes_.hidden;
    for (int64_t n = first * sizes_.hidden; n < end * sizes_.hidden; ++n) {
      A sum{};
      for (int64_t k = 0; k < sizes_.hidden; ++k) sum += state[static_cast<size_t>(k)] * At(P::kR, direction_, n, k);
      h_part_[static_cast<size_t>(n)] = sum + Bias(columns + n);
    }
  }

  // Clips what goes into the gates; the new cell of an LSTM is no gate.
  A Apply(int function, A x) const {
    if (params_.clip > 0 && function < 2) {
      const A bound = params_.clip;
      x = x < -bound ? -bound : x > bound ? bound : x;
    }
    return Activate(params_.activations[static_cast<size_t>(direction_)][static_cast<size_t>(function)], x);
  }
  A Gate(int gate, size_t j) const {
    const size_t n = static_cast<size_t>(gate) * hidden_ + j;
    return x_part_[n] + h_part_[n];
  }

  void StepLstm() {
    for (size_t j = 0; j < hidden_; ++j) {
      const auto peephole = [&](int gate, A cell) {  // P is in the order i o f
        const int64_t column = gate * sizes_.hidden + static_cast<int64_t>(j);
        return call_.has_src(P::kP) ? At(P::kP, direction_, column) * cell : A{};
      };
      const A i = Apply(0, Gate(0, j) + peephole(0, c_[j]));
      const A f = params_.input_forget ? A{1} - i : Apply(0, Gate(2, j) + peephole(2, c_[j]));
      c_[j] = f * c_[j] + i * Apply(1, Gate(3, j));
      h_[j] = Apply(0, Gate(1, j) + peephole(1, c_[j])) * Apply(2, c_[j]);
    }
  }

  void StepGru() {
    std::vector<A> reset(hidden_), kept(hidden_);
    for (size_t j = 0; j < hidden_; ++j) {
      reset[j] = Apply(0, Gate(1, j));
      kept[j] = reset[j] * h_[j];
    }
    if (!params_.linear_before_reset) MultiplyState(kept, 2, 3);
    for (size_t j = 0; j < hidden_; ++j) {
      const size_t n = 2 * hidden_ + j;
      const A factor = params_.linear_before_reset ? reset[j] : A{1};
      const A candidate = Apply(1, x_part_[n] + factor * h_part_[n]), z = Apply(0, Gate(0, j));
      h_[j] = (A{1} - z) * candidate + z * h_[j];
    }
  }

  void StepRnn() {
    for (size_t j = 0; j < hidden_; ++j) h_[j] = Apply(0, Gate(0, j));
  }

  void Write(size_t dst, const RecurrentStrides& strides, int64_t last, int64_t step, const std::vector<A>* values) {
    const TensorDesc& desc = call_.dst[dst];
    const int64_t first = step * strides.step + direction_ * strides.direction + row_ * strides.batch;
    for (size_t j = 0; j < hidden_; ++j) {
      Store<A>(desc, reference_.dst[dst], first + static_cast<int64_t>(j) * last,
               values == nullptr ? A{} : (*values)[j]);
    }
  }
  void WriteY(int64_t at, bool zero) {
    if (call_.dst.empty() || !call_.dst[0].present()) return;
    Write(0, params_.StridesOfY(call_.dst[0]), call_.dst[0].strides[3], at, zero ? nullptr : &h_);
  }
  void WriteState(size_t dst, const std::vector<A>& state) {
    if (dst >= call_.dst.size() || !call_.dst[dst].present()) return;
    Write(dst, params_.StridesOfState(call_.dst[dst]), call_.dst[dst].strides[2], 0, &state);
  }

  const ReferenceCall& reference_;
  const OpCall& call_;
  const RecurrentParams& params_;
  const RecurrentSizes sizes_;
  const int direction_;
  const int64_t row_;
  const size_t hidden_;
  std::vector<A> h_, c_, x_part_, h_part_;
};

}  // namespace

template <class Float>
Status RecurrentReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const RecurrentParams params, RecurrentParams::From(reference.call));
  const RecurrentSizes sizes = RecurrentSizes::Of(params, reference.call);
  if (sizes.input == 0 || sizes.hidden == 0) return InvalidArgument("src 0 (X) or src 2 (R) has no features");
  return WithAccumulator<Float>(reference.call.src[0].type, [&](auto accumulator) -> Status {
    using A = decltype(accumulator);
    if constexpr (std::is_floating_point_v<A>) {
      for (int direction = 0; direction < params.directions; ++direction) {
        for (int64_t row = 0; row < sizes.batch; ++row) {
          MOKA_RETURN_IF_ERROR(RowReference<A>(reference, params, direction, row).Run());
        }
      }
      return Status();
    } else {
      return Unsupported("integers");
    }
  });
}

template Status RecurrentReference<float>(const ReferenceCall&);
template Status RecurrentReference<double>(const ReferenceCall&);

}  // namespace moka

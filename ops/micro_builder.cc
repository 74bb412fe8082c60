#include "ops/micro_builder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

namespace moka {

uint8_t MicroBuilder::AddSource() {
  if (num_sources_ == kMicroMaxSources) {
    ok_ = false;
    return MicroSource(0);
  }
  return MicroSource(num_sources_++);
}

uint8_t MicroBuilder::Constant(float value) {
  for (size_t i = 0; i < constants_.size(); ++i) {
    // By bits: -0 is not 0, NaN is NaN.
    if (std::memcmp(&constants_[i], &value, sizeof(value)) == 0) return static_cast<uint8_t>(kFirstConstant + i);
  }
  if (kFirstConstant + constants_.size() == kFirstResult) {
    ok_ = false;
    return kFirstConstant;
  }
  constants_.push_back(value);
  return static_cast<uint8_t>(kFirstConstant + constants_.size() - 1);
}

bool MicroBuilder::IsConstant(uint8_t code, float* value) const {
  if (code < kFirstConstant || code >= kFirstResult) return false;
  *value = constants_[static_cast<size_t>(code - kFirstConstant)];
  return true;
}

uint8_t MicroBuilder::Emit(MicroOp op, uint8_t a, uint8_t b, uint8_t c) {
  const int arity = Arity(op);
  const uint8_t operands[] = {a, b, c};
  double values[3] = {};
  bool constant = true;
  for (int i = 0; i < arity; ++i) {
    constant = constant && operands[i] >= kFirstConstant && operands[i] < kFirstResult;
    if (constant) values[i] = constants_[static_cast<size_t>(operands[i] - kFirstConstant)];
  }
  if (constant) return Constant(static_cast<float>(MicroApply(op, values[0], values[1], values[2])));
  if (operations_.size() + kFirstResult > UINT8_MAX) {
    ok_ = false;
    return 0;
  }
  operations_.push_back({op, a, arity > 1 ? b : uint8_t{0}, arity > 2 ? c : uint8_t{0}});
  return static_cast<uint8_t>(kFirstResult + operations_.size() - 1);
}

void MicroBuilder::Append(const MicroProgram& program, uint8_t r0, const uint8_t* sources) {
  uint8_t registers[kMicroRegisters] = {r0};
  const auto translate = [&](uint8_t code) {
    if (IsMicroRegister(code)) return registers[code];
    if (IsMicroSource(code)) return sources[code - MicroSource(0)];
    return Constant(program.constants[code - MicroConstant(0)]);
  };
  for (int i = 0; i < program.num_ops; ++i) {
    const MicroInstruction& m = program.ops[i];
    const int arity = Arity(m.op);
    const uint8_t a = translate(m.a), b = arity > 1 ? translate(m.b) : uint8_t{0};
    const uint8_t c = arity > 2 ? translate(m.c) : uint8_t{0};
    registers[m.dst] = m.op == MicroOp::kMov ? a : Emit(m.op, a, b, c);
  }
  result_ = registers[0];
}

// Works on a copy of the builder: rewrites operations in place, then assigns registers.
class MicroFinisher {
 public:
  explicit MicroFinisher(const MicroBuilder& builder) : b_(builder) {}

  bool Run(MicroProgram* program) {
    const size_t n = b_.operations_.size();
    for (size_t i = 0; i < n; ++i) RewriteChains(b_.operations_[i]);
    for (size_t i = 0; i < n; ++i) RewriteMulAdd(b_.operations_[i]);
    return b_.ok() && AssignRegisters(program);
  }

 private:
  using Operation = MicroBuilder::Operation;
  static constexpr uint8_t kFirstConstant = MicroBuilder::kFirstConstant;
  static constexpr uint8_t kFirstResult = MicroBuilder::kFirstResult;

  // ---- Peepholes: none makes the program longer, so it does not matter who else uses the parts --------------------

  const Operation* Find(uint8_t code, MicroOp op) const {
    if (code < kFirstResult) return nullptr;
    const Operation& operation = b_.operations_[static_cast<size_t>(code - kFirstResult)];
    return operation.op == op ? &operation : nullptr;
  }
  bool IsConstant(uint8_t code) const { return code >= kFirstConstant && code < kFirstResult; }
  float ValueOf(uint8_t code) const { return b_.constants_[static_cast<size_t>(code - kFirstConstant)]; }
  bool IsConstant(uint8_t code, double value) const {
    return IsConstant(code) && std::abs(ValueOf(code) - value) <= 1e-6 * std::abs(value);
  }
  static std::array<std::pair<uint8_t, uint8_t>, 2> BothOrders(const Operation& o) {
    return {{{o.a, o.b}, {o.b, o.a}}};
  }

  // What is multiplied by `factor`, written as product or quotient; or false.
  bool MatchScaled(const Operation& o, double factor, uint8_t* x) const {
    if (o.op == MicroOp::kDiv && IsConstant(o.b, 1 / factor)) {
      *x = o.a;
      return true;
    }
    if (o.op != MicroOp::kMul) return false;
    for (auto [value, constant] : BothOrders(o)) {
      if (!IsConstant(constant, factor)) continue;
      *x = value;
      return true;
    }
    return false;
  }

  bool MatchAddConstant(uint8_t code, double constant, uint8_t* x) const {
    const Operation* add = Find(code, MicroOp::kAdd);
    if (add == nullptr) return false;
    for (auto [value, other] : BothOrders(*add)) {
      if (!IsConstant(other, constant)) continue;
      *x = value;
      return true;
    }
    return false;
  }

  // clip(x + 3, 0, 6)
  bool MatchRelu6OfShifted(uint8_t code, uint8_t* x) const {
    const Operation* clip = Find(code, MicroOp::kClip);
    return clip != nullptr && IsConstant(clip->b) && ValueOf(clip->b) == 0 && IsConstant(clip->c, 6) &&
           MatchAddConstant(clip->a, 3, x);
  }

  // 1 + erf(x / sqrt(2))
  bool MatchErfGate(uint8_t code, uint8_t* x) const {
    uint8_t inner = 0;
    if (!MatchAddConstant(code, 1, &inner)) return false;
    const Operation* erf = Find(inner, MicroOp::kErf);
    return erf != nullptr && erf->a >= kFirstResult &&
           MatchScaled(b_.operations_[static_cast<size_t>(erf->a - kFirstResult)], 0.70710678118654752, x);
  }

  // A product in any association.
  struct Factors {
    static constexpr int kMax = 6;
    uint8_t codes[kMax];
    int count = 0;
  };
  bool AddFactors(uint8_t code, Factors* factors) const {
    if (const Operation* mul = Find(code, MicroOp::kMul)) {
      return AddFactors(mul->a, factors) && AddFactors(mul->b, factors);
    }
    if (factors->count == Factors::kMax) return false;
    factors->codes[factors->count++] = code;
    return true;
  }
  // Whether the factors are `constant` and `power` times x, in any order.
  bool IsScaledPower(const Factors& factors, double constant, uint8_t x, int power) const {
    const auto is = [&](uint8_t code) { return IsConstant(code, constant); };
    const uint8_t *first = factors.codes, *last = first + factors.count;
    return factors.count == power + 1 && std::count(first, last, x) == power && std::count_if(first, last, is) == 1;
  }

  // addend + constant * x^power; `addend` is given.
  bool IsPolynomial(uint8_t code, const auto& is_addend, double constant, uint8_t x, int power) const {
    if (const Operation* fused = Find(code, MicroOp::kMulAdd)) {
      Factors factors;
      return is_addend(fused->c) && AddFactors(fused->a, &factors) && AddFactors(fused->b, &factors) &&
             IsScaledPower(factors, constant, x, power);
    }
    const Operation* add = Find(code, MicroOp::kAdd);
    if (add == nullptr) return false;
    for (auto [product, addend] : BothOrders(*add)) {
      Factors factors;
      if (is_addend(addend) && AddFactors(product, &factors) && IsScaledPower(factors, constant, x, power)) return true;
    }
    return false;
  }

  // 1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)), or with x in front of the bracket.
  bool MatchTanhGate(uint8_t code, uint8_t x) const {
    constexpr double kScale = 0.79788456080286535588, kCubic = 0.044715;
    uint8_t inner = 0;
    if (!MatchAddConstant(code, 1, &inner)) return false;
    const Operation* tanh = Find(inner, MicroOp::kTanh);
    Factors factors;
    if (tanh == nullptr || !AddFactors(tanh->a, &factors) || factors.count < 2 || factors.count > 3) return false;
    bool scaled = false, outside = false, polynomial = false;
    for (int i = 0; i < factors.count; ++i) {
      const uint8_t factor = factors.codes[i];
      if (IsConstant(factor, kScale)) {
        scaled = true;
      } else if (factor == x) {
        outside = true;
      } else if (factors.count == 2) {
        polynomial = IsPolynomial(
            factor, [&](uint8_t addend) { return addend == x; }, kCubic, x, 3);
      } else {
        polynomial = IsPolynomial(
            factor, [&](uint8_t addend) { return IsConstant(addend, 1); }, kCubic, x, 2);
      }
    }
    return scaled && polynomial && outside == (factors.count == 3);
  }

  bool IsHardSigmoidGate(uint8_t code, uint8_t x) const {
    const Operation* gate = Find(code, MicroOp::kHardSigmoid);
    return gate != nullptr && gate->a == x && IsConstant(gate->b, 1.0 / 6) && IsConstant(gate->c, 0.5);
  }

  // The product 0.5 * x * gate(x) in any association.
  bool RewriteGelu(Operation& o) {
    for (auto [left, right] : BothOrders(o)) {
      const Operation* inner = Find(left, MicroOp::kMul);
      if (inner == nullptr) continue;
      uint8_t factors[] = {right, inner->a, inner->b};
      std::sort(std::begin(factors), std::end(factors));
      do {
        const uint8_t x = factors[2];
        uint8_t gated = 0;
        if (!IsConstant(factors[0], 0.5)) continue;
        if (MatchErfGate(factors[1], &gated) && gated == x) {
          o = {MicroOp::kGelu, x, 0, 0};
          return true;
        }
        if (MatchTanhGate(factors[1], x)) {
          o = {MicroOp::kGeluTanh, x, 0, 0};
          return true;
        }
      } while (std::next_permutation(std::begin(factors), std::end(factors)));
    }
    return false;
  }

  // 1 + exp(x), or with `negated` 1 + exp(-x).
  bool MatchOnePlusExp(uint8_t code, bool negated, uint8_t* x) const {
    uint8_t inner = 0;
    if (!MatchAddConstant(code, 1, &inner)) return false;
    const Operation* exp = Find(inner, MicroOp::kExp);
    if (exp == nullptr) return false;
    *x = exp->a;
    if (!negated) return true;
    const Operation* minus = Find(exp->a, MicroOp::kMul);
    return minus != nullptr && MatchScaled(*minus, -1, x);
  }

  // ln(1 + exp(x)); a / (1 + exp(-x)) where a is 1 or x.
  bool RewriteExponentials(Operation& o) {
    uint8_t x = 0;
    if (o.op == MicroOp::kLog && MatchOnePlusExp(o.a, false, &x)) {
      o = {MicroOp::kSoftplus, x, 0, 0};
      return true;
    }
    if (o.op != MicroOp::kDiv || !MatchOnePlusExp(o.b, true, &x)) return false;
    if (!IsConstant(o.a, 1) && o.a != x) return false;
    o = {o.a == x ? MicroOp::kSilu : MicroOp::kSigmoid, x, 0, 0};
    return true;
  }

  bool IsMishGate(uint8_t code, uint8_t x) const {
    const Operation* tanh = Find(code, MicroOp::kTanh);
    const Operation* softplus = tanh == nullptr ? nullptr : Find(tanh->a, MicroOp::kSoftplus);
    return softplus != nullptr && softplus->a == x;
  }

  void RewriteChains(Operation& o) {
    uint8_t x = 0, product = 0;
    if (RewriteExponentials(o)) return;
    if (MatchScaled(o, 1.0 / 6, &product)) {
      if (MatchRelu6OfShifted(product, &x)) {
        o = {MicroOp::kHardSigmoid, x, b_.Constant(1.0f / 6), b_.Constant(0.5f)};
        return;
      }
      if (const Operation* mul = Find(product, MicroOp::kMul)) {
        for (auto [value, gate] : BothOrders(*mul)) {
          if (MatchRelu6OfShifted(gate, &x) && x == value) {
            o = {MicroOp::kHardSwish, x, 0, 0};
            return;
          }
        }
      }
    }
    if (o.op == MicroOp::kMul) {
      for (auto [value, gate] : BothOrders(o)) {
        const Operation* sigmoid = Find(gate, MicroOp::kSigmoid);
        if (sigmoid != nullptr && sigmoid->a == value) {
          o = {MicroOp::kSilu, value, 0, 0};
          return;
        }
        if (IsMishGate(gate, value)) {
          o = {MicroOp::kMish, value, 0, 0};
          return;
        }
        if (IsHardSigmoidGate(gate, value)) {
          o = {MicroOp::kHardSwish, value, 0, 0};
          return;
        }
      }
      if (RewriteGelu(o)) return;
    }
    RewriteClip(o);
  }

  void RewriteClip(Operation& o) {
    if (o.op != MicroOp::kMin && o.op != MicroOp::kMax) return;
    const MicroOp opposite = o.op == MicroOp::kMin ? MicroOp::kMax : MicroOp::kMin;
    for (auto [inner, outer_bound] : BothOrders(o)) {
      const Operation* bounded = Find(inner, opposite);
      if (bounded == nullptr || !IsConstant(outer_bound)) continue;
      for (auto [x, inner_bound] : BothOrders(*bounded)) {
        if (!IsConstant(inner_bound)) continue;
        const bool lower_first = o.op == MicroOp::kMin;
        const uint8_t lower = lower_first ? inner_bound : outer_bound, upper = lower_first ? outer_bound : inner_bound;
        if (!(ValueOf(lower) <= ValueOf(upper))) continue;
        o = {MicroOp::kClip, x, lower, upper};
        return;
      }
    }
  }

  void RewriteMulAdd(Operation& o) {
    if (o.op != MicroOp::kAdd) return;
    for (auto [product, addend] : BothOrders(o)) {
      if (const Operation* mul = Find(product, MicroOp::kMul)) {
        o = {MicroOp::kMulAdd, mul->a, mul->b, addend};
        return;
      }
    }
  }

  // ---- Registers ---------------------------------------------------------------------------------------------------

  // last_use_[code]: index of the last operation that reads it, -1 when none does.
  void FindLastUses(std::vector<bool>* needed) {
    last_use_.fill(-1);
    const auto n = static_cast<int>(b_.operations_.size());
    needed->assign(static_cast<size_t>(n), false);
    if (b_.result_ >= kFirstResult) (*needed)[static_cast<size_t>(b_.result_ - kFirstResult)] = true;
    for (int i = n - 1; i >= 0; --i) {
      if (!(*needed)[static_cast<size_t>(i)]) continue;
      const Operation& o = b_.operations_[static_cast<size_t>(i)];
      const uint8_t operands[] = {o.a, o.b, o.c};
      for (int k = 0; k < Arity(o.op); ++k) {
        last_use_[operands[k]] = std::max(last_use_[operands[k]], i);
        if (operands[k] >= kFirstResult) (*needed)[static_cast<size_t>(operands[k] - kFirstResult)] = true;
      }
    }
  }

  // The final code of an operand; counts in `program` the constants it meets.
  bool Translate(uint8_t code, MicroProgram* program, uint8_t* final_code) {
    if (IsMicroSource(code)) {
      *final_code = code;
    } else if (IsConstant(code)) {
      if (constant_slot_[code] < 0) {
        if (program->num_constants == kMicroMaxConstants) return false;
        constant_slot_[code] = program->num_constants;
        program->constants[program->num_constants++] = ValueOf(code);
      }
      *final_code = MicroConstant(constant_slot_[code]);
    } else {
      *final_code = MicroRegister(register_of_[code]);
    }
    return true;
  }

  bool AssignRegisters(MicroProgram* program) {
    *program = {};
    program->num_sources = b_.num_sources_;
    constant_slot_.fill(-1);
    std::vector<bool> needed;
    FindLastUses(&needed);
    bool busy[kMicroRegisters] = {last_use_[0] >= 0};
    for (size_t i = 0; i < b_.operations_.size(); ++i) {
      if (!needed[i]) continue;
      if (program->num_ops == kMicroMaxOps) return false;
      const Operation& o = b_.operations_[i];
      MicroInstruction m{o.op, 0, 0, 0, 0, {}};
      const uint8_t operands[] = {o.a, o.b, o.c};
      uint8_t* const codes[] = {&m.a, &m.b, &m.c};
      for (int k = 0; k < Arity(o.op); ++k) {
        if (!Translate(operands[k], program, codes[k])) return false;
      }
      for (int k = 0; k < Arity(o.op); ++k) {
        if (IsMicroRegister(*codes[k]) && last_use_[operands[k]] == static_cast<int>(i)) busy[*codes[k]] = false;
      }
      // The result's operation comes last and finds register 0 free: nothing else is needed after it.
      const auto free = std::find(std::begin(busy), std::end(busy), false);
      if (free == std::end(busy)) return false;
      *free = true;
      m.dst = static_cast<uint8_t>(free - std::begin(busy));
      register_of_[kFirstResult + i] = m.dst;
      program->ops[program->num_ops++] = m;
    }
    if (b_.result_ < kFirstResult && !IsMicroRegister(b_.result_)) {  // a source or a constant as it is
      MicroInstruction m{MicroOp::kMov, 0, 0, 0, 0, {}};
      if (!Translate(b_.result_, program, &m.a)) return false;
      program->ops[program->num_ops++] = m;
    }
    return true;
  }

  MicroBuilder b_;
  std::array<int, 256> last_use_{};
  std::array<int, 256> register_of_{};  // of code 0 and of results
  std::array<int, 256> constant_slot_{};
};

bool MicroBuilder::Finish(MicroProgram* program) const { return ok_ && MicroFinisher(*this).Run(program); }

}  // namespace moka

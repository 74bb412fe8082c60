#include "cpu/recurrent.h"
#include "cpu/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/recurrent_cell.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "cpu/functions-inl.h"
#include "cpu/recurrent_product-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

V ActivateOther(const GateActivation& activation, V x) {
  const D d;
  const V alpha = hn::Set(d, activation.alpha), beta = hn::Set(d, activation.beta), one = hn::Set(d, 1.0f);
  const V zero = hn::Zero(d);
  switch (activation.function) {
    case GateFunction::kRelu:
      return MaxNan(x, zero);
    case GateFunction::kAffine:
      return hn::MulAdd(alpha, x, beta);
    case GateFunction::kLeakyRelu:
      return hn::IfThenElse(hn::Lt(x, zero), hn::Mul(alpha, x), x);
    case GateFunction::kThresholdedRelu:
      return hn::IfThenZeroElse(hn::Lt(x, alpha), x);
    case GateFunction::kScaledTanh:
      return hn::Mul(alpha, VectorTanh(hn::Mul(beta, x)));
    case GateFunction::kHardSigmoid:
      return ClipNan(hn::MulAdd(alpha, x, beta), zero, one);
    case GateFunction::kElu:
      return VectorElu(x, one, alpha);
    case GateFunction::kSoftsign:
      return hn::Div(x, hn::Add(one, hn::Abs(x)));
    case GateFunction::kSoftplus:
      return VectorSoftplus(x);
    case GateFunction::kTanh:
    case GateFunction::kSigmoid:
      break;
  }
  return x;
}

HWY_INLINE V ActivateAsIs(const GateActivation& activation, V x) {
  if (activation.function == GateFunction::kSigmoid) return VectorSigmoid(x);
  if (activation.function == GateFunction::kTanh) return VectorTanh(x);
  return ActivateOther(activation, x);
}

HWY_INLINE V Activate(const RecurrentCell& cell, const GateActivation& activation, V x) {
  const V bound = hn::Set(D(), cell.clip);
  return ActivateAsIs(activation, ClipNan(x, hn::Neg(bound), bound));
}

void LstmRow(const RecurrentCell& cell, const float* gates, const float* peephole, int64_t stride, float* c, float* h,
             int64_t n) {
  ForEachVector(n, [&](auto part, int64_t j) HWY_ATTR {
    const auto gate = [&](int64_t k, V state) HWY_ATTR {
      const V sum = Load(part, gates + k * stride + j);
      return peephole == nullptr ? sum : hn::MulAdd(Load(part, peephole + k * stride + j), state, sum);
    };
    const V old = Load(part, c + j);
    const V i = Activate(cell, cell.f, gate(0, old));
    const V f = cell.input_forget ? hn::Sub(hn::Set(D(), 1.0f), i) : Activate(cell, cell.f, gate(2, old));
    const V candidate = Activate(cell, cell.g, Load(part, gates + 3 * stride + j));
    const V state = hn::MulAdd(f, old, hn::Mul(i, candidate));
    Store(part, state, c + j);
    Store(part, hn::Mul(Activate(cell, cell.f, gate(1, state)), ActivateAsIs(cell.h, state)), h + j);
  });
}

void GruReset(const RecurrentCell& cell, const float* gate, const float* factor, const float* addend, float* dst,
              int64_t n) {
  ForEachVector(n, [&](auto part, int64_t j) HWY_ATTR {
    const V reset = Activate(cell, cell.f, Load(part, gate + j)), x = Load(part, factor + j);
    Store(part, addend == nullptr ? hn::Mul(reset, x) : hn::MulAdd(reset, x, Load(part, addend + j)), dst + j);
  });
}

void GruRow(const RecurrentCell& cell, const float* update, const float* candidate, const float* old, float* h,
            int64_t n) {
  ForEachVector(n, [&](auto part, int64_t j) HWY_ATTR {
    const V z = Activate(cell, cell.f, Load(part, update + j));
    const V x = Activate(cell, cell.g, Load(part, candidate + j));
    const V fresh = hn::Mul(hn::Sub(hn::Set(D(), 1.0f), z), x);
    Store(part, hn::MulAdd(z, Load(part, old + j), fresh), h + j);
  });
}

void RnnRow(const RecurrentCell& cell, const float* gate, float* h, int64_t n) {
  ForEachVector(
      n, [&](auto part, int64_t j) HWY_ATTR { Store(part, Activate(cell, cell.f, Load(part, gate + j)), h + j); });
}

const RecurrentTable* GetRecurrentTable() {
#if HWY_TARGET <= HWY_AVX3
  static constexpr RecurrentTable kTable = {&LstmRow,       &GruReset,  &GruRow, &RnnRow,
                                            &RecurrentStep, kAheadRows, kLanes,  kStateVectors * kLanes};
#else
  static constexpr RecurrentTable kTable = {&LstmRow, &GruReset, &GruRow, &RnnRow};
#endif
  return &kTable;
}

#else
const RecurrentTable* GetRecurrentTable() { return nullptr; }
#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moka::cpu {
HWY_EXPORT(GetRecurrentTable);
const RecurrentTable* ChosenRecurrentTable() { return HWY_DYNAMIC_DISPATCH(GetRecurrentTable)(); }
}  // namespace moka::cpu
#endif

// Loops over contiguous lanes: whole vectors, then what is left through a buffer of one vector.
#if defined(MOKA_CPU_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOKA_CPU_LANES_INL_H_
#undef MOKA_CPU_LANES_INL_H_
#else
#define MOKA_CPU_LANES_INL_H_
#endif

#include <cstring>
#include <limits>
#include <type_traits>

#include "cpu/lanes.h"
#include "cpu/simd-inl.h"
#include "ops/accumulate.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

template <class T>
using LaneTag = hn::CappedTag<T, HWY_MAX_BYTES / sizeof(T)>;
template <class T>
using LaneVec = hn::Vec<LaneTag<T>>;
template <class T>
inline constexpr int64_t kLanesOf = HWY_MAX_BYTES / sizeof(T);

// ---- One vector -----------------------------------------------------------------------------------------------------

template <class T>
HWY_INLINE LaneVec<T> LaneMin(LaneVec<T> a, LaneVec<T> b) {
  if constexpr (std::is_floating_point_v<T>) {
    return hn::IfThenElse(hn::IsNaN(a), a, hn::IfThenElse(hn::IsNaN(b), b, hn::Min(a, b)));
  } else {
    return hn::Min(a, b);
  }
}
template <class T>
HWY_INLINE LaneVec<T> LaneMax(LaneVec<T> a, LaneVec<T> b) {
  if constexpr (std::is_floating_point_v<T>) {
    return hn::IfThenElse(hn::IsNaN(a), a, hn::IfThenElse(hn::IsNaN(b), b, hn::Max(a, b)));
  } else {
    return hn::Max(a, b);
  }
}

template <LaneOp kOp, class T>
HWY_INLINE LaneVec<T> LaneBinary(LaneVec<T> a, LaneVec<T> b) {
  if constexpr (kOp == LaneOp::kAdd) return hn::Add(a, b);
  if constexpr (kOp == LaneOp::kSub) return hn::Sub(a, b);
  if constexpr (kOp == LaneOp::kMul) return hn::Mul(a, b);
  if constexpr (kOp == LaneOp::kDiv) return hn::Div(a, b);
  if constexpr (kOp == LaneOp::kMin) return LaneMin<T>(a, b);
  if constexpr (kOp == LaneOp::kMax) return LaneMax<T>(a, b);
  if constexpr (kOp == LaneOp::kAnd) return hn::And(a, b);
  if constexpr (kOp == LaneOp::kOr) return hn::Or(a, b);
  if constexpr (kOp == LaneOp::kXor) return hn::Xor(a, b);
}

template <LaneTest kTest, class T>
HWY_INLINE hn::Mask<LaneTag<T>> LaneCompare(LaneVec<T> a, LaneVec<T> b) {
  if constexpr (kTest == LaneTest::kEqual) return hn::Eq(a, b);
  if constexpr (kTest == LaneTest::kLess) return hn::Lt(a, b);
  if constexpr (kTest == LaneTest::kLessOrEqual) {
    if constexpr (std::is_floating_point_v<T>) {
      return hn::Le(a, b);
    } else {
      return hn::Not(hn::Lt(b, a));
    }
  }
}

// Lanes of a mask as bytes of 0 and 1.
template <class T>
HWY_INLINE auto TruthBytes(hn::Mask<LaneTag<T>> mask) {
  using Bits = hwy::MakeUnsigned<T>;
  const LaneTag<Bits> d;
  const hn::Rebind<uint8_t, LaneTag<Bits>> bytes;
  const auto truth = hn::IfThenElseZero(hn::RebindMask(d, mask), hn::Set(d, Bits{1}));
  if constexpr (sizeof(T) == 1) {
    return truth;
  } else {
    return hn::TruncateTo(bytes, truth);
  }
}

// ---- Loops ----------------------------------------------------------------------------------------------------------

// Calls f(offset in the sources' buffers, ..) for whole vectors of N elements and once for a copy of the rest: sizes
// are those of an element of a source and of a result.
template <int kSources, class Src, class Dst, class F>
HWY_INLINE void ForVectors(const void* const* src, void* dst, int64_t n, F&& f) {
  constexpr int64_t N = kLanesOf<Src>;
  const Src* from[kSources];
  for (int k = 0; k < kSources; ++k) from[k] = static_cast<const Src*>(src[k]);
  auto* to = static_cast<Dst*>(dst);
  int64_t i = 0;
  for (; i + N <= n; i += N) {
    f(from, to);
    for (int k = 0; k < kSources; ++k) from[k] += N;
    to += N;
  }
  if (i == n) return;
  const auto rest = static_cast<size_t>(n - i);
  HWY_ALIGN Src parts[kSources][N] = {};
  HWY_ALIGN Dst result[N];
  const Src* part[kSources];
  for (int k = 0; k < kSources; ++k) {
    std::memcpy(parts[k], from[k], rest * sizeof(Src));
    part[k] = parts[k];
  }
  f(part, result);
  std::memcpy(to, result, rest * sizeof(Dst));
}

template <LaneOp kOp, class T>
void BinaryLoop(const void* const* src, void* dst, int64_t n) {
  ForVectors<2, T, T>(src, dst, n, [](const T* const* from, T* to) HWY_ATTR {
    const LaneTag<T> d;
    hn::StoreU(LaneBinary<kOp, T>(hn::LoadU(d, from[0]), hn::LoadU(d, from[1])), d, to);
  });
}

// What vectors do not have: products of 1 and 8 bytes, quotients.
template <LaneOp kOp, class T>
void ScalarLoop(const void* const* src, void* dst, int64_t n) {
  const T *a = static_cast<const T*>(src[0]), *b = static_cast<const T*>(src[1]);
  T* to = static_cast<T*>(dst);
  for (int64_t i = 0; i < n; ++i) {
    if constexpr (kOp == LaneOp::kMul) to[i] = WrappingMul(a[i], b[i]);
    if constexpr (kOp == LaneOp::kDiv) to[i] = WrappingDiv(a[i], b[i]);
    if constexpr (kOp == LaneOp::kMod) to[i] = Remainder<false>(a[i], b[i]);
    if constexpr (kOp == LaneOp::kFloorMod) to[i] = Remainder<true>(a[i], b[i]);
  }
}

template <LaneTest kTest, class T>
void TestLoop(const void* const* src, void* dst, int64_t n) {
  ForVectors<2, T, uint8_t>(src, dst, n, [](const T* const* from, uint8_t* to) HWY_ATTR {
    const LaneTag<T> d;
    const hn::Rebind<uint8_t, LaneTag<T>> bytes;
    const auto mask = LaneCompare<kTest, T>(hn::LoadU(d, from[0]), hn::LoadU(d, from[1]));
    hn::StoreU(TruthBytes<T>(mask), bytes, to);
  });
}

template <LaneUnary kOp, class T>
void UnaryLoop(const void* const* src, void* dst, int64_t n) {
  ForVectors<1, T, T>(src, dst, n, [](const T* const* from, T* to) HWY_ATTR {
    const LaneTag<T> d;
    const auto x = hn::LoadU(d, from[0]);
    if constexpr (kOp == LaneUnary::kNeg) {
      if constexpr (std::is_floating_point_v<T>) {
        hn::StoreU(hn::Neg(x), d, to);
      } else {
        hn::StoreU(hn::Sub(hn::Zero(d), x), d, to);
      }
    } else if constexpr (kOp == LaneUnary::kAbs) {
      if constexpr (std::is_floating_point_v<T>) {
        hn::StoreU(hn::Abs(x), d, to);
      } else {
        hn::StoreU(hn::Max(x, hn::Sub(hn::Zero(d), x)), d, to);
      }
    } else if constexpr (kOp == LaneUnary::kBitwiseNot) {
      hn::StoreU(hn::Not(x), d, to);
    } else {
      hn::StoreU(TruthBytes<T>(hn::Eq(x, hn::Zero(d))), d, to);
    }
  });
}

template <LaneUnary kOp, class T>
void SpecialLoop(const void* const* src, void* dst, int64_t n) {
  ForVectors<1, T, uint8_t>(src, dst, n, [](const T* const* from, uint8_t* to) HWY_ATTR {
    const LaneTag<T> d;
    const auto x = hn::LoadU(d, from[0]);
    const auto infinity = hn::Set(d, std::numeric_limits<T>::infinity());
    const auto mask = kOp == LaneUnary::kIsInf           ? hn::Eq(hn::Abs(x), infinity)
                      : kOp == LaneUnary::kIsPositiveInf ? hn::Eq(x, infinity)
                      : kOp == LaneUnary::kIsNegativeInf ? hn::Eq(x, hn::Neg(infinity))
                                                         : hn::IsNaN(x);
    hn::StoreU(TruthBytes<T>(mask), hn::Rebind<uint8_t, LaneTag<T>>(), to);
  });
}

// True in the lanes of T whose byte is not 0.
template <class T>
HWY_INLINE hn::Mask<LaneTag<T>> MaskOfBytes(const uint8_t* condition) {
  const LaneTag<T> d;
  const auto bytes = hn::LoadU(hn::Rebind<uint8_t, LaneTag<T>>(), condition);
  if constexpr (sizeof(T) == 1) {
    return hn::Ne(bytes, hn::Zero(d));
  } else if constexpr (sizeof(T) == 8) {
    const hn::Rebind<uint32_t, LaneTag<T>> words;
    return hn::Ne(hn::PromoteTo(d, hn::PromoteTo(words, bytes)), hn::Zero(d));
  } else {
    return hn::Ne(hn::PromoteTo(d, bytes), hn::Zero(d));
  }
}

template <class T>
void WhereLoop(const void* const* src, void* dst, int64_t n) {
  const auto* condition = static_cast<const uint8_t*>(src[0]);
  constexpr int64_t N = kLanesOf<T>;
  HWY_ALIGN uint8_t last[N] = {};
  const auto* end = condition + n;
  ForVectors<2, T, T>(src + 1, dst, n, [&](const T* const* from, T* to) HWY_ATTR {
    const LaneTag<T> d;
    const uint8_t* at = condition;
    if (end - condition < N) {
      std::memcpy(last, condition, static_cast<size_t>(end - condition));
      at = last;
    }
    const auto mask = MaskOfBytes<T>(at);
    hn::StoreU(hn::IfThenElse(mask, hn::LoadU(d, from[0]), hn::LoadU(d, from[1])), d, to);
    condition += N;
  });
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();
#endif

#include "cpu/lanes.h"

#include "cpu/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/lanes.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "cpu/lane_casts-inl.h"
#include "cpu/lanes-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD && !HWY_ARCH_WASM  // Highway 1.0.3 has few 64-bit lanes there

// In the order of Lane; null where a type does not have the operation.
template <LaneOp kOp>
constexpr void FillBinary(LaneFn (&row)[kNumLanes]) {
  constexpr bool kQuotient = kOp == LaneOp::kDiv || kOp == LaneOp::kMod || kOp == LaneOp::kFloorMod;
  constexpr bool kBits = kOp == LaneOp::kAnd || kOp == LaneOp::kOr || kOp == LaneOp::kXor;
  if constexpr (kQuotient) {
    row[0] = &ScalarLoop<kOp, uint8_t>;
    row[1] = &ScalarLoop<kOp, int32_t>;
    row[2] = &ScalarLoop<kOp, int64_t>;
    if constexpr (kOp == LaneOp::kDiv) row[4] = &BinaryLoop<kOp, double>;
  } else if constexpr (kOp == LaneOp::kMul) {
    row[0] = &ScalarLoop<kOp, uint8_t>;
    row[1] = &BinaryLoop<kOp, int32_t>;
    row[2] = &ScalarLoop<kOp, int64_t>;
    row[4] = &BinaryLoop<kOp, double>;
  } else {
    row[0] = &BinaryLoop<kOp, uint8_t>;
    row[1] = &BinaryLoop<kOp, int32_t>;
    row[2] = &BinaryLoop<kOp, int64_t>;
    if constexpr (!kBits) row[4] = &BinaryLoop<kOp, double>;
  }
}

template <LaneTest kTest>
constexpr void FillTest(LaneFn (&row)[kNumLanes]) {
  row[0] = &TestLoop<kTest, uint8_t>;
  row[1] = &TestLoop<kTest, int32_t>;
  row[2] = &TestLoop<kTest, int64_t>;
  row[3] = &TestLoop<kTest, float>;
  row[4] = &TestLoop<kTest, double>;
}

template <class From>
constexpr void FillCasts(LaneFn (&row)[kNumCastLanes]) {
  row[0] = PickCast<From, Truth>();
  row[1] = PickCast<From, uint8_t>();
  row[2] = PickCast<From, int8_t>();
  row[3] = PickCast<From, int32_t>();
  row[4] = PickCast<From, int64_t>();
  row[5] = PickCast<From, Half>();
  row[6] = PickCast<From, BFloat16>();
  row[7] = PickCast<From, float>();
  row[8] = PickCast<From, double>();
}

constexpr LaneTable MakeTable() {
  LaneTable t{};
  FillBinary<LaneOp::kAdd>(t.binary[0]);
  FillBinary<LaneOp::kSub>(t.binary[1]);
  FillBinary<LaneOp::kMul>(t.binary[2]);
  FillBinary<LaneOp::kDiv>(t.binary[3]);
  FillBinary<LaneOp::kMod>(t.binary[4]);
  FillBinary<LaneOp::kFloorMod>(t.binary[5]);
  FillBinary<LaneOp::kMin>(t.binary[6]);
  FillBinary<LaneOp::kMax>(t.binary[7]);
  FillBinary<LaneOp::kAnd>(t.binary[8]);
  FillBinary<LaneOp::kOr>(t.binary[9]);
  FillBinary<LaneOp::kXor>(t.binary[10]);
  FillTest<LaneTest::kEqual>(t.test[0]);
  FillTest<LaneTest::kLess>(t.test[1]);
  FillTest<LaneTest::kLessOrEqual>(t.test[2]);
  constexpr auto kI32 = static_cast<int>(Lane::kI32), kI64 = static_cast<int>(Lane::kI64);
  constexpr auto kF32 = static_cast<int>(Lane::kF32), kF64 = static_cast<int>(Lane::kF64);
  constexpr auto kU8 = static_cast<int>(Lane::kU8);
  t.unary[0][kI32] = &UnaryLoop<LaneUnary::kNeg, int32_t>;
  t.unary[0][kI64] = &UnaryLoop<LaneUnary::kNeg, int64_t>;
  t.unary[0][kF64] = &UnaryLoop<LaneUnary::kNeg, double>;
  t.unary[1][kI32] = &UnaryLoop<LaneUnary::kAbs, int32_t>;
  t.unary[1][kI64] = &UnaryLoop<LaneUnary::kAbs, int64_t>;
  t.unary[1][kF64] = &UnaryLoop<LaneUnary::kAbs, double>;
  t.unary[2][kU8] = &UnaryLoop<LaneUnary::kNot, uint8_t>;
  t.unary[3][kU8] = &UnaryLoop<LaneUnary::kBitwiseNot, uint8_t>;
  t.unary[3][kI32] = &UnaryLoop<LaneUnary::kBitwiseNot, int32_t>;
  t.unary[3][kI64] = &UnaryLoop<LaneUnary::kBitwiseNot, int64_t>;
  t.unary[4][kF32] = &SpecialLoop<LaneUnary::kIsInf, float>;
  t.unary[4][kF64] = &SpecialLoop<LaneUnary::kIsInf, double>;
  t.unary[5][kF32] = &SpecialLoop<LaneUnary::kIsNan, float>;
  t.unary[5][kF64] = &SpecialLoop<LaneUnary::kIsNan, double>;
  t.unary[6][kF32] = &SpecialLoop<LaneUnary::kIsPositiveInf, float>;
  t.unary[6][kF64] = &SpecialLoop<LaneUnary::kIsPositiveInf, double>;
  t.unary[7][kF32] = &SpecialLoop<LaneUnary::kIsNegativeInf, float>;
  t.unary[7][kF64] = &SpecialLoop<LaneUnary::kIsNegativeInf, double>;
  t.where[0] = &WhereLoop<uint8_t>;
  t.where[1] = &WhereLoop<uint16_t>;
  t.where[2] = &WhereLoop<uint32_t>;
  t.where[3] = &WhereLoop<uint64_t>;
  FillCasts<Truth>(t.cast[0]);
  FillCasts<uint8_t>(t.cast[1]);
  FillCasts<int8_t>(t.cast[2]);
  FillCasts<int32_t>(t.cast[3]);
  FillCasts<int64_t>(t.cast[4]);
  FillCasts<Half>(t.cast[5]);
  FillCasts<BFloat16>(t.cast[6]);
  FillCasts<float>(t.cast[7]);
  FillCasts<double>(t.cast[8]);
  return t;
}

const LaneTable* GetLaneTable() {
  static constexpr LaneTable kTable = MakeTable();
  return &kTable;
}

#else
const LaneTable* GetLaneTable() { return nullptr; }
#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moka::cpu {

HWY_EXPORT(GetLaneTable);
const LaneTable* ChosenLaneTable() { return HWY_DYNAMIC_DISPATCH(GetLaneTable)(); }

}  // namespace moka::cpu
#endif

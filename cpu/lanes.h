// Elementwise loops over lanes of other types than f32: integers, truth values, f64; comparisons, Where and casts of
// all of them. One table per SIMD target.
#ifndef MOKA_CPU_LANES_H_
#define MOKA_CPU_LANES_H_

#include <cstdint>

namespace moka::cpu {

// Types with loops of their own. kU8 is also bool.
enum class Lane : int8_t { kU8, kI32, kI64, kF32, kF64 };
inline constexpr int kNumLanes = 5;

// Of two sources of one type.
enum class LaneOp : int8_t { kAdd, kSub, kMul, kDiv, kMod, kFloorMod, kMin, kMax, kAnd, kOr, kXor };
inline constexpr int kNumLaneOps = 11;
// Of two sources of one type; the results are truth values.
enum class LaneTest : int8_t { kEqual, kLess, kLessOrEqual };
inline constexpr int kNumLaneTests = 3;
// Of one source; from kIsInf on the results are truth values.
enum class LaneUnary : int8_t { kNeg, kAbs, kNot, kBitwiseNot, kIsInf, kIsNan, kIsPositiveInf, kIsNegativeInf };
inline constexpr int kNumLaneUnaries = 8;

// Types that casts know; kBool is written as 0 or 1.
enum class CastLane : int8_t { kBool, kU8, kI8, kI32, kI64, kF16, kBF16, kF32, kF64 };
inline constexpr int kNumCastLanes = 9;

// n elements, contiguous; dst may be one of the sources.
using LaneFn = void (*)(const void* const* src, void* dst, int64_t n);

// Null: there is no such loop.
struct LaneTable {
  LaneFn binary[kNumLaneOps][kNumLanes];
  LaneFn test[kNumLaneTests][kNumLanes];
  LaneFn unary[kNumLaneUnaries][kNumLanes];
  LaneFn where[4];                            // by the logarithm of an element's bytes; sources: condition, then, else
  LaneFn cast[kNumCastLanes][kNumCastLanes];  // from, to
};
const LaneTable* ChosenLaneTable();  // null where no target was compiled

}  // namespace moka::cpu

#endif  // MOKA_CPU_LANES_H_

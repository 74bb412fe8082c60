#include "cpu/row.h"

#include "cpu/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/row.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "cpu/attention-inl.h"
#include "cpu/normalize-inl.h"
#include "cpu/scan-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

const RowTable* GetRowTable() {
  static constexpr RowTable kTable = {
      .sum_squares_about = &SumSquaresAbout,
      .sum_squares_about_columns = &SumSquaresAboutColumns,
      .sum_exp = &SumExp,
      .sum_exp_columns = &SumExpColumns,
      .scale_shift = &ScaleShift,
      .local_response = &LocalResponse,
      .squares = &Squares,
      .square_roots = &SquareRoots,
      .powers = &Powers,
      .shift = &Shift,
      .find = &Find,
      .find_columns = &FindColumns,
      .cumulate = &Cumulate,
      .cumulate_step = &CumulateStep,
      .find_beyond = &FindBeyond,
      .exp_in_place = &ExpInPlace,
      .scale = &ScaleRow,
      .scores = &ScoreRow,
      .attend = &Attend,
      .dots = &Dots,
      .rotate = &Rotate,
      .rotate_pairs = &RotatePairs,
      .add_weighted = &AddWeighted,
  };
  return &kTable;
}

#else
const RowTable* GetRowTable() { return nullptr; }
#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moka::cpu {

HWY_EXPORT(GetRowTable);
const RowTable* ChosenRowTable() { return HWY_DYNAMIC_DISPATCH(GetRowTable)(); }

}  // namespace moka::cpu
#endif

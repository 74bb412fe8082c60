// Trilu: src X [..., rows, columns], optional k (a scalar i64). Keeps what lies on or above diagonal k, or, with upper
// = 0, on or below it; the rest becomes zero.
#ifndef MOKA_OPS_TRILU_H_
#define MOKA_OPS_TRILU_H_

#include <algorithm>

#include "ops/element.h"
#include "ops/op.h"

namespace moka {

struct TriluParams {
  bool upper = true;

  static Result<TriluParams> From(const Attributes& attrs);
  // The columns that row `row` of `columns` keeps.
  void Kept(int64_t row, int64_t k, int64_t columns, int64_t* begin, int64_t* end) const {
    // Diagonals beyond the matrix act like its corners.
    const int64_t diagonal = std::clamp<int64_t>(k, -row - 1, columns) + row;
    *begin = upper ? std::clamp<int64_t>(diagonal, 0, columns) : 0;
    *end = upper ? columns : std::clamp<int64_t>(diagonal + 1, 0, columns);
  }
};

}  // namespace moka

#endif  // MOKA_OPS_TRILU_H_

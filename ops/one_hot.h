// OneHot: src indices (numbers), depth (one number), values [off, on]; dst has a dimension of `depth` at `axis`, on
// where its coordinate is the index (counted from the end when negative), off elsewhere.
#ifndef MOKA_OPS_ONE_HOT_H_
#define MOKA_OPS_ONE_HOT_H_

#include "ops/op.h"

namespace moka {

// The new dimension, of indices with that rank.
Result<int> OneHotAxis(const Attributes& attrs, int index_rank);

}  // namespace moka

#endif  // MOKA_OPS_ONE_HOT_H_

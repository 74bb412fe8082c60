// TensorScatter: src past_cache, update, optional write_indices [batch]; dst the cache with the update written along
// `axis`.
#ifndef MOKA_OPS_TENSOR_SCATTER_H_
#define MOKA_OPS_TENSOR_SCATTER_H_

#include "ops/op.h"

namespace moka {

enum TensorScatterSource : int { kScatterCache, kScatterUpdate, kScatterIndices };

struct TensorScatterParams {
  int axis = 0;  // resolved, in [1, rank)
  bool circular = false;

  static Result<TensorScatterParams> From(const Attributes& attrs, int rank);
  // Where the update of instance n goes along the axis; `indices`: the contents of src 2, where it is present.
  Result<int64_t> First(const OpCall& call, const void* indices, int64_t n) const;
};

}  // namespace moka

#endif  // MOKA_OPS_TENSOR_SCATTER_H_

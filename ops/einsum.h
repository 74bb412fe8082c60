// Einsum: products of elements of the sources, summed over the labels that the result lacks.
#ifndef MOKA_OPS_EINSUM_H_
#define MOKA_OPS_EINSUM_H_

#include <string_view>
#include <vector>

#include "ops/op.h"

namespace moka {

// An equation against the ranks of its operands. A label is a number below num_labels; the dimensions of an ellipsis
// have labels of their own, the last one shared by all operands that reach it.
struct EinsumEquation {
  std::vector<std::vector<int>> src;  // label of each dimension of each source
  std::vector<int> dst;
  int num_labels = 0;
  int first_ellipsis = 0;  // labels from here on are those of an ellipsis: dimensions of 1 repeat

  static Result<EinsumEquation> Parse(std::string_view text, const std::vector<int>& ranks);
  static Result<EinsumEquation> From(const OpCall& call);
};

}  // namespace moka

#endif  // MOKA_OPS_EINSUM_H_

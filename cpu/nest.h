// Nested loops over strided tensors: dimensions sorted and merged until few are left.
#ifndef MOKA_CPU_NEST_H_
#define MOKA_CPU_NEST_H_

#include <algorithm>
#include <array>
#include <cstdint>

#include "ops/tensor_desc.h"

namespace moka::cpu {

// Dimensions outermost first, with the strides of kOperands tensors in elements. Plain data: launches hold it.
template <int kOperands>
struct Nest {
  using Strides = std::array<int64_t, kOperands>;

  int64_t rank = 0;
  int64_t dims[kMaxRank] = {};
  Strides strides[kMaxRank] = {};

  // Becomes the innermost dimension. One of size 1 is left out.
  void Add(int64_t size, const Strides& steps) {
    if (size == 1) return;
    dims[rank] = size;
    strides[rank++] = steps;
  }
  void Remove(int64_t at) {
    for (int64_t i = at; i + 1 < rank; ++i) {
      dims[i] = dims[i + 1];
      strides[i] = strides[i + 1];
    }
    --rank;
  }
  // Largest strides of operand `operand` outermost.
  void SortBy(size_t operand) {
    for (int64_t i = 1; i < rank; ++i) {
      for (int64_t k = i; k > 0 && strides[k - 1][operand] < strides[k][operand]; --k) {
        std::swap(dims[k - 1], dims[k]);
        std::swap(strides[k - 1], strides[k]);
      }
    }
  }
  // Joins neighbours that every operand walks through with one stride.
  void Merge() {
    for (int64_t i = 0; i + 1 < rank;) {
      bool joins = true;
      for (size_t o = 0; o < kOperands; ++o) joins = joins && strides[i][o] == strides[i + 1][o] * dims[i + 1];
      if (!joins) {
        ++i;
        continue;
      }
      dims[i + 1] *= dims[i];
      Remove(i);
    }
  }
  int64_t Count() const {
    int64_t count = 1;
    for (int64_t i = 0; i < rank; ++i) count *= dims[i];
    return count;
  }
};

// Walks the offsets of a nest from loop iteration `first` on.
template <int kOperands>
class Walk {
 public:
  explicit Walk(const Nest<kOperands>& nest, int64_t first = 0) : nest_(nest) {
    for (int64_t i = nest.rank - 1; i >= 0; --i) {
      index_[i] = first % nest.dims[i];
      first /= nest.dims[i];
      for (size_t o = 0; o < kOperands; ++o) offsets_[o] += index_[i] * nest.strides[i][o];
    }
  }
  int64_t operator[](size_t operand) const { return offsets_[operand]; }
  int64_t index(int64_t dimension) const { return index_[dimension]; }
  void Next() {
    for (int64_t i = nest_.rank - 1; i >= 0; --i) {
      const bool wraps = ++index_[i] == nest_.dims[i];
      const int64_t steps = wraps ? 1 - nest_.dims[i] : 1;
      for (size_t o = 0; o < kOperands; ++o) offsets_[o] += steps * nest_.strides[i][o];
      if (!wraps) return;
      index_[i] = 0;
    }
  }

 private:
  const Nest<kOperands>& nest_;
  int64_t index_[kMaxRank] = {};
  std::array<int64_t, kOperands> offsets_{};
};

}  // namespace moka::cpu

#endif  // MOKA_CPU_NEST_H_

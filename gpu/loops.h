// Loops over the elements of operands of one shape, with as few dimensions as their strides allow.
#ifndef MOKA_GPU_LOOPS_H_
#define MOKA_GPU_LOOPS_H_

#include <array>
#include <cstdint>
#include <initializer_list>

#include "base/math.h"
#include "ops/tensor_desc.h"

namespace moka::gpu {

inline constexpr int kVectorLanes = 4;
inline constexpr int kMaxLoops = kMaxRank + 1;  // one more: the two words of an i64
inline constexpr int kMaxOperands = 8;

// Dimensions from the innermost outwards; operand 0 is the one whose memory order the loops follow. Strides count
// what the caller gave them in.
struct Loops {
  struct Dim {
    int64_t size = 1;
    std::array<int64_t, kMaxOperands> stride{};
    int axis = -1;        // of the tensor; meaningless once merged
    bool pinned = false;  // neither dropped nor merged
  };
  int dims = 0;
  std::array<Dim, kMaxLoops> dim{};

  const Dim& at(int i) const { return dim[static_cast<size_t>(i)]; }
  void AddOutermost(const Dim& d) { dim[static_cast<size_t>(dims++)] = d; }
  // Puts the smaller strides of operand 0 inside; dimension 0 stays where it is with `keep_inner`.
  void SortByFirst(bool keep_inner);
  // Joins neighbours that every operand walks like one dimension, and drops dimensions of size 1 (dimension 0 not, with
  // `keep_inner`). At least one is left.
  void Merge(bool keep_inner);
  int FindAxis(int axis) const;  // the pinned dimension of that axis

  // Copies sizes from dimension 1 on, and the strides of one operand, into the arrays of a parameter struct.
  template <size_t N>
  void Sizes(int (&out)[N]) const {
    for (size_t i = 0; i < N; ++i) out[i] = static_cast<int>(i + 1 < kMaxLoops ? dim[i + 1].size : 1);
  }
  template <size_t N>
  void Strides(size_t operand, int (&out)[N]) const {
    for (size_t i = 0; i < N; ++i) out[i] = static_cast<int>(dim[i].stride[operand]);
  }
};

// The dimension of `desc` behind whose elements lanes are free up to a whole vector (Limits::channel_alignment in
// ops/device.h), -1: none. A kernel writes zeros there.
int PaddedAxis(const TensorDesc& desc);

// How a row-like kernel (gpu/kernels/params.h) walks a destination.
struct RowLoops {
  Loops loops;
  int64_t inner = 1, lanes = 1, groups = 1, items = 1;
};
// An operand's strides in the shape of dst, in units of which an element has `words`.
struct Walk {
  const std::array<int64_t, kMaxRank>& strides;
  int words = 1;
};
// Loops over the shape of dst; the first walk is dst's own. Where its elements have 2 words, the words become the
// innermost dimension. Bit i of `pinned` keeps axis i apart. False where padding lanes cannot be reached so.
bool MakeRowLoops(const TensorDesc& dst, std::initializer_list<Walk> walks, uint32_t pinned, RowLoops* rows);

}  // namespace moka::gpu

#endif  // MOKA_GPU_LOOPS_H_

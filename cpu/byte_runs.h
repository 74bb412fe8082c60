// Runs over quantized tensors that lie in any order: outer dimensions are walked, runs along the innermost one of
// source 0 are cut into pieces that fit a buffer, and operands whose elements are not contiguous along it go through
// buffers.
#ifndef MOKA_CPU_BYTE_RUNS_H_
#define MOKA_CPU_BYTE_RUNS_H_

#include <algorithm>

#include "cpu/kernel.h"
#include "cpu/nest.h"

namespace moka::cpu {

inline constexpr int64_t kPiece = 1024;     // elements
inline constexpr int64_t kUnitPieces = 16;  // of a unit

template <int kOperands>
struct ByteRuns {
  Nest<kOperands> outer;
  int64_t run, step[kOperands];  // the innermost dimension
  int64_t pieces, tasks;

  // `descs` have one shape; the innermost dimension is that of operand 0.
  void Set(const TensorDesc* const (&descs)[kOperands]) {
    for (int d = 0; d < descs[0]->rank; ++d) {
      typename Nest<kOperands>::Strides strides;
      for (size_t o = 0; o < kOperands; ++o) strides[o] = descs[o]->strides[static_cast<size_t>(d)];
      outer.Add(descs[0]->dims[static_cast<size_t>(d)], strides);
    }
    outer.SortBy(0);
    outer.Merge();
    run = 1;
    std::fill_n(step, kOperands, 1);
    if (outer.rank > 0) {
      const int64_t last = --outer.rank;
      run = outer.dims[last];
      for (size_t o = 0; o < kOperands; ++o) step[o] = outer.strides[last][o];
    }
    pieces = CeilDiv(run, kPiece);
    tasks = outer.Count() * pieces;
  }
  // Short runs: many of them make a unit.
  int64_t TasksPerUnit() const { return kUnitPieces * std::max<int64_t>(kPiece / std::max<int64_t>(run, 1), 1); }
  int64_t Units() const { return CeilDiv(tasks, TasksPerUnit()); }

  // Calls f(offsets of the operands' first elements, number of elements) for the pieces of units [begin, end).
  template <class F>
  void ForEach(int64_t begin, int64_t end, F&& f) const {
    const int64_t last = std::min(end * TasksPerUnit(), tasks);
    int64_t task = begin * TasksPerUnit();
    if (task >= last) return;
    Walk<kOperands> walk(outer, task / pieces);
    for (int64_t piece = task % pieces; task < last; ++task, ++piece) {
      if (piece == pieces) {
        piece = 0;
        walk.Next();
      }
      const int64_t first = piece * kPiece;
      std::array<int64_t, kOperands> offsets;
      for (size_t o = 0; o < kOperands; ++o) offsets[o] = walk[o] + first * step[o];
      f(offsets, std::min(kPiece, run - first));
    }
  }
};

// n elements `step` apart, contiguous: themselves, or copied to the buffer.
template <class T>
const T* Gathered(const T* src, int64_t step, int64_t n, T* buffer) {
  if (step == 1) return src;
  for (int64_t i = 0; i < n; ++i) buffer[i] = src[i * step];
  return buffer;
}
template <class T>
void Scatter(const T* buffer, int64_t n, T* dst, int64_t step) {
  for (int64_t i = 0; i < n; ++i) dst[i * step] = buffer[i];
}

}  // namespace moka::cpu

#endif  // MOKA_CPU_BYTE_RUNS_H_

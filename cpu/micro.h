// Micro-programs on the CPU: a program bound to shapes, as flat data, and the function that interprets it.
#ifndef MOKA_CPU_MICRO_H_
#define MOKA_CPU_MICRO_H_

#include <array>
#include <cstdint>

#include "ops/op.h"

namespace moka::cpu {

inline constexpr int kCodeMaxOps = kMicroMaxOps + 1;  // Gemm puts beta * C before the epilogue of the graph
inline constexpr int kCodeMaxSources = kMicroMaxSources + 1;
inline constexpr int kCodeMaxConstants = kMicroMaxConstants + 1;

// A program over a matrix of `rows` x `cols` elements: `cols` is the innermost dimension in memory, the rows are the
// other dimensions, flattened in the order of dims. Strides in elements.
struct MicroLaunch {
  struct Operand {
    int64_t row_strides[kMaxRank];
    int64_t col_stride;
    // Element offset of row r is r * row_step for all r: no need to take r apart.
    bool regular;
    int64_t row_step;
  };
  int32_t num_ops, num_sources;
  MicroInstruction ops[kCodeMaxOps];
  float constants[kCodeMaxConstants];
  int32_t num_constants;
  int32_t load_dst;                    // register 0 starts as the destination's element, else as 0
  int32_t src_index[kCodeMaxSources];  // which source of the step is source k
  int32_t row_rank;
  int64_t row_dims[kMaxRank];
  int64_t rows, cols;
  Operand dst, src[kCodeMaxSources];
};

// Element offset of row `row` of an operand.
inline int64_t RowOffset(const MicroLaunch& launch, const MicroLaunch::Operand& operand, int64_t row) {
  if (operand.regular) return row * operand.row_step;
  int64_t offset = 0;
  for (int i = launch.row_rank - 1; i >= 0; --i) {
    offset += row % launch.row_dims[i] * operand.row_strides[i];
    row /= launch.row_dims[i];
  }
  return offset;
}

// Fills rows[i] with the place of row `first + i * step` of an operand. All of them differ in the last of the
// dimensions that rows are of, so that places are taken apart once.
template <class T>
void SetRowsOfLine(const MicroLaunch& launch, const MicroLaunch::Operand& operand, T* base, int64_t first, int64_t step,
                   int64_t count, T** rows) {
  const int64_t offset = RowOffset(launch, operand, first);
  const int64_t apart = count > 1 ? RowOffset(launch, operand, first + step) - offset : 0;
  for (int64_t i = 0; i < count; ++i) rows[i] = base + offset + i * apart;
}

// Bytes of scratch that RunMicro needs.
uint64_t MicroScratchBytes();

// Runs the program over rows [row_begin, row_end), columns [col_begin, col_end). dst may be exactly src[k].
using RunMicroFn = void (*)(const MicroLaunch& launch, float* dst, const float* const* src, int64_t row_begin,
                            int64_t row_end, int64_t col_begin, int64_t col_end, float* scratch);
RunMicroFn ChosenRunMicro();  // null where no target was compiled

// Binds call.program to the shapes. `inner`: the dimension that becomes the columns, the others become rows in their
// order; -1: free choice, dimensions are sorted by memory order and merged. load_dst: as MicroLaunch::load_dst.
Status BindMicro(const OpCall& call, int inner, bool load_dst, MicroLaunch* launch);
// Bit i: source i of the program lies exactly like dst, so dst may overwrite it element by element.
uint32_t SourcesLikeDst(const OpCall& call, const MicroLaunch& launch);
// Puts `r0 = r0 + scale * src[index]` (broadcast) before the program. Same `inner` as in BindMicro, which came first.
Status PrependScaledAdd(const OpCall& call, int index, float scale, int inner, MicroLaunch* launch);

}  // namespace moka::cpu

#endif  // MOKA_CPU_MICRO_H_

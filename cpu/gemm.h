// Rows of A times packed panels of B, of f32 or of bf16: Gemm, MatMul and convolutions of one point.
#ifndef MOKA_CPU_GEMM_H_
#define MOKA_CPU_GEMM_H_

#include <cstdint>

#include "cpu/epilogue.h"
#include "cpu/kernel.h"
#include "cpu/pack.h"

namespace moka::cpu {

struct GemmLaunch {
  Epilogue epilogue;
  // A problem is rows x n; there are `groups` of them, one after the other in the rows of dst. With one B for all
  // batches there is one group of batches * m rows.
  int64_t groups, rows, m, n, k;
  int64_t a_row, a_col;
  int32_t batch_rank;
  int64_t batch[kMaxRank], a_batch[kMaxRank], b_batch[kMaxRank];
  PanelSource b;
  int32_t packed;        // B comes from the pack; else each unit packs the panels it needs
  int32_t paired;        // the pack is one of pairs of panels
  int32_t bias;          // source, or -1
  int64_t bf16;          // bytes of an element of A once it is rounded; 0: products of f32
  int64_t column_bytes;  // of packed weights
  int64_t block_rows, row_blocks, panels, panels_per_unit, panel_blocks;
  int64_t single;    // panels at the end that are units of their own
  int64_t strassen;  // panels that are multiplied in pairs by Strassen's algorithm
  int64_t parts;     // of a block of rows that workers share: pairs of a row of its first and one of its second half
  int64_t unit_rows;
  int64_t chunk;  // of K
};

enum class GemmAlgorithm { kPlain, kStrassen };

// Says how a problem is computed, of which the launch has everything from `epilogue` to `b`, and `bias`. `shared_b`:
// all groups have the same B.
Status FinishGemm(const Kernel& kernel, const OpCall& call, bool shared_b, GemmAlgorithm algorithm, GemmLaunch* launch,
                  Choice* choice);

void RunGemm(const KernelArgs& args, int64_t begin, int64_t end, int worker);

}  // namespace moka::cpu

#endif  // MOKA_CPU_GEMM_H_

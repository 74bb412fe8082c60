// The end of an epilogue: operations on the result of a tile, run on its rows while they are in the L1 cache.
#ifndef MOKA_CPU_TAIL_H_
#define MOKA_CPU_TAIL_H_

#include "cpu/epilogue.h"
#include "cpu/kernel.h"
#include "cpu/tile.h"

namespace moka::cpu {

class Tail {
 public:
  // Of an epilogue of kind kTail; any other kind has no steps.
  Tail(const Epilogue& epilogue, const KernelArgs& args);

  // Asks for what Run will read.
  void Prefetch(float* const* dst, int rows, int64_t col, int64_t cols) const;
  // Columns [col, col + cols) of rows that have just been written; dst[i] is column 0 of row i.
  void Run(float* const* dst, int rows, int64_t col, int64_t cols) const;

 private:
  struct Operand {
    enum Kind : int32_t { kResult, kScalar, kColumns, kRows, kLikeDst } kind;
    const float* data;
    TailRows rows;
  };
  struct Step {
    MicroLoopFn run;
    Operand operands[3];
  };

  Operand OperandOf(const Epilogue& epilogue, const KernelArgs& args, uint8_t code) const;

  int num_steps_ = 0;
  const float* dst_ = nullptr;
  Step steps_[kCodeMaxOps];
};

}  // namespace moka::cpu

#endif  // MOKA_CPU_TAIL_H_

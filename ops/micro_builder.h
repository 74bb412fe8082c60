// How elementwise operators write themselves into a micro-program (OpSchema::lower).
#ifndef MOKA_OPS_MICRO_BUILDER_H_
#define MOKA_OPS_MICRO_BUILDER_H_

#include "ops/micro.h"

namespace moka {

// Grows one program operator by operator. An operator asks for its operands (Src), adds instructions, and names its
// result (SetResult). The caller (graph/passes/fuse_elementwise.cc) maps the operator's sources to registers or program
// sources first, and throws the builder away when ok() is false: the program outgrew its limits.
class MicroBuilder {
 public:
  explicit MicroBuilder(const MicroProgram& start = {}) : program_(start) {}

  // Operand codes of the operator's sources, set by the caller before lower is called.
  void MapSources(const uint8_t* codes, int count);
  uint8_t Src(int i) const { return sources_[i]; }

  uint8_t Constant(float value);                                      // reuses an equal one
  uint8_t Emit(MicroOp op, uint8_t a, uint8_t b = 0, uint8_t c = 0);  // returns the register with the result
  void SetResult(uint8_t code) { result_ = code; }

  uint8_t result() const { return result_; }
  bool ok() const { return ok_; }
  // Registers are virtual until here: assigns the eight real ones, moves the result to r0, finds the peephole forms
  // (Clip of Add, Mul+Add -> MulAdd, x*sigmoid(x) -> Silu, Gelu ...). False when it does not fit.
  bool Finish(MicroProgram* program);

 private:
  MicroProgram program_;
  uint8_t sources_[kMicroMaxOps * 3] = {};
  uint8_t result_ = 0;
  bool ok_ = true;
};

}  // namespace moka

#endif  // MOKA_OPS_MICRO_BUILDER_H_

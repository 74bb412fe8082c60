// How elementwise operators write themselves into a micro-program (OpSchema::lower).
#ifndef MOKA_OPS_MICRO_BUILDER_H_
#define MOKA_OPS_MICRO_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ops/micro.h"

namespace moka {

// Grows one program operator by operator. The caller (graph/passes/fuse_elementwise.cc) names the operands of an
// operator (MapSources); the operator asks for them (Src), adds instructions, and names its result (SetResult), which
// may be an operand of the next operator. Operand codes are those of ops/micro.h, with any number of registers and
// constants until Finish; register 0 is what the program starts with. Copy the builder to try an operator.
class MicroBuilder {
 public:
  // A new source of the program. More than kMicroMaxSources: ok() turns false.
  uint8_t AddSource();
  // Operand codes of the operator's sources, set by the caller before lower is called.
  void MapSources(const uint8_t* codes, int count) { sources_.assign(codes, codes + count); }
  uint8_t Src(int i) const { return sources_[static_cast<size_t>(i)]; }

  uint8_t Constant(float value);  // reuses an equal one
  bool IsConstant(uint8_t code, float* value) const;
  // Returns the register with the result, or a constant where all operands are constants.
  uint8_t Emit(MicroOp op, uint8_t a, uint8_t b = 0, uint8_t c = 0);
  void SetResult(uint8_t code) { result_ = code; }
  // Inlines a finished program: its register 0 starts as `r0`, its source k is sources[k]. Its result is result().
  void Append(const MicroProgram& program, uint8_t r0, const uint8_t* sources);

  uint8_t result() const { return result_; }
  int num_sources() const { return num_sources_; }
  bool ok() const { return ok_; }
  // Finds the peephole forms (Mul and Add: MulAdd; Max and Min with constants: Clip; the chains of Sigmoid, Silu,
  // Softplus, Mish, HardSwish and both Gelus), drops what the result does not need, and assigns the eight real
  // registers. False when it does not fit.
  bool Finish(MicroProgram* program) const;

 private:
  friend class MicroFinisher;
  struct Operation {
    MicroOp op;
    uint8_t a, b, c;
  };
  // Codes from here on, where ops/micro.h has its few constants, stand for constants_ and the results of operations_.
  static constexpr uint8_t kFirstConstant = MicroConstant(0);
  static constexpr uint8_t kFirstResult = 64;

  std::vector<Operation> operations_;
  std::vector<float> constants_;
  std::vector<uint8_t> sources_;
  int num_sources_ = 0;
  uint8_t result_ = 0;
  bool ok_ = true;
};

}  // namespace moka

#endif  // MOKA_OPS_MICRO_BUILDER_H_

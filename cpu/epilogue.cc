#include "cpu/epilogue.h"

#include <cmath>
#include <limits>
#include <utility>

#include "base/status.h"

namespace moka::cpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Recognises Add(r0, source), then Max, Min or Clip with constants: each at most once, in this order.
class ClipMatcher {
 public:
  explicit ClipMatcher(const MicroLaunch& launch) : launch_(launch) {}

  bool Match(Epilogue* epilogue) {
    for (int i = 0; i < launch_.num_ops; ++i) {
      if (!Step(launch_.ops[i])) return false;
      current_ = launch_.ops[i].dst;
    }
    if (current_ != 0) return false;
    epilogue->residual = residual_;
    epilogue->lo = lo_;
    epilogue->hi = hi_;
    return true;
  }

 private:
  bool IsConstant(uint8_t code) const { return IsMicroConstant(code) && !std::isnan(launch_.constants[code - 16]); }
  float Constant(uint8_t code) const { return launch_.constants[code - 16]; }

  bool Step(const MicroInstruction& op) {
    uint8_t a = op.a, b = op.b;
    if ((op.op == MicroOp::kAdd || op.op == MicroOp::kMax || op.op == MicroOp::kMin) && a != current_) std::swap(a, b);
    if (a != current_) return false;
    const bool no_lo = lo_ == -kInfinity, no_hi = hi_ == kInfinity;
    switch (op.op) {
      case MicroOp::kMov:
        return true;
      case MicroOp::kAdd:
        if (!IsMicroSource(b) || residual_ >= 0 || !no_lo || !no_hi) return false;
        residual_ = b - 8;
        return launch_.src[residual_].col_stride == 1;
      case MicroOp::kMax:
        if (!IsConstant(b) || !no_lo || !no_hi) return false;
        lo_ = Constant(b);
        return true;
      case MicroOp::kMin:
        if (!IsConstant(b) || !no_hi) return false;
        hi_ = Constant(b);
        return true;
      case MicroOp::kClip:
        if (!IsConstant(b) || !IsConstant(op.c) || !no_lo || !no_hi) return false;
        lo_ = Constant(b);
        hi_ = Constant(op.c);
        return true;
      default:
        return false;
    }
  }

  const MicroLaunch& launch_;
  int current_ = 0;  // the register that holds the value
  int residual_ = -1;
  float lo_ = -kInfinity, hi_ = kInfinity;
};

void Classify(Epilogue* epilogue) {
  epilogue->kind = ClipMatcher(epilogue->micro).Match(epilogue) ? Epilogue::kClip : Epilogue::kProgram;
  if (epilogue->kind == Epilogue::kClip) return;
  epilogue->residual = -1;
  epilogue->lo = -kInfinity;
  epilogue->hi = kInfinity;
}

}  // namespace

Status MakeEpilogue(const OpCall& call, int inner, Epilogue* epilogue) {
  MOKA_RETURN_IF_ERROR(BindMicro(call, inner, true, &epilogue->micro));
  Classify(epilogue);
  return {};
}

Status PrependScaledAdd(const OpCall& call, int index, float scale, int inner, Epilogue* epilogue) {
  MOKA_RETURN_IF_ERROR(PrependScaledAdd(call, index, scale, inner, &epilogue->micro));
  Classify(epilogue);
  return {};
}

uint32_t InPlace(const OpCall& call, const Epilogue& epilogue) {
  if (epilogue.kind != Epilogue::kClip || epilogue.residual < 0) return 0;
  return SourcesLikeDst(call, epilogue.micro) & 1u << epilogue.micro.src_index[epilogue.residual];
}

}  // namespace moka::cpu

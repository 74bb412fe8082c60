#include "cpu/epilogue.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/status.h"

namespace moka::cpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Recognises Add(r0, source), then Max, Min or Clip with constants: each at most once, in this order. Match: of all
// operations; Begin: of the first ones.
class ClipMatcher {
 public:
  // `bias`: an Add of columns may come before all others.
  explicit ClipMatcher(const MicroLaunch& launch, bool bias = false) : launch_(launch), may_have_bias_(bias) {}

  bool Match(Epilogue* epilogue) { return Begin(epilogue) == launch_.num_ops && current_ == 0; }
  int Begin(Epilogue* epilogue) {
    int i = 0;
    for (; i < launch_.num_ops && Step(launch_.ops[i]); ++i) current_ = launch_.ops[i].dst;
    epilogue->residual = residual_;
    epilogue->bias = bias_;
    epilogue->lo = lo_;
    epilogue->hi = hi_;
    return i;
  }
  int current() const { return current_; }

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
        if (launch_.src[b - 8].col_stride != 1) return false;
        if (may_have_bias_ && bias_ < 0 && TailSourceOf(launch_, b - 8) == TailSource::kColumns) {
          bias_ = b - 8;
          return true;
        }
        residual_ = b - 8;
        return true;
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
  const bool may_have_bias_;
  int residual_ = -1, bias_ = -1;
  float lo_ = -kInfinity, hi_ = kInfinity;
};

void Classify(Epilogue* epilogue) {
  epilogue->kind = ClipMatcher(epilogue->micro).Match(epilogue) ? Epilogue::kClip : Epilogue::kProgram;
  if (epilogue->kind == Epilogue::kClip) return;
  epilogue->residual = epilogue->bias = -1;
  epilogue->lo = -kInfinity;
  epilogue->hi = kInfinity;
}

}  // namespace

TailRows TailRowsOf(const MicroLaunch& micro, int k) {
  const MicroLaunch::Operand &src = micro.src[k], &dst = micro.dst;
  TailRows rows;
  if (src.col_stride != 0) return rows;
  for (int i = 0; i < micro.row_rank; ++i) {
    if (micro.row_dims[i] == 1 || src.row_strides[i] == 0) continue;
    if (rows.count > 0) return {};
    rows = {dst.row_strides[i], micro.row_dims[i], src.row_strides[i]};
  }
  if (rows.count == 0) return rows;
  // Other dimensions lie within a step, or around all of them.
  int64_t within = (micro.cols - 1) * dst.col_stride;
  for (int i = 0; i < micro.row_rank; ++i) {
    const int64_t dim = micro.row_dims[i], stride = dst.row_strides[i];
    if (dim > 1 && stride < rows.dst_step) within += (dim - 1) * stride;
    if (dim > 1 && stride > rows.dst_step && stride % (rows.dst_step * rows.count) != 0) return {};
  }
  return within < rows.dst_step ? rows : TailRows{};
}

TailSource TailSourceOf(const MicroLaunch& micro, int k) {
  const MicroLaunch::Operand &src = micro.src[k], &dst = micro.dst;
  if (src.regular && src.row_step == 0) {
    if (src.col_stride == 0) return TailSource::kScalar;
    if (src.col_stride == 1) return TailSource::kColumns;
  }
  if (TailRowsOf(micro, k).count > 0) return TailSource::kRows;
  const bool like_dst = src.col_stride == 1 && dst.col_stride == 1 &&
                        std::equal(src.row_strides, src.row_strides + micro.row_rank, dst.row_strides);
  return like_dst ? TailSource::kLikeDst : TailSource::kOther;
}

void UseTail(bool bias, Epilogue* epilogue) {
  MicroLaunch& micro = epilogue->micro;
  Epilogue tail = *epilogue;
  ClipMatcher matcher(micro, bias);
  tail.tail_begin = matcher.Begin(&tail);
  int current = matcher.current();
  for (int i = tail.tail_begin; i < micro.num_ops; ++i) {
    MicroInstruction& op = tail.micro.ops[i];
    const auto is_scalar = [&](uint8_t code) {
      if (!IsMicroSource(code)) return IsMicroConstant(code);
      const TailSource source = TailSourceOf(micro, code - 8);
      return source == TailSource::kScalar || source == TailSource::kRows;
    };
    const bool commutes = op.op == MicroOp::kAdd || op.op == MicroOp::kMul || op.op == MicroOp::kMulAdd;
    if (commutes && is_scalar(op.a)) std::swap(op.a, op.b);
    if (is_scalar(op.a)) return;
    const uint8_t codes[3] = {op.a, op.b, op.c};
    for (int o = 0; o < Arity(op.op); ++o) {
      if (IsMicroRegister(codes[o]) && codes[o] != current) return;
      if (IsMicroSource(codes[o]) && TailSourceOf(micro, codes[o] - 8) == TailSource::kOther) return;
    }
    current = op.dst;
  }
  if (current != 0) return;
  tail.kind = tail.tail_begin == micro.num_ops ? Epilogue::kClip : Epilogue::kTail;
  *epilogue = tail;
}

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
  if (epilogue.kind == Epilogue::kProgram || epilogue.residual < 0) return 0;
  if (epilogue.kind == Epilogue::kTail) {  // reads its sources after the tile has written dst
    const uint8_t code = MicroSource(epilogue.residual);
    for (int i = epilogue.tail_begin; i < epilogue.micro.num_ops; ++i) {
      const MicroInstruction& op = epilogue.micro.ops[i];
      if (op.a == code || (Arity(op.op) > 1 && op.b == code) || (Arity(op.op) > 2 && op.c == code)) return 0;
    }
  }
  return SourcesLikeDst(call, epilogue.micro) & 1u << epilogue.micro.src_index[epilogue.residual];
}

}  // namespace moka::cpu

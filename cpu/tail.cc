#include "cpu/tail.h"

namespace moka::cpu {

Tail::Operand Tail::OperandOf(const Epilogue& epilogue, const KernelArgs& args, uint8_t code) const {
  const MicroLaunch& micro = epilogue.micro;
  if (IsMicroConstant(code)) return {Operand::kScalar, &micro.constants[code - 16], {}};
  if (!IsMicroSource(code)) return {Operand::kResult, nullptr, {}};
  const float* data = args.Src(micro.src_index[code - 8]);
  switch (TailSourceOf(micro, code - 8)) {
    case TailSource::kScalar:
      return {Operand::kScalar, data, {}};
    case TailSource::kColumns:
      return {Operand::kColumns, data, {}};
    case TailSource::kRows:
      return {Operand::kRows, data, TailRowsOf(micro, code - 8)};
    default:
      return {Operand::kLikeDst, data, {}};
  }
}

Tail::Tail(const Epilogue& epilogue, const KernelArgs& args) : dst_(args.Dst()) {
  if (epilogue.kind != Epilogue::kTail) return;
  for (int i = epilogue.tail_begin; i < epilogue.micro.num_ops; ++i) {
    const MicroInstruction& op = epilogue.micro.ops[i];
    const uint8_t codes[3] = {op.a, op.b, op.c};
    Step& step = steps_[num_steps_++];
    int scalars = 0;
    for (int o = 0; o < 3; ++o) {
      step.operands[o] = o < Arity(op.op) ? OperandOf(epilogue, args, codes[o]) : Operand{};
      const bool scalar = step.operands[o].kind == Operand::kScalar || step.operands[o].kind == Operand::kRows;
      if (o > 0 && o < Arity(op.op) && scalar) scalars |= 1 << o;
    }
    step.run = args.simd->tile->loop(op.op, scalars);
  }
}

void Tail::Prefetch(float* const* dst, int rows, int64_t col, int64_t cols) const {
  for (int i = 0; i < num_steps_; ++i) {
    for (const Operand& operand : steps_[i].operands) {
      if (operand.kind != Operand::kLikeDst) continue;
      for (int r = 0; r < rows; ++r) {
        const float* row = operand.data + (dst[r] - dst_) + col;
        for (int64_t c = 0; c < cols; c += kPrefetchStep) __builtin_prefetch(row + c);
      }
    }
  }
}

void Tail::Run(float* const* dst, int rows, int64_t col, int64_t cols) const {
  for (int r = 0; r < rows; ++r) {
    float* row = dst[r] + col;
    const auto at = [&](const Operand& operand) -> const float* {
      switch (operand.kind) {
        case Operand::kResult:
          return row;
        case Operand::kScalar:
          return operand.data;
        case Operand::kColumns:
          return operand.data + col;
        case Operand::kRows:
          return operand.rows.At(operand.data, dst[r] - dst_);
        case Operand::kLikeDst:
          break;
      }
      return operand.data + (row - dst_);
    };
    for (int i = 0; i < num_steps_; ++i) {
      const Step& step = steps_[i];
      step.run(row, at(step.operands[0]), at(step.operands[1]), at(step.operands[2]), cols);
    }
  }
}

}  // namespace moka::cpu

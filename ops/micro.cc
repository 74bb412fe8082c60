#include "ops/micro.h"

#include <cmath>

namespace moka {

double MicroMin(double a, double b) { return std::isnan(a) || a < b ? a : b; }
double MicroMax(double a, double b) { return std::isnan(a) || a > b ? a : b; }

double MicroFloorMod(double a, double b) {
  const double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}
double MicroSoftplus(double a) { return MicroMax(a, 0.0) + std::log1p(std::exp(-std::fabs(a))); }
double MicroGeluTanh(double a) {
  return 0.5 * a * (1 + std::tanh(0.79788456080286535588 * (a + 0.044715 * a * a * a)));
}

double MicroApply(MicroOp op, double a, [[maybe_unused]] double b, [[maybe_unused]] double c) {
  switch (op) {
#define MOKA_MICRO_CASE(name, arity, expression) \
  case MicroOp::k##name:                         \
    return expression;
    MOKA_MICRO_OPS(MOKA_MICRO_CASE)
#undef MOKA_MICRO_CASE
  }
  return 0;
}

double MicroRun(const MicroProgram& program, double r0, const double* sources) {
  double registers[kMicroRegisters] = {r0};
  const auto operand = [&](uint8_t code) {
    if (IsMicroRegister(code)) return registers[code];
    if (IsMicroSource(code)) return sources[code - MicroSource(0)];
    return static_cast<double>(program.constants[code - MicroConstant(0)]);
  };
  for (int i = 0; i < program.num_ops; ++i) {
    const MicroInstruction& m = program.ops[i];
    const int arity = Arity(m.op);
    registers[m.dst] = MicroApply(m.op, operand(m.a), arity > 1 ? operand(m.b) : 0, arity > 2 ? operand(m.c) : 0);
  }
  return registers[0];
}

const char* NameOf(MicroOp op) {
  constexpr const char* kNames[] = {
#define MOKA_MICRO_NAME(name, arity, expression) #name,
      MOKA_MICRO_OPS(MOKA_MICRO_NAME)
#undef MOKA_MICRO_NAME
  };
  return kNames[static_cast<int>(op)];
}

}  // namespace moka

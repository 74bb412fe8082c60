// Micro-programs: a chain of elementwise operators as data, alone (node "moka.Elementwise") or as the epilogue of
// another node. Three addresses, at most 16 operations. Backends: cpu/micro-inl.h interprets them, gpu/kernels/micro.k
// gets them as constants. Measurements behind the form: docs/ARCHITECTURE.md.
#ifndef MOKA_OPS_MICRO_H_
#define MOKA_OPS_MICRO_H_

#include <cstdint>

namespace moka {

inline constexpr int kMicroMaxOps = 16;
inline constexpr int kMicroRegisters = 8;
inline constexpr int kMicroMaxSources = 4;
inline constexpr int kMicroMaxConstants = 8;

// name, number of operands, expression in double (the oracle) over a, b, c. Some operations are whole chains that a
// peephole finds. The order is the numbering of every backend: append only.
// NaN in an operand of Min, Max, Clip is the result. Round goes to the even one of two neighbours.
#define MOKA_MICRO_OPS(X)                                       \
  X(Mov, 1, a)                                                  \
  X(Add, 2, a + b)                                              \
  X(Sub, 2, a - b)                                              \
  X(Mul, 2, a* b)                                               \
  X(Div, 2, a / b)                                              \
  X(Min, 2, MicroMin(a, b))                                     \
  X(Max, 2, MicroMax(a, b))                                     \
  X(MulAdd, 3, a* b + c)                                        \
  X(Clip, 3, MicroMin(MicroMax(a, b), c))                       \
  X(LeakyRelu, 2, a < 0 ? a * b : a)                            \
  X(Exp, 1, std::exp(a))                                        \
  X(Tanh, 1, std::tanh(a))                                      \
  X(Erf, 1, std::erf(a))                                        \
  X(Sigmoid, 1, 1 / (1 + std::exp(-a)))                         \
  X(Silu, 1, a / (1 + std::exp(-a)))                            \
  X(HardSigmoid, 3, MicroMax(0.0, MicroMin(1.0, a* b + c)))     \
  X(HardSwish, 1, a* MicroMax(0.0, MicroMin(1.0, a / 6 + 0.5))) \
  X(Gelu, 1, 0.5 * a * std::erfc(-a * 0.70710678118654752440))  \
  X(Sqrt, 1, std::sqrt(a))                                      \
  X(Log, 1, std::log(a))                                        \
  X(Pow, 2, std::pow(a, b))                                     \
  X(Mod, 2, std::fmod(a, b))                                    \
  X(FloorMod, 2, MicroFloorMod(a, b))                           \
  X(Abs, 1, std::fabs(a))                                       \
  X(Sign, 1, a > 0 ? 1 : a < 0 ? -1 : a)                        \
  X(Floor, 1, std::floor(a))                                    \
  X(Ceil, 1, std::ceil(a))                                      \
  X(Round, 1, std::nearbyint(a))                                \
  X(Sin, 1, std::sin(a))                                        \
  X(Cos, 1, std::cos(a))                                        \
  X(Tan, 1, std::tan(a))                                        \
  X(Asin, 1, std::asin(a))                                      \
  X(Acos, 1, std::acos(a))                                      \
  X(Atan, 1, std::atan(a))                                      \
  X(Sinh, 1, std::sinh(a))                                      \
  X(Cosh, 1, std::cosh(a))                                      \
  X(Asinh, 1, std::asinh(a))                                    \
  X(Acosh, 1, std::acosh(a))                                    \
  X(Atanh, 1, std::atanh(a))                                    \
  X(Softplus, 1, MicroSoftplus(a))                              \
  X(Elu, 3, a < 0 ? c * std::expm1(a * b) : a)                  \
  X(Mish, 1, a* std::tanh(MicroSoftplus(a)))                    \
  X(GeluTanh, 1, MicroGeluTanh(a))                              \
  X(Less, 2, a < b ? 1 : 0)                                     \
  X(Select, 3, a != 0 ? b : c)

enum class MicroOp : uint8_t {
#define MOKA_MICRO_ENUM(name, arity, expression) k##name,
  MOKA_MICRO_OPS(MOKA_MICRO_ENUM)
#undef MOKA_MICRO_ENUM
};
#define MOKA_MICRO_COUNT(name, arity, expression) +1
inline constexpr int kNumMicroOps = 0 MOKA_MICRO_OPS(MOKA_MICRO_COUNT);
#undef MOKA_MICRO_COUNT

constexpr int Arity(MicroOp op) {
  constexpr int8_t kArity[] = {
#define MOKA_MICRO_ARITY(name, arity, expression) arity,
      MOKA_MICRO_OPS(MOKA_MICRO_ARITY)
#undef MOKA_MICRO_ARITY
  };
  return kArity[static_cast<int>(op)];
}

// An operand is one byte: register 0..7, 8 + source 0..3, 16 + constant 0..7.
constexpr uint8_t MicroRegister(int i) { return static_cast<uint8_t>(i); }
constexpr uint8_t MicroSource(int i) { return static_cast<uint8_t>(8 + i); }
constexpr uint8_t MicroConstant(int i) { return static_cast<uint8_t>(16 + i); }
constexpr bool IsMicroRegister(uint8_t x) { return x < 8; }
constexpr bool IsMicroSource(uint8_t x) { return x >= 8 && x < 16; }
constexpr bool IsMicroConstant(uint8_t x) { return x >= 16; }

struct MicroInstruction {
  MicroOp op;
  uint8_t dst, a, b, c;
  uint8_t reserved[3];  // zero
};
static_assert(sizeof(MicroInstruction) == 8);

// The form of one instruction in GPU constants: op 8 bits, dst 3, a 5, b 5, c 5. 0 (Mov r0, r0) does nothing.
constexpr uint32_t PackMicro(MicroInstruction m) {
  return static_cast<uint32_t>(m.op) | static_cast<uint32_t>(m.dst) << 8 | static_cast<uint32_t>(m.a) << 11 |
         static_cast<uint32_t>(m.b) << 16 | static_cast<uint32_t>(m.c) << 21;
}

// Plain data. Register 0 holds the kernel's result at the start of an epilogue (0 at the start of a program that
// stands alone) and the value to store at the end. Source k is the node's source program_begin + k, broadcast to the
// destination's shape by numpy's rules (OpCall in ops/op.h).
struct MicroProgram {
  int32_t num_ops = 0, num_constants = 0, num_sources = 0;
  MicroInstruction ops[kMicroMaxOps] = {};
  float constants[kMicroMaxConstants] = {};

  bool empty() const { return num_ops == 0; }
};

double MicroMin(double a, double b);
double MicroMax(double a, double b);
double MicroFloorMod(double a, double b);  // the remainder with the sign of b
double MicroSoftplus(double a);            // ln(1 + exp(a))
double MicroGeluTanh(double a);            // 0.5 a (1 + tanh(sqrt(2 / pi) (a + 0.044715 a^3)))
// One operation in double: the oracle.
double MicroApply(MicroOp op, double a, double b, double c);
// The whole program in double. sources[k] is the element of source k.
double MicroRun(const MicroProgram& program, double r0, const double* sources);
const char* NameOf(MicroOp op);

}  // namespace moka

#endif  // MOKA_OPS_MICRO_H_

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "ops/element.h"
#include "ops/infer.h"
#include "ops/reference.h"

namespace moka {
namespace {

// A dense tensor in the test's memory.
struct Operand {
  TensorDesc desc;
  std::vector<std::byte> bytes;

  template <class T>
  static Operand Of(DataType type, const Shape& shape, const std::vector<T>& values) {
    Operand operand{MakeDense(type, shape), std::vector<std::byte>(values.size() * sizeof(T))};
    if (!values.empty()) std::memcpy(operand.bytes.data(), values.data(), operand.bytes.size());
    return operand;
  }
  template <class T>
  std::vector<T> As() const {
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
};

Operand F32(const Shape& shape, const std::vector<float>& values) { return Operand::Of(DataType::kF32, shape, values); }
Operand I64(const Shape& shape, const std::vector<int64_t>& values) {
  return Operand::Of(DataType::kI64, shape, values);
}
const Operand kAbsent;

// Infers and runs.
Result<Operand> Apply(const char* op, const std::vector<Operand>& operands, const Attributes& attrs = {},
                      bool oracle = false) {
  std::vector<SymbolicTensor> tensors(operands.size());
  std::vector<const SymbolicTensor*> sources;
  ReferenceCall call;
  std::vector<TensorDesc> src;
  std::vector<const void*> data;
  for (size_t i = 0; i < operands.size(); ++i) {
    tensors[i].type = operands[i].desc.type;
    for (int64_t dim : operands[i].desc.shape()) tensors[i].dims.emplace_back(dim);
    sources.push_back(&tensors[i]);
    src.push_back(operands[i].desc);
    data.push_back(operands[i].bytes.data());
  }
  SymbolTable symbols;
  InferContext context;
  context.attrs = &attrs;
  context.src = sources;
  context.symbols = &symbols;
  context.dst.resize(1);
  call.call.op = FindOp("", op);
  MOKA_RETURN_IF_ERROR(call.call.op->infer(context));
  Shape shape;
  for (const Dim& dim : context.dst[0].dims) shape.push_back(dim.constant());
  Operand result{MakeDense(context.dst[0].type, shape), {}};
  result.bytes.resize(result.desc.ExtentBytes());
  void* dst_data = result.bytes.data();
  call.call.attrs = &attrs;
  call.call.src = src;
  call.call.dst = {&result.desc, 1};
  call.src = data;
  call.dst = {&dst_data, 1};
  MOKA_RETURN_IF_ERROR(RunReference(call, oracle));
  return result;
}

struct UnaryCase {
  const char* op;
  std::function<double(double)> want;
};

TEST(Elementwise, UnaryOperatorsFollowTheirFormulas) {
  const auto clamp01 = [](double x) { return std::min(1.0, std::max(0.0, x)); };
  const UnaryCase cases[] = {
      {"Relu", [](double x) { return std::max(x, 0.0); }},
      {"LeakyRelu", [](double x) { return x < 0 ? static_cast<double>(0.01f) * x : x; }},
      {"Sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"HardSigmoid", [&](double x) { return clamp01(static_cast<double>(0.2f) * x + 0.5); }},
      {"HardSwish", [&](double x) { return x * clamp01(x / 6 + 0.5); }},
      {"Tanh", [](double x) { return std::tanh(x); }},
      {"Exp", [](double x) { return std::exp(x); }},
      {"Erf", [](double x) { return std::erf(x); }},
      {"Neg", [](double x) { return -x; }},
      {"Reciprocal", [](double x) { return 1 / x; }},
  };
  const std::vector<float> x = {-7, -3.5f, -1, -0.25f, 0.5f, 1, 2.75f, 9};
  for (const UnaryCase& c : cases) {
    const Result<Operand> got = Apply(c.op, {F32({8}, x)});
    ASSERT_TRUE(got.ok()) << c.op << ": " << got.status().message();
    const std::vector<double> wide(x.begin(), x.end());
    const Result<Operand> got64 = Apply(c.op, {Operand::Of(DataType::kF64, {8}, wide)});
    ASSERT_TRUE(got64.ok()) << c.op;
    for (size_t i = 0; i < x.size(); ++i) {
      const double want = c.want(x[i]);
      EXPECT_EQ(got->As<float>()[i], static_cast<float>(want)) << c.op << "(" << x[i] << ")";
      EXPECT_NEAR(got64->As<double>()[i], want, 1e-14 * (1 + std::abs(want))) << c.op << "(" << x[i] << ")";
    }
    const Result<Operand> nan = Apply(c.op, {F32({1}, {std::nanf("")})});
    EXPECT_TRUE(std::isnan(nan->As<float>()[0])) << c.op;
  }
}

TEST(Elementwise, BinaryOperatorsBroadcast) {
  const Operand a = F32({2, 1, 2}, {1, 2, 3, 4}), b = F32({3, 1}, {10, 20, 40});
  EXPECT_EQ(Apply("Add", {a, b})->As<float>(), (std::vector<float>{11, 12, 21, 22, 41, 42, 13, 14, 23, 24, 43, 44}));
  EXPECT_EQ(Apply("Div", {b, a})->As<float>()[1], 5);
  EXPECT_EQ(Apply("Sub", {a, F32({}, {1})})->As<float>(), (std::vector<float>{0, 1, 2, 3}));
  EXPECT_EQ(Apply("Mul", {F32({0, 2}, {}), F32({2}, {1, 2})})->desc.shape(), (Shape{0, 2}));
  EXPECT_FALSE(Apply("Add", {F32({2}, {1, 2}), F32({3}, {1, 2, 3})}).ok());
  EXPECT_FALSE(Apply("Add", {F32({1}, {1}), I64({1}, {1})}).ok());
}

TEST(Elementwise, MinAndMaxTakeAnyNumber) {
  std::vector<Operand> many;
  for (float v : {3.0f, 1.0f, 4.0f, 1.0f, 5.0f, 9.0f, 2.0f}) many.push_back(F32({2}, {v, -v}));
  EXPECT_EQ(Apply("Max", many)->As<float>(), (std::vector<float>{9, -1}));
  EXPECT_EQ(Apply("Min", many)->As<float>(), (std::vector<float>{1, -9}));
  EXPECT_EQ(Apply("Max", {many[0]})->As<float>(), (std::vector<float>{3, -3}));
  EXPECT_EQ(Apply("Min", {I64({1}, {7}), I64({1}, {8}), I64({1}, {-3})})->As<int64_t>()[0], -3);
  EXPECT_TRUE(std::isnan(Apply("Max", {F32({1}, {1}), F32({1}, {std::nanf("")}), F32({1}, {2})})->As<float>()[0]));
}

TEST(Elementwise, IntegersWrapTruncateAndNeverTrap) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min(), kMax = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(Apply("Div", {I64({4}, {7, -7, 5, kMin}), I64({4}, {2, 2, 0, -1})})->As<int64_t>(),
            (std::vector<int64_t>{3, -3, 0, kMin}));
  EXPECT_EQ(Apply("Add", {I64({1}, {kMax}), I64({1}, {1})})->As<int64_t>()[0], kMin);
  const Operand i32 = Operand::Of(DataType::kI32, {2}, std::vector<int32_t>{std::numeric_limits<int32_t>::min(), 5});
  const Operand minus = Operand::Of(DataType::kI32, {1}, std::vector<int32_t>{-1});
  EXPECT_EQ(Apply("Div", {i32, minus})->As<int32_t>(), (std::vector<int32_t>{std::numeric_limits<int32_t>::min(), -5}));
  EXPECT_EQ(Apply("Relu", {i32})->As<int32_t>(), (std::vector<int32_t>{0, 5}));
  EXPECT_FALSE(Apply("Sigmoid", {i32}).ok());
}

TEST(Elementwise, ClipTakesEitherBoundOrNone) {
  const Operand x = F32({4}, {-2, 0, 2, std::nanf("")});
  const std::vector<float> both = Apply("Clip", {x, F32({}, {-1}), F32({}, {1})})->As<float>();
  EXPECT_EQ(both[0], -1);
  EXPECT_EQ(both[2], 1);
  EXPECT_TRUE(std::isnan(both[3]));
  EXPECT_EQ(Apply("Clip", {x, kAbsent, F32({}, {1})})->As<float>()[0], -2);
  EXPECT_EQ(Apply("Clip", {x, F32({}, {-1})})->As<float>()[2], 2);
  EXPECT_EQ(Apply("Clip", {x})->As<float>()[0], -2);
  // The upper bound wins where the bounds cross.
  EXPECT_EQ(Apply("Clip", {x, F32({}, {3}), F32({}, {1})})->As<float>()[0], 1);
  EXPECT_EQ(Apply("Clip", {I64({3}, {-5, 2, 9}), I64({}, {0}), I64({}, {4})})->As<int64_t>(),
            (std::vector<int64_t>{0, 2, 4}));
  EXPECT_FALSE(Apply("Clip", {x, F32({2}, {0, 1})}).ok());
}

TEST(Elementwise, AttributesAreReadAndWrongTypesRefused) {
  Attributes attrs;
  attrs.Set("alpha", 0.5f);
  EXPECT_EQ(Apply("LeakyRelu", {F32({1}, {-4})}, attrs)->As<float>()[0], -2);
  attrs.Set("alpha", std::string("half"));
  EXPECT_FALSE(Apply("LeakyRelu", {F32({1}, {-4})}, attrs).ok());
}

TEST(Cast, ConvertsBetweenAllPairsWithoutUndefinedBehaviour) {
  const auto cast = [](const Operand& x, int64_t to) {
    Attributes attrs;
    attrs.Set("to", to);
    return Apply("Cast", {x}, attrs);
  };
  const Operand f = F32({6}, {-1.9f, 2.9f, 0, 1e20f, -1e20f, std::nanf("")});
  EXPECT_EQ(cast(f, 7)->As<int64_t>(), (std::vector<int64_t>{-1, 2, 0, std::numeric_limits<int64_t>::max(),
                                                             std::numeric_limits<int64_t>::min(), 0}));
  EXPECT_EQ(cast(f, 6)->As<int32_t>()[3], std::numeric_limits<int32_t>::max());
  EXPECT_EQ(cast(f, 9)->As<uint8_t>(), (std::vector<uint8_t>{1, 1, 0, 1, 1, 1}));
  EXPECT_EQ(cast(I64({2}, {(int64_t{1} << 32) + 5, -1}), 6)->As<int32_t>(), (std::vector<int32_t>{5, -1}));
  EXPECT_EQ(cast(I64({2}, {0, 256}), 9)->As<uint8_t>(), (std::vector<uint8_t>{0, 1}));
  EXPECT_EQ(cast(I64({1}, {(int64_t{1} << 53) + 1}), 11)->As<double>()[0], 9007199254740992.0);
  EXPECT_EQ(cast(I64({1}, {-3}), 1)->As<float>()[0], -3);
  EXPECT_FALSE(cast(f, 8).ok());
  EXPECT_FALSE(cast(f, 99).ok());
}

TEST(Reference, EpilogueSeesTheResultAndBroadcastSources) {
  // relu(x) * scale[c] + 1 on a channels-last result.
  const TensorDesc desc = MakeDense(DataType::kF32, {1, 2, 2, 1}, Format::kChannelsLast);
  const TensorDesc scale = MakeDense(DataType::kF32, {2, 1, 1});
  MicroProgram program;
  program.num_ops = 1;
  program.num_sources = program.num_constants = 1;
  program.constants[0] = 1;
  program.ops[0] = {MicroOp::kMulAdd, 0, MicroRegister(0), MicroSource(0), MicroConstant(0), {}};
  const float x[] = {1, -2, 3, 4}, factors[] = {10, 100};  // x: (h 0: c 0, c 1), (h 1: c 0, c 1)
  float y[4] = {};
  const TensorDesc sources[] = {desc, scale};
  const void* data[] = {x, factors};
  void* dst = y;
  const Attributes attrs;
  ReferenceCall call;
  call.call.op = FindOp("", "Relu");
  call.call.attrs = &attrs;
  call.call.program = &program;
  call.call.program_begin = 1;
  call.call.src = sources;
  call.call.dst = {&desc, 1};
  call.src = data;
  call.dst = {&dst, 1};
  ASSERT_TRUE(RunReference(call, true).ok());
  EXPECT_EQ(std::vector<float>(y, y + 4), (std::vector<float>{11, 1, 31, 401}));
}

TEST(Ops, TheTableIsSortedAndFound) {
  for (const OpSchema* op : AllOps()) {
    EXPECT_EQ(FindOp(op->domain, op->name), op);
    if (op->execute != nullptr && op->infer == nullptr) continue;  // runs on the host only
    EXPECT_NE(op->infer, nullptr) << op->name;
    EXPECT_NE(op->oracle, nullptr) << op->name;
  }
  EXPECT_EQ(FindOp("", "Elementwise"), nullptr);
  EXPECT_NE(FindOp("moka", "Elementwise"), nullptr);
  EXPECT_EQ(FindOp("", "Nonsense"), nullptr);
}

}  // namespace
}  // namespace moka

// What elementwise operators refuse.
#include "tests/ops/bad_case.h"

namespace moka {
namespace {

constexpr DataType kI64 = DataType::kI64, kF64 = DataType::kF64, kBool = DataType::kBool;
AttributeValue Int(int64_t value) { return value; }
AttributeValue Text(const char* value) { return std::string(value); }

TEST(BadInput, FunctionsOfOneFloat) {
  for (const char* op :
       {"Acos", "Acosh", "Asin", "Asinh", "Atan",     "Atanh",    "Ceil", "Cos", "Cosh",  "Floor", "Log",
        "Mish", "Round", "Sin",  "Sinh",  "Softplus", "Softsign", "Sqrt", "Tan", "IsNaN", "IsInf"}) {
    ExpectRefused({{op, {}, {Fed({3}, kI64)}, "src 0 is i64"}, {op, {}, {}, "inputs: 0"}});
  }
}

TEST(BadInput, ArithmeticAndComparisons) {
  for (const char* op : {"Add", "Div", "Mod", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}) {
    ExpectRefused({
        {op, {}, {Fed({3}, kI64), Fed({4}, kI64)}, "broadcast of dim 0: 3 against 4"},
        {op, {}, {Fed({3}, kI64), Fed({3}, kF64)}, "src 0 is i64"},
        {op, {}, {Fed({3}), Absent()}, "src 1 is missing"},
        {op, {}, {Fed({3})}, "inputs: 1"},
    });
  }
  ExpectRefused({
      {"Add", {}, {Fed({3}, kBool), Fed({3}, kBool)}, "src 0 is bool"},
      {"Greater", {}, {Fed({3}, kBool), Fed({3}, kBool)}, "src 0 is bool"},
      {"Neg", {}, {Fed({3}, DataType::kU8)}, "src 0 is u8"},
      {"Mod", Attrs({{"fmod", Int(2)}}), {Fed({3}, kI64), Fed({3}, kI64)}, "attribute 'fmod' is 2"},
      {"Mod", Attrs({{"fmod", Text("1")}}), {Fed({3}, kI64), Fed({3}, kI64)}, "'fmod'"},
      {"Pow", {}, {Fed({3}, kBool), Fed({3})}, "src 0 is bool"},
      {"Pow", {}, {Fed({3}), Fed({3}, kBool)}, "src 1 is bool"},
      {"Pow", {}, {Fed({3}), Fed({2})}, "broadcast"},
      {"Sum", {}, {Fed({3}, kI64)}, "src 0 is i64"},
      {"Sum", {}, {}, "inputs: 0"},
      {"Mean", {}, {Fed({3}), Fed({3}), Fed({2})}, "broadcast"},
      {"Max", {}, {Fed({3}), Fed({3}, kI64)}, "src 1 is i64"},
      {"IsInf", Attrs({{"detect_negative", Text("no")}}), {Fed({3})}, "'detect_negative'"},
  });
}

TEST(BadInput, LogicAndBits) {
  ExpectRefused({
      {"And", {}, {Fed({3}), Fed({3})}, "src 0 is f32"},
      {"Or", {}, {Fed({3}, kBool), Fed({2}, kBool)}, "broadcast"},
      {"Xor", {}, {Fed({3}, kBool), Fed({3}, kI64)}, "src 1 is i64"},
      {"Not", {}, {Fed({3}, kI64)}, "src 0 is i64"},
      {"BitwiseAnd", {}, {Fed({3}), Fed({3})}, "src 0 is f32"},
      {"BitwiseNot", {}, {Fed({3}, kBool)}, "src 0 is bool"},
      {"BitShift", {}, {Fed({3}, kI64), Fed({3}, kI64)}, "attribute 'direction' is ''"},
      {"BitShift",
       Attrs({{"direction", Text("UP")}}),
       {Fed({3}, kI64), Fed({3}, kI64)},
       "attribute 'direction' is 'UP'"},
      {"BitShift", Attrs({{"direction", Text("LEFT")}}), {Fed({3}), Fed({3})}, "src 0 is f32"},
      {"Where", {}, {Fed({3}, kI64), Fed({3}), Fed({3})}, "src 0 is i64"},
      {"Where", {}, {Fed({3}, kBool), Fed({3}), Fed({3}, kF64)}, "src 2 is f64"},
      {"Where", {}, {Fed({3}, kBool), Fed({3}), Fed({2})}, "broadcast"},
      {"Where", {}, {Fed({3}, kBool), Fed({3})}, "inputs: 2"},
  });
}

TEST(BadInput, Activations) {
  for (const char* op : {"Celu", "Elu", "LeakyRelu", "Selu", "Swish", "ThresholdedRelu"}) {
    ExpectRefused({{op, Attrs({{"alpha", Text("1")}}), {Fed({3})}, "attribute 'alpha' has the wrong type"},
                   {op, {}, {Fed({3}, kI64)}, "src 0 is i64"}});
  }
  ExpectRefused({
      {"Celu", Attrs({{"alpha", AttributeValue(0.0f)}}), {Fed({3})}, "attribute 'alpha' is 0"},
      {"Gelu", Attrs({{"approximate", Text("fast")}}), {Fed({3})}, "attribute 'approximate' is 'fast'"},
      {"Gelu", Attrs({{"approximate", Int(1)}}), {Fed({3})}, "attribute 'approximate' is not a string"},
      {"PRelu", {}, {Fed({3}), Fed({2})}, "broadcast"},
      {"PRelu", {}, {Fed({3}), Fed({2, 3})}, "src 1: rank 2"},
      {"PRelu", {}, {Fed({1, 3}), Fed({2, 1})}, "dim 0 of src 0 against that of src 1"},
      {"PRelu", {}, {Fed({3}), Fed({3}, kF64)}, "src 1 is f64"},
      {"Selu", Attrs({{"gamma", Int(1)}}), {Fed({3})}, "attribute 'gamma' has the wrong type"},
      {"Shrink", Attrs({{"lambd", Int(1)}}), {Fed({3})}, "attribute 'lambd' has the wrong type"},
      {"Shrink", {}, {Fed({3}, kBool)}, "src 0 is bool"},
      {"SwiGLU", {}, {Fed({3}), Fed({1})}, "dim 0 of src 1"},
      {"SwiGLU", {}, {Fed({3}), Fed({1, 3})}, "src 1: rank 2"},
  });
}

TEST(BadInput, Casts) {
  ExpectRefused({
      {"Cast", {}, {Fed({3})}, "attribute 'to' is missing"},
      {"Cast", Attrs({{"to", Int(14)}}), {Fed({3})}, "attribute 'to'"},
      {"Cast", Attrs({{"to", Int(-1)}}), {Fed({3})}, "attribute 'to'"},
      {"Cast", Attrs({{"to", Int(1000)}}), {Fed({3})}, "attribute 'to'"},
      {"Cast", Attrs({{"to", Int(24)}, {"round_mode", Text("even")}}), {Fed({3})}, "attribute 'round_mode' is 'even'"},
      {"CastLike", Attrs({{"saturate", Text("1")}}), {Fed({3}), Fed({1}, kF64)}, "'saturate'"},
      {"CastLike", {}, {Fed({3})}, "inputs: 1"},
      {"BitCast", Attrs({{"to", Int(11)}}), {Fed({3})}, "f64 has not the bits of f32"},
      {"BitCast", Attrs({{"to", Int(8)}}), {Fed({3}, kI64)}, "string has not the bits of i64"},
  });
}

}  // namespace
}  // namespace moka

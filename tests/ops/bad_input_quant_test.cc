// What the quantized operators refuse, and that the message names the attribute or the operand.
#include <gtest/gtest.h>

#include "tests/conformance/cases.h"

namespace moka {
namespace {

constexpr DataType kU8 = DataType::kU8, kI8 = DataType::kI8, kI32 = DataType::kI32;

struct BadCase {
  const char* op;
  Attributes attrs;
  std::vector<CaseOperand> src;
  const char* expected;  // in the message
};

void ExpectRefused(const std::vector<BadCase>& cases) {
  for (const BadCase& bad : cases) {
    SCOPED_TRACE(std::string(bad.op) + ": " + bad.expected);
    const auto data = CaseData::Make(MakeCase(std::string(bad.op) + "/bad", bad.attrs, bad.src), CaseLayout{});
    ASSERT_FALSE(data.ok());
    EXPECT_NE(data.status().message().find(bad.expected), std::string::npos) << data.status().message();
  }
}

AttributeValue Int(int64_t value) { return value; }
CaseOperand F32(Shape shape = {}) { return Positive(std::move(shape)); }
CaseOperand Byte(Shape shape = {}, DataType type = kU8) { return Weight(std::move(shape), type); }

TEST(BadInputQuant, Linear) {
  const CaseOperand x = Fed({2, 3, 4});
  ExpectRefused({
      {"QuantizeLinear", {}, {Fed({2}, kI8), F32()}, "src 0 is i8"},
      {"QuantizeLinear", {}, {x, Byte()}, "src 1 is u8"},
      {"QuantizeLinear", {}, {x, F32({4})}, "elements of src 1 (scale)"},
      {"QuantizeLinear", {}, {x, F32({3, 1})}, "src 1: rank 2"},
      {"QuantizeLinear", Attrs({{"axis", Int(3)}}), {x, F32({4})}, "attribute 'axis' 3"},
      {"QuantizeLinear", {}, {x, F32({3}), Byte({4})}, "dimension 0 of src 2 (zero point)"},
      {"QuantizeLinear", {}, {x, F32({3}), Byte()}, "src 2: rank 0"},
      {"QuantizeLinear",
       Attrs({{"output_dtype", Int(3)}}),
       {x, F32(), Byte()},
       "'output_dtype' is i8, but src 2 is u8"},
      {"QuantizeLinear", Attrs({{"output_dtype", Int(1)}}), {x, F32()}, "attribute 'output_dtype' is 1"},
      {"QuantizeLinear", Attrs({{"block_size", Int(-1)}}), {x, F32()}, "attribute 'block_size' is -1"},
      {"QuantizeLinear", Attrs({{"block_size", Int(2)}}), {x, F32({2, 3, 4})}, "dimension 1 of src 1 (scale)"},
      {"QuantizeLinear", Attrs({{"block_size", Int(2)}}), {x, F32({2})}, "src 1: rank 1"},
      {"DequantizeLinear", {}, {x, F32()}, "src 0 is f32"},
      {"DequantizeLinear", {}, {Byte({4}), F32(), Byte({}, kI8)}, "src 2 is i8"},
      {"DynamicQuantizeLinear", {}, {Byte({4})}, "src 0 is u8"},
  });
}

TEST(BadInputQuant, Products) {
  const CaseOperand x = Byte({1, 4, 5, 5}), w = Byte({6, 4, 3, 3}, kI8), zero = Byte(), s = F32();
  const CaseOperand wz = Byte({}, kI8), a = Byte({5, 7}), b = Byte({7, 3}, kI8);
  ExpectRefused({
      {"ConvInteger", {}, {Fed({1, 4, 5, 5}), w}, "src 0 is f32"},
      {"ConvInteger", {}, {x, Fed({6, 4, 3, 3})}, "src 1 is f32"},
      {"ConvInteger", {}, {x, Byte({6, 3, 3, 3}, kI8)}, "channels of src 0"},
      {"ConvInteger", {}, {x, w, wz}, "src 2 is i8, but src 0 is u8"},
      {"ConvInteger", {}, {x, w, zero, Byte({5}, kI8)}, "elements of src 3"},
      {"QLinearConv", {}, {x, s, zero, w, F32({5}), wz, s, zero}, "elements of src 4, scale of src 3"},
      {"QLinearConv", {}, {x, F32({4}), zero, w, s, wz, s, zero}, "elements of src 1, scale of src 0"},
      {"QLinearConv", {}, {x, Absent(), zero, w, s, wz, s, zero}, "src 1 is missing"},
      {"QLinearConv", {}, {x, s, wz, w, s, wz, s, zero}, "src 2 is i8, but src 0 is u8"},
      {"QLinearConv", {}, {x, s, zero, w, s, wz, s, Byte({2})}, "zero point of dst 0"},
      {"QLinearConv", {}, {x, s, zero, w, s, wz, s, zero, Fed({6})}, "src 8 is f32"},
      {"QLinearConv", {}, {x, s, zero, w, s, wz, s, zero, Weight({5}, kI32)}, "elements of src 8 (bias)"},
      {"QLinearConv", Attrs({{"group", Int(0)}}), {x, s, zero, w, s, wz, s, zero}, "attribute 'group' is 0"},
      {"MatMulInteger", {}, {a, Byte({6, 3})}, "columns of src 0 and rows of src 1"},
      {"MatMulInteger", {}, {a, b, Byte({4})}, "zero point of a"},
      {"MatMulInteger", {}, {a, b, zero, Byte({7}, kI8)}, "zero point of b"},
      {"MatMulInteger", {}, {a, b, zero, zero}, "src 3 is u8, but src 1 is i8"},
      {"MatMulInteger", {}, {Byte({}), b}, "src 0: rank 0"},
      {"QLinearMatMul", {}, {a, s, zero, b, s, wz, Byte(), zero}, "src 6 is u8"},
      {"com.microsoft.QGemm", {}, {a, s, zero, Byte({2, 7, 3}, kI8), s, wz}, "src 3: rank 3"},
      {"com.microsoft.QGemm", Attrs({{"transB", Int(1)}}), {a, s, zero, b, s, wz}, "columns of src 0"},
      {"com.microsoft.QGemm", {}, {a, s, zero, b, s, wz, Weight({4}, kI32)}, "broadcast"},
      {"com.microsoft.DynamicQuantizeMatMul", {}, {a, b, s}, "src 0 is u8"},
      {"com.microsoft.MatMulIntegerToFloat", {}, {a, b, s, s, zero, wz, Fed({4})}, "bias"},
  });
}

TEST(BadInputQuant, Others) {
  const CaseOperand x = Byte({1, 4, 5, 5}), s = F32(), zero = Byte();
  const Attributes bits = Attrs({{"K", Int(40)}, {"N", Int(3)}, {"bits", Int(4)}, {"block_size", Int(32)}});
  Attributes three = bits, odd = bits;
  three.Set("bits", int64_t{3});
  odd.Set("block_size", int64_t{24});
  const CaseOperand b = Byte({3, 2, 16});
  ExpectRefused({
      {"com.microsoft.QLinearAdd", {}, {x, s, zero, Byte({3, 5}), s, zero, s}, "broadcast"},
      {"com.microsoft.QLinearAdd", {}, {x, s, zero, Byte({5}, kI8), s, zero, s}, "src 3 is i8"},
      {"com.microsoft.QLinearMul", {}, {x, s, zero, x, F32({4}), zero, s}, "elements of src 4, scale of src 3"},
      {"com.microsoft.QLinearSigmoid", {}, {Fed({3}), s, zero, s}, "src 0 is f32"},
      {"com.microsoft.QLinearConcat", {}, {s, zero, x, s, zero}, "'axis' is missing"},
      {"com.microsoft.QLinearConcat", Attrs({{"axis", Int(1)}}), {s, zero, x, s, zero, x}, "inputs: 6"},
      {"com.microsoft.QLinearConcat",
       Attrs({{"axis", Int(1)}}),
       {s, zero, x, s, zero, Byte({1, 4, 5, 6}), s, zero},
       "dimension 3 of src 5"},
      {"com.microsoft.QLinearAveragePool", {}, {x, s, zero, s}, "'kernel_shape' is missing"},
      {"com.microsoft.QLinearGlobalAveragePool", {}, {Byte({4, 5}), s, zero, s}, "src 0: rank 2"},
      {"com.microsoft.NhwcMaxPool", Attrs({{"kernel_shape", List({5, 5})}}), {x}, "the window spans 5"},
      {"com.microsoft.QLinearSoftmax", Attrs({{"axis", Int(4)}}), {x, s, zero, s}, "attribute 'axis' 4"},
      {"com.microsoft.MatMulNBits", {}, {Fed({2, 40}), b, F32({6})}, "attribute 'K' is 0"},
      {"com.microsoft.MatMulNBits", three, {Fed({2, 40}), b, F32({6})}, "attribute 'bits' is 3"},
      {"com.microsoft.MatMulNBits", odd, {Fed({2, 40}), b, F32({6})}, "attribute 'block_size' is 24"},
      {"com.microsoft.MatMulNBits", bits, {Fed({2, 41}), b, F32({6})}, "attribute 'K'"},
      {"com.microsoft.MatMulNBits", bits, {Fed({2, 40}), Byte({3, 2, 8}), F32({6})}, "elements of src 1 (B)"},
      {"com.microsoft.MatMulNBits", bits, {Fed({2, 40}), b, F32({5})}, "elements of src 2 (scales)"},
      {"com.microsoft.MatMulNBits", bits, {Fed({2, 40}), b, F32({6}), Byte({4})}, "elements of src 3 (zero_points)"},
      {"moka.Lookup", {}, {x, Byte({255})}, "elements of src 1 (table)"},
  });
}

}  // namespace
}  // namespace moka

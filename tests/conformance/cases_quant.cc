// Quantized operators. Results are bytes or i32, so every kernel must agree with the oracle in every bit: with all
// kinds of zero points, at the ends of the ranges, with numbers of channels around every vector and group of four.
#include "base/str_cat.h"
#include "tests/conformance/cases.h"

namespace moka {
namespace {

constexpr DataType kU8 = DataType::kU8, kI8 = DataType::kI8, kI32 = DataType::kI32;

CaseOperand Bytes(Shape shape, DataType type) { return {type, std::move(shape), Fill::kBytes, false, {}}; }
CaseOperand Number(double value, DataType type = DataType::kF32) { return Constant(Given({}, {value}, type)); }
CaseOperand Numbers(std::vector<double> values, DataType type = DataType::kF32) {
  const auto count = static_cast<int64_t>(values.size());
  return Constant(Given({count}, std::move(values), type));
}
std::vector<double> Ramp(int64_t count, double first, double step) {
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(first + step * static_cast<double>(i % 17));
  return values;
}
AttributeValue Int(int64_t value) { return value; }

struct QuantConv {
  std::string name;
  Shape x, w;
  Attributes attrs;
  DataType x_type = kU8, w_type = kI8, y_type = kU8;
  double x_zero = 114, y_zero = 120;
  std::vector<double> w_zeros = {0};
  bool per_channel = true, bias = true, fed_weights = false;
  double y_scale = 0.5;
};

std::vector<CaseOperand> SourcesOf(const QuantConv& c) {
  const int64_t outputs = c.w[0];
  const CaseOperand w = Bytes(c.w, c.w_type);
  const bool zeros = c.w_zeros.size() > 1;
  std::vector<CaseOperand> src = {Bytes(c.x, c.x_type),
                                  Number(0.02),
                                  Number(c.x_zero, c.x_type),
                                  c.fed_weights ? w : Constant(w),
                                  c.per_channel ? Numbers(Ramp(outputs, 0.004, 0.001)) : Number(0.008),
                                  zeros ? Numbers(c.w_zeros, c.w_type) : Number(c.w_zeros[0], c.w_type),
                                  Number(c.y_scale),
                                  Number(c.y_zero, c.y_type)};
  if (c.bias) src.push_back(Numbers(Ramp(outputs, -3000, 377), kI32));
  return src;
}

OpCase CaseOf(const QuantConv& c) { return MakeCase("QLinearConv/" + c.name, c.attrs, SourcesOf(c)); }

const Attributes kPad1 = Attrs({{"pads", List({1, 1, 1, 1})}});

void AddChannels(std::vector<OpCase>& cases) {
  for (const int64_t c : {1, 2, 3, 4, 5, 15, 16, 17, 64, 67}) {
    cases.push_back(CaseOf({StrCat("in_", c), {1, c, 5, 6}, {9, c, 1, 1}, {}}));
    cases.push_back(CaseOf({StrCat("in_3x3_", c), {1, c, 5, 6}, {18, c, 3, 3}, kPad1, kI8, kI8, kI8, -14, 3}));
  }
  for (const int64_t m : {1, 3, 15, 16, 17, 31, 33, 48, 63, 64, 65, 130}) {
    cases.push_back(CaseOf({StrCat("out_", m), {2, 7, 4, 5}, {m, 7, 1, 1}, {}}));
    cases.push_back(CaseOf({StrCat("out_3x3_", m), {1, 6, 6, 5}, {m, 6, 3, 3}, kPad1, kU8, kI8, kI8, 3, -5}));
  }
  for (const int64_t c : {1, 2, 15, 16, 17, 32, 63, 64, 65, 130}) {
    Attributes attrs = kPad1;
    attrs.Set("group", c);
    cases.push_back(CaseOf({StrCat("depthwise_", c), {1, c, 6, 5}, {c, 1, 3, 3}, attrs}));
    attrs.Set("strides", List({2, 2}));
    cases.push_back(CaseOf({StrCat("depthwise_s2_", c), {2, c, 7, 6}, {c, 1, 3, 3}, attrs, kI8, kI8, kI8, -128, -128}));
  }
}

void AddGeometry(std::vector<OpCase>& cases) {
  cases.push_back(CaseOf(
      {"7x7_s2", {1, 3, 23, 21}, {24, 3, 7, 7}, Attrs({{"pads", List({3, 3, 3, 3})}, {"strides", List({2, 2})}})}));
  cases.push_back(CaseOf({"1x1_s2", {1, 12, 9, 8}, {20, 12, 1, 1}, Attrs({{"strides", List({2, 2})}})}));
  cases.push_back(CaseOf(
      {"dilated", {1, 5, 11, 9}, {7, 5, 3, 3}, Attrs({{"dilations", List({2, 3})}, {"pads", List({2, 3, 1, 2})}})}));
  cases.push_back(
      CaseOf({"groups", {2, 12, 6, 5}, {21, 4, 3, 3}, Attrs({{"group", Int(3)}, {"pads", List({1, 0, 1, 2})}})}));
  cases.push_back(CaseOf({"multiplier", {1, 3, 6, 5}, {6, 1, 3, 3}, Attrs({{"group", Int(3)}})}));
  cases.push_back(CaseOf({"1d", {2, 6, 19}, {10, 6, 5}, Attrs({{"pads", List({2, 2})}})}));
  cases.push_back(CaseOf({"3d", {1, 4, 4, 5, 6}, {9, 4, 3, 3, 3}, Attrs({{"pads", List({1, 1, 1, 1, 1, 1})}})}));
  cases.push_back(CaseOf(
      {"depthwise_5x5", {1, 20, 9, 8}, {20, 1, 5, 5}, Attrs({{"group", Int(20)}, {"pads", List({2, 2, 2, 2})}})}));
  cases.push_back(CaseOf({"depthwise_dilated",
                          {1, 18, 9, 8},
                          {18, 1, 3, 3},
                          Attrs({{"group", Int(18)}, {"dilations", List({2, 1})}, {"pads", List({2, 1, 2, 1})}})}));
  cases.push_back(
      CaseOf({"depthwise_1d", {1, 18, 15}, {18, 1, 3}, Attrs({{"group", Int(18)}, {"pads", List({1, 1})}})}));
  const auto three_wide = [&](const std::string& name, int64_t c, int64_t h, int64_t w, int64_t kh, const char* key,
                              std::vector<int64_t> values) {
    Attributes attrs = Attrs({{"group", Int(c)}, {"pads", List({kh / 2, 1, kh / 2, 1})}});
    attrs.Set(key, std::move(values));
    cases.push_back(CaseOf({"three_wide_" + name, {2, c, h, w}, {c, 1, kh, 3}, attrs, kI8, kI8, kU8, 5, 1}));
  };
  three_wide("one_pixel", 70, 1, 1, 3, "strides", {1, 1});
  three_wide("one_pixel_s2", 70, 1, 1, 3, "strides", {2, 2});
  three_wide("two_pixels", 33, 2, 2, 3, "strides", {1, 1});
  three_wide("two_pixels_s2", 33, 2, 2, 3, "strides", {2, 2});
  three_wide("one_high", 20, 4, 7, 1, "strides", {1, 2});
  three_wide("two_high", 20, 4, 8, 2, "strides", {1, 1});
  three_wide("tall_dilation", 20, 9, 8, 3, "dilations", {3, 1});
  three_wide("s3", 20, 9, 8, 3, "strides", {1, 3});
  three_wide("four_high", 20, 9, 8, 4, "strides", {1, 1});
  cases.push_back(CaseOf({"many_rows", {1, 8, 30, 31}, {70, 8, 3, 3}, kPad1}));
  cases.push_back(
      CaseOf({"deep", {1, 520, 3, 3}, {40, 520, 3, 3}, kPad1, kU8, kI8, kU8, 128, 128, {0}, true, true, false, 9}));
}

void AddZeros(std::vector<OpCase>& cases) {
  const std::pair<DataType, std::vector<double>> kZeros[] = {{kU8, {0, 128, 255}}, {kI8, {-128, 0, 127}}};
  for (const auto& [x_type, x_zeros] : kZeros) {
    for (const auto& [w_type, w_zeros] : kZeros) {
      for (const double x_zero : x_zeros) {
        for (const double w_zero : w_zeros) {
          const std::string name = StrCat("zeros_", NameOf(x_type), x_zero, "_", NameOf(w_type), w_zero);
          cases.push_back(CaseOf({name,
                                  {1, 7, 4, 5},
                                  {19, 7, 3, 3},
                                  kPad1,
                                  x_type,
                                  w_type,
                                  x_type,
                                  x_zero,
                                  x_zeros[1],
                                  {w_zero},
                                  false,
                                  false,
                                  w_zero != 0,
                                  2}));
        }
      }
    }
  }
  cases.push_back(
      CaseOf({"zeros_per_channel", {1, 9, 4, 5}, {21, 9, 1, 1}, {}, kU8, kU8, kI8, 77, -9, Ramp(21, 100, 9)}));
  cases.push_back(
      CaseOf({"saturates", {1, 9, 4, 5}, {21, 9, 1, 1}, {}, kU8, kI8, kI8, 0, 0, {0}, true, true, false, 0.01}));
  for (const double scale : {1e-9, -1e-9}) {  // products that leave i32
    for (const int64_t m : {21, 32, 64}) {
      const std::string suffix = StrCat(scale < 0 ? "_negative_" : "_", m);
      QuantConv conv = {"overflows" + suffix, {1, 9, 4, 5}, {m, 9, 1, 1}, {}, kU8, kI8, kI8, 0, 0};
      conv.y_scale = scale;
      cases.push_back(CaseOf(conv));
      conv = {"overflows_depthwise" + suffix, {1, m, 4, 5}, {m, 1, 3, 3}, kPad1, kI8, kI8, kU8, 0, 7};
      conv.attrs.Set("group", m);
      conv.y_scale = scale;
      cases.push_back(CaseOf(conv));
    }
  }
  cases.push_back(CaseOf({"fed", {1, 9, 6, 5}, {37, 9, 3, 3}, kPad1, kU8, kI8, kU8, 77, 9, {0}, true, true, true}));
  cases.push_back(CaseOf({"fed_groups",
                          {1, 8, 6, 5},
                          {14, 4, 3, 3},
                          Attrs({{"group", Int(2)}}),
                          kI8,
                          kU8,
                          kU8,
                          7,
                          9,
                          {3},
                          true,
                          true,
                          true}));
}

// With a residual, bounds, or both.
OpCase Fused(QuantConv c, DataType residual_type, DataType sum_type, AttributeList bounds) {
  for (const auto& [name, value] : bounds) c.attrs.Set(name, value);
  OpCase op_case = CaseOf(c);
  op_case.op = "moka.QLinearConv";
  op_case.name = "moka." + op_case.name;
  if (residual_type == DataType::kNone) return op_case;
  Shape shape = {c.x[0], c.w[0], c.x[2], c.x[3]};
  for (CaseOperand& operand : std::vector<CaseOperand>{Bytes(shape, residual_type), Number(0.3),
                                                       Number(-5 + (residual_type == kU8 ? 40 : 0), residual_type),
                                                       Number(0.7), Number(sum_type == kU8 ? 130 : -2, sum_type)}) {
    op_case.src.push_back(operand);
  }
  return op_case;
}

void AddFused(std::vector<OpCase>& cases) {
  const DataType none = DataType::kNone;
  cases.push_back(Fused({"bounds", {1, 9, 4, 5}, {21, 9, 1, 1}, {}}, none, none, {{"lo", Int(120)}, {"hi", Int(200)}}));
  for (const int64_t m : {3, 16, 33, 64, 65}) {
    cases.push_back(Fused({StrCat("residual_", m), {2, 9, 4, 5}, {m, 9, 1, 1}, {}}, kU8, kU8, {}));
    cases.push_back(Fused({StrCat("residual_i8_", m), {1, 9, 4, 5}, {m, 9, 3, 3}, kPad1, kI8, kI8, kI8, 5, -4}, kI8,
                          kI8, {{"sum_lo", Int(-2)}, {"lo", Int(-100)}}));
    Attributes depthwise = kPad1;
    depthwise.Set("group", m);
    cases.push_back(Fused({StrCat("residual_depthwise_", m), {1, m, 4, 5}, {m, 1, 3, 3}, depthwise}, kI8, kU8,
                          {{"sum_hi", Int(220)}}));
  }
}

void AddConvInteger(std::vector<OpCase>& cases) {
  for (const DataType x : {kU8, kI8}) {
    for (const DataType w : {kU8, kI8}) {
      const std::string name = StrCat("ConvInteger/", NameOf(x), "_", NameOf(w));
      const CaseOperand a = Bytes({1, 6, 5, 7}, x), b = Bytes({19, 6, 3, 3}, w);
      cases.push_back(MakeCase(name, kPad1, {a, Constant(b)}));
      cases.push_back(MakeCase(name + "_zeros", kPad1, {a, Constant(b), Number(17, x), Numbers(Ramp(19, 0, 7), w)}));
      cases.push_back(MakeCase(name + "_fed", {}, {a, b, Number(-8, x), Number(9, w)}));
    }
  }
}

void AddProducts(std::vector<OpCase>& cases) {
  const int64_t sizes[] = {1, 3, 4, 15, 16, 17, 33, 64, 65};
  for (const int64_t n : sizes) {
    cases.push_back(MakeCase(StrCat("MatMulInteger/k", n), {},
                             {Bytes({5, n}, kU8), Constant(Bytes({n, 18}, kI8)), Number(99, kU8)}));
    cases.push_back(MakeCase(StrCat("MatMulInteger/n", n), {},
                             {Bytes({7, 9}, kI8), Constant(Bytes({9, n}, kU8)), Number(-128, kI8), Number(128, kU8)}));
    cases.push_back(MakeCase(StrCat("MatMulInteger/m", n), {}, {Bytes({n, 21}, kU8), Bytes({21, 17}, kU8)}));
  }
  const std::pair<Shape, Shape> shapes[] = {
      {{2, 3, 5, 8}, {8, 19}}, {{2, 3, 5, 8}, {3, 8, 19}}, {{1, 5, 8}, {4, 8, 7}}, {{9}, {9, 17}}, {{17, 9}, {9}}};
  for (size_t i = 0; i < std::size(shapes); ++i) {
    for (const bool fed : {false, true}) {
      const auto& [a, b] = shapes[i];
      const CaseOperand right = Bytes(b, kI8);
      const std::string suffix = StrCat(i, fed ? "_fed" : "_weights");
      cases.push_back(MakeCase("MatMulInteger/batch" + suffix, {},
                               {Bytes(a, kU8), fed ? right : Constant(right), Number(3, kU8), Number(-4, kI8)}));
      cases.push_back(MakeCase("QLinearMatMul/batch" + suffix, {},
                               {Bytes(a, kU8), Number(0.02), Number(100, kU8), fed ? right : Constant(right),
                                Number(0.03), Number(2, kI8), Number(1.5), Number(-3, kI8)}));
    }
  }
  cases.push_back(
      MakeCase("QLinearMatMul/columns", {},
               {Bytes({6, 30}, kI8), Number(0.02), Number(-100, kI8), Constant(Bytes({30, 21}, kI8)),
                Numbers(Ramp(21, 0.01, 0.002)), Numbers(Ramp(21, -20, 3), kI8), Number(1.5), Number(30, kU8)}));
  cases.push_back(MayFallBack(
      MakeCase("QLinearMatMul/rows", {},
               {Bytes({6, 30}, kI8), Numbers(Ramp(6, 0.01, 0.002)), Numbers(Ramp(6, -20, 3), kI8),
                Constant(Bytes({30, 21}, kI8)), Number(0.01), Number(0, kI8), Number(1.5), Number(30, kU8)})));
  for (const bool trans : {false, true}) {
    const CaseOperand b = Constant(Bytes(trans ? Shape{35, 22} : Shape{22, 35}, kI8));
    std::vector<CaseOperand> src = {Bytes({6, 22}, kU8),
                                    Number(0.02),
                                    Number(100, kU8),
                                    b,
                                    Numbers(Ramp(35, 0.01, 0.002)),
                                    Numbers(Ramp(35, 0, 0), kI8),
                                    Numbers(Ramp(35, -500, 77), kI32)};
    const Attributes attrs = Attrs({{"transB", Int(trans)}, {"alpha", trans ? 1.0f : 0.5f}});
    cases.push_back(MakeCase(StrCat("com.microsoft.QGemm/f32_", trans), attrs, src));
    src.push_back(Number(0.4));
    src.push_back(Number(99, kU8));
    cases.push_back(MakeCase(StrCat("com.microsoft.QGemm/u8_", trans), attrs, src));
  }
  cases.push_back(MakeCase("com.microsoft.MatMulIntegerToFloat/bias", {},
                           {Bytes({6, 22}, kU8), Constant(Bytes({22, 35}, kI8)), Number(0.02),
                            Numbers(Ramp(35, 0.01, 0.002)), Number(100, kU8), Absent(), Numbers(Ramp(35, -1, 0.3))}));
  cases.push_back(MayFallBack(MakeCase(
      "com.microsoft.DynamicQuantizeMatMul/bias", {},
      {Fed({6, 22}), Constant(Bytes({22, 35}, kI8)), Number(0.02), Number(3, kI8), Numbers(Ramp(35, -1, 0.3))})));
}

void AddLinear(std::vector<OpCase>& cases) {
  for (const DataType type : {kU8, kI8}) {
    const double zero = type == kU8 ? 117 : -11;
    for (const int64_t n : kLengths) {
      cases.push_back(
          MakeCase(StrCat("QuantizeLinear/", NameOf(type), n), {}, {Fed({2, n}), Number(0.011), Number(zero, type)}));
      cases.push_back(MakeCase(StrCat("DequantizeLinear/", NameOf(type), n), {},
                               {Bytes({2, n}, type), Number(0.3), Number(zero, type)}));
    }
    cases.push_back(MakeCase(StrCat("QuantizeLinear/image_", NameOf(type)), {},
                             {Fed({2, 3, 5, 21}), Number(0.02), Number(zero, type)}));
    for (const int64_t c : {1, 2, 4, 5}) {
      cases.push_back(MakeCase(StrCat("QuantizeLinear/image_", NameOf(type), "_", c), {},
                               {Fed({2, c, 33, 35}), Number(0.02), Number(zero, type)}));
    }
    cases.push_back(MakeCase(StrCat("DequantizeLinear/image_", NameOf(type)), {},
                             {Bytes({2, 3, 5, 21}, type), Number(0.02), Number(zero, type)}));
    const OpCase axis = MakeCase(StrCat("QuantizeLinear/axis_", NameOf(type)), {},
                                 {Fed({2, 3, 5, 21}), Numbers({0.02, 0.1, 0.3}), Numbers({zero, 0, 5}, type)});
    cases.push_back(MayFallBack(axis));  // channels-last it has a scale for each element of a run
    cases.push_back(MayFallBack(MakeCase(StrCat("DequantizeLinear/block_", NameOf(type)),
                                         Attrs({{"axis", Int(1)}, {"block_size", Int(3)}}),
                                         {Bytes({2, 7, 2}, type), Constant(Fed({2, 3, 2}))})));
  }
  cases.push_back(
      MakeCase("QuantizeLinear/ties_and_ends", {},
               {Given({14}, {0.5, 1.5, 2.5, -0.5, -1.5, 254.5, 255.5, 1e9, -1e9, 127.5, 128.5, 3e38, -3e38, 0}),
                Number(1), Number(0, kU8)}));
  cases.push_back(MakeCase("QuantizeLinear/no_zero", {}, {Fed({40}), Number(0.01)}));
  cases.push_back(MakeCase("DynamicQuantizeLinear/all", {}, {Fed({3, 7, 11})}));
  cases.back().num_dst = 3;
}

// Scales that change along a row, and types that no other kernel has.
void AddDequantizedRows(std::vector<OpCase>& cases) {
  for (const DataType type : {kU8, kI8, DataType::kI16, DataType::kU16, DataType::kI32, DataType::kI4, DataType::kU4}) {
    const auto add = [&](const char* name, Attributes attrs, Shape x, Shape scale) {
      std::vector<CaseOperand> src = {Fed(std::move(x), type), Positive(scale)};
      if (type != DataType::kI32) src.push_back(Fed(std::move(scale), type));
      cases.push_back(MakeCase(StrCat("DequantizeLinear/", name, "_", NameOf(type)), std::move(attrs), std::move(src)));
    };
    add("columns", Attrs({{"axis", Int(1)}}), {5, 300}, {300});
    add("rows", Attrs({{"axis", Int(0)}}), {5, 33}, {5});
    add("whole", {}, {3, 17}, {});
    add("blocks", Attrs({{"axis", Int(-1)}, {"block_size", Int(32)}}), {3, 300}, {3, 10});
    add("blocks_of_rows", Attrs({{"axis", Int(0)}, {"block_size", Int(4)}}), {10, 21}, {3, 21});
  }
}

void AddElements(std::vector<OpCase>& cases) {
  const std::pair<Shape, Shape> shapes[] = {
      {{2, 5, 3, 4}, {2, 5, 3, 4}}, {{2, 21, 3, 4}, {2, 21, 1, 1}}, {{130}, {1}}, {{3, 1}, {1, 66}}, {{}, {2, 17, 5}}};
  for (size_t i = 0; i < std::size(shapes); ++i) {
    for (const DataType type : {kU8, kI8}) {
      for (const char* op : {"QLinearAdd", "QLinearMul"}) {
        const double zero = type == kU8 ? 100 : -20;
        const std::string name = StrCat("com.microsoft.", op, "/", NameOf(type), i);
        cases.push_back(
            MakeCase(name, {},
                     {Bytes(shapes[i].first, type), Number(0.02), Number(zero, type), Bytes(shapes[i].second, type),
                      Number(0.05), Number(zero + 9, type), Number(0.06), Number(zero, type)}));
      }
    }
  }
  for (const DataType type : {kU8, kI8}) {
    const double zero = type == kU8 ? 100 : -20;
    for (const char* op : {"QLinearSigmoid", "QLinearLeakyRelu"}) {
      cases.push_back(
          MakeCase(StrCat("com.microsoft.", op, "/", NameOf(type)), {},
                   {Bytes({2, 5, 300}, type), Number(0.04), Number(zero, type), Number(0.02), Number(zero, type)}));
    }
    cases.push_back(
        MakeCase(StrCat("moka.Lookup/", NameOf(type)), {}, {Bytes({2, 5, 3, 40}, type), Constant(Bytes({256}, kI8))}));
    for (const int64_t n : {23, 64, 88}) {
      cases.push_back(MakeCase(StrCat("moka.Lookup/", NameOf(type), "_", n), {},
                               {Bytes({3, n}, type), Constant(Bytes({256}, kI8))}));
    }
    cases.push_back(MayFallBack(MakeCase(StrCat("com.microsoft.QLinearSoftmax/", NameOf(type)), {},
                                         {Bytes({4, 30}, type), Number(0.04), Number(zero, type), Number(0.004),
                                          Number(type == kU8 ? 0 : -128, type)})));
    cases.push_back(
        MayFallBack(MakeCase(StrCat("com.microsoft.QLinearConcat/", NameOf(type)), Attrs({{"axis", Int(1)}}),
                             {Number(0.05), Number(zero, type), Bytes({2, 3, 4}, type), Number(0.02),
                              Number(zero, type), Bytes({2, 5, 4}, type), Number(0.05), Number(zero, type)})));
  }
}

void AddPools(std::vector<OpCase>& cases) {
  const Attributes window =
      Attrs({{"kernel_shape", List({3, 3})}, {"strides", List({2, 2})}, {"pads", List({1, 1, 1, 1})}});
  Attributes padded = window, rounded = window;
  padded.Set("count_include_pad", int64_t{1});
  rounded.Set("ceil_mode", int64_t{1});
  for (const DataType type : {kU8, kI8}) {
    const double zero = type == kU8 ? 100 : -20;
    for (const int64_t c : {1, 16, 24, 65, 130}) {
      const CaseOperand x = Bytes({2, c, 8, 7}, type);
      const std::string suffix = StrCat(NameOf(type), c);
      OpCase max = MakeCase("MaxPool/" + suffix, window, {x});
      cases.push_back(c == 1 ? MayFallBack(max) : max);
      cases.push_back(MakeCase("com.microsoft.NhwcMaxPool/" + suffix, window, {Bytes({2, 8, 7, c}, type)}));
      for (const auto& [name, attrs] :
           {std::pair<const char*, Attributes>{"plain_", window}, {"padded_", padded}, {"rounded_", rounded}}) {
        cases.push_back(
            MayFallBack(MakeCase(StrCat("com.microsoft.QLinearAveragePool/", name, suffix), attrs,
                                 {x, Number(0.04), Number(zero, type), Number(0.03), Number(zero + 3, type)})));
      }
      cases.push_back(
          MayFallBack(MakeCase("com.microsoft.QLinearGlobalAveragePool/" + suffix, {},
                               {x, Number(0.04), Number(zero, type), Number(0.03), Number(zero + 3, type)})));
    }
  }
}

void AddBits(std::vector<OpCase>& cases) {
  for (const int64_t bits : {2, 4, 8}) {
    for (const int64_t k : {16, 40, 64}) {
      const int64_t block = 32, blocks = (k + block - 1) / block, n = 5;
      const Attributes attrs = Attrs({{"K", Int(k)}, {"N", Int(n)}, {"bits", Int(bits)}, {"block_size", Int(block)}});
      const CaseOperand b = Constant(Bytes({n, blocks, block * bits / 8}, kU8)), scales = Positive({n * blocks});
      const std::string name = StrCat("com.microsoft.MatMulNBits/", bits, "_", k);
      OpCase plain = MakeCase(name, attrs, {Fed({2, 3, k}), b, scales});
      cases.push_back(plain);
      cases.push_back(MayFallBack(MakeCase(
          name + "_zeros", attrs,
          {Fed({3, k}), b, scales, Constant(Bytes({n * ((blocks * bits + 7) / 8)}, kU8)), Absent(), Fed({n})})));
    }
  }
}

}  // namespace

std::vector<OpCase> QuantCases() {
  std::vector<OpCase> cases;
  AddChannels(cases);
  AddGeometry(cases);
  AddZeros(cases);
  AddFused(cases);
  AddConvInteger(cases);
  AddProducts(cases);
  AddLinear(cases);
  AddDequantizedRows(cases);
  AddElements(cases);
  AddPools(cases);
  AddBits(cases);
  for (OpCase& op_case : cases) op_case.own_on_gpu = false;
  return cases;
}

}  // namespace moka

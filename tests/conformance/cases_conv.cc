#include "base/str_cat.h"
#include "tests/conformance/cases.h"

namespace moka {
namespace {

// x [N, C, spatial], weights [M, C / group, kernel], bias [M].
OpCase Conv(const std::string& name, Shape x, Shape weights, Attributes attrs = {}) {
  const int64_t outputs = weights[0];
  return MakeCase("Conv/" + name, std::move(attrs), {Fed(std::move(x)), Weight(std::move(weights)), Weight({outputs})});
}

Attributes Pads(std::vector<int64_t> pads, std::vector<int64_t> strides = {}, std::vector<int64_t> dilations = {}) {
  Attributes attrs;
  attrs.Set("pads", std::move(pads));
  if (!strides.empty()) attrs.Set("strides", std::move(strides));
  if (!dilations.empty()) attrs.Set("dilations", std::move(dilations));
  return attrs;
}

Attributes Grouped(int64_t group, Attributes attrs) {
  attrs.Set("group", group);
  return attrs;
}

Attributes AutoPad(const char* mode, std::vector<int64_t> strides) {
  return Attrs({{"auto_pad", std::string(mode)}, {"strides", std::move(strides)}});
}

void AddByLength(std::vector<OpCase>& cases) {
  for (const int64_t n : kLengths) {
    if (n == 0) continue;
    cases.push_back(Conv(StrCat("1x1_in", n), {2, n, 3, 5}, {9, n, 1, 1}));
    cases.push_back(Conv(StrCat("1x1_out", n), {1, 7, 5, 3}, {n, 7, 1, 1}));
    cases.push_back(Conv(StrCat("1x1_width", n), {1, 5, 2, n}, {6, 5, 1, 1}));
    cases.push_back(Conv(StrCat("3x3_in", n), {1, n, 4, 6}, {5, n, 3, 3}, Pads({1, 1, 1, 1})));
    cases.push_back(Conv(StrCat("3x3_out", n), {2, 3, 5, 4}, {n, 3, 3, 3}, Pads({1, 1, 1, 1})));
    cases.push_back(Conv(StrCat("3x3_width", n), {1, 5, 3, n}, {7, 5, 3, 3}, Pads({1, 1, 1, 1})));
    cases.push_back(Conv(StrCat("few_width", n), {1, 3, 5, 2 * n}, {33, 3, 3, 3}, Pads({1, 1, 1, 1}, {2, 2})));
    cases.push_back(Conv(StrCat("few_patches_", n), {2, 3, 8, 4 * n}, {n, 3, 4, 4}, Pads({0, 0, 0, 0}, {4, 4})));
    cases.push_back(Conv(StrCat("depthwise_", n), {2, n, 7, 9}, {n, 1, 3, 3}, Grouped(n, Pads({1, 1, 1, 1}))));
    cases.push_back(
        Conv(StrCat("depthwise_stride2_", n), {1, n, 8, 7}, {n, 1, 3, 3}, Grouped(n, Pads({1, 1, 1, 1}, {2, 2}))));
    cases.push_back(Conv(StrCat("depthwise_width", n), {1, 17, 5, n}, {17, 1, 3, 3}, Grouped(17, Pads({1, 1, 1, 1}))));
    cases.push_back(
        Conv(StrCat("depthwise_height", n), {1, 17, n, 16}, {17, 1, 5, 5}, Grouped(17, Pads({2, 2, 2, 2}))));
    cases.push_back(Conv(StrCat("depthwise_7x7_", n), {1, n, 8, 15}, {n, 1, 7, 7}, Grouped(n, Pads({3, 3, 3, 3}))));
  }
}

void AddWindows(std::vector<OpCase>& cases) {
  cases.push_back(Conv("3x3_valid", {1, 8, 7, 8}, {16, 8, 3, 3}));
  cases.push_back(Conv("3x3_stride2", {2, 12, 9, 8}, {20, 12, 3, 3}, Pads({1, 1, 1, 1}, {2, 2})));
  cases.push_back(Conv("3x3_stride_2_3", {1, 4, 9, 11}, {8, 4, 3, 3}, Pads({1, 1, 1, 1}, {2, 3})));
  cases.push_back(Conv("3x3_dilated", {1, 6, 11, 10}, {8, 6, 3, 3}, Pads({2, 2, 2, 2}, {1, 1}, {2, 2})));
  for (const int64_t n : {1, 15, 16, 17, 33}) {
    cases.push_back(
        Conv(StrCat("3x3_dilated_far_", n), {1, 64, 7, 9}, {n, 64, 3, 3}, Pads({6, 6, 6, 6}, {1, 1}, {6, 6})));
  }
  cases.push_back(Conv("3x3_dilated_far_stride2", {2, 64, 9, 8}, {18, 64, 3, 3}, Pads({5, 5, 5, 5}, {2, 2}, {5, 5})));
  cases.push_back(Conv("3x3_dilated_1_3", {1, 3, 6, 12}, {4, 3, 3, 3}, Pads({0, 3, 0, 3}, {1, 1}, {1, 3})));
  cases.push_back(Conv("asymmetric_pads", {1, 4, 6, 5}, {8, 4, 3, 2}, Pads({0, 1, 2, 3})));
  cases.push_back(Conv("pads_beyond_kernel", {1, 3, 3, 3}, {4, 3, 2, 2}, Pads({3, 3, 3, 3})));
  cases.push_back(Conv("kernel_beyond_input", {1, 3, 2, 2}, {4, 3, 5, 5}, Pads({2, 2, 2, 2})));
  cases.push_back(Conv("first_layer_7x7", {1, 3, 21, 23}, {16, 3, 7, 7}, Pads({3, 3, 3, 3}, {2, 2})));
  for (int64_t n : {24, 40, 56, 72}) cases.push_back(Conv(StrCat("1x1_to_", n), {1, 33, 7, 9}, {n, 33, 1, 1}));
  cases.push_back(Conv("1x1_fetching", {1, 100, 7, 7}, {200, 100, 1, 1}));
  cases.push_back(Conv("1x1_stride2", {1, 16, 7, 9}, {24, 16, 1, 1}, Pads({0, 0, 0, 0}, {2, 2})));
  cases.push_back(Conv("1x1_strassen", {2, 514, 7, 7}, {384, 514, 1, 1}));
  cases.push_back(Conv("1x1_strassen_stride2", {1, 514, 21, 19}, {384, 514, 1, 1}, Pads({0, 0, 0, 0}, {2, 2})));
  cases.push_back(Conv("1x1_product", {1, 513, 3, 5}, {520, 513, 1, 1}));
  cases.push_back(Conv("1x1_padded", {1, 5, 4, 4}, {6, 5, 1, 1}, Pads({1, 0, 1, 2})));
  cases.push_back(Conv("5x1", {1, 6, 9, 4}, {6, 6, 5, 1}, Pads({2, 0, 2, 0})));
  cases.push_back(Conv("same_upper", {1, 5, 7, 8}, {6, 5, 3, 2}, AutoPad("SAME_UPPER", {2, 3})));
  cases.push_back(Conv("same_lower", {1, 5, 7, 8}, {6, 5, 3, 2}, AutoPad("SAME_LOWER", {2, 3})));
  cases.push_back(Conv("valid", {1, 5, 7, 8}, {6, 5, 3, 2}, AutoPad("VALID", {2, 3})));
  cases.push_back(Conv("network_3x3", {1, 32, 14, 14}, {32, 32, 3, 3}, Pads({1, 1, 1, 1})));
  cases.push_back(Conv("deep_3x3", {1, 130, 5, 5}, {70, 130, 3, 3}, Pads({1, 1, 1, 1})));
  cases.push_back(Conv("large_3x3", {1, 64, 18, 21}, {72, 64, 3, 3}, Pads({1, 1, 1, 1})));
  cases.push_back(Conv("large_3x3_stride2", {1, 64, 37, 43}, {72, 64, 3, 3}, Pads({1, 1, 1, 1}, {2, 2})));
  cases.push_back(Conv("deep_1x1", {1, 515, 3, 3}, {33, 515, 1, 1}));
  for (const int64_t outputs : {1, 2, 3}) {
    cases.push_back(Conv(StrCat("to_few_", outputs), {1, 65, 9, 8}, {outputs, 65, 3, 3}, Pads({1, 1, 1, 1})));
    cases.push_back(Conv(StrCat("to_few_1x1_", outputs), {2, 96, 5, 3}, {outputs, 96, 1, 1}));
  }
  cases.push_back(Conv("no_batch", {0, 3, 4, 4}, {4, 3, 3, 3}));
  cases.push_back(Conv("one_pixel", {1, 9, 1, 1}, {9, 9, 3, 3}, Pads({1, 1, 1, 1})));
}

void AddGroups(std::vector<OpCase>& cases) {
  cases.push_back(Conv("group2", {1, 10, 6, 7}, {12, 5, 3, 3}, Grouped(2, Pads({1, 1, 1, 1}))));
  cases.push_back(Conv("group3_1x1", {2, 9, 4, 5}, {6, 3, 1, 1}, Grouped(3, {})));
  cases.push_back(Conv("group4_wide", {1, 64, 5, 5}, {64, 16, 3, 3}, Grouped(4, Pads({1, 1, 1, 1}))));
  for (const int64_t group : {2, 4, 8, 16}) {
    cases.push_back(Conv(StrCat("narrow_", group), {1, 5 * group, 6, 17}, {5 * group, group, 3, 3},
                         Grouped(5, Pads({1, 1, 1, 1}))));
    cases.push_back(Conv(StrCat("narrow_stride2_", group), {2, 3 * group, 9, 16}, {3 * group, group, 3, 3},
                         Grouped(3, Pads({1, 1, 1, 1}, {2, 2}))));
  }
  cases.push_back(
      Conv("narrow_5x5_dilated", {1, 24, 12, 11}, {24, 4, 5, 5}, Grouped(6, Pads({2, 4, 2, 4}, {1, 1}, {1, 2}))));
  cases.push_back(Conv("depthwise_multiplier2", {1, 9, 6, 6}, {18, 1, 3, 3}, Grouped(9, Pads({1, 1, 1, 1}))));
  cases.push_back(Conv("depthwise_multiplier3", {2, 11, 5, 13}, {33, 1, 3, 3}, Grouped(11, Pads({1, 1, 1, 1}))));
  cases.push_back(
      Conv("depthwise_multiplier4_7x7", {1, 16, 9, 12}, {64, 1, 7, 7}, Grouped(16, Pads({3, 3, 3, 3}, {2, 2}))));
  cases.push_back(Conv("depthwise_5x5", {1, 20, 9, 9}, {20, 1, 5, 5}, Grouped(20, Pads({2, 2, 2, 2}))));
  cases.push_back(Conv("depthwise_5x5_stride2", {1, 20, 9, 9}, {20, 1, 5, 5}, Grouped(20, Pads({2, 2, 2, 2}, {2, 2}))));
  cases.push_back(
      Conv("depthwise_dilated", {1, 8, 9, 9}, {8, 1, 3, 3}, Grouped(8, Pads({2, 2, 2, 2}, {1, 1}, {2, 2}))));
  cases.push_back(Conv("depthwise_valid_wide", {1, 24, 3, 31}, {24, 1, 3, 3}, Grouped(24, {})));
}

void AddRanks(std::vector<OpCase>& cases) {
  cases.push_back(Conv("1d", {2, 5, 17}, {7, 5, 3}, Pads({1, 1})));
  cases.push_back(Conv("1d_dilated_stride", {1, 4, 19}, {8, 4, 5}, Pads({3, 0}, {2}, {2})));
  cases.push_back(Conv("1d_depthwise", {1, 17, 15}, {17, 1, 3}, Grouped(17, Pads({1, 1}))));
  cases.push_back(Conv("3d", {1, 3, 4, 5, 6}, {5, 3, 3, 3, 3}, Pads({1, 1, 1, 1, 1, 1})));
  cases.push_back(
      Conv("3d_stride_dilated", {2, 4, 7, 6, 5}, {3, 4, 2, 3, 1}, Pads({0, 1, 0, 1, 0, 0}, {2, 1, 1}, {2, 1, 1})));
  cases.push_back(Conv("3d_depthwise", {1, 5, 4, 4, 4}, {5, 1, 3, 3, 3}, Grouped(5, Pads({1, 1, 1, 1, 1, 1}))));
}

void AddEpilogues(std::vector<OpCase>& cases) {
  const OpCase bases[] = {Conv("3x3", {1, 5, 6, 7}, {17, 5, 3, 3}, Pads({1, 1, 1, 1})),
                          Conv("1x1", {2, 20, 3, 3}, {33, 20, 1, 1}),
                          Conv("depthwise", {1, 17, 6, 6}, {17, 1, 3, 3}, Grouped(17, Pads({1, 1, 1, 1}))),
                          Conv("group", {1, 6, 5, 5}, {10, 3, 3, 3}, Grouped(2, Pads({1, 1, 1, 1}))),
                          Conv("narrow", {1, 20, 5, 9}, {20, 4, 3, 3}, Grouped(5, Pads({1, 1, 1, 1}))),
                          Conv("1d", {2, 3, 9}, {5, 3, 3}, Pads({1, 1}))};
  for (const OpCase& base : bases) {
    const Shape& x = base.src[0].shape;
    const int64_t outputs = base.src[1].shape[0];
    Shape result = x;
    result[1] = outputs;
    Shape channel(result.size() - 1, 1);
    channel[0] = outputs;
    cases.push_back(WithEpilogue(base, "relu", ReluProgram()));
    cases.push_back(WithEpilogue(base, "clip6", Clip6Program()));
    cases.push_back(WithEpilogue(base, "silu", SiluProgram()));
    cases.push_back(WithEpilogue(base, "residual_relu", AddReluProgram(), {Fed(result)}));
    cases.push_back(WithEpilogue(base, "scale_shift", ScaleShiftProgram(), {Weight(channel), Weight({1})}));
    cases.push_back(WithEpilogue(base, "scale_fed", ScaleShiftProgram(), {Fed(channel), Fed(result)}));
  }
}

void AddOperands(std::vector<OpCase>& cases) {
  OpCase no_bias = Conv("no_bias", {1, 6, 5, 5}, {17, 6, 3, 3});
  no_bias.src.pop_back();
  cases.push_back(std::move(no_bias));
  const OpCase fed[] = {Conv("fed_3x3", {1, 5, 6, 7}, {8, 5, 3, 3}, Pads({1, 1, 1, 1})),
                        Conv("fed_1x1", {1, 16, 4, 4}, {17, 16, 1, 1}),
                        Conv("fed_depthwise", {1, 9, 6, 6}, {9, 1, 3, 3}, Grouped(9, {})),
                        Conv("fed_3d", {1, 2, 4, 4, 4}, {3, 2, 2, 2, 2})};
  for (OpCase op_case : fed) {
    op_case.src[1].constant = op_case.src[2].constant = false;
    cases.push_back(std::move(op_case));
  }
  OpCase wide = Conv("f64", {1, 3, 4, 4}, {4, 3, 3, 3});
  for (CaseOperand& operand : wide.src) operand.type = DataType::kF64;
  cases.push_back(MayFallBack(std::move(wide)));
}

void AddCausal(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, Attributes attrs, std::vector<CaseOperand> src, int num_dst) {
    OpCase op_case = CpuOnly(MakeCase("CausalConvWithState/" + name, std::move(attrs), std::move(src)));
    op_case.num_dst = num_dst;
    cases.push_back(std::move(op_case));
  };
  const Attributes silu = Attrs({{"activation", std::string("silu")}});
  for (const int64_t n : {1, 15, 16, 17, 33}) {
    add(StrCat("length", n), {}, {Fed({2, 3, n}), Weight({3, 1, 4}), Weight({3}), Fed({2, 3, 3})}, 2);
    add(StrCat("silu", n), silu, {Fed({2, 3, n}), Weight({3, 1, 2}), Absent(), Absent()}, 1);
  }
  add("one_tap", silu, {Fed({1, 5, 9}), Weight({5, 1, 1}), Weight({5})}, 2);
}

}  // namespace

std::vector<OpCase> ConvCases() {
  std::vector<OpCase> cases;
  AddByLength(cases);
  AddWindows(cases);
  AddGroups(cases);
  AddRanks(cases);
  AddEpilogues(cases);
  AddOperands(cases);
  AddCausal(cases);
  return cases;
}

}  // namespace moka

#include "base/str_cat.h"
#include "tests/conformance/cases.h"

namespace moka {
namespace {

OpCase OnCpu(OpCase op_case) {
  op_case.own_on_gpu = false;
  return op_case;
}

CaseOperand Floats(std::vector<double> values) {
  const auto count = static_cast<int64_t>(values.size());
  return Constant(Given({count}, std::move(values)));
}

CaseOperand Scalar(int64_t value) { return Constant(Given({}, {static_cast<double>(value)}, DataType::kI64)); }

AttributeValue Text(const char* text) { return std::string(text); }

// ---- Resize -------------------------------------------------------------------------------------------------------

OpCase Scaled(const std::string& name, Attributes attrs, Shape x, std::vector<double> scales) {
  return OnCpu(MakeCase("Resize/" + name, std::move(attrs), {Fed(std::move(x)), Absent(), Floats(std::move(scales))}));
}

OpCase Sized(const std::string& name, Attributes attrs, Shape x, std::initializer_list<int64_t> sizes) {
  return OnCpu(MakeCase("Resize/" + name, std::move(attrs), {Fed(std::move(x)), Absent(), Absent(), Ints(sizes)}));
}

void AddResizes(std::vector<OpCase>& cases) {
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    const std::string name = mode;
    const Attributes plain = Attrs({{"mode", Text(mode)}});
    for (const int64_t n : kLengths) {
      if (n == 0) continue;
      cases.push_back(Scaled(StrCat(name, "_channels", n), plain, {2, n, 3, 4}, {1, 1, 2, 2}));
      cases.push_back(Scaled(StrCat(name, "_width", n), plain, {1, 3, 4, n}, {1, 1, 2, 3}));
    }
    cases.push_back(Scaled(name + "_down", plain, {1, 5, 7, 9}, {1, 1, 0.6, 0.45}));
    cases.push_back(Scaled(name + "_up_down", plain, {1, 17, 4, 9}, {1, 1, 2.5, 0.5}));
    cases.push_back(Scaled(name + "_height", plain, {1, 5, 4, 6}, {1, 1, 3, 1}));
    cases.push_back(Scaled(name + "_1d", plain, {2, 5, 9}, {1, 1, 1.7}));
    cases.push_back(Sized(name + "_sizes", plain, {1, 9, 5, 6}, {1, 9, 8, 4}));
    for (const char* coordinates :
         {"half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn"}) {
      const Attributes attrs = Attrs({{"mode", Text(mode)}, {"coordinate_transformation_mode", Text(coordinates)}});
      cases.push_back(Scaled(StrCat(name, "_", coordinates), attrs, {1, 6, 5, 4}, {1, 1, 1.6, 2.2}));
    }
    if (name == "nearest") continue;
    cases.push_back(Scaled(name + "_3d", plain, {1, 4, 3, 4, 5}, {1, 1, 2, 0.8, 1.5}));
    Attributes antialias = plain, outside = plain;
    antialias.Set("antialias", int64_t{1});
    outside.Set("exclude_outside", int64_t{1});
    cases.push_back(Scaled(name + "_antialias", antialias, {1, 5, 9, 13}, {1, 1, 0.4, 0.3}));
    cases.push_back(Scaled(name + "_exclude_outside", outside, {1, 5, 6, 5}, {1, 1, 1.5, 0.7}));
  }
  for (const char* rounding : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}) {
    const Attributes attrs = Attrs({{"nearest_mode", Text(rounding)}});
    cases.push_back(Scaled(StrCat("rounding_", rounding), attrs, {1, 4, 5, 6}, {1, 1, 1.5, 0.75}));
  }
  cases.push_back(MayFallBack(Scaled("channels_too", Attrs({{"mode", Text("linear")}}), {1, 4, 5, 6}, {1, 2, 2, 1})));
  const Attributes crop = Attrs({{"mode", Text("linear")},
                                 {"coordinate_transformation_mode", Text("tf_crop_and_resize")},
                                 {"extrapolation_value", 7.5f},
                                 {"axes", List({2, -1})}});
  for (const int64_t channels : {3, 17}) {
    cases.push_back(OnCpu(MakeCase(StrCat("Resize/crop", channels), crop,
                                   {Fed({2, channels, 5, 6}), Floats({0.2, -0.3, 0.9, 1.4}), Absent(), Ints({4, 7})})));
    cases.push_back(
        OnCpu(MakeCase(StrCat("Resize/crop_outside", channels), crop,
                       {Fed({1, channels, 5, 6}), Floats({-0.5, 1.5, 0.4, 0.3}), Absent(), Ints({5, 33})})));
    cases.push_back(OnCpu(
        MakeCase(StrCat("Resize/crop_3d", channels),
                 Attrs({{"coordinate_transformation_mode", Text("tf_crop_and_resize")}, {"axes", List({2, 3, 4})}}),
                 {Fed({1, channels, 4, 5, 6}), Floats({-0.2, 0, 0.1, 1.3, 0.9, 0.8}), Absent(), Ints({4, 3, 7})})));
  }
  const Attributes ratio = Attrs({{"keep_aspect_ratio_policy", Text("not_larger")}, {"axes", List({2, 3})}});
  cases.push_back(Sized("not_larger", ratio, {1, 5, 4, 6}, {9, 10}));
}

// ---- GridSample ---------------------------------------------------------------------------------------------------

void AddGridSamples(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, Attributes attrs, Shape x, Shape grid) {
    cases.push_back(OnCpu(MakeCase("GridSample/" + name, std::move(attrs), {Fed(std::move(x)), Fed(std::move(grid))})));
  };
  for (const char* mode : {"linear", "nearest", "cubic"}) {
    for (const char* padding : {"zeros", "border", "reflection"}) {
      for (const int64_t align : {0, 1}) {
        add(StrCat(mode, "_", padding, "_", align),
            Attrs({{"mode", Text(mode)}, {"padding_mode", Text(padding)}, {"align_corners", align}}), {2, 5, 4, 6},
            {2, 3, 5, 2});
      }
    }
  }
  for (const int64_t n : kLengths) {
    if (n == 0) continue;
    add(StrCat("channels", n), {}, {1, n, 5, 4}, {1, 3, 4, 2});
    add(StrCat("width", n), {}, {1, 3, 5, 4}, {1, 2, n, 2});
  }
  add("3d", {}, {1, 4, 3, 4, 5}, {1, 2, 3, 4, 3});
  add("1d", {}, {2, 3, 7}, {2, 9, 1});
}

// ---- ConvTranspose ------------------------------------------------------------------------------------------------

// x [N, C, spatial], weights [C, M / group, kernel], bias [M].
OpCase Transposed(const std::string& name, Shape x, Shape weights, Attributes attrs = {}, int64_t group = 1) {
  const int64_t outputs = weights[1] * group;
  if (group != 1) attrs.Set("group", group);
  return OnCpu(MakeCase("ConvTranspose/" + name, std::move(attrs),
                        {Fed(std::move(x)), Weight(std::move(weights)), Weight({outputs})}));
}

Attributes Window(std::vector<int64_t> strides, std::vector<int64_t> pads = {}, std::vector<int64_t> dilations = {}) {
  Attributes attrs;
  attrs.Set("strides", std::move(strides));
  if (!pads.empty()) attrs.Set("pads", std::move(pads));
  if (!dilations.empty()) attrs.Set("dilations", std::move(dilations));
  return attrs;
}

Attributes With(Attributes attrs, AttributeList more) {
  for (const auto& [name, value] : more) attrs.Set(name, value);
  return attrs;
}

void AddTransposedConvolutions(std::vector<OpCase>& cases) {
  for (const int64_t n : kLengths) {
    if (n == 0) continue;
    cases.push_back(Transposed(StrCat("2x2_in", n), {2, n, 3, 4}, {n, 5, 2, 2}, Window({2, 2})));
    cases.push_back(Transposed(StrCat("2x2_out", n), {1, 6, 3, 4}, {6, n, 2, 2}, Window({2, 2})));
    cases.push_back(Transposed(StrCat("4x4_out", n), {1, 3, 3, 5}, {3, n, 4, 4}, Window({2, 2}, {1, 1, 1, 1})));
    cases.push_back(Transposed(StrCat("3x3_width", n), {1, 5, 2, n}, {5, 7, 3, 3}, Window({2, 2}, {1, 1, 1, 1})));
  }
  for (const int64_t n : {1, 2, 3}) {
    cases.push_back(Transposed(StrCat("to_few_", n), {1, 66, 5, 6}, {66, n, 4, 4}, Window({2, 2}, {1, 1, 1, 1})));
  }
  const Shape x = {1, 6, 5, 4};
  cases.push_back(Transposed("3x3", x, {6, 9, 3, 3}));
  cases.push_back(Transposed("stride1_pads", x, {6, 9, 3, 3}, Window({1, 1}, {1, 1, 1, 1})));
  cases.push_back(Transposed("stride_2_3", x, {6, 4, 3, 4}, Window({2, 3}, {1, 0, 2, 1})));
  cases.push_back(Transposed("stride_beyond_kernel", x, {6, 4, 2, 2}, Window({3, 4})));
  cases.push_back(Transposed("dilated", x, {6, 4, 3, 2}, Window({2, 1}, {1, 2, 3, 0}, {3, 2})));
  cases.push_back(Transposed("dilation_like_stride", x, {6, 4, 3, 3}, Window({2, 2}, {0, 0, 0, 0}, {2, 2})));
  cases.push_back(Transposed("output_padding", x, {6, 5, 3, 3},
                             With(Window({2, 2}, {1, 1, 1, 1}), {{"output_padding", List({1, 1})}})));
  cases.push_back(Transposed("output_shape", x, {6, 5, 3, 3}, With(Window({3, 2}), {{"output_shape", List({16, 8})}})));
  cases.push_back(Transposed("same_upper", x, {6, 5, 3, 4}, With(Window({2, 2}), {{"auto_pad", Text("SAME_UPPER")}})));
  cases.push_back(Transposed("same_lower", x, {6, 5, 4, 3}, With(Window({2, 3}), {{"auto_pad", Text("SAME_LOWER")}})));
  cases.push_back(Transposed("groups", {2, 6, 3, 4}, {6, 5, 3, 3}, Window({2, 2}, {1, 1, 1, 1}), 3));
  cases.push_back(Transposed("depthwise", {1, 17, 4, 3}, {17, 1, 4, 4}, Window({2, 2}, {1, 1, 1, 1}), 17));
  cases.push_back(Transposed("1d", {2, 5, 9}, {5, 7, 4}, Window({2}, {1, 1})));
  cases.push_back(Transposed("3d", {1, 4, 3, 4, 3}, {4, 5, 3, 2, 4}, Window({2, 2, 1}, {1, 0, 1, 1, 0, 1})));
  cases.push_back(Transposed("large", {1, 40, 13, 17}, {40, 24, 4, 4}, Window({2, 2}, {1, 1, 1, 1})));
  OpCase fed = Transposed("fed_weight", x, {6, 9, 3, 3}, Window({2, 2}));
  fed.src[1].constant = false;
  cases.push_back(fed);
  OpCase no_bias = Transposed("no_bias", x, {6, 9, 2, 2}, Window({2, 2}));
  no_bias.src.pop_back();
  cases.push_back(no_bias);
  const OpCase base = Transposed("2x2", x, {6, 9, 2, 2}, Window({2, 2}));
  cases.push_back(WithEpilogue(base, "clip6", Clip6Program()));
  cases.push_back(WithEpilogue(base, "silu", SiluProgram()));
  cases.push_back(WithEpilogue(base, "add_relu", AddReluProgram(), {Fed({1, 9, 10, 8})}));
}

// ---- Transforms and windows ---------------------------------------------------------------------------------------

void AddTransforms(std::vector<OpCase>& cases) {
  const auto add = [&](OpCase op_case) { cases.push_back(OnCpu(std::move(op_case))); };
  // Powers of two, small factors, primes above the largest factor.
  for (const int64_t n : {1, 2, 8, 12, 17, 30, 49, 64, 97}) {
    add(MakeCase(StrCat("DFT/complex", n), {}, {Fed({3, n, 2})}));
    add(MakeCase(StrCat("DFT/inverse", n), Attrs({{"inverse", int64_t{1}}}), {Fed({2, n, 2})}));
  }
  const Attributes onesided = Attrs({{"onesided", int64_t{1}}});
  add(MakeCase("DFT/real_half", onesided, {Fed({40, 15, 1})}));
  add(MakeCase("DFT/longer", onesided, {Fed({2, 5, 1}), Scalar(12)}));
  add(MakeCase("DFT/shorter", {}, {Fed({2, 9, 2}), Scalar(6)}));
  add(MakeCase("DFT/axis", {}, {Fed({6, 5, 3, 1}), Absent(), Scalar(0)}));
  const Attributes inverse_half = Attrs({{"onesided", int64_t{1}}, {"inverse", int64_t{1}}});
  add(MakeCase("DFT/inverse_half", inverse_half, {Fed({3, 7, 2})}));
  add(MakeCase("DFT/inverse_half_odd", inverse_half, {Fed({3, 7, 2}), Scalar(13)}));
  add(MakeCase("STFT/window", {}, {Fed({2, 50, 1}), Scalar(7), Fed({16})}));
  add(MakeCase("STFT/real", {}, {Fed({2, 50}), Scalar(7), Fed({16})}));
  add(MakeCase("STFT/both_sides", Attrs({{"onesided", int64_t{0}}}),
               {Fed({1, 40, 2}), Scalar(3), Absent(), Scalar(10)}));
  for (const char* name : {"HannWindow", "HammingWindow", "BlackmanWindow"}) {
    cases.push_back(MayFallBack(MakeCase(StrCat(name, "/periodic"), {}, {Scalar(17)})));
    cases.push_back(MayFallBack(MakeCase(StrCat(name, "/symmetric"), Attrs({{"periodic", int64_t{0}}}), {Scalar(16)})));
  }
}

// ---- The rest, by reference ---------------------------------------------------------------------------------------

void AddReferences(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, Attributes attrs, std::vector<CaseOperand> src) {
    cases.push_back(MayFallBack(MakeCase(name, std::move(attrs), std::move(src))));
  };
  // Where planes and weights are contiguous they have kernels (test_cpu asserts that these run).
  add("DeformConv/masked", Attrs({{"pads", List({1, 1, 1, 1})}, {"offset_group", int64_t{2}}}),
      {Fed({1, 4, 5, 5}), Weight({3, 4, 3, 3}), Fed({1, 36, 5, 5}), Weight({3}), Fed({1, 18, 5, 5})});
  add("DeformConv/groups", Attrs({{"group", int64_t{2}}, {"strides", List({2, 1})}, {"dilations", List({1, 2})}}),
      {Fed({2, 6, 9, 17}), Weight({10, 3, 3, 2}), Fed({2, 12, 4, 15})});
  add("DeformConv/many_columns", Attrs({{"pads", List({0, 1, 0, 1})}}),
      {Fed({1, 5, 6, 33}), Weight({17, 5, 1, 3}), Fed({1, 6, 6, 33}), Weight({17})});
  add("Col2Im/1d", Attrs({{"dilations", List({2})}}), {Fed({2, 9, 12}), Ints({16}), Ints({3})});
  add("Col2Im/3d", Attrs({{"strides", List({1, 2, 2})}, {"pads", List({0, 1, 0, 0, 0, 1})}}),
      {Fed({1, 24, 12}), Ints({3, 3, 5}), Ints({2, 2, 2})});
  add("Col2Im/overlapping", Attrs({{"strides", List({2, 1})}, {"pads", List({1, 0, 1, 0})}}),
      {Fed({2, 12, 12}), Ints({5, 5}), Ints({3, 2})});
  cases.push_back(
      OnCpu(MakeCase("LpPool/3x3", Attrs({{"kernel_shape", List({3, 3})}, {"p", int64_t{3}}}), {Fed({1, 5, 6, 7})})));
  add("GlobalLpPool/image", {}, {Fed({2, 5, 4, 3})});
  add("GlobalLpPool/fourth", Attrs({{"p", int64_t{4}}}), {Fed({2, 5, 4, 3})});
  const CaseOperand places = Given({2, 4}, {0, 0, 9, 7, -3, 2, 4, 12});
  const CaseOperand regions = Given({2}, {1, 0}, DataType::kI64);
  for (const int64_t channels : {1, 17, 70}) {
    cases.push_back(
        OnCpu(MakeCase(StrCat("RoiAlign/max", channels),
                       Attrs({{"output_height", int64_t{3}}, {"output_width", int64_t{2}}, {"mode", Text("max")}}),
                       {Fed({2, channels, 8, 9}), places, regions})));
    cases.push_back(OnCpu(
        MakeCase(StrCat("RoiAlign/channels", channels),
                 Attrs({{"output_height", int64_t{3}}, {"output_width", int64_t{2}}, {"sampling_ratio", int64_t{2}}}),
                 {Fed({2, channels, 8, 9}), places, regions})));
  }
  cases.push_back(OnCpu(
      MakeCase("RoiAlign/many_samples",
               Attrs({{"coordinate_transformation_mode", Text("output_half_pixel")}, {"sampling_ratio", int64_t{9}}}),
               {Fed({2, 5, 8, 9}), places, regions})));
  add("MaxRoiPool/2x2", Attrs({{"pooled_shape", List({2, 2})}}),
      {Fed({2, 3, 8, 9}), Given({2, 5}, {1, 0, 0, 6, 5, 0, 2, 1, 8, 7})});
  add("AffineGrid/2d", Attrs({{"align_corners", int64_t{1}}}), {Fed({2, 2, 3}), Ints({2, 3, 4, 5})});
  add("Det/batch", {}, {Fed({3, 4, 4})});
  add("MelWeightMatrix/16", {},
      {Scalar(8), Scalar(32), Scalar(8192), Constant(Given({}, {0})), Constant(Given({}, {4096}))});
  add("MaxUnpool/1d", Attrs({{"kernel_shape", List({3})}, {"strides", List({3})}}),
      {Fed({1, 2, 2}), Given({1, 2, 2}, {2, 3, 6, 11}, DataType::kI64)});
  add("MaxUnpool/2x2", Attrs({{"kernel_shape", List({2, 2})}, {"strides", List({2, 2})}}),
      {Fed({1, 1, 2, 2}), Given({1, 1, 2, 2}, {5, 7, 13, 15}, DataType::kI64), Ints({1, 1, 5, 5})});
}

}  // namespace

std::vector<OpCase> SpatialCases() {
  std::vector<OpCase> cases;
  AddResizes(cases);
  AddGridSamples(cases);
  AddTransposedConvolutions(cases);
  AddTransforms(cases);
  AddReferences(cases);
  return cases;
}

}  // namespace moka

#include "base/str_cat.h"
#include "tests/conformance/cases.h"

namespace moka {
namespace {

using Ints64 = std::vector<int64_t>;

// Types other than f32 are shape glue: they may run by reference.
OpCase OfType(OpCase op_case, DataType type) {
  op_case.name += StrCat("_", NameOf(type));
  for (CaseOperand& operand : op_case.src) {
    if (operand.type == DataType::kF32) operand.type = type;
  }
  return MayFallBack(std::move(op_case));
}

void AddInAllTypes(std::vector<OpCase>& cases, const OpCase& op_case) {
  cases.push_back(op_case);
  for (const DataType type : {DataType::kI64, DataType::kI32, DataType::kBool}) cases.push_back(OfType(op_case, type));
}

void AddReshapes(std::vector<OpCase>& cases) {
  AddInAllTypes(cases, MakeCase("Reshape/split_channels", {}, {Fed({2, 12, 3, 5}), Ints({2, 3, 4, 3, 5})}));
  cases.push_back(MakeCase("Reshape/merge", {}, {Fed({2, 3, 4, 5}), Ints({0, -1})}));
  cases.push_back(MakeCase("Reshape/tokens", {}, {Fed({1, 17, 4, 5}), Ints({1, 17, 20})}));
  cases.push_back(MakeCase("Reshape/odd", {}, {Fed({3, 5, 7}), Ints({7, 15})}));
  cases.push_back(MakeCase("Reshape/scalar", {}, {Fed({1, 1}), Ints({})}));
  cases.push_back(MakeCase("Reshape/rank5", {}, {Fed({2, 2, 3, 2, 5}), Ints({4, 3, 10})}));
  for (const int64_t axis : {0, 1, 2, 4}) {
    cases.push_back(MakeCase(StrCat("Flatten/axis", axis), Attrs({{"axis", axis}}), {Fed({2, 5, 3, 4})}));
  }
  cases.push_back(MakeCase("Squeeze/axes", {}, {Fed({1, 5, 1, 7}), Ints({0, -2})}));
  cases.push_back(MakeCase("Squeeze/all", {}, {Fed({1, 5, 1, 7}), Absent()}));
  cases.push_back(MakeCase("Unsqueeze/axes", {}, {Fed({5, 7}), Ints({0, -1})}));
}

void AddTransposes(std::vector<OpCase>& cases) {
  const Ints64 permutations[] = {{0, 2, 3, 1}, {0, 3, 1, 2}, {3, 2, 1, 0}, {0, 1, 3, 2}, {1, 0, 2, 3}};
  for (const Ints64& perm : permutations) {
    cases.push_back(MakeCase("Transpose/perm" + ToString(perm), Attrs({{"perm", perm}}), {Fed({2, 9, 4, 7})}));
  }
  AddInAllTypes(cases, MakeCase("Transpose/default", {}, {Fed({5, 17})}));
  cases.push_back(MakeCase("Transpose/shuffle", Attrs({{"perm", Ints64{0, 2, 1, 3, 4}}}), {Fed({1, 2, 9, 4, 5})}));
  for (const int64_t groups : {2, 3, 4, 5}) {
    for (const int64_t n : {1, 15, 16, 58, 131}) {
      cases.push_back(CpuOnly(MakeCase(StrCat("Transpose/shuffle_bytes", groups, "_", n),
                                       Attrs({{"perm", Ints64{0, 2, 1}}}), {Fed({3, groups, n}, DataType::kU8)})));
    }
  }
  cases.push_back(MakeCase("Transpose/rank5", Attrs({{"perm", Ints64{4, 0, 3, 1, 2}}}), {Fed({2, 3, 2, 5, 4})}));
  for (const int64_t n : kLengths) {
    cases.push_back(MakeCase(StrCat("Transpose/length", n), Attrs({{"perm", Ints64{1, 0}}}), {Fed({n, 6})}));
  }
}

void AddConcats(std::vector<OpCase>& cases) {
  const auto axis = [](int64_t value) { return Attrs({{"axis", value}}); };
  AddInAllTypes(cases,
                MakeCase("Concat/channels", axis(1), {Fed({2, 5, 3, 4}), Fed({2, 16, 3, 4}), Fed({2, 3, 3, 4})}));
  cases.push_back(MakeCase("Concat/channels_by_4", axis(1), {Fed({1, 8, 5, 5}), Fed({1, 4, 5, 5})}));
  cases.push_back(MakeCase("Concat/batch", axis(0), {Fed({1, 5, 4}), Fed({2, 5, 4})}));
  cases.push_back(MakeCase("Concat/width", axis(-1), {Fed({1, 5, 4, 3}), Fed({1, 5, 4, 6})}));
  cases.push_back(MakeCase("Concat/rank5", axis(2), {Fed({2, 3, 1, 4, 5}), Fed({2, 3, 2, 4, 5})}));
  cases.push_back(MakeCase("Concat/one", axis(0), {Fed({7})}));
  cases.push_back(MakeCase("Concat/with_empty", axis(1), {Fed({2, 0}), Fed({2, 9})}));
  std::vector<CaseOperand> many;
  for (int64_t i = 0; i < 11; ++i) many.push_back(Fed({2, 1 + i % 3, 3}));
  OpCase eleven = MakeCase("Concat/many", axis(1), std::move(many));
  eleven.own_on_gpu = false;  // more than a kernel has bindings for: plans copy part by part
  cases.push_back(std::move(eleven));
  for (const int64_t n : kLengths) {
    cases.push_back(MakeCase(StrCat("Concat/length", n), axis(1), {Fed({3, n}), Fed({3, 5})}));
  }
}

void AddSplits(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, int64_t axis, Shape x, CaseOperand sizes, int results) {
    OpCase op_case = MakeCase("Split/" + name, Attrs({{"axis", axis}}), {Fed(std::move(x)), std::move(sizes)});
    op_case.num_dst = results;
    cases.push_back(std::move(op_case));
  };
  add("halves", 1, {2, 16, 3, 4}, Absent(), 2);
  add("odd_channels", 1, {2, 18, 3, 4}, Absent(), 2);
  add("last_smaller", 0, {7, 5}, Absent(), 3);
  add("sizes", 1, {2, 12, 3}, Ints({1, 4, 7}), 3);
  add("width", -1, {1, 3, 4, 33}, Ints({16, 17}), 2);
  add("rank5", 2, {2, 3, 4, 2, 5}, Ints({1, 3}), 2);
  cases.push_back(OfType(cases.back(), DataType::kI64));
}

void AddSlices(std::vector<OpCase>& cases) {
  const auto slice = [](const std::string& name, Shape x, CaseOperand starts, CaseOperand ends,
                        CaseOperand axes = Absent(), CaseOperand steps = Absent()) {
    return MakeCase("Slice/" + name, {}, {Fed(std::move(x)), starts, ends, axes, steps});
  };
  AddInAllTypes(cases, slice("channels", {2, 17, 3, 4}, Ints({4}), Ints({16}), Ints({1})));
  cases.push_back(slice("odd_start", {2, 17, 3, 4}, Ints({3}), Ints({10}), Ints({1})));
  cases.push_back(slice("inner", {2, 3, 9, 8}, Ints({1, 2}), Ints({8, 7}), Ints({2, 3})));
  cases.push_back(slice("steps", {1, 6, 9, 11}, Ints({0, 1}), Ints({9, 11}), Ints({2, 3}), Ints({2, 3})));
  cases.push_back(slice("reverse", {3, 17}, Ints({-1}), Ints({-1000}), Ints({1}), Ints({-1})));
  cases.push_back(slice("reverse_step", {20, 5}, Ints({15}), Ints({2}), Ints({0}), Ints({-3})));
  cases.push_back(slice("clamped", {5, 7}, Ints({-100, 2}), Ints({INT64_MAX, 100})));
  cases.push_back(slice("empty", {5, 7}, Ints({4}), Ints({2})));
  cases.push_back(slice("rank5", {2, 3, 4, 5, 6}, Ints({1, 0}), Ints({3, 5}), Ints({-3, -1}), Ints({1, 2})));
}

void AddPads(std::vector<OpCase>& cases) {
  for (const char* mode : {"constant", "reflect", "edge", "wrap"}) {
    const Attributes attrs = Attrs({{"mode", std::string(mode)}});
    const bool reflect_family = std::string_view(mode) != "constant";
    OpCase image = MakeCase(StrCat("Pad/", mode, "_image"), attrs, {Fed({1, 5, 6, 7}), Ints({0, 0, 1, 2, 0, 0, 3, 1})});
    OpCase axes =
        MakeCase(StrCat("Pad/", mode, "_axes"), attrs, {Fed({3, 9, 4}), Ints({2, 1, 0, 2}), Absent(), Ints({1, -1})});
    cases.push_back(reflect_family ? MayFallBack(std::move(image)) : std::move(image));
    cases.push_back(reflect_family ? MayFallBack(std::move(axes)) : std::move(axes));
  }
  const CaseOperand value = Constant(Given({}, {1.5}));
  cases.push_back(MakeCase("Pad/value", {}, {Fed({2, 5}), Ints({1, 2, 0, 3}), value}));
  cases.push_back(MakeCase("Pad/channels", {}, {Fed({1, 5, 3, 3}), Ints({0, 1, 0, 0, 0, 2, 0, 0}), value}));
  cases.push_back(MakeCase("Pad/crop", {}, {Fed({4, 9}), Ints({-1, 2, 1, -3})}));
  cases.push_back(MakeCase("Pad/rank5", {}, {Fed({1, 2, 3, 2, 4}), Ints({0, 0, 1, 1, 0, 0, 1, 0, 0, 2})}));
  cases.push_back(MayFallBack(MakeCase("Pad/value_fed", {}, {Fed({2, 5}), Ints({0, 1, 0, 1}), Given({}, {-2})})));
  cases.push_back(OfType(MakeCase("Pad/glue", {}, {Fed({2, 5}), Ints({0, 1, 0, 1})}), DataType::kI64));
}

void AddGathers(std::vector<OpCase>& cases) {
  const auto indices = [](Shape shape, std::vector<double> values) {
    return Given(std::move(shape), std::move(values), DataType::kI64);
  };
  const auto add = [&](const std::string& name, int64_t axis, Shape x, CaseOperand picked) {
    cases.push_back(MayFallBack(MakeCase("Gather/" + name, Attrs({{"axis", axis}}), {Fed(std::move(x)), picked})));
  };
  add("rows", 0, {9, 17}, indices({4}, {8, 0, -1, 3}));
  add("channels", 1, {2, 5, 3, 4}, indices({3}, {-5, 4, 4}));
  add("matrix", -1, {3, 6}, indices({2, 2}, {5, 0, 1, -2}));
  add("scalar", 1, {3, 6, 2}, indices({}, {4}));
  add("i32", 0, {5}, Given({2}, {4, -5}, DataType::kI32));
}

void AddCopies(std::vector<OpCase>& cases) {
  for (const int64_t n : kLengths) {
    cases.push_back(MakeCase(StrCat("moka.Copy/channels", n), {}, {Fed({2, n, 3, 5})}));
  }
  AddInAllTypes(cases, MakeCase("moka.Copy/rank5", {}, {Fed({2, 3, 2, 4, 5})}));
  cases.push_back(MakeCase("moka.Copy/rank2", {}, {Fed({3, 17})}));
  cases.push_back(MakeCase("moka.Copy/1d_image", {}, {Fed({2, 5, 16})}));
  cases.push_back(
      MayFallBack(MakeCase("Shape/part", Attrs({{"start", int64_t{1}}, {"end", int64_t{-1}}}), {Fed({2, 5, 3, 4})})));
  cases.push_back(MayFallBack(MakeCase("Size/rank4", {}, {Fed({2, 5, 3, 4})})));
}

void AddExpansions(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, Shape x, CaseOperand shape) {
    cases.push_back(MakeCase("Expand/" + name, {}, {Fed(std::move(x)), std::move(shape)}));
  };
  add("row", {17}, Ints({5, 17}));
  add("column", {5, 1}, Ints({5, 33}));
  add("channel", {9, 1, 1}, Ints({2, 9, 3, 5}));
  add("both", {2, 1, 4}, Ints({3, 1}));
  add("scalar", {}, Ints({3, 5}));
  add("rank5", {2, 1, 3, 1, 5}, Ints({2, 4, 3, 2, 5}));
  cases.push_back(MayFallBack(MakeCase("ConstantOfShape/zeros", {}, {Ints({2, 17})})));
  const auto number = [](double value) { return Constant(Given({}, {value}, DataType::kI64)); };
  cases.push_back(MayFallBack(MakeCase("Range/down", {}, {number(9), number(-8), number(-2)})));
}

}  // namespace

std::vector<OpCase> MoveCases() {
  std::vector<OpCase> cases;
  AddReshapes(cases);
  AddTransposes(cases);
  AddConcats(cases);
  AddSplits(cases);
  AddSlices(cases);
  AddPads(cases);
  AddGathers(cases);
  AddCopies(cases);
  AddExpansions(cases);
  return cases;
}

}  // namespace moka

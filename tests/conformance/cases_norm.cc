#include <limits>

#include "base/str_cat.h"
#include "tests/conformance/cases.h"

namespace moka {
namespace {

AttributeValue Int(int64_t value) { return value; }

CaseOperand FedPositive(const Shape& shape) {
  CaseOperand operand = Positive(shape);
  operand.constant = false;
  return operand;
}

void AddLayerNorm(std::vector<OpCase>& cases) {
  for (const char* op : {"LayerNormalization/", "RMSNormalization/"}) {
    const bool rms = op[0] == 'R';
    const auto add = [&](const std::string& name, const Shape& x, CaseOperand scale, CaseOperand bias, int64_t axis) {
      std::vector<CaseOperand> src = {Fed(x), std::move(scale)};
      if (!rms && bias.type != DataType::kNone) src.push_back(std::move(bias));
      cases.push_back(CpuOnly(MakeCase(op + name, Attrs({{"axis", Int(axis)}, {"epsilon", 1e-3f}}), std::move(src))));
    };
    for (const int64_t n : kLengths) {
      if (n > 0) add(StrCat("row", n), {3, n}, Fed({n}), Weight({n}), -1);
    }
    add("tokens", {2, 7, 40}, Fed({40}), Fed({40}), 2);
    add("long", {2, 5000}, Fed({5000}), Absent(), -1);
    add("two_axes", {3, 4, 5}, Fed({4, 5}), Fed({4, 5}), 1);
    add("all", {2, 3, 4}, Fed({2, 3, 4}), Absent(), 0);
    add("by_token", {2, 3, 17}, Fed({3, 17}), Fed({2, 1, 17}), -1);
    add("rank5", {2, 1, 3, 2, 19}, Fed({19}), Absent(), 4);
    cases.push_back(MayFallBack(MakeCase(op + std::string("scalar_scale"), {}, {Fed({3, 8}), Fed({1})})));
  }
  OpCase stash = CpuOnly(MakeCase("LayerNormalization/statistics", {}, {Fed({2, 3, 33}), Fed({33}), Fed({33})}));
  stash.num_dst = 3;
  cases.push_back(std::move(stash));
}

void AddGroupNorm(std::vector<OpCase>& cases) {
  const auto group = [&](const std::string& name, const Shape& x, int64_t groups, bool per_group = false) {
    const int64_t elements = per_group ? groups : x[1];
    Attributes attrs = Attrs({{"num_groups", Int(groups)}});
    if (per_group) attrs.Set("scale_per_group", int64_t{1});
    cases.push_back(CpuOnly(
        MakeCase("GroupNormalization/" + name, std::move(attrs), {Fed(x), Fed({elements}), Weight({elements})})));
  };
  group("of_two", {2, 6, 3, 5}, 3);
  group("one", {1, 33, 4, 4}, 1);
  group("large", {1, 64, 7, 9}, 2);
  group("channels", {2, 17, 3, 3}, 17);
  group("many", {1, 96, 5, 3}, 32);
  group("per_group", {2, 8, 3, 3}, 2, true);
  group("per_group_large", {1, 64, 2, 3}, 2, true);
  group("rank3", {2, 12, 11}, 4);
  group("rank5", {1, 6, 2, 3, 4}, 2);
  for (const int64_t n : kLengths) {
    if (n == 0) continue;
    cases.push_back(CpuOnly(MakeCase(StrCat("InstanceNormalization/channels", n), Attrs({{"epsilon", 1e-2f}}),
                                     {Fed({2, n, 3, 4}), Fed({n}), Weight({n})})));
  }
  cases.push_back(CpuOnly(MakeCase("InstanceNormalization/rank3", {}, {Fed({2, 5, 40}), Fed({5}), Fed({5})})));
}

void AddNorms(std::vector<OpCase>& cases) {
  for (const int64_t p : {1, 2}) {
    for (int64_t axis = 0; axis < 3; ++axis) {
      cases.push_back(CpuOnly(MakeCase(StrCat("LpNormalization/l", p, "_axis", axis),
                                       Attrs({{"p", Int(p)}, {"axis", Int(axis)}}), {Fed({3, 5, 17})})));
    }
    for (const int64_t n : kLengths) {
      cases.push_back(
          CpuOnly(MakeCase(StrCat("LpNormalization/l", p, "_row", n), Attrs({{"p", Int(p)}}), {Fed({2, n})})));
    }
    cases.push_back(CpuOnly(
        MakeCase(StrCat("LpNormalization/zeros", p), Attrs({{"p", Int(p)}}), {Given({2, 3}, {0, 0, 0, 3, 0, -4})})));
  }
  const auto lrn = [&](const std::string& name, const Shape& x, int64_t size, float beta) {
    cases.push_back(CpuOnly(MakeCase(
        "LRN/" + name, Attrs({{"size", Int(size)}, {"beta", beta}, {"alpha", 0.5f}, {"bias", 2.0f}}), {Fed(x)})));
  };
  for (const int64_t n : kLengths) {
    if (n > 0) lrn(StrCat("channels", n), {2, n, 3, 5}, 5, 0.75f);
  }
  lrn("even", {1, 9, 4, 4}, 4, 0.5f);
  lrn("wide", {1, 7, 2, 2}, 1000, 1.0f);
  lrn("power", {1, 5, 3, 3}, 3, 0.6f);
  lrn("rank3", {2, 6, 300}, 3, 0.75f);
  cases.push_back(CpuOnly(MakeCase("MeanVarianceNormalization/default", {}, {Fed({2, 17, 4, 5})})));
  cases.push_back(
      CpuOnly(MakeCase("MeanVarianceNormalization/image", Attrs({{"axes", List({2, 3})}}), {Fed({2, 3, 4, 5})})));
  cases.push_back(
      MayFallBack(MakeCase("MeanVarianceNormalization/axes", Attrs({{"axes", List({0, -1})}}), {Fed({3, 2, 5})})));
}

void AddSearches(std::vector<OpCase>& cases) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const char* op : {"ArgMax/", "ArgMin/"}) {
    for (const int64_t last : {0, 1}) {
      const auto add = [&](const std::string& name, CaseOperand x, int64_t axis, int64_t keepdims) {
        cases.push_back(CpuOnly(
            MakeCase(StrCat(op, name, last != 0 ? "_last" : ""),
                     Attrs({{"axis", Int(axis)}, {"keepdims", Int(keepdims)}, {"select_last_index", Int(last)}}),
                     {std::move(x)})));
      };
      for (const int64_t n : kLengths) {
        if (n > 0) add(StrCat("row", n), Fed({3, n}), -1, 1);
      }
      for (int64_t axis = 0; axis < 4; ++axis) add(StrCat("axis", axis), Fed({2, 17, 3, 5}), axis, axis % 2);
      add("ties", Given({2, 20}, {1, 3, 3, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  //
                                  7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}),
          1, 0);
      add("nan_row", Given({1, 5}, {1, nan, 9, nan, -9}), 1, 1);
      add("nan_columns", Given({4, 2}, {1, nan, nan, 2, 5, nan, nan, -3}), 0, 1);
    }
  }
  for (const int64_t largest : {0, 1}) {
    const auto add = [&](const std::string& name, CaseOperand x, int64_t k, int64_t axis) {
      OpCase op_case =
          CpuOnly(MakeCase(StrCat("TopK/", name, largest != 0 ? "" : "_smallest"),
                           Attrs({{"axis", Int(axis)}, {"largest", Int(largest)}}), {std::move(x), Ints({k})}));
      op_case.num_dst = 2;
      cases.push_back(std::move(op_case));
    };
    for (const int64_t n : kLengths) {
      if (n > 0) add(StrCat("all", n), Fed({2, n}), n, -1);
    }
    add("one_of_many", Fed({3, 1000}), 1, 1);
    add("five_of_many", Fed({2, 3000}), 5, 1);
    add("axis0", Fed({40, 3}), 4, 0);
    add("channels", Fed({2, 19, 3, 2}), 3, 1);
    add("ties", Given({1, 8}, {2, 1, 2, 1, 2, 1, 2, 1}), 6, 1);
    add("nan", Given({1, 6}, {2, nan, 7, nan, -1, 3}), 4, 1);
  }
}

void AddCumulative(std::vector<OpCase>& cases) {
  for (const char* op : {"CumSum/", "CumProd/"}) {
    for (int64_t flags = 0; flags < 4; ++flags) {
      const std::string suffix = StrCat(flags % 2 != 0 ? "_exclusive" : "", flags / 2 != 0 ? "_reverse" : "");
      const Attributes attrs = Attrs({{"exclusive", Int(flags % 2)}, {"reverse", Int(flags / 2)}});
      for (const int64_t n : kLengths) {
        cases.push_back(CpuOnly(MakeCase(StrCat(op, "row", n, suffix), attrs, {Fed({2, n}), Ints({1})})));
      }
      cases.push_back(CpuOnly(MakeCase(StrCat(op, "first", suffix), attrs, {Fed({7, 33}), Ints({0})})));
      cases.push_back(CpuOnly(MakeCase(StrCat(op, "middle", suffix), attrs, {Fed({2, 5, 3, 4}), Ints({-3})})));
      cases.push_back(
          MayFallBack(MakeCase(StrCat(op, "i64", suffix), attrs, {Fed({2, 5}, DataType::kI64), Ints({1})})));
    }
  }
}

void AddLogarithmicReductions(std::vector<OpCase>& cases) {
  for (const char* op : {"ReduceLogSum/", "ReduceLogSumExp/"}) {
    const bool sum = std::string(op) == "ReduceLogSum/";
    const auto x = [&](const Shape& shape) { return sum ? FedPositive(shape) : Fed(shape); };
    for (const int64_t n : kLengths) {
      if (n > 0) cases.push_back(CpuOnly(MakeCase(StrCat(op, "row", n), {}, {x({3, n}), Ints({1})})));
    }
    cases.push_back(CpuOnly(MakeCase(op + std::string("columns"), {}, {x({9, 40}), Ints({0})})));
    cases.push_back(CpuOnly(MakeCase(op + std::string("image"), {}, {x({2, 5, 4, 3}), Ints({2, 3})})));
    cases.push_back(MayFallBack(MakeCase(op + std::string("all"), {}, {x({3, 4, 5}), Absent()})));
  }
  const double infinity = std::numeric_limits<double>::infinity();
  cases.push_back(CpuOnly(
      MakeCase("ReduceLogSumExp/large", {},
               {Given({3, 3}, {1000, 999, 1001, -2000, -2001, -2000, -infinity, -infinity, -infinity}), Ints({1})})));
}

void AddLpPools(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, const Shape& x, Attributes attrs) {
    cases.push_back(CpuOnly(MakeCase("LpPool/" + name, std::move(attrs), {Fed(x)})));
  };
  for (const int64_t p : {1, 2}) {
    const Attributes window = Attrs({{"kernel_shape", List({3, 2})}, {"p", Int(p)}});
    Attributes padded = window;
    padded.Set("pads", List({1, 1, 2, 0}));
    padded.Set("strides", List({2, 1}));
    add(StrCat("l", p), {2, 17, 6, 5}, window);
    add(StrCat("l", p, "_padded"), {1, 5, 7, 4}, padded);
    add(StrCat("l", p, "_one_channel"), {2, 1, 6, 5}, window);
    cases.push_back(CpuOnly(MakeCase(StrCat("GlobalLpPool/l", p), Attrs({{"p", Int(p)}}), {Fed({2, 17, 3, 5})})));
  }
  add("l3", {1, 3, 7}, Attrs({{"kernel_shape", List({2})}, {"p", Int(3)}}));
  add("l5", {1, 17, 7, 4}, Attrs({{"kernel_shape", List({2, 3})}, {"p", Int(5)}, {"pads", List({1, 0, 0, 1})}}));
}

void AddHardmax(std::vector<OpCase>& cases) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto add = [&](const std::string& name, CaseOperand x, int64_t axis) {
    cases.push_back(CpuOnly(MakeCase("Hardmax/" + name, Attrs({{"axis", axis}}), {std::move(x)})));
  };
  for (const int64_t n : kLengths) {
    if (n == 0) continue;
    add(StrCat("row", n), Fed({3, n}), 1);
    add(StrCat("column", n), Fed({n, 5}), 0);
    add(StrCat("columns", n), Fed({2, 4, n}), 1);
  }
  add("ties", Given({2, 3}, {1, 3, 3, 2, 2, 1}), 1);
  add("nan", Given({2, 3}, {1, nan, 3, nan, 2, nan}), 1);
  add("nan_columns", Given({3, 2}, {1, nan, nan, 2, 3, nan}), 0);
}

void AddTraining(std::vector<OpCase>& cases) {
  for (const int64_t channels : {1, 5, 16, 33}) {
    for (const int num_dst : {1, 3}) {
      OpCase op_case = CpuOnly(MakeCase(
          StrCat("BatchNormalization/training", channels, "_", num_dst),
          Attrs({{"training_mode", Int(1)}, {"epsilon", 0.01f}, {"momentum", 0.7f}}),
          {Fed({3, channels, 4, 5}), Fed({channels}), Fed({channels}), Fed({channels}), Positive({channels})}));
      op_case.num_dst = num_dst;
      cases.push_back(std::move(op_case));
    }
  }
}

void AddLosses(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, Shape x, Attributes attrs, bool weighted, int num_dst) {
    Shape classes = x;
    classes.erase(classes.begin() + 1);
    int64_t count = 1;
    for (const int64_t dim : classes) count *= dim;
    std::vector<double> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<double>(i * 7 % x[1]));
    for (const char* reduction : {"mean", "sum", "none"}) {
      attrs.Set("reduction", std::string(reduction));
      std::vector<CaseOperand> src = {Fed(x), Given(classes, values, DataType::kI64)};
      if (weighted) src.push_back(Positive({x[1]}));
      OpCase loss = CpuOnly(MakeCase(StrCat("NegativeLogLikelihoodLoss/", name, "_", reduction), attrs, src));
      cases.push_back(loss);
      OpCase softmax = CpuOnly(MakeCase(StrCat("SoftmaxCrossEntropyLoss/", name, "_", reduction), attrs, src));
      softmax.num_dst = num_dst;
      cases.push_back(softmax);
    }
  };
  for (const int64_t n : {1, 15, 16, 17, 33}) {
    add(StrCat("classes", n), {3, n}, {}, false, 2);
    add(StrCat("positions", n), {2, 5, n}, {}, true, 1);
  }
  add("image", {2, 3, 4, 70}, {}, true, 2);
  add("ignored", {4, 3, 2}, Attrs({{"ignore_index", Int(1)}}), true, 2);
  OpCase narrow =
      CpuOnly(MakeCase("NegativeLogLikelihoodLoss/i32", {}, {Fed({2, 3}), Given({2}, {2, 0}, DataType::kI32)}));
  cases.push_back(std::move(narrow));
}

}  // namespace

std::vector<OpCase> NormCases() {
  std::vector<OpCase> cases;
  AddLayerNorm(cases);
  AddGroupNorm(cases);
  AddNorms(cases);
  AddLogarithmicReductions(cases);
  AddLpPools(cases);
  AddHardmax(cases);
  AddTraining(cases);
  AddLosses(cases);
  return cases;
}

std::vector<OpCase> SearchCases() {
  std::vector<OpCase> cases;
  AddSearches(cases);
  AddCumulative(cases);
  return cases;
}

}  // namespace moka

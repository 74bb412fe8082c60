#include <limits>

#include "base/str_cat.h"
#include "tests/conformance/cases.h"

namespace moka {
namespace {

void AddBatchNorm(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, Shape x, Attributes attrs = {}) {
    const int64_t channels = x[1];
    cases.push_back(MakeCase(
        "BatchNormalization/" + name, std::move(attrs),
        {Fed(std::move(x)), Weight({channels}), Weight({channels}), Weight({channels}), Positive({channels})}));
  };
  for (const int64_t n : kLengths) {
    if (n > 0) add(StrCat("channels", n), {2, n, 3, 4});
  }
  add("epsilon", {1, 5, 2, 2}, Attrs({{"epsilon", 0.5f}}));
  add("rank2", {3, 17});
  add("rank3", {2, 5, 7});
  add("rank5", {1, 6, 2, 3, 4});
}

void AddSoftmax(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, CaseOperand x, int64_t axis) {
    for (const char* op : {"Softmax/", "LogSoftmax/"}) {
      OpCase op_case = MakeCase(op + name, Attrs({{"axis", axis}}), {x});
      cases.push_back(op[0] == 'S' ? std::move(op_case) : MayFallBack(std::move(op_case)));
    }
  };
  for (const int64_t n : kLengths) add(StrCat("row", n), Fed({3, n}), -1);
  add("row_long", Fed({2, 1000}), 1);
  add("one_dimension", Fed({40}), 0);
  for (int64_t axis = 0; axis < 4; ++axis) add(StrCat("axis", axis), Fed({2, 17, 3, 5}), axis);
  add("rank5", Fed({2, 3, 2, 4, 5}), 2);
  add("large", Given({2, 3}, {1000, 999, -1000, -1e30, 88, 3e4}), 1);
  const double infinity = std::numeric_limits<double>::infinity();
  add("masked", Given({2, 4}, {0.5, -infinity, 1, -infinity, -infinity, -infinity, -infinity, 2}), 1);
}

struct ReduceAxes {
  const char* name;
  Shape x;
  CaseOperand axes;
};

void AddReductions(std::vector<OpCase>& cases) {
  const std::vector<ReduceAxes> all = {
      {"last", {4, 33}, Ints({1})},           {"first", {33, 5}, Ints({0})},
      {"image", {2, 17, 4, 5}, Ints({2, 3})}, {"image_negative", {2, 5, 4, 3}, Ints({-1, -2})},
      {"channels", {2, 9, 3, 4}, Ints({1})},  {"batch_width", {3, 4, 5, 6}, Ints({0, 3})},
      {"all", {3, 4, 5}, Absent()},           {"rank5", {2, 3, 2, 4, 5}, Ints({1, 3})},
      {"tokens", {2, 7, 40}, Ints({-1})},     {"middle", {4, 20, 15}, Ints({1})},
      {"one_element", {1, 1}, Ints({0, 1})},  {"large", {1, 18, 28, 28}, Ints({2, 3})},
  };
  for (const ReduceAxes& reduce : all) {
    for (const int64_t keepdims : {0, 1}) {
      cases.push_back(MakeCase(StrCat("ReduceMean/", reduce.name, keepdims != 0 ? "_keep" : ""),
                               Attrs({{"keepdims", keepdims}}), {Fed(reduce.x), reduce.axes}));
    }
  }
  for (const int64_t n : kLengths) {
    if (n > 0) cases.push_back(MakeCase(StrCat("ReduceMean/row", n), {}, {Fed({5, n}), Ints({1})}));
  }
  cases.push_back(MakeCase("ReduceMean/noop", Attrs({{"noop_with_empty_axes", int64_t{1}}}), {Fed({3, 5}), Absent()}));
  cases.push_back(MakeCase("ReduceMean/empty_axes", {}, {Fed({3, 5}), Ints({})}));
  for (const char* op :
       {"ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSumSquare", "ReduceL1", "ReduceL2"}) {
    const std::string name = op;
    cases.push_back(MayFallBack(MakeCase(name + "/last", {}, {Fed({4, 33}), Ints({1})})));
    cases.push_back(MayFallBack(MakeCase(name + "/image", {}, {Fed({2, 5, 3, 4}), Ints({2, 3})})));
    cases.push_back(MayFallBack(MakeCase(name + "/i64", {}, {Fed({4, 5}, DataType::kI64), Ints({0})})));
  }
}

}  // namespace

std::vector<OpCase> RowCases() {
  std::vector<OpCase> cases;
  AddBatchNorm(cases);
  AddSoftmax(cases);
  AddReductions(cases);
  return cases;
}

}  // namespace moka

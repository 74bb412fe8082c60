#include "base/str_cat.h"
#include "tests/conformance/cases.h"

namespace moka {
namespace {

using Ints64 = std::vector<int64_t>;

Attributes Pool(Ints64 kernel, Ints64 strides = {}, Ints64 pads = {}) {
  Attributes attrs;
  attrs.Set("kernel_shape", std::move(kernel));
  if (!strides.empty()) attrs.Set("strides", std::move(strides));
  if (!pads.empty()) attrs.Set("pads", std::move(pads));
  return attrs;
}

Attributes With(Attributes attrs, AttributeList more) {
  for (const auto& [name, value] : more) attrs.Set(name, value);
  return attrs;
}

struct WindowCase {
  const char* name;
  Shape x;
  Attributes attrs;
};

std::vector<WindowCase> Windows() {
  const AttributeValue one = int64_t{1};
  return {
      {"2x2", {1, 17, 6, 8}, Pool({2, 2}, {2, 2})},
      {"3x3_pads", {2, 5, 9, 7}, Pool({3, 3}, {2, 2}, {1, 1, 1, 1})},
      {"3x3_stride1", {1, 33, 5, 5}, Pool({3, 3}, {}, {1, 1, 1, 1})},
      {"uneven", {1, 3, 8, 9}, Pool({3, 2}, {1, 3}, {0, 1, 2, 0})},
      {"dilated", {1, 4, 9, 9}, With(Pool({3, 2}, {1, 2}, {1, 1, 1, 1}), {{"dilations", Ints64{2, 3}}})},
      {"ceil", {1, 6, 6, 7}, With(Pool({3, 3}, {2, 2}), {{"ceil_mode", one}})},
      {"ceil_pads", {1, 6, 7, 8}, With(Pool({3, 3}, {3, 3}, {1, 1, 1, 1}), {{"ceil_mode", one}})},
      {"ceil_drops_window", {1, 2, 2, 2}, With(Pool({1, 1}, {2, 2}), {{"ceil_mode", one}})},
      {"same_upper", {1, 5, 7, 6}, With(Pool({3, 2}, {2, 2}), {{"auto_pad", std::string("SAME_UPPER")}})},
      {"same_lower", {1, 5, 7, 6}, With(Pool({3, 2}, {2, 2}), {{"auto_pad", std::string("SAME_LOWER")}})},
      {"valid", {1, 5, 7, 6}, With(Pool({3, 2}, {2, 2}), {{"auto_pad", std::string("VALID")}})},
      {"1d", {2, 7, 15}, Pool({3}, {2}, {1, 0})},
      {"3d", {1, 5, 5, 4, 6}, Pool({2, 2, 3}, {2, 1, 2}, {1, 0, 1, 0, 1, 1})},
      {"whole", {1, 9, 4, 4}, Pool({4, 4})},
  };
}

void AddIndices(std::vector<OpCase>& cases) {
  for (const int64_t order : {0, 1}) {
    OpCase op_case =
        MakeCase(StrCat("MaxPool/indices_order", order), Pool({2, 2}, {1, 2}, {1, 0, 0, 1}), {Fed({2, 3, 5, 6})});
    op_case.attrs.Set("storage_order", order);
    op_case.num_dst = 2;
    cases.push_back(MayFallBack(std::move(op_case)));
  }
}

}  // namespace

std::vector<OpCase> PoolCases() {
  std::vector<OpCase> cases;
  for (const WindowCase& window : Windows()) {
    const std::string name = window.name;
    cases.push_back(MakeCase("MaxPool/" + name, window.attrs, {Fed(window.x)}));
    cases.push_back(MakeCase("AveragePool/" + name, window.attrs, {Fed(window.x)}));
    cases.push_back(MakeCase("AveragePool/" + name + "_include_pad",
                             With(window.attrs, {{"count_include_pad", int64_t{1}}}), {Fed(window.x)}));
  }
  for (const int64_t n : kLengths) {
    if (n == 0) continue;
    cases.push_back(MakeCase(StrCat("MaxPool/channels", n), Pool({3, 3}, {2, 2}, {1, 1, 1, 1}), {Fed({1, n, 6, 5})}));
    cases.push_back(MakeCase(StrCat("AveragePool/channels", n), Pool({2, 2}, {2, 2}), {Fed({1, n, 4, 6})}));
    cases.push_back(MakeCase(StrCat("GlobalAveragePool/channels", n), {}, {Fed({2, n, 3, 5})}));
    cases.push_back(MakeCase(StrCat("GlobalMaxPool/channels", n), {}, {Fed({2, n, 3, 5})}));
  }
  cases.push_back(MakeCase("GlobalAveragePool/1d", {}, {Fed({2, 5, 17})}));
  cases.push_back(MakeCase("GlobalAveragePool/3d", {}, {Fed({1, 9, 2, 3, 4})}));
  cases.push_back(MakeCase("GlobalAveragePool/large", {}, {Fed({1, 20, 28, 28})}));
  cases.push_back(MayFallBack(WithEpilogue(MakeCase("MaxPool/2x2_epilogue", Pool({2, 2}, {2, 2}), {Fed({1, 17, 4, 4})}),
                                           "relu", ReluProgram())));
  AddIndices(cases);
  return cases;
}

}  // namespace moka

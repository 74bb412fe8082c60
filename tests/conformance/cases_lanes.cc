#include <limits>

#include "base/str_cat.h"
#include "tests/conformance/cases.h"

namespace moka {
namespace {

// At the ends of the longest vectors of every width of lane: 64, 16 and 8 of them.
constexpr int64_t kLaneLengths[] = {1, 7, 8, 9, 15, 17, 33, 63, 64, 65, 129, 1100};

struct Family {
  std::initializer_list<const char*> ops;
  std::initializer_list<DataType> types;
};

const Family kBinary[] = {
    {{"Add", "Sub", "Mul"},
     {DataType::kI32, DataType::kI64, DataType::kF64, DataType::kU8, DataType::kI8, DataType::kU32, DataType::kU64}},
    {{"Div", "Max", "Min"}, {DataType::kI32, DataType::kI64, DataType::kF64, DataType::kU8}},
    {{"Mod"}, {DataType::kI32, DataType::kI64, DataType::kU8}},
    {{"BitwiseAnd", "BitwiseOr", "BitwiseXor"},
     {DataType::kI32, DataType::kI64, DataType::kU8, DataType::kI8, DataType::kU32, DataType::kU64}},
    {{"And", "Or", "Xor"}, {DataType::kBool}},
    {{"Equal"},
     {DataType::kF32, DataType::kF64, DataType::kI32, DataType::kI64, DataType::kU8, DataType::kI8, DataType::kU32,
      DataType::kU64, DataType::kBool}},
    {{"Greater", "GreaterOrEqual", "Less", "LessOrEqual"},
     {DataType::kF32, DataType::kF64, DataType::kI32, DataType::kI64, DataType::kU8}},
};
const Family kUnary[] = {
    {{"Abs", "Neg"}, {DataType::kI32, DataType::kI64, DataType::kF64}},
    {{"BitwiseNot"}, {DataType::kI32, DataType::kI64, DataType::kU8, DataType::kI8, DataType::kU32, DataType::kU64}},
    {{"IsInf", "IsNaN"}, {DataType::kF32, DataType::kF64}},
    {{"Not"}, {DataType::kBool}},
};

OpCase OnCpu(const std::string& name, Attributes attrs, std::vector<CaseOperand> src) {
  OpCase op_case = MakeCase(name, std::move(attrs), std::move(src));
  op_case.own_on_gpu = false;
  return op_case;
}

void AddBinary(const char* op, DataType type, std::vector<OpCase>& cases) {
  const std::string name = StrCat(op, "/", NameOf(type), "_");
  for (const int64_t n : kLaneLengths) {
    cases.push_back(OnCpu(StrCat(name, n), {}, {Fed({n}, type), Fed({n}, type)}));
  }
  cases.push_back(OnCpu(name + "image", {}, {Fed({2, 17, 3, 5}, type), Fed({2, 17, 3, 5}, type)}));
  cases.push_back(OnCpu(name + "scalar", {}, {Fed({3, 67}, type), Fed({}, type)}));
  cases.push_back(OnCpu(name + "scalar_first", {}, {Fed({1}, type), Fed({3, 67}, type)}));
  cases.push_back(OnCpu(name + "row", {}, {Fed({5, 33}, type), Fed({33}, type)}));
  cases.push_back(OnCpu(name + "outer", {}, {Fed({5, 1}, type), Fed({1, 67}, type)}));
  cases.push_back(OnCpu(name + "channel", {}, {Fed({2, 9, 4, 5}, type), Fed({9, 1, 1}, type)}));
}

void AddWhere(std::vector<OpCase>& cases) {
  const DataType kBool = DataType::kBool;
  for (const DataType type : {DataType::kU8, DataType::kBool, DataType::kF16, DataType::kF32, DataType::kI32,
                              DataType::kI64, DataType::kF64}) {
    const std::string name = StrCat("Where/", NameOf(type), "_");
    for (const int64_t n : kLaneLengths) {
      cases.push_back(OnCpu(StrCat(name, n), {}, {Fed({n}, kBool), Fed({n}, type), Fed({n}, type)}));
    }
    cases.push_back(OnCpu(name + "mask", {}, {Fed({7, 9}, kBool), Fed({2, 3, 7, 9}, type), Fed({}, type)}));
    cases.push_back(OnCpu(name + "both", {}, {Fed({2, 1, 4, 1}, kBool), Fed({3, 1, 5}, type), Fed({5}, type)}));
  }
}

void AddCasts(std::vector<OpCase>& cases) {
  // The numbers that the standard gives the types.
  const std::pair<DataType, int64_t> kTypes[] = {{DataType::kBool, 9},  {DataType::kU8, 2},  {DataType::kI8, 3},
                                                 {DataType::kI32, 6},   {DataType::kI64, 7}, {DataType::kF16, 10},
                                                 {DataType::kBF16, 16}, {DataType::kF32, 1}, {DataType::kF64, 11}};
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& [from, ignored] : kTypes) {
    for (const auto& [to, number] : kTypes) {
      if (from == to) continue;
      const Attributes attrs = Attrs({{"to", AttributeValue(number)}});
      const std::string name = StrCat("Cast/", NameOf(from), "_", NameOf(to), "_");
      for (const int64_t n : {1, 15, 16, 17, 1100}) {
        cases.push_back(OnCpu(StrCat(name, n), attrs, {Fed({n}, from)}));
      }
      cases.push_back(OnCpu(name + "image", attrs, {Fed({2, 17, 3, 5}, from)}));
      if (from != DataType::kF32 && from != DataType::kF64) continue;
      // Beyond every type, halves of the last place, what is no number.
      cases.push_back(OnCpu(name + "edges", attrs,
                            {Given({20}, {inf,   -inf,  nan,    0,       -0.0, 3e9,    -3e9,  2147483648.0, 1e20, -1e20,
                                          65519, 65520, 2049.0, 1.00391, 6e-8, 2.9e-8, 255.5, -128.5,       300,  -0.9},
                                   from)}));
    }
  }
}

}  // namespace

std::vector<OpCase> LaneCases() {
  std::vector<OpCase> cases;
  for (const Family& family : kBinary) {
    for (const char* op : family.ops) {
      for (const DataType type : family.types) AddBinary(op, type, cases);
    }
  }
  cases.push_back(OnCpu("Mod/truncated", Attrs({{"fmod", AttributeValue(int64_t{1})}}),
                        {Fed({131}, DataType::kI32), Fed({131}, DataType::kI32)}));
  for (const Family& family : kUnary) {
    for (const char* op : family.ops) {
      for (const DataType type : family.types) {
        for (const int64_t n : kLaneLengths) {
          cases.push_back(OnCpu(StrCat(op, "/", NameOf(type), "_", n), {}, {Fed({n}, type)}));
        }
        cases.push_back(OnCpu(StrCat(op, "/", NameOf(type), "_image"), {}, {Fed({2, 17, 3, 5}, type)}));
      }
    }
  }
  // Rows that are cut for the threads, where none divides into whole vectors.
  cases.push_back(OnCpu("Add/i32_long", {}, {Fed({3, 40001}, DataType::kI32), Fed({40001}, DataType::kI32)}));
  cases.push_back(OnCpu("Less/f32_long", {}, {Fed({3, 40001}), Fed({3, 1})}));
  AddWhere(cases);
  AddCasts(cases);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const char* op : {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}) {
    cases.push_back(OnCpu(StrCat(op, "/nan"), {}, {Given({4}, {nan, 1, nan, 2}), Given({4}, {1, nan, nan, 2})}));
  }
  const double inf = std::numeric_limits<double>::infinity();
  for (const char* op : {"IsInf", "IsNaN"}) {
    for (const DataType type : {DataType::kF32, DataType::kF64}) {
      cases.push_back(OnCpu(StrCat(op, "/specials_", NameOf(type)), {}, {Given({5}, {nan, 1, -inf, 0, inf}, type)}));
    }
  }
  for (const char* sign : {"detect_negative", "detect_positive"}) {
    for (const DataType type : {DataType::kF32, DataType::kF64}) {
      cases.push_back(OnCpu(StrCat("IsInf/without_", sign, "_", NameOf(type)), Attrs({{sign, int64_t{0}}}),
                            {Given({5}, {nan, 1, -inf, 0, inf}, type)}));
    }
  }
  for (const char* op : {"Max", "Min"}) {
    cases.push_back(
        OnCpu(StrCat(op, "/nan"), {},
              {Given({4}, {nan, 1, nan, 2}, DataType::kF64), Given({4}, {1, nan, nan, 2}, DataType::kF64)}));
  }
  return cases;
}

}  // namespace moka

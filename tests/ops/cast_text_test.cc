#include "ops/cast_text.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <limits>

#include "ops/op.h"
#include "ops/reference.h"
#include "ops/string_tensor.h"

namespace moka {
namespace {

TEST(CastText, ShortestTextThatReadsBack) {
  const struct {
    double value;
    DataType type;
    const char* text;
  } kCases[] = {
      {1, DataType::kF32, "1.0"},
      {3.1415926535, DataType::kF64, "3.1415926535"},
      {0.1f, DataType::kF32, "0.1"},
      {static_cast<double>(0.1f), DataType::kF64, "0.10000000149011612"},
      {-2.5, DataType::kF16, "-2.5"},
      {1e20, DataType::kF64, "1e+20"},
      {1e-7, DataType::kF64, "1e-07"},
      {1234567, DataType::kF32, "1234567.0"},
      {0, DataType::kF32, "0.0"},
      {-0.0, DataType::kF32, "-0.0"},
      {std::numeric_limits<double>::infinity(), DataType::kF32, "inf"},
      {std::nan(""), DataType::kF32, "nan"},
  };
  for (const auto& c : kCases) EXPECT_EQ(TextOfFloat(c.value, c.type), c.text);
}

TEST(CastText, ReadsTheFormsOfTheStandardOnly) {
  EXPECT_EQ(*FloatOfText("3.14"), 3.14);
  EXPECT_EQ(*FloatOfText(" 1E8 "), 1e8);
  EXPECT_EQ(*FloatOfText("-1e-5"), -1e-5);
  EXPECT_EQ(*FloatOfText("+INF"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(*FloatOfText("-inf"), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(*FloatOfText("NaN")));
  for (const char* text : {"", " ", "Hello World!", "1.5x", "0x10", "infinity", "1 2", "--1", "e5"}) {
    EXPECT_FALSE(FloatOfText(text).ok()) << text;
  }
}

Result<Datum> ToText(Tensor tensor) {
  const Datum src(std::move(tensor));
  const Datum* const sources[] = {&src};
  Datum dst;
  Attributes attrs;
  attrs.Set("to", int64_t{8});
  HostCall call;
  call.op = FindOp("", "Cast");
  call.attrs = &attrs;
  call.src = sources;
  call.dst = {&dst, 1};
  if (Status status = call.op->execute(call); !status.ok()) return status;
  return dst;
}

TEST(CastText, EveryTypeToStrings) {
  const auto text = [](DataType type, auto value) {
    Tensor tensor = Tensor::Create(type, {1}).value();
    *tensor.as<decltype(value)>() = value;
    return ToText(std::move(tensor))->tensor().as<std::string>()[0];
  };
  EXPECT_EQ(text(DataType::kF32, 0.5f), "0.5");
  EXPECT_EQ(text(DataType::kI8, int8_t{-3}), "-3");
  EXPECT_EQ(text(DataType::kU64, UINT64_MAX), "18446744073709551615");
  EXPECT_EQ(text(DataType::kI64, INT64_MIN), "-9223372036854775808");
  EXPECT_EQ(text(DataType::kBool, uint8_t{1}), "True");
  EXPECT_EQ(text(DataType::kF16, uint16_t{0x3C00}), "1.0");
}

template <class T>
Result<std::vector<T>> FromText(const std::vector<std::string>& texts, int64_t to, DataType type) {
  std::vector<StringPointer> pointers;
  for (const std::string& text : texts) pointers.push_back(&text);
  const Shape shape = {static_cast<int64_t>(texts.size())};
  const TensorDesc src = MakeDense(DataType::kString, shape), dst = MakeDense(type, shape);
  std::vector<T> result(texts.size());
  Attributes attrs;
  attrs.Set("to", to);
  const void* src_data = pointers.data();
  void* dst_data = result.data();
  ReferenceCall call;
  call.call.op = FindOp("", "Cast");
  call.call.attrs = &attrs;
  call.call.name = "n";
  call.call.src = {&src, 1};
  call.call.dst = {&dst, 1};
  call.src = {&src_data, 1};
  call.dst = {&dst_data, 1};
  if (Status status = RunReference(call, true); !status.ok()) return status;
  return result;
}

TEST(CastText, StringsToNumbers) {
  EXPECT_EQ(*FromText<float>({"1.5", "-inf"}, 1, DataType::kF32),
            (std::vector<float>{1.5f, -std::numeric_limits<float>::infinity()}));
  EXPECT_EQ(*FromText<int64_t>({"-7", "9223372036854775807", "100.5"}, 7, DataType::kI64),
            (std::vector<int64_t>{-7, INT64_MAX, 100}));
  EXPECT_EQ(*FromText<uint64_t>({"18446744073709551615"}, 13, DataType::kU64), std::vector<uint64_t>{UINT64_MAX});
  const auto bad = FromText<float>({"1", "Hello"}, 1, DataType::kF32);
  ASSERT_FALSE(bad.ok());
  EXPECT_NE(bad.status().message().find("'Hello'"), std::string::npos);
  EXPECT_NE(bad.status().message().find("node 'n'"), std::string::npos);
}

// A program may write its user's numbers as that user does; those of models stay the same. Where no such locale is
// installed there is nothing to see.
TEST(CastText, HasAPointInEveryLocale) {
  const std::string before = std::setlocale(LC_NUMERIC, nullptr);
  bool comma = false;
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "nl_NL.UTF-8", "pt_BR.UTF-8", "ru_RU.UTF-8"}) {
    comma = comma || (std::setlocale(LC_NUMERIC, name) != nullptr && *std::localeconv()->decimal_point == ',');
    if (comma) break;
  }
  const std::string text = TextOfFloat(-3.25, DataType::kF32), exponent = TextOfFloat(1.5e-20, DataType::kF64);
  const Result<double> point = FloatOfText("2.5"), other = FloatOfText("2,5");
  std::setlocale(LC_NUMERIC, before.c_str());
  if (!comma) GTEST_SKIP() << "no locale with a comma";
  EXPECT_EQ(text, "-3.25");
  EXPECT_EQ(exponent, "1.5e-20");
  ASSERT_TRUE(point.ok()) << point.status().message();
  EXPECT_EQ(*point, 2.5);
  EXPECT_FALSE(other.ok());
}

}  // namespace
}  // namespace moka

// Operators of ai.onnx.ml on maps.
#include "tests/ops/run_host_op.h"

namespace moka {
namespace {

using Texts = std::vector<std::string>;
constexpr char kZipMap[] = "ai.onnx.ml.ZipMap", kDictVectorizer[] = "ai.onnx.ml.DictVectorizer",
               kCastMap[] = "ai.onnx.ml.CastMap";

Attributes One(const char* name, AttributeValue value) {
  Attributes attrs;
  attrs.Set(name, std::move(value));
  return attrs;
}

std::vector<int64_t> Ints(std::vector<int64_t> values) { return values; }

Datum IntMap(const std::vector<double>& keys, const std::vector<double>& values, DataType type = DataType::kF32) {
  const auto size = [](const auto& list) { return static_cast<int64_t>(list.size()); };
  return Datum::Map(NumbersOf({size(keys)}, keys, DataType::kI64).tensor(),
                    NumbersOf({size(values)}, values, type).tensor());
}

Datum TextMap(const Texts& keys, const std::vector<double>& values) {
  const auto size = static_cast<int64_t>(keys.size());
  return Datum::Map(TextsOf({size}, keys).tensor(), NumbersOf({size}, values).tensor());
}

TEST(ZipMap, MakesAMapOfEachRow) {
  const auto ints =
      RunHostOp(kZipMap, {NumbersOf({2, 3}, {1, 2, 3, 4, 5, 6})}, One("classlabels_int64s", Ints({7, 8, 9})));
  ASSERT_TRUE(ints.ok()) << ints.status().message();
  ASSERT_TRUE((*ints)[0].is_sequence());
  ASSERT_EQ((*ints)[0].sequence().size(), 2u);
  const Datum& second = (*ints)[0].sequence()[1];
  ASSERT_TRUE(second.is_map());
  EXPECT_EQ(ToString(second), "map of 3 i64 to f32");
  EXPECT_EQ(NumbersIn(second.keys()), (std::vector<double>{7, 8, 9}));
  EXPECT_EQ(NumbersIn(second.values()), (std::vector<double>{4, 5, 6}));

  const auto texts = RunHostOp(kZipMap, {NumbersOf({2}, {0.25, 0.75})}, One("classlabels_strings", Texts{"no", "yes"}));
  ASSERT_TRUE(texts.ok()) << texts.status().message();
  ASSERT_EQ((*texts)[0].sequence().size(), 1u);
  EXPECT_EQ(TextsIn((*texts)[0].sequence()[0].keys()), (Texts{"no", "yes"}));
  const auto none = RunHostOp(kZipMap, {NumbersOf({0, 1}, {})}, One("classlabels_int64s", Ints({1})));
  ASSERT_TRUE(none.ok()) << none.status().message();
  EXPECT_TRUE((*none)[0].sequence().empty());
}

TEST(ZipMap, Refuses) {
  const Datum x = NumbersOf({1, 2}, {1, 2});
  const Attributes two = One("classlabels_int64s", Ints({1, 2}));
  Attributes both = two;
  both.Set("classlabels_strings", Texts{"a", "b"});
  ExpectHostRefusal(kZipMap, {x}, "exactly one");
  ExpectHostRefusal(kZipMap, {x}, "exactly one", both);
  ExpectHostRefusal(kZipMap, {x}, "classlabels_int64s", One("classlabels_int64s", 1.5f));
  ExpectHostRefusal(kZipMap, {NumbersOf({int64_t{1} << 50, 0}, {})}, "is empty", One("classlabels_int64s", Ints({})));
  ExpectHostRefusal(kZipMap, {x}, "there twice", One("classlabels_int64s", Ints({3, 3})));
  ExpectHostRefusal(kZipMap, {x}, "2 columns", One("classlabels_int64s", Ints({3})));
  ExpectHostRefusal(kZipMap, {NumbersOf({1, 2}, {1, 2}, DataType::kF64)}, "f64", two);
  ExpectHostRefusal(kZipMap, {NumbersOf({1, 1, 2}, {1, 2})}, "rank 3", two);
  ExpectHostRefusal(kZipMap, {NumbersOf({}, {1})}, "rank 0", two);
  ExpectHostRefusal(kZipMap, {IntMap({1}, {1})}, "map of 1 i64", two);
}

TEST(DictVectorizer, PutsValuesWhereTheVocabularyHasTheirKeys) {
  const Attributes words = One("string_vocabulary", Texts{"a", "c", "b", "z"});
  ExpectTensor((*RunHostOp(kDictVectorizer, {TextMap({"c", "a"}, {8, 4})}, words))[0], {1, 4}, {4, 8, 0, 0});
  ExpectTensor((*RunHostOp(kDictVectorizer, {TextMap({"unknown"}, {8})}, words))[0], {1, 4}, {0, 0, 0, 0});
  const auto wide = RunHostOp(kDictVectorizer, {IntMap({-5, 7}, {1.5, 2}, DataType::kF64)},
                              One("int64_vocabulary", Ints({7, 6, -5})));
  ASSERT_TRUE(wide.ok()) << wide.status().message();
  EXPECT_EQ((*wide)[0].type(), DataType::kF64);
  ExpectTensor((*wide)[0], {1, 3}, {2, 0, 1.5});
}

TEST(DictVectorizer, Refuses) {
  const Attributes words = One("string_vocabulary", Texts{"a"});
  ExpectHostRefusal(kDictVectorizer, {TextMap({"a"}, {1})}, "exactly one");
  ExpectHostRefusal(kDictVectorizer, {IntMap({1}, {1})}, "the vocabulary is of string", words);
  ExpectHostRefusal(kDictVectorizer, {NumbersOf({1}, {1})}, "expected a map", words);
  ExpectHostRefusal(kDictVectorizer, {TextMap({"a"}, {1})}, "there twice", One("string_vocabulary", Texts{"a", "a"}));
  ExpectHostRefusal(kDictVectorizer, {IntMap({1, 2}, {1})}, "with 1 values", One("int64_vocabulary", Ints({1})));
}

TEST(CastMap, OrdersByKeyOrPlacesAtIt) {
  const Datum map = IntMap({4, 1}, {2.5, -1});
  ExpectTensor((*RunHostOp(kCastMap, {map}))[0], {1, 2}, {-1, 2.5});
  Attributes sparse = One("map_form", std::string("SPARSE"));
  sparse.Set("max_map", int64_t{5});
  ExpectTensor((*RunHostOp(kCastMap, {map}, sparse))[0], {1, 5}, {0, -1, 0, 0, 2.5});
  const auto ints = RunHostOp(kCastMap, {map}, One("cast_to", std::string("TO_INT64")));
  EXPECT_EQ((*ints)[0].type(), DataType::kI64);
  ExpectTensor((*ints)[0], {1, 2}, {-1, 2});
  const auto texts = RunHostOp(kCastMap, {map}, One("cast_to", std::string("TO_STRING")));
  EXPECT_EQ(TextsIn((*texts)[0].tensor()), (Texts{"-1.0", "2.5"}));
  const Datum words = Datum::Map(NumbersOf({2}, {1, 0}, DataType::kI64).tensor(), TextsOf({2}, {"7", "-3"}).tensor());
  ExpectTensor((*RunHostOp(kCastMap, {words}))[0], {1, 2}, {-3, 7});
  ExpectTensor((*RunHostOp(kCastMap, {words}, One("cast_to", std::string("TO_INT64"))))[0], {1, 2}, {-3, 7});
}

TEST(CastMap, Refuses) {
  Attributes sparse = One("map_form", std::string("SPARSE"));
  sparse.Set("max_map", int64_t{3});
  ExpectHostRefusal(kCastMap, {IntMap({3}, {1})}, "max_map", sparse);
  ExpectHostRefusal(kCastMap, {IntMap({-1}, {1})}, "max_map", sparse);
  sparse.Set("max_map", int64_t{-4});
  ExpectHostRefusal(kCastMap, {IntMap({0}, {1})}, "max_map", sparse);
  ExpectHostRefusal(kCastMap, {IntMap({}, {})}, "at least 1");
  ExpectHostRefusal(kCastMap, {TextMap({"a"}, {1})}, "from i64");
  ExpectHostRefusal(kCastMap, {IntMap({1}, {1})}, "cast_to", One("cast_to", std::string("TO_DOUBLE")));
  ExpectHostRefusal(kCastMap, {IntMap({1}, {1})}, "map_form", One("map_form", std::string("FULL")));
  const Datum words = Datum::Map(NumbersOf({1}, {1}, DataType::kI64).tensor(), TextsOf({1}, {"seven"}).tensor());
  ExpectHostRefusal(kCastMap, {words}, "seven");
  ExpectHostRefusal(kCastMap, {words}, "'seven' is no i64", One("cast_to", std::string("TO_INT64")));
}

}  // namespace
}  // namespace moka

// Operators whose sizes depend on contents, on literal data.
#include <limits>

#include "tests/ops/run_host_op.h"

namespace moka {
namespace {

const DataType kI64 = DataType::kI64;
const float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(NonZero, ListsCoordinatesInRowMajorOrder) {
  const auto got = RunHostOp("NonZero", {NumbersOf({2, 3}, {0, 5, 0, -1, 0, kNan})});
  ASSERT_TRUE(got.ok()) << got.status().message();
  ExpectTensor((*got)[0], {2, 3}, {0, 1, 1, 1, 0, 2});
}

TEST(NonZero, KnowsEveryTypeAndNoElements) {
  for (const DataType type : {DataType::kBool, DataType::kU8, kI64, DataType::kF16, DataType::kI4}) {
    const auto got = RunHostOp("NonZero", {NumbersOf({4}, {1, 0, 0, 1}, type)});
    ASSERT_TRUE(got.ok()) << NameOf(type) << got.status().message();
    ExpectTensor((*got)[0], {1, 2}, {0, 3});
  }
  ExpectTensor((*RunHostOp("NonZero", {TextsOf({2}, {"", "a"})}))[0], {1, 1}, {1});
  ExpectTensor((*RunHostOp("NonZero", {NumbersOf({2, 0}, {})}))[0], {2, 0}, {});
  ExpectTensor((*RunHostOp("NonZero", {NumbersOf({}, {7})}))[0], {1, 1}, {0});
}

TEST(Compress, KeepsSlicesWhereTheConditionHolds) {
  const Datum x = NumbersOf({3, 2}, {1, 2, 3, 4, 5, 6});
  const Datum rows = NumbersOf({3}, {0, 1, 1}, DataType::kBool), columns = NumbersOf({1}, {1}, DataType::kBool);
  ExpectTensor((*RunHostOp("Compress", {x, rows}, Attrs({{"axis", int64_t{0}}})))[0], {2, 2}, {3, 4, 5, 6});
  ExpectTensor((*RunHostOp("Compress", {x, columns}, Attrs({{"axis", int64_t{-1}}})))[0], {3, 1}, {1, 3, 5});
  ExpectTensor((*RunHostOp("Compress", {x, NumbersOf({5}, {0, 1, 0, 0, 1}, DataType::kBool)}))[0], {2}, {2, 5});
  const auto texts = RunHostOp("Compress", {TextsOf({2}, {"a", "b"}), NumbersOf({2}, {0, 1}, DataType::kBool)});
  EXPECT_EQ(TextsIn((*texts)[0].tensor()), std::vector<std::string>{"b"});
}

TEST(Compress, Refuses) {
  const Datum x = NumbersOf({2}, {1, 2}), three = NumbersOf({3}, {1, 1, 1}, DataType::kBool);
  ExpectHostRefusal("Compress", {x, three}, "element 2 of a dimension of 2");
  ExpectHostRefusal("Compress", {x, x}, "src 1 (condition) is f32");
  ExpectHostRefusal("Compress", {x, three}, "attribute 'axis' 1", Attrs({{"axis", int64_t{1}}}));
  ExpectHostRefusal("Compress", {x, Datum()}, "src 1 is missing");
}

TEST(Unique, SortsElements) {
  const auto got = RunHostOp("Unique", {NumbersOf({6}, {2, 1, 1, 3, 4, 3})}, {}, 4);
  ASSERT_TRUE(got.ok()) << got.status().message();
  ExpectTensor((*got)[0], {4}, {1, 2, 3, 4});
  ExpectTensor((*got)[1], {4}, {1, 0, 3, 4});
  ExpectTensor((*got)[2], {6}, {1, 0, 0, 2, 3, 2});
  ExpectTensor((*got)[3], {4}, {2, 1, 2, 1});
}

TEST(Unique, KeepsTheOrderOfFirstPlaces) {
  const auto got = RunHostOp("Unique", {NumbersOf({6}, {2, 1, 1, 3, 4, 3})}, Attrs({{"sorted", int64_t{0}}}), 4);
  ASSERT_TRUE(got.ok());
  ExpectTensor((*got)[0], {4}, {2, 1, 3, 4});
  ExpectTensor((*got)[1], {4}, {0, 1, 3, 4});
  ExpectTensor((*got)[2], {6}, {0, 1, 1, 2, 3, 2});
  ExpectTensor((*got)[3], {4}, {1, 2, 2, 1});
}

TEST(Unique, ComparesSlices) {
  const Datum x = NumbersOf({3, 3}, {1, 0, 1, 0, 2, 0, 1, 0, 1});
  ExpectTensor((*RunHostOp("Unique", {x}, Attrs({{"axis", int64_t{0}}})))[0], {2, 3}, {0, 2, 0, 1, 0, 1});
  ExpectTensor((*RunHostOp("Unique", {x}, Attrs({{"axis", int64_t{1}}})))[0], {3, 2}, {0, 1, 2, 0, 0, 1});
}

TEST(Unique, CountsOneNanAndOrdersTexts) {
  const auto numbers = RunHostOp("Unique", {NumbersOf({4}, {kNan, 1, kNan, -1})}, {}, 4);
  ASSERT_TRUE(numbers.ok());
  EXPECT_EQ((*numbers)[0].tensor().shape(), Shape{3});
  ExpectTensor((*numbers)[3], {3}, {1, 1, 2});
  const auto texts = RunHostOp("Unique", {TextsOf({3}, {"b", "a", "b"})});
  EXPECT_EQ(TextsIn((*texts)[0].tensor()), (std::vector<std::string>{"a", "b"}));
  ExpectTensor((*RunHostOp("Unique", {NumbersOf({0}, {})}))[0], {0}, {});
}

// Two boxes that nearly coincide, one apart.
Datum Boxes() { return NumbersOf({1, 3, 4}, {0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, 10, 1, 11}); }

TEST(NonMaxSuppression, KeepsTheBestOfBoxesThatOverlap) {
  const Datum scores = NumbersOf({1, 2, 3}, {0.5, 0.9, 0.1, 0.2, 0.1, 0.8}), most = NumbersOf({}, {3}, kI64);
  const Datum iou = NumbersOf({}, {0.5});
  const auto got = RunHostOp("NonMaxSuppression", {Boxes(), scores, most, iou});
  ASSERT_TRUE(got.ok()) << got.status().message();
  ExpectTensor((*got)[0], {4, 3}, {0, 0, 1, 0, 0, 2, 0, 1, 2, 0, 1, 0});
  const auto above = RunHostOp("NonMaxSuppression", {Boxes(), scores, most, iou, NumbersOf({1}, {0.2})});
  ExpectTensor((*above)[0], {2, 3}, {0, 0, 1, 0, 1, 2});
  const auto one = RunHostOp("NonMaxSuppression", {Boxes(), scores, NumbersOf({1}, {1}, kI64), iou});
  ExpectTensor((*one)[0], {2, 3}, {0, 0, 1, 0, 1, 2});
}

TEST(NonMaxSuppression, SelectsNothingByDefaultAndNoNan) {
  const Datum scores = NumbersOf({1, 1, 3}, {kNan, 0.9, kNan});
  ExpectTensor((*RunHostOp("NonMaxSuppression", {Boxes(), scores}))[0], {0, 3}, {});
  ExpectTensor((*RunHostOp("NonMaxSuppression", {Boxes(), scores, NumbersOf({}, {9}, kI64)}))[0], {1, 3}, {0, 0, 1});
}

TEST(NonMaxSuppression, Refuses) {
  const Datum scores = NumbersOf({1, 1, 3}, {1, 2, 3}), most = NumbersOf({}, {3}, kI64);
  ExpectHostRefusal("NonMaxSuppression", {Boxes(), NumbersOf({1, 1, 2}, {1, 2})}, "src 0 (boxes) has shape [1, 3, 4]");
  ExpectHostRefusal("NonMaxSuppression", {NumbersOf({3, 4}, {}), scores}, "src 0 (boxes) is f32[3, 4]");
  ExpectHostRefusal("NonMaxSuppression", {Boxes(), scores, most, NumbersOf({}, {1.5})}, "src 3 (iou_threshold) is 1.5");
  ExpectHostRefusal("NonMaxSuppression", {Boxes(), scores, NumbersOf({2}, {1, 2})}, "expected one number");
}

}  // namespace
}  // namespace moka

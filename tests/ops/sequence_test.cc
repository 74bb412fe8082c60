#include "tests/ops/run_host_op.h"

namespace moka {
namespace {

AttributeValue Int(int64_t value) { return value; }
Datum Index(int64_t value) { return NumbersOf({}, {static_cast<double>(value)}, DataType::kI64); }
Datum Three() {
  return Datum::Sequence(DataType::kF32, {NumbersOf({1}, {1}), NumbersOf({2}, {2, 3}), NumbersOf({1}, {4})});
}
std::vector<size_t> Sizes(const Datum& sequence) {
  std::vector<size_t> sizes;
  for (const Datum& element : sequence.sequence()) sizes.push_back(static_cast<size_t>(element.tensor().size()));
  return sizes;
}
using Counts = std::vector<size_t>;

TEST(Sequence, IsMadeAndMeasured) {
  const auto made = RunHostOp("SequenceConstruct", {NumbersOf({2}, {1, 2}), NumbersOf({1}, {3})});
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_EQ(Sizes((*made)[0]), (Counts{2, 1}));
  EXPECT_EQ((*made)[0].type(), DataType::kF32);
  ExpectTensor((*RunHostOp("SequenceLength", {(*made)[0]}))[0], {}, {2});
  const auto empty = RunHostOp("SequenceEmpty", {}, Attrs({{"dtype", Int(7)}}));
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ((*empty)[0].type(), DataType::kI64);
  ExpectTensor((*RunHostOp("SequenceLength", {(*empty)[0]}))[0], {}, {0});
}

TEST(Sequence, PositionsCountFromBothEnds) {
  ExpectTensor((*RunHostOp("SequenceAt", {Three(), Index(1)}))[0], {2}, {2, 3});
  ExpectTensor((*RunHostOp("SequenceAt", {Three(), Index(-1)}))[0], {1}, {4});
  const Datum more = NumbersOf({3}, {7, 8, 9});
  EXPECT_EQ(Sizes((*RunHostOp("SequenceInsert", {Three(), more}))[0]), (Counts{1, 2, 1, 3}));
  EXPECT_EQ(Sizes((*RunHostOp("SequenceInsert", {Three(), more, Index(0)}))[0]), (Counts{3, 1, 2, 1}));
  EXPECT_EQ(Sizes((*RunHostOp("SequenceInsert", {Three(), more, Index(3)}))[0]), (Counts{1, 2, 1, 3}));
  EXPECT_EQ(Sizes((*RunHostOp("SequenceInsert", {Three(), more, Index(-1)}))[0]), (Counts{1, 2, 3, 1}));
  EXPECT_EQ(Sizes((*RunHostOp("SequenceErase", {Three()}))[0]), (Counts{1, 2}));
  EXPECT_EQ(Sizes((*RunHostOp("SequenceErase", {Three(), Index(-3)}))[0]), (Counts{2, 1}));
}

TEST(Sequence, TensorsAreSplit) {
  const Datum x = NumbersOf({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto columns = RunHostOp("SplitToSequence", {x}, Attrs({{"axis", Int(1)}, {"keepdims", Int(0)}}));
  ASSERT_TRUE(columns.ok());
  ASSERT_EQ((*columns)[0].sequence().size(), 3u);
  ExpectTensor((*columns)[0].sequence()[1], {2}, {2, 5});
  const auto chunks = RunHostOp("SplitToSequence", {x, Index(2)}, Attrs({{"axis", Int(-1)}}));
  ASSERT_EQ((*chunks)[0].sequence().size(), 2u);
  ExpectTensor((*chunks)[0].sequence()[0], {2, 2}, {1, 2, 4, 5});
  ExpectTensor((*chunks)[0].sequence()[1], {2, 1}, {3, 6});
  const Datum sizes = NumbersOf({3}, {0, 1, 2}, DataType::kI64);
  const auto parts = RunHostOp("SplitToSequence", {x, sizes}, Attrs({{"axis", Int(1)}}));
  ASSERT_EQ((*parts)[0].sequence().size(), 3u);
  ExpectTensor((*parts)[0].sequence()[2], {2, 2}, {2, 3, 5, 6});
}

TEST(Sequence, TensorsAreJoined) {
  const Datum a = NumbersOf({1, 2}, {1, 2}), b = NumbersOf({2, 2}, {3, 4, 5, 6});
  const Datum rows = Datum::Sequence(DataType::kF32, {a, b}), same = Datum::Sequence(DataType::kF32, {a, a});
  ExpectTensor((*RunHostOp("ConcatFromSequence", {rows}, Attrs({{"axis", Int(0)}})))[0], {3, 2}, {1, 2, 3, 4, 5, 6});
  ExpectTensor((*RunHostOp("ConcatFromSequence", {same}, Attrs({{"axis", Int(-1)}, {"new_axis", Int(1)}})))[0],
               {1, 2, 2}, {1, 1, 2, 2});
  const Datum words = Datum::Sequence(DataType::kString, {TextsOf({1}, {"a"}), TextsOf({2}, {"bc", ""})});
  const auto joined = RunHostOp("ConcatFromSequence", {words}, Attrs({{"axis", Int(0)}}));
  ASSERT_TRUE(joined.ok());
  EXPECT_EQ(TextsIn((*joined)[0].tensor()), (std::vector<std::string>{"a", "bc", ""}));
}

TEST(Optional, HoldsAValueOrNothing) {
  const Datum x = NumbersOf({1}, {5});
  ExpectTensor((*RunHostOp("Optional", {x}))[0], {1}, {5});
  EXPECT_TRUE((*RunHostOp("Optional", {}))[0].is_none());
  ExpectTensor((*RunHostOp("OptionalHasElement", {x}))[0], {}, {1});
  ExpectTensor((*RunHostOp("OptionalHasElement", {Datum()}))[0], {}, {0});
  ExpectTensor((*RunHostOp("OptionalGetElement", {x}))[0], {1}, {5});
  ExpectHostRefusal("OptionalGetElement", {Datum()}, "without a value");
}

TEST(Sequence, RefusesBadInput) {
  const Datum x = NumbersOf({2}, {1, 2}), scalar = NumbersOf({}, {1});
  const Datum none = Datum::Sequence(DataType::kF32, {});
  ExpectHostRefusal("SequenceAt", {x, Index(0)}, "src 0: f32[2], expected a sequence");
  ExpectHostRefusal("SequenceAt", {Three(), Index(3)}, "src 1 (position) is 3, expected -3 to 2");
  ExpectHostRefusal("SequenceAt", {Three(), Index(-4)}, "position) is -4");
  ExpectHostRefusal("SequenceAt", {Three(), x}, "expected one i32 or i64");
  ExpectHostRefusal("SequenceAt", {none, Index(0)}, "position) is 0");
  ExpectHostRefusal("SequenceInsert", {Three(), Index(1)}, "src 1 is i64");
  ExpectHostRefusal("SequenceInsert", {Three(), x, Index(4)}, "position) is 4, expected -3 to 3");
  ExpectHostRefusal("SequenceErase", {none}, "an empty sequence");
  ExpectHostRefusal("SequenceConstruct", {x, Index(1)}, "src 1 is i64, but src 0 is f32");
  ExpectHostRefusal("SequenceConstruct", {Three()}, "expected a tensor");
  ExpectHostRefusal("SequenceEmpty", {}, "attribute 'dtype' is 99", Attrs({{"dtype", Int(99)}}));
  ExpectHostRefusal("SplitToSequence", {scalar}, "attribute 'axis' 0 is outside rank 0");
  ExpectHostRefusal("SplitToSequence", {x, Index(0)}, "src 1 (split) is 0");
  ExpectHostRefusal("SplitToSequence", {x, NumbersOf({2}, {1, 2}, DataType::kI64)}, "element 1 is 2, 1 are left");
  ExpectHostRefusal("SplitToSequence", {x, NumbersOf({1}, {1}, DataType::kI64)}, "leaves 1 of 2");
  ExpectHostRefusal("SplitToSequence", {x, NumbersOf({1}, {2})}, "src 1 (split)");
  ExpectHostRefusal("SplitToSequence", {NumbersOf({int64_t{1} << 40, 0}, {})}, "at most 1048576");
  ExpectHostRefusal("ConcatFromSequence", {Three()}, "attribute 'axis' is missing");
  ExpectHostRefusal("ConcatFromSequence", {none}, "an empty sequence", Attrs({{"axis", Int(0)}}));
  ExpectHostRefusal("ConcatFromSequence", {Three()}, "attribute 'axis' 1", Attrs({{"axis", Int(1)}}));
  ExpectHostRefusal("ConcatFromSequence", {Three()}, "element 1 is f32[2]",
                    Attrs({{"axis", Int(0)}, {"new_axis", Int(1)}}));
}

}  // namespace
}  // namespace moka

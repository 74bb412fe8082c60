#include "moka/tensor.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include "base/tensor_size.h"

namespace moka {
namespace {

TEST(Tensor, IsZeroFilledAndAligned) {
  Result<Tensor> tensor = Tensor::Create(DataType::kF32, {3, 5, 7});
  ASSERT_TRUE(tensor.ok()) << tensor.status().message();
  EXPECT_EQ(tensor->size(), 105);
  EXPECT_EQ(tensor->bytes(), 420u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor->data()) % 64, 0u);
  for (int64_t i = 0; i < tensor->size(); ++i) EXPECT_EQ(tensor->as<float>()[i], 0.0f);
}

TEST(Tensor, ScalarHasOneElementAndEmptyHasAnAddress) {
  EXPECT_EQ(Tensor::Create(DataType::kI64, {})->size(), 1);
  Result<Tensor> empty = Tensor::Create(DataType::kF32, {4, 0, 2});
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(empty->size(), 0);
  EXPECT_NE(empty->data(), nullptr);
}

TEST(Tensor, CopyHasItsOwnMemory) {
  int32_t source[] = {1, -2, 3, 4};
  Result<Tensor> copy = Tensor::CopyOf({DataType::kI32, {2, 2}, source});
  ASSERT_TRUE(copy.ok());
  source[1] = 7;
  EXPECT_EQ(copy->as<int32_t>()[1], -2);
}

TEST(Tensor, CopiesShareMemory) {
  Result<Tensor> tensor = Tensor::Create(DataType::kU8, {8});
  Tensor second = *tensor;
  second.as<uint8_t>()[3] = 9;
  EXPECT_EQ(tensor->as<uint8_t>()[3], 9);
}

TEST(Tensor, RefusesWhatHasNoSize) {
  constexpr int64_t kHuge = int64_t{1} << 60;
  const struct {
    DataType type;
    Shape shape;
  } kCases[] = {
      {DataType::kF32, {2, -1}},           {DataType::kF32, {kHuge, 16}}, {DataType::kF64, {kHuge}},
      {DataType::kF32, {0, kHuge, kHuge}}, {DataType::kNone, {1}},        {DataType::kI8, {INT64_MIN}},
  };
  for (const auto& c : kCases) {
    Result<Tensor> tensor = Tensor::Create(c.type, c.shape);
    ASSERT_FALSE(tensor.ok()) << ToString(c.shape);
    EXPECT_EQ(tensor.status().code(), StatusCode::kInvalidArgument) << tensor.status().message();
  }
  EXPECT_EQ(Tensor::CopyOf({DataType::kF32, {2}, nullptr}).status().code(), StatusCode::kInvalidArgument);
}

TEST(Tensor, NamesTypesAndShapes) {
  EXPECT_EQ(ToString(Shape{1, 3, 224, 224}), "[1, 3, 224, 224]");
  EXPECT_EQ(ToString(Shape{}), "[]");
  EXPECT_STREQ(NameOf(DataType::kBF16), "bf16");
  EXPECT_STREQ(NameOf(DataType::kString), "string");
  EXPECT_EQ(SizeOf(DataType::kU64), 8u);
  EXPECT_EQ(SizeOf(DataType::kBool), 1u);
  EXPECT_EQ(SizeOf(DataType::kI4), 1u);
  EXPECT_EQ(SizeOf(DataType::kString), sizeof(void*)) << "in a plan";
}

TEST(Tensor, HoldsStringsAndCopiesThem) {
  Result<Tensor> words = Tensor::Create(DataType::kString, {2});
  ASSERT_TRUE(words.ok());
  words->as<std::string>()[0] = "a string that is longer than any small buffer";
  const Result<Tensor> copy = Tensor::CopyOf(words->view());
  words->as<std::string>()[0].clear();
  EXPECT_EQ(copy->as<std::string>()[0], "a string that is longer than any small buffer");
  EXPECT_EQ(copy->as<std::string>()[1], "");
}

TEST(TensorSize, KeepsTheLargestThatFits) {
  Result<TensorSize> size = SizeOfTensor(DataType::kI8, {INT64_MAX, 1});
  ASSERT_TRUE(size.ok());
  EXPECT_EQ(size->bytes, INT64_MAX);
}

}  // namespace
}  // namespace moka

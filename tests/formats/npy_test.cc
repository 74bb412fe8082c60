#include "formats/npy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/platform.h"
#include "moka/tensor.h"
#include "tests/formats/onnx_writer.h"

namespace moka {
namespace {

// Removed at the end.
struct TempFile {
  explicit TempFile(const std::string& name)
      : path(testing::TempDir() + "moka_npy_test_" + std::to_string(::getpid()) + "_" + name) {}
  ~TempFile() { std::remove(path.c_str()); }
  std::string path;
};

// A version 1 file with that header text, padded as NumPy does.
std::string Npy(const std::string& header, const std::string& data, char version = 1) {
  std::string text = header;
  const size_t width = version == 1 ? 2 : 4;
  while ((8 + width + text.size() + 1) % 64 != 0) text += ' ';
  text += '\n';
  std::string file = "\x93NUMPY";
  file += version;
  file += '\0';
  for (size_t i = 0; i < width; ++i) file += static_cast<char>(text.size() >> (8 * i) & 0xff);
  return file + text + data;
}

TEST(Npy, RoundTripsEveryType) {
  const DataType kTypes[] = {DataType::kF32, DataType::kF64, DataType::kF16, DataType::kI8,
                             DataType::kI16, DataType::kI32, DataType::kI64, DataType::kU8,
                             DataType::kU16, DataType::kU32, DataType::kU64, DataType::kBool};
  for (const DataType type : kTypes) {
    for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 3, 4}, Shape{0, 5}}) {
      Tensor tensor = *Tensor::Create(type, shape);
      auto* bytes = static_cast<uint8_t*>(tensor.data());
      for (size_t i = 0; i < tensor.bytes(); ++i) bytes[i] = static_cast<uint8_t>(type == DataType::kBool ? i % 2 : i);
      const TempFile file(NameOf(type));
      ASSERT_TRUE(SaveNpy(file.path, tensor.view()).ok());
      Result<Tensor> loaded = LoadTensor(file.path);
      ASSERT_TRUE(loaded.ok()) << loaded.status().message();
      EXPECT_EQ(loaded->type(), type);
      EXPECT_EQ(loaded->shape(), shape);
      EXPECT_EQ(std::memcmp(loaded->data(), tensor.data(), tensor.bytes()), 0) << NameOf(type) << ToString(shape);
    }
  }
}

TEST(Npy, WritesNoTensorWithoutData) {
  const TempFile file("nothing");
  EXPECT_EQ(SaveNpy(file.path, {DataType::kF32, {2}, nullptr}).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(SaveNpy(file.path, {DataType::kF32, {2, 0}, nullptr}).ok());
}

TEST(Npy, WritesAlignedHeaders) {
  for (const Shape& shape : {Shape{}, Shape{1000000, 1000000}, Shape{1, 2, 3, 4, 5, 6, 7, 8}}) {
    const std::string header = *NpyHeader(DataType::kF32, shape);
    EXPECT_EQ(header.size() % 64, 0u);
    EXPECT_EQ(header.back(), '\n');
  }
  EXPECT_EQ(NpyHeader(DataType::kBF16, {1}).status().code(), StatusCode::kUnsupported);
}

TEST(Npy, ReadsVersionsAndSpellings) {
  const std::string data(16, '\0');
  for (const char version : {1, 2, 3}) {
    for (const char* header : {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }",
                               "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }",
                               "{\"shape\": (4, ), \"descr\": \"<f4\",\"fortran_order\":True}"}) {
      Result<HostTensor> tensor = ReadNpy(Npy(header, data, version), nullptr);
      ASSERT_TRUE(tensor.ok()) << tensor.status().message() << header;
      EXPECT_EQ(tensor->desc.NumElements(), 4);
    }
  }
}

TEST(Npy, RefusesDamage) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }";
  const std::string data(16, '\0');
  const std::string file = Npy(good, data);
  for (size_t n = 0; n < file.size(); ++n)
    EXPECT_FALSE(ReadNpy(std::string_view(file).substr(0, n), nullptr).ok()) << n;
  EXPECT_FALSE(ReadNpy(file + "x", nullptr).ok());
  EXPECT_FALSE(ReadNpy(Npy(good, data, 4), nullptr).ok());
  for (const char* header : {
           "",
           "{",
           "{}",
           "[]",
           "{'descr': '<f4'}",
           "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 2)}",
           "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2)}",
           "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2, 2)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -2)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808, )}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976, 16)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,4)}",
           "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,)}",
           "{'descr': '|O', 'fortran_order': False, 'shape': (4,)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), 'more': 1}",
       }) {
    EXPECT_FALSE(ReadNpy(Npy(header, data), nullptr).ok()) << header;
  }
}

TEST(LoadTensor, ReadsTensorProtoAndNamesTheFileInErrors) {
  const TempFile file("tensor.pb");
  const std::string& path = file.path;
  ASSERT_TRUE(WriteFileAtomically(path, test::TensorSpec::Of<int64_t>({2}, {5, -6}).Encode("t")).ok());
  Result<Tensor> tensor = LoadTensor(path);
  ASSERT_TRUE(tensor.ok()) << tensor.status().message();
  EXPECT_EQ(tensor->as<int64_t>()[1], -6);

  for (const std::string& content : {std::string("\x93NUMPY\x01"), std::string("not a tensor at all")}) {
    ASSERT_TRUE(WriteFileAtomically(path, content).ok());
    const Status status = LoadTensor(path).status();
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.message().find(path), 0u) << status.message();
  }
  EXPECT_EQ(LoadTensor(TempFile("absent").path).status().code(), StatusCode::kNotFound);
}

TEST(LoadTensor, BooleansAreZeroOrOne) {
  const TempFile file("bool.npy");
  const std::string& path = file.path;
  ASSERT_TRUE(
      WriteFileAtomically(path, Npy("{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}", {0, 7, 1})).ok());
  Result<Tensor> tensor = LoadTensor(path);
  ASSERT_TRUE(tensor.ok()) << tensor.status().message();
  EXPECT_EQ(std::vector<int>(tensor->as<uint8_t>(), tensor->as<uint8_t>() + 3), (std::vector<int>{0, 1, 1}));
}

}  // namespace
}  // namespace moka

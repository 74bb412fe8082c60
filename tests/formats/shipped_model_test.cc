// The shipped model, damaged in every way that one byte can damage it.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/platform.h"
#include "formats/onnx/reader.h"

namespace moka {
namespace {

const std::string& ShippedModel() {
  static const std::string kBytes = *ReadFile(MOKA_SOURCE_DIR "/models/fashion_mnist.onnx");
  return kBytes;
}

// Reads and infers, as loading does.
Status Load(std::string_view bytes) {
  Result<Graph> graph = ReadOnnx({bytes, "", nullptr}, {});
  return graph.ok() ? InferShapes(*graph).status() : graph.status();
}

TEST(ShippedModel, IsRead) {
  const Status status = Load(ShippedModel());
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(ShippedModel, TruncatedAtEveryByteIsRefused) {
  const std::string_view bytes = ShippedModel();
  int refused = 0;
  for (size_t n = 0; n < bytes.size(); ++n) {
    const Status status = Load(bytes.substr(0, n));
    refused += !status.ok();
    if (!status.ok()) {
      ASSERT_FALSE(status.message().empty());
    }
  }
  // What is cut off behind the graph may be nothing that moka reads.
  EXPECT_GE(refused, static_cast<int>(bytes.size()) - 64);
}

TEST(ShippedModel, AnyByteOfItsHeadMayBeWrong) {
  std::string bytes = ShippedModel();
  const size_t head = std::min<size_t>(bytes.size(), 4096);
  int refused = 0;
  for (size_t i = 0; i < head; ++i) {
    const char right = bytes[i];
    for (const char wrong : {'\0', '\x7f', '\xff'}) {
      bytes[i] = wrong;
      const Status status = Load(bytes);
      refused += !status.ok();
      if (!status.ok()) {
        ASSERT_FALSE(status.message().empty()) << i;
      }
    }
    bytes[i] = right;
  }
  EXPECT_GT(refused, 0);
  EXPECT_TRUE(Load(bytes).ok()) << "restored";
}

}  // namespace
}  // namespace moka

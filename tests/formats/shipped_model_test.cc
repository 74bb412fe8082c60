// The shipped model, cut off at every byte. (damaged_run_test.cc changes its bytes.)
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace moka

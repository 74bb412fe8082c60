// Every model and tensor of Debian's libonnx-testdata.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/platform.h"
#include "formats/onnx/reader.h"
#include "moka/tensor.h"

namespace moka {
namespace {

constexpr const char* kFolder = "/usr/share/libonnx-testdata";

std::vector<std::string> FilesWith(const std::string& extension) {
  std::vector<std::string> paths;
  if (!std::filesystem::exists(kFolder)) return paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kFolder)) {
    if (entry.is_regular_file() && entry.path().extension() == extension) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

TEST(OnnxTestdata, EveryModelIsReadOrRefusedWithAReason) {
  const std::vector<std::string> paths = FilesWith(".onnx");
  if (paths.empty()) GTEST_SKIP() << "libonnx-testdata is not installed";
  int read = 0;
  for (const std::string& path : paths) {
    Result<std::shared_ptr<const MappedFile>> file = MappedFile::Open(path);
    ASSERT_TRUE(file.ok()) << file.status().message();
    const std::string_view bytes(reinterpret_cast<const char*>((*file)->data()), (*file)->size());
    Result<Graph> graph = ReadOnnx({bytes, path, *file}, {});
    if (graph.ok()) {
      ++read;
      EXPECT_FALSE(graph->nodes.empty() && graph->outputs.empty()) << path;
    } else {
      EXPECT_EQ(graph.status().code(), StatusCode::kUnsupported) << graph.status().message();
      EXPECT_EQ(graph.status().message().find(path), 0u) << graph.status().message();
    }
  }
  RecordProperty("models", static_cast<int>(paths.size()));
  RecordProperty("read", read);
  EXPECT_GE(read, 250) << "of " << paths.size();
}

TEST(OnnxTestdata, EveryTensorIsReadOrRefusedWithAReason) {
  const std::vector<std::string> paths = FilesWith(".pb");
  if (paths.empty()) GTEST_SKIP() << "libonnx-testdata is not installed";
  int read = 0;
  for (const std::string& path : paths) {
    Result<Tensor> tensor = LoadTensor(path);
    if (tensor.ok()) {
      ++read;
    } else if (tensor.status().code() != StatusCode::kUnsupported) {
      // Sequences and optionals are in files of other messages, which are no tensors.
      EXPECT_EQ(tensor.status().code(), StatusCode::kInvalidModel) << tensor.status().message();
      EXPECT_TRUE(path.find("sequence") != std::string::npos || path.find("_opt") != std::string::npos ||
                  path.find("loop") != std::string::npos || path.find("if_") != std::string::npos)
          << tensor.status().message();
    }
  }
  RecordProperty("read", read);
  EXPECT_GE(read * 100, static_cast<int>(paths.size()) * 95) << "of " << paths.size();
}

}  // namespace
}  // namespace moka

// Weights in files beside the model.
#ifndef MOKA_FORMATS_ONNX_EXTERNAL_DATA_H_
#define MOKA_FORMATS_ONNX_EXTERNAL_DATA_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/platform.h"
#include "base/status.h"

namespace moka::onnx {

// Where a tensor's bytes lie, as the file states it.
struct ExternalLocation {
  std::string_view location;  // relative path, '/' between its parts
  uint64_t offset = 0;
  bool has_length = false;
  uint64_t length = 0;
};

struct ExternalBytes {
  const void* data = nullptr;
  std::shared_ptr<const void> owner;
};

// Maps each file once. Only files inside the model's folder are opened, symbolic links and ".." resolved.
class ExternalFiles {
 public:
  // `model_path` empty: every external tensor is refused.
  explicit ExternalFiles(std::string model_path) : model_path_(std::move(model_path)) {}

  // The `bytes` bytes of a tensor. Fails when the location leaves the folder or reaches past the end of its file, or
  // when a stated length is not `bytes`.
  Result<ExternalBytes> Map(const ExternalLocation& where, uint64_t bytes);

 private:
  Result<std::shared_ptr<const MappedFile>> Open(const std::string& location);

  std::string model_path_;
  std::string folder_;  // canonical, with a '/' at its end; filled by the first Open
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
};

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_EXTERNAL_DATA_H_

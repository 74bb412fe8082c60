// A trained network, read once and shared by any number of sessions and threads.
#ifndef MOKA_MODEL_H_
#define MOKA_MODEL_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "moka/datum.h"
#include "moka/status.h"
#include "moka/tensor.h"

namespace moka {

class ModelImpl;

// An input or output of the graph. dims[i] is -1 where the size is symbolic; `symbols[i]` then names it ("batch").
struct ValueInfo {
  std::string name;
  ValueKind kind = ValueKind::kTensor;
  DataType type = DataType::kNone;  // of the tensors, where it is a sequence or an optional
  bool ranked = true;               // false: the file does not even state the rank
  Shape dims;
  std::vector<std::string> symbols;
};

struct ModelOptions {
  int64_t max_nodes = 1 << 20;           // of the graph with its subgraphs
  int64_t max_tensor_bytes = 1LL << 40;  // of any one tensor that the file declares
  int max_nesting = 24;                  // of graphs in attributes, and of functions that call each other
  bool optimize = true;                  // false: run the graph as the file states it, for debugging
};

// Immutable after loading; thread-safe; cheap to copy (copies share).
class Model {
 public:
  // Maps the file: weights stay in it until a session packs them, so it must not change while the model lives.
  // External data is looked for in the file's folder only.
  static Result<Model> Load(const std::string& path, const ModelOptions& options = {});
  // `bytes` must outlive the model. External data is refused.
  static Result<Model> FromMemory(std::string_view bytes, const ModelOptions& options = {});

  const std::vector<ValueInfo>& inputs() const;
  const std::vector<ValueInfo>& outputs() const;
  int64_t parameters() const;  // elements of all floating-point weights in the file, single numbers left out
  const std::string& path() const;
  // The file's metadata_props, names and values in its order: what exporters leave for products, such as the names of
  // classes. A name may be there twice.
  const std::vector<std::pair<std::string, std::string>>& metadata() const;

  const std::shared_ptr<const ModelImpl>& impl() const { return impl_; }
  explicit Model(std::shared_ptr<const ModelImpl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<const ModelImpl> impl_;
};

}  // namespace moka

#endif  // MOKA_MODEL_H_

// The values of one graph while it is read, by name.
#ifndef MOKA_FORMATS_ONNX_SCOPE_H_
#define MOKA_FORMATS_ONNX_SCOPE_H_

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "graph/graph.h"

namespace moka::onnx {

// A node as the file states it: an operator name instead of a schema.
struct OnnxNode {
  std::string op, domain, name;
  Attributes attrs;
  std::vector<ValueId> src, dst;           // kNoValue where absent
  int64_t opset = 0;                       // of the default domain, where the node was written
  std::vector<std::string> captures = {};  // as Node::captures
  std::vector<ValueId> captured = {};      // the values of those names
};

class Scope {
 public:
  explicit Scope(Graph* graph) : graph_(graph) {}

  Graph& graph() { return *graph_; }
  // The value of that name, added when it is new; kNoValue for "".
  ValueId Use(std::string_view name);
  ValueId Find(std::string_view name) const;  // kNoValue when absent
  // Marks the value as made: by an input, an initializer or a node. False when something else makes it already.
  bool Define(ValueId id);
  bool IsDefined(ValueId id) const;
  void SetConstant(ValueId id, HostTensor tensor);

  // A value that no file names, for something in the file that defines it.
  ValueId Unused(const std::string& hint);
  // Values that no file names: "conv1.bias", or "conv1.bias_1" where that is taken.
  ValueId Fresh(const std::string& hint);
  ValueId FreshConstant(const std::string& hint, HostTensor tensor);

 private:
  Graph* graph_;
  std::unordered_map<std::string, ValueId> ids_;
  std::vector<bool> defined_;
  std::unordered_map<std::string, int> fresh_;  // the last number tried for a hint
};

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_SCOPE_H_

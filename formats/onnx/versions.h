// The one place that turns older forms of operators into the newest, so that everything behind the reader sees one
// form: attributes that became inputs, defaults that changed, flags that were dropped. versions.cc holds the table.
#ifndef MOKA_FORMATS_ONNX_VERSIONS_H_
#define MOKA_FORMATS_ONNX_VERSIONS_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "formats/onnx/scope.h"

namespace moka::onnx {

// Opsets of the default domain beyond this one may have changed any operator: models that need them are refused.
inline constexpr int64_t kNewestOpset = 28;

// Whether the table turns every node of this operator of the default domain into others: it has a name of its own no more.
bool IsReplaced(std::string_view op);

class Upgrader {
 public:
  // `uses[id]`: how many nodes and graph outputs read the value.
  Upgrader(Scope* scope, const std::vector<int>* uses) : scope_(scope), uses_(uses) {}

  // Appends the newest form of `node`, one node or several, to *out: of ai.onnx, or of com.microsoft where
  // formats/onnx/microsoft.h knows one in ai.onnx. Nodes must come in the file's order.
  Status Upgrade(OnnxNode node, std::vector<OnnxNode>* out);

  // ---- For the converters of the table ----

  Scope& scope() { return *scope_; }
  int64_t opset() const { return opset_; }  // of the default domain, for the node that is being converted
  bool IsUsed(ValueId id) const;
  // -1 when neither the file nor the operators before say it.
  int RankOf(ValueId id) const;
  // As declared, or that of the constant; f32 when nothing says it.
  DataType TypeOf(ValueId id) const;
  // Adds a constant that belongs to `node`.
  Result<ValueId> AddInts(const OnnxNode& node, const char* suffix, const std::vector<int64_t>& values);
  Result<ValueId> AddFloats(const OnnxNode& node, const char* suffix, const std::vector<float>& values);
  Result<ValueId> AddInt(const OnnxNode& node, const char* suffix, int64_t value);  // a scalar
  Result<ValueId> AddScalar(const OnnxNode& node, const char* suffix, DataType type, float value);
  // Adds a node before, or after, the one that is being converted. It has one result, whose new value is returned,
  // or dst.
  ValueId EmitBefore(const OnnxNode& node, const char* op, std::vector<ValueId> src, Attributes attrs = {});
  // The same with several results.
  std::vector<ValueId> EmitBefore(const OnnxNode& node, const char* op, std::vector<ValueId> src, int results,
                                  Attributes attrs = {});
  void EmitAfter(const OnnxNode& node, const char* op, std::vector<ValueId> src, ValueId dst, Attributes attrs = {});

 private:
  void TrackRank(const OnnxNode& node);
  Status Rewrite(OnnxNode& node);

  Scope* scope_;
  const std::vector<int>* uses_;
  int64_t opset_ = 0;
  std::unordered_map<ValueId, int> ranks_;
  std::vector<OnnxNode> before_, after_;
};

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_VERSIONS_H_

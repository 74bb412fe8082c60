// Graphs in QDQ form: DequantizeLinear -> operators on floats -> QuantizeLinear. What the rewrites share that turn such
// groups into operators on bytes.
#ifndef MOKA_GRAPH_PASSES_QDQ_H_
#define MOKA_GRAPH_PASSES_QDQ_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/passes/rewrite.h"
#include "ops/quantization.h"

namespace moka {

// A tensor of bytes and the parameters that give it values. zero: kNoValue is 0.
struct QdqTensor {
  ValueId bytes = kNoValue, scale = kNoValue, zero = kNoValue;
};

class Qdq {
 public:
  explicit Qdq(Graph& graph) : graph_(graph), uses_(graph) {}

  Graph& graph() { return graph_; }
  const Uses& uses() const { return uses_; }
  Node& node(int i) { return graph_.nodes[static_cast<size_t>(i)]; }
  const SymbolicTensor& tensor(ValueId id) const { return graph_.value(id).tensor; }
  bool IsConstant(ValueId id) const { return id == kNoValue || graph_.value(id).constant != nullptr; }

  // What `id` is the DequantizeLinear of: bytes with one constant scale, or, where `channels` says a dimension of a
  // constant, with one for each of its indices.
  std::optional<QdqTensor> Dequantized(ValueId id, int channels = -1) const;
  // What the QuantizeLinear at node n makes, where it has one constant scale and makes bytes.
  std::optional<QdqTensor> Quantizes(int n) const;

  float ScaleOf(const QdqTensor& t) const;
  int64_t ZeroOf(const QdqTensor& t) const;
  bool SameScale(const QdqTensor& a, const QdqTensor& b) const;

  // A new value of bytes like `id`, in shape.
  ValueId AddBytes(const std::string& name, ValueId like, DataType type);

  // Node n becomes `op` on `src` with n's result; `fused`, the nodes that it stands for, are named by it.
  void Become(int n, const char* domain, const char* op, Attributes attrs, std::vector<ValueId> src,
              const std::vector<int>& fused);
  // Puts a node before node n; collected, and inserted by Commit.
  void InsertBefore(int n, Node node) { inserted_.emplace_back(n, std::move(node)); }
  void Commit();

 private:
  Graph& graph_;
  Uses uses_;
  std::vector<std::pair<int, Node>> inserted_;  // by ascending position
};

// Relu and Clip with constant bounds between a producer and node `reader`, which is the only one to read them.
struct QdqBounds {
  ValueId value = kNoValue;  // what is bounded
  float lo, hi;
  std::vector<int> nodes;
};
QdqBounds BoundsAbove(Qdq& qdq, int reader);

// Each tries to turn the group that ends at the QuantizeLinear at node n into one operator on bytes.
bool FuseQdqConv(Qdq& qdq, int n, const QdqTensor& y);
bool FuseQdqMatrix(Qdq& qdq, int n, const QdqTensor& y);    // Gemm, MatMul
bool FuseQdqBinary(Qdq& qdq, int n, const QdqTensor& y);    // Add, Mul
bool FuseQdqPool(Qdq& qdq, int n, const QdqTensor& y);      // averages
bool FuseQdqMovement(Qdq& qdq, int n, const QdqTensor& y);  // MaxPool, Reshape, Transpose, Concat ...
bool FuseQdqFunction(Qdq& qdq, int n, const QdqTensor& y);  // whatever maps one element to one
bool FuseQdqFloatResult(Qdq& qdq, int n);                   // Gemm, MatMul whose result stays f32, at node n

bool LowerQuantized(Qdq& qdq, int n);  // an operator that is others put together

// The table of moka.Lookup for a chain of nodes from `x` to the QuantizeLinear at node n (in the order in which they
// run, the QuantizeLinear left out): every one maps one element to one. kNoValue where that cannot be computed.
ValueId LookupTable(Qdq& qdq, const QdqTensor& x, const std::vector<int>& chain, const QdqTensor& y,
                    const std::string& name);

}  // namespace moka

#endif  // MOKA_GRAPH_PASSES_QDQ_H_

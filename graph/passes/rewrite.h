// What passes share.
#ifndef MOKA_GRAPH_PASSES_REWRITE_H_
#define MOKA_GRAPH_PASSES_REWRITE_H_

#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace moka {

// Who makes and reads each value. Passes keep it up to date while they rewrite.
struct Uses {
  explicit Uses(const Graph& graph);

  std::vector<int> producer;              // index of a node, or -1
  std::vector<std::vector<int>> readers;  // indices of nodes, each once
  std::vector<bool> output;               // of the graph

  int Producer(ValueId id) const { return id == kNoValue ? -1 : producer[static_cast<size_t>(id)]; }
  // The node that reads the value, where it is the only one and the value is no output; else -1.
  int OnlyReader(ValueId id) const;
  // Every reader of `from` reads `to` instead.
  void Redirect(Graph& graph, ValueId from, ValueId to);
  void RemoveReader(ValueId id, int node);
  void AddReader(ValueId id, int node);
};

bool IsOp(const Node& node, std::string_view name, std::string_view domain = "");

// Nodes are removed by setting op to null, then erasing them all.
void EraseRemoved(Graph& graph);

// Adds the names that `from` stands for to those of `into`.
void AppendNames(Node* into, const Node& from);

// Removes a node whose result 0 is nothing but its source 0: readers read the source. Where result 0 is an output, the
// source's producer writes it directly, if nothing prevents that. False: the node had to stay.
bool BypassNode(Graph& graph, Uses& uses, int node);

// A constant with one element, of any type of numbers (the exponent of a power may be an integer).
bool IsScalar(const Value& value, float* scalar);

// An OpCall on symbolic shapes, for functions that read ranks, attributes and constants: unknown dims are -1.
class SymbolicCall {
 public:
  SymbolicCall(const Graph& graph, const Node& node);
  const OpCall& call() const { return call_; }

 private:
  std::vector<TensorDesc> src_, dst_;
  std::vector<const HostTensor*> constants_;
  OpCall call_;
};

}  // namespace moka

#endif  // MOKA_GRAPH_PASSES_REWRITE_H_

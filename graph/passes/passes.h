// Rewriting a graph, once per model, for all shapes. Each pass is one file and one function; it leaves the graph valid
// (sorted, every value inferred) and does nothing when it is run again.
#ifndef MOKA_GRAPH_PASSES_PASSES_H_
#define MOKA_GRAPH_PASSES_PASSES_H_

#include <span>

#include "graph/graph.h"

namespace moka {

// graph.outputs stay what they are: a value that is asked for is never fused away.
Status FuseQuantized(Graph& graph);               // DequantizeLinear, operators, QuantizeLinear: on bytes
Status FoldConstants(Graph& graph);               // computes what depends on constants only
Status LowerScatter(Graph& graph);                // ScatterND that replaces a box becomes Slice and Concat
Status RemoveShapeArithmetic(Graph& graph);       // nodes whose results are known from the shapes of the inputs
Status RemoveDeadNodes(Graph& graph);             // nodes that no output needs
Status RemoveNoOps(Graph& graph);                 // Identity, Reshape to the same shape, Cast to the same type ...
Status WidenHalves(Graph& graph);                 // f16 and bf16 are computed in f32
Status MergeCommonNodes(Graph& graph);            // equal operators on equal operands
Status NestConcats(Graph& graph);                 // Concat that begins as another one does reads its result
Status MergeTransposes(Graph& graph);             // Transpose of Transpose
Status LowerEinsum(Graph& graph);                 // Einsum of two operands becomes Transpose and MatMul
Status FuseNormalization(Graph& graph);           // the composition of LayerNormalization or RMSNormalization
Status FuseAttention(Graph& graph);               // MatMul, Softmax, MatMul
Status FoldPadIntoConv(Graph& graph);             // zero padding before Conv
Status FoldAffineIntoConv(Graph& graph);          // BatchNormalization, Add, Mul ... by channel: into weights and bias
Status MergeBranches(Graph& graph);               // a sum of convolutions of the same tensor becomes one
Status LowerElementwise(Graph& graph);            // f32 elementwise operators become moka.Elementwise
Status SinkTransposes(Graph& graph);              // elementwise operators before the Transpose of a product
Status FuseElementwise(Graph& graph);             // chains of moka.Elementwise become one
Status SwapProducts(Graph& graph);                // Transpose, products by weights, Transpose: weights come first
Status FuseEpilogues(Graph& graph);               // moka.Elementwise after Conv, Gemm, MatMul becomes its epilogue
Status MaterializeConstantOutputs(Graph& graph);  // an output that is a constant becomes a copy of it
Status ChooseLayouts(Graph& graph);               // Value::format, and moka.Copy where formats meet

struct Pass {
  const char* name;
  Status (*run)(Graph&);
  bool cpu_only = false;  // makes operators that only the CPU has kernels for
};
// All passes in the order in which Optimize runs them.
std::span<const Pass> Passes();
// Runs them on a graph that InferShapes inferred in full. `for_cpu`: its nodes run on the CPU.
Status Optimize(Graph& graph, bool for_cpu = true);

}  // namespace moka

#endif  // MOKA_GRAPH_PASSES_PASSES_H_

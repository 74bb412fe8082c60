// Compositions that become one operator, and those that must not.
#include <gtest/gtest.h>

#include "tests/graph/check_passes.h"

namespace moka {
namespace {

NamedAttributes Keep() { return {{"keepdims", int64_t{1}}}; }

struct Shapes {
  std::vector<Dim> x = {Dim(2), Dim(3), Dim(8)};
  std::vector<int64_t> axes = {-1};
  Shape scale = {8};
};

enum Variant { kPlain, kPow, kReciprocal, kNotSquared, kOtherMean, kDropsDims, kNoBias };

// The composition of LayerNormalization, or something that only looks like it.
Graph Composition(const Shapes& shapes, Variant variant, bool centered = true) {
  GraphBuilder b;
  const ValueId x = b.Input("x", shapes.x), axes = b.Ints(shapes.axes);
  const ValueId other = variant == kOtherMean ? b.Node("Relu", {x}) : x;
  const ValueId d = centered ? b.Node("Sub", {x, b.Node("ReduceMean", {other, axes}, Keep())}) : x;
  const ValueId squares = variant == kPow          ? b.Node("Pow", {d, b.Scalar(2)})
                          : variant == kNotSquared ? b.Node("Mul", {d, b.Node("Relu", {d})})
                                                   : b.Node("Mul", {d, d});
  ValueId variance = b.Node("ReduceMean", {squares, axes}, {{"keepdims", int64_t{variant == kDropsDims ? 0 : 1}}});
  if (variant == kDropsDims) variance = b.Node("Unsqueeze", {variance, b.Ints({-1})});
  const ValueId deviation = b.Node("Sqrt", {b.Node("Add", {variance, b.Scalar(1)})});
  const ValueId normal =
      variant == kReciprocal ? b.Node("Mul", {b.Node("Reciprocal", {deviation}), d}) : b.Node("Div", {d, deviation});
  const ValueId scaled = b.Node("Mul", {b.Weights(shapes.scale), normal});
  return b.Finish({variant == kNoBias ? scaled : b.Node("Add", {scaled, b.Weights(shapes.scale)})});
}

TEST(FuseNormalization, FindsWhatExportersWrite) {
  for (const Variant variant : {kPlain, kPow, kReciprocal, kNoBias}) {
    const Graph graph = Optimized(Composition({}, variant));
    EXPECT_EQ(CountOps(graph, "LayerNormalization"), 1) << variant;
    EXPECT_EQ(graph.nodes.size(), 1u) << variant;
  }
  Shapes two;
  two.axes = {1, 2};
  two.scale = {3, 8};
  EXPECT_EQ(CountOps(Optimized(Composition(two, kPlain)), "LayerNormalization"), 1);
}

TEST(FuseNormalization, FindsRootMeanSquares) {
  const Graph graph = Optimized(Composition({}, kNoBias, false));
  EXPECT_EQ(CountOps(graph, "RMSNormalization"), 1);
  EXPECT_EQ(graph.nodes.size(), 1u);
}

TEST(FuseNormalization, KeepsSymbolicDims) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {b.Symbol("n"), Dim(8)}), axes = b.Ints({1});
  const ValueId d = b.Node("Sub", {x, b.Node("ReduceMean", {x, axes}, Keep())});
  const ValueId variance = b.Node("ReduceMean", {b.Node("Mul", {d, d}), axes}, Keep());
  const ValueId normal = b.Node("Div", {d, b.Node("Sqrt", {b.Node("Add", {variance, b.Scalar(1)})})});
  const Graph graph = Optimized(b.Finish({b.Node("Mul", {normal, b.Weights({8})})}));
  EXPECT_EQ(CountOps(graph, "LayerNormalization"), 1);
}

TEST(FuseNormalization, LeavesWhatOnlyLooksLikeIt) {
  for (const Variant variant : {kNotSquared, kOtherMean, kDropsDims}) {
    const Graph graph = Optimized(Composition({}, variant));
    EXPECT_EQ(CountOps(graph, "LayerNormalization"), 0) << variant;
  }
  Shapes inner;
  inner.axes = {1};
  EXPECT_EQ(CountOps(Optimized(Composition(inner, kPlain)), "LayerNormalization"), 0);
  Shapes enlarges;
  enlarges.x = {Dim(1), Dim(1), Dim(8)};
  enlarges.scale = {3, 8};
  EXPECT_EQ(CountOps(Optimized(Composition(enlarges, kPlain)), "LayerNormalization"), 0);
}

// One element, but of more dimensions than what it meets: the result has them, too.
ValueId ScalarOfRank(GraphBuilder& b, float value, int64_t rank) {
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < rank; ++i) axes.push_back(i);
  return b.Node("Unsqueeze", {b.Scalar(value), b.Ints(axes)});
}

TEST(FuseNormalization, LeavesScalarsThatAddDimensions) {
  for (const int64_t rank : {2, 3}) {
    GraphBuilder b;
    const ValueId x = b.Input("x", {Dim(4), Dim(8)}), axes = b.Ints({1});
    const ValueId variance = b.Node("ReduceMean", {b.Node("Mul", {x, x}), axes}, Keep());
    const ValueId deviation = b.Node("Sqrt", {b.Node("Add", {variance, ScalarOfRank(b, 1, rank)})});
    const ValueId scaled = b.Node("Mul", {b.Node("Div", {x, deviation}), b.Weights({8})});
    const Graph graph = Optimized(b.Finish({scaled}));
    EXPECT_EQ(CountOps(graph, "RMSNormalization"), rank == 2 ? 1 : 0);
  }
}

enum Scaling { kNone, kMul, kDiv, kFactors };
enum Mask { kNoMask, kFull, kOneKey };

Graph AttentionOf(Scaling scaling, Mask mask, bool transposed, int64_t softmax_axis = -1, int64_t kv_heads = 2,
                  bool scores_are_read = false) {
  GraphBuilder b;
  const Dim n = b.Symbol("n");
  const ValueId q = b.Input("q", {n, 2, 5, 8}), v = b.Input("v", {n, kv_heads, 7, 6});
  ValueId k = kNoValue;
  if (transposed) {
    const ValueId tokens = b.Input("k", {n, 7, kv_heads, 8});  // as a projection gives them
    k = b.Node("Transpose", {tokens}, {{"perm", std::vector<int64_t>{0, 2, 3, 1}}});
  } else {
    k = b.Input("k", {n, kv_heads, 8, 7});
  }
  const bool factors = scaling == kFactors;
  ValueId scores = b.Node(
      "MatMul", {factors ? b.Node("Mul", {q, b.Scalar(0.5f)}) : q, factors ? b.Node("Mul", {b.Scalar(0.7f), k}) : k});
  if (scaling == kMul) scores = b.Node("Mul", {b.Scalar(0.25f), scores});
  if (scaling == kDiv) scores = b.Node("Div", {scores, b.Scalar(4)});
  if (mask != kNoMask) scores = b.Node("Add", {scores, b.Weights({1, 5, mask == kFull ? 7 : 1})});
  const ValueId weights = b.Node("Softmax", {scores}, {{"axis", softmax_axis}});
  std::vector<ValueId> outputs = {b.Node("MatMul", {weights, v})};
  if (scores_are_read) outputs.push_back(weights);
  return b.Finish(outputs);
}

TEST(FuseAttention, FindsScaledMaskedAndTransposed) {
  for (const Scaling scaling : {kNone, kMul, kDiv, kFactors}) {
    for (const Mask mask : {kNoMask, kFull}) {
      for (const bool transposed : {false, true}) {
        const Graph graph = Optimized(AttentionOf(scaling, mask, transposed));
        EXPECT_EQ(CountOps(graph, "Attention"), 1);
        EXPECT_EQ(CountOps(graph, "MatMul") + CountOps(graph, "Elementwise"), 0);
        EXPECT_EQ(CountOps(graph, "Transpose"), 1);
      }
    }
  }
}

// Of one sequence, as nn.MultiheadAttention is exported: heads first, queries divided.
Graph SequenceOf(int64_t kv_heads, bool masked) {
  GraphBuilder b;
  const Dim n = b.Symbol("n");
  const ValueId q = b.Input("q", {n, 2, 8}), k = b.Input("k", {7, kv_heads, 8}), v = b.Input("v", {7, kv_heads, 6});
  const auto heads_first = [&](ValueId id, std::vector<int64_t> perm) {
    return b.Node("Transpose", {id}, {{"perm", std::move(perm)}});
  };
  const ValueId divided = b.Node("Div", {heads_first(q, {1, 0, 2}), b.Scalar(4)});
  ValueId scores = b.Node("MatMul", {divided, heads_first(k, {1, 2, 0})});
  if (masked) scores = b.Node("Add", {scores, b.Weights({2, 1, 7})});
  const ValueId sums = b.Node("MatMul", {b.Node("Softmax", {scores}), heads_first(v, {1, 0, 2})});
  return b.Finish({heads_first(sums, {1, 0, 2})});
}

TEST(FuseAttention, FindsThatOfOneSequence) {
  for (const bool masked : {false, true}) {
    const Graph graph = Optimized(SequenceOf(2, masked));
    EXPECT_EQ(CountOps(graph, "Attention"), 1);
    EXPECT_EQ(CountOps(graph, "MatMul") + CountOps(graph, "Elementwise"), 0);
  }
  EXPECT_EQ(CountOps(Optimized(SequenceOf(1, false)), "Attention"), 0);  // broadcast heads
}

TEST(FuseAttention, LeavesWhatOnlyLooksLikeIt) {
  EXPECT_EQ(CountOps(Optimized(AttentionOf(kMul, kNoMask, false, 2)), "Attention"), 0);            // another axis
  EXPECT_EQ(CountOps(Optimized(AttentionOf(kMul, kNoMask, false, -1, 1)), "Attention"), 0);        // broadcast heads
  EXPECT_EQ(CountOps(Optimized(AttentionOf(kMul, kNoMask, false, -1, 2, true)), "Attention"), 0);  // weights are read
  EXPECT_EQ(CountOps(Optimized(AttentionOf(kMul, kOneKey, false)), "Attention"), 0);               // mask repeats keys
}

TEST(FuseAttention, LeavesScalarsThatAddDimensions) {
  for (const int64_t rank : {4, 5}) {
    GraphBuilder b;
    const ValueId q = b.Input("q", {3, 2, 5, 4}), k = b.Input("k", {3, 2, 4, 5}), v = b.Input("v", {3, 2, 5, 4});
    const ValueId scores = b.Node("Mul", {b.Node("MatMul", {q, k}), ScalarOfRank(b, 0.5f, rank)});
    const Graph graph = Optimized(b.Finish({b.Node("MatMul", {b.Node("Softmax", {scores}), v})}));
    EXPECT_EQ(CountOps(graph, "Attention"), rank == 4 ? 1 : 0);
  }
}

// Three windows of two heads: a bias for all windows, and a mask for each where they are seen as one image's.
Graph WindowsOf(const Shape& mask, bool bias, const std::vector<int64_t>& split = {1, 3, 2, 5, 5}) {
  GraphBuilder b;
  const ValueId q = b.Input("q", {3, 2, 5, 4}), k = b.Input("k", {3, 2, 4, 5}), v = b.Input("v", {3, 2, 5, 4});
  ValueId scores = b.Node("MatMul", {q, k});
  if (bias) scores = b.Node("Add", {scores, b.Weights({1, 2, 5, 5})});
  scores = b.Node("Add", {b.Weights(mask), b.Node("Reshape", {scores, b.Ints(split)})});
  const ValueId weights = b.Node("Softmax", {b.Node("Reshape", {scores, b.Ints({3, 2, 5, 5})})});
  return b.Finish({b.Node("MatMul", {weights, v})});
}

TEST(FuseAttention, JoinsTheMasksOfWindows) {
  for (const bool bias : {false, true}) {
    const Graph graph = Optimized(WindowsOf({1, 3, 1, 5, 5}, bias));
    EXPECT_EQ(CountOps(graph, "Attention"), 1);
    EXPECT_EQ(CountOps(graph, "Reshape") + CountOps(graph, "Elementwise"), 0);
  }
  EXPECT_EQ(CountOps(Optimized(WindowsOf({1, 1, 2, 5, 5}, false)), "Attention"), 1);
  EXPECT_EQ(CountOps(Optimized(WindowsOf({1, 3, 1, 5, 1}, false)), "Attention"), 0);                  // repeats keys
  EXPECT_EQ(CountOps(Optimized(WindowsOf({3, 1, 1, 5, 5}, true, {3, 1, 2, 5, 5})), "Attention"), 0);  // images
}

// A product, scaled and added in another order of dimensions (ConvNeXt's blocks).
Graph TransposedSum(const Shape& scale, bool read_twice) {
  GraphBuilder b;
  const Dim n = b.Symbol("n");
  const ValueId x = b.Input("x", {n, 3, 5, 6});
  const std::vector<int64_t> to_last = {0, 2, 3, 1}, to_first = {0, 3, 1, 2};
  const ValueId tokens = b.Node("Transpose", {x}, {{"perm", to_last}});
  const ValueId product = b.Node("Add", {b.Node("MatMul", {tokens, b.Weights({3, 3})}), b.Weights({3})});
  const ValueId image = b.Node("Transpose", {product}, {{"perm", to_first}});
  const ValueId sum = b.Node("Add", {x, b.Node("Mul", {b.Weights(scale), image})});
  std::vector<ValueId> outputs = {b.Node("Relu", {b.Node("Transpose", {sum}, {{"perm", to_last}})})};
  if (read_twice) outputs.push_back(b.Node("Exp", {image}));
  return b.Finish(outputs);
}

TEST(SinkTransposes, MakesEpilogues) {
  for (const Shape& scale : {Shape{3, 1, 1}, Shape{1, 3, 1, 1}, Shape{5, 1}, Shape{6}, Shape{}, Shape{1}}) {
    const Graph graph = Optimized(TransposedSum(scale, false));
    EXPECT_EQ(CountOps(graph, "Elementwise"), 0);
    EXPECT_EQ(CountOps(graph, "Transpose"), 2);  // of the input, for the product and for the sum
  }
  EXPECT_EQ(CountOps(Optimized(TransposedSum({5, 6}, false)), "Elementwise"), 2);    // a constant over two dimensions
  EXPECT_EQ(CountOps(Optimized(TransposedSum({3, 1, 1}, true)), "Elementwise"), 3);  // others read it as it is
}

Graph EinsumOf(const char* equation, std::vector<Dim> a, std::vector<Dim> c) {
  GraphBuilder b;
  const ValueId x = b.Input("a", std::move(a)), y = b.Input("b", std::move(c));
  return b.Finish({b.Node("Einsum", {x, y}, {{"equation", std::string(equation)}})});
}

TEST(LowerEinsum, ProductsOfMatricesBecomeMatMul) {
  EXPECT_EQ(CountOps(Optimized(EinsumOf("ij,jk->ik", {2, 3}, {3, 4})), "MatMul"), 1);
  EXPECT_EQ(CountOps(Optimized(EinsumOf("bhid,bhjd->bhij", {2, 2, 3, 4}, {2, 2, 5, 4})), "MatMul"), 1);
  EXPECT_EQ(CountOps(Optimized(EinsumOf("ki,kj->ji", {3, 2}, {3, 4})), "MatMul"), 1);
  EXPECT_EQ(CountOps(Optimized(EinsumOf("...ij,...kj->...ik", {2, 3, 4}, {2, 5, 4})), "MatMul"), 1);
  EXPECT_EQ(CountOps(Optimized(EinsumOf("bijd,bjd->bij", {2, 3, 4, 5}, {2, 4, 5})), "MatMul"), 1);  // no columns
  EXPECT_EQ(CountOps(Optimized(EinsumOf("ii,ij->ij", {3, 3}, {3, 4})), "MatMul"), 0);
  EXPECT_EQ(CountOps(Optimized(EinsumOf("...ij,...jk->...ik", {1, 3, 4}, {2, 4, 5})), "MatMul"), 0);  // repeats
  EXPECT_EQ(CountOps(Optimized(EinsumOf("abij,jk->abik", {2, 2, 3, 4}, {4, 5})), "MatMul"), 1);       // three of rows
  EXPECT_EQ(CountOps(Optimized(EinsumOf("bsnh,nhd->bsd", {2, 3, 4, 5}, {4, 5, 6})), "MatMul"), 1);    // two of sums
  EXPECT_EQ(CountOps(Optimized(EinsumOf("bhwc,hkc->bhwk", {2, 3, 4, 5}, {3, 6, 5})), "MatMul"), 1);
  EXPECT_EQ(CountOps(Optimized(EinsumOf("i,i->", {3}, {3})), "MatMul"), 1);
  EXPECT_EQ(CountOps(Optimized(EinsumOf("ai,bi->", {2, 3}, {4, 3})), "MatMul"), 1);  // summed before they meet
}

TEST(LowerEinsum, ProductsWithoutSumsAreOfElements) {
  for (const char* equation : {"i,j->ij", "i,j->ji", "ik,k->ik"}) {
    const std::string text = equation;
    const Graph graph =
        Optimized(EinsumOf(equation, text[1] == 'k' ? std::vector<Dim>{2, 4} : std::vector<Dim>{3}, {4}));
    EXPECT_EQ(CountOps(graph, "MatMul") + CountOps(graph, "Einsum"), 0) << equation;
  }
}

TEST(LowerEinsum, OneOperandAndThree) {
  for (const char* equation : {"abc->ca", "abc->", "abc->bac", "abc->abc"}) {
    GraphBuilder b;
    const ValueId x = b.Input("x", {2, 3, 4});
    EXPECT_EQ(CountOps(Optimized(b.Finish({b.Node("Einsum", {x}, {{"equation", std::string(equation)}})})), "Einsum"),
              0);
  }
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 3, 4}), y = b.Input("y", {4, 5}), z = b.Input("z", {5, 2});
  const Graph graph = Optimized(b.Finish({b.Node("Einsum", {x, y, z}, {{"equation", std::string("abc,cd,de->eba")}})}));
  EXPECT_EQ(CountOps(graph, "MatMul"), 2);
}

TEST(LowerEinsum, SymbolicDimsAreMergedWhereOneIsUnknown) {
  for (const bool both : {false, true}) {
    GraphBuilder b;
    const Dim n = b.Symbol("n"), m = b.Symbol("m");
    const ValueId x = b.Input("x", {n, both ? m : Dim(3), Dim(4)}), y = b.Input("y", {4, 5, 6});
    const Graph graph = Optimized(b.Finish({b.Node("Einsum", {x, y}, {{"equation", std::string("abc,cde->abde")}})}));
    EXPECT_EQ(CountOps(graph, "MatMul"), both ? 0 : 1);
    EXPECT_EQ(CountOps(graph, "Einsum"), both ? 1 : 0);
  }
}

}  // namespace
}  // namespace moka

// Conv, Gemm and MatMul between DequantizeLinear and QuantizeLinear.
#include <algorithm>
#include <cmath>

#include "graph/constants.h"
#include "graph/passes/qdq.h"
#include "ops/element.h"
#include "ops/params.h"

namespace moka {
namespace {

double ElementAt(const Graph& graph, ValueId id, int64_t i) {
  const HostTensor& tensor = *graph.value(id).constant;
  return Load<double>(tensor.desc, tensor.data, tensor.desc.NumElements() == 1 ? 0 : i);
}

// A bias in f32, constant or the DequantizeLinear of a constant: its elements. Empty where it is neither.
std::vector<double> BiasOf(Qdq& qdq, ValueId id) {
  const Graph& graph = qdq.graph();
  std::vector<double> values;
  ValueId scale = kNoValue, zero = kNoValue;
  if (graph.value(id).constant == nullptr) {
    const int p = qdq.uses().Producer(id);
    if (p < 0 || !IsOp(qdq.node(p), "DequantizeLinear")) return values;
    const Node& node = qdq.node(p);
    id = node.src[0];
    scale = node.src[1];
    zero = node.src.size() > 2 ? node.src[2] : kNoValue;
    if (!qdq.IsConstant(id) || !qdq.IsConstant(scale) || !qdq.IsConstant(zero)) return values;
  }
  const int64_t count = graph.value(id).constant->desc.NumElements();
  for (const ValueId parameter : {scale, zero}) {
    if (parameter == kNoValue) continue;
    const int64_t elements = graph.value(parameter).constant->desc.NumElements();
    if (elements != 1 && elements != count) return values;
  }
  for (int64_t i = 0; i < count; ++i) {
    const double value = ElementAt(graph, id, i) - (zero == kNoValue ? 0 : ElementAt(graph, zero, i));
    values.push_back(value * (scale == kNoValue ? 1 : ElementAt(graph, scale, i)));
  }
  return values;
}

// The bias as i32, in units of the sums: a_scale * b_scale of each column. False where it has none for each column, or
// leaves i32.
bool QuantizeBias(Qdq& qdq, ValueId id, const QdqTensor& a, const QdqTensor& b, int64_t columns, ValueId* result) {
  *result = kNoValue;
  if (id == kNoValue) return true;
  const std::vector<double> values = BiasOf(qdq, id);
  const std::vector<Dim>& dims = qdq.tensor(id).dims;
  if (static_cast<int64_t>(values.size()) != columns || dims.empty() || dims.back() != Dim(columns)) return false;
  void* data = nullptr;
  const std::shared_ptr<HostTensor> tensor = AllocateConstant(DataType::kI32, {columns}, &data);
  if (tensor == nullptr) return false;
  for (int64_t i = 0; i < columns; ++i) {
    const double unit = static_cast<double>(qdq.ScaleOf(a)) * ElementAt(qdq.graph(), b.scale, i);
    const double scaled = std::nearbyint(values[static_cast<size_t>(i)] / unit);
    if (!(std::abs(scaled) < 2147483647.0)) return false;
    StoreRaw(data, i, static_cast<int32_t>(scaled));
  }
  *result = qdq.graph().AddConstant(StrCat(qdq.graph().value(id).name, "/i32"), *tensor);
  return true;
}

// Bounds on values as bounds on bytes, where they say more than the type does.
void SetBounds(Qdq& qdq, const QdqBounds& bounds, const QdqTensor& y, const char* lo, const char* hi,
               Attributes* attrs) {
  const QuantRange range = QuantRangeOf(qdq.tensor(y.bytes).type);
  const float scale = qdq.ScaleOf(y);
  const int64_t zero = qdq.ZeroOf(y);
  const int64_t lowest = QuantizeScaled(bounds.lo / scale, zero, range);
  const int64_t highest = QuantizeScaled(bounds.hi / scale, zero, range);
  if (lowest > range.lo) attrs->Set(lo, lowest);
  if (highest < range.hi) attrs->Set(hi, highest);
}

struct MatrixProduct {
  int node = -1;
  QdqTensor a, b;
  ValueId bias = kNoValue;
};

// A Gemm that is nothing but a product and a bias.
bool PlainGemm(const Node& gemm) {
  float alpha = 1, beta = 1;
  bool transposed = false;
  const bool read = ReadFloat(gemm.attrs, "alpha", 1, &alpha).ok() && ReadFloat(gemm.attrs, "beta", 1, &beta).ok() &&
                    ReadFlag(gemm.attrs, "transA", false, &transposed).ok();
  return read && alpha == 1 && (beta == 1 || gemm.src.size() < 3) && !transposed;
}

bool TransposedB(const Node& gemm) {
  bool transposed = false;
  return ReadFlag(gemm.attrs, "transB", false, &transposed).ok() && transposed;
}

// Node p as a product of dequantized operands.
bool MatchMatrix(Qdq& qdq, int p, MatrixProduct* product) {
  const Node& node = qdq.node(p);
  const bool gemm = IsOp(node, "Gemm");
  if (node.program_begin >= 0 || (!gemm && !IsOp(node, "MatMul")) || (gemm && !PlainGemm(node))) return false;
  const std::optional<QdqTensor> a = qdq.Dequantized(node.src[0]);
  const int rank = qdq.tensor(node.src[1]).rank();
  const bool weights =
      qdq.Dequantized(node.src[1], 0).has_value() || qdq.Dequantized(node.src[1], rank - 1).has_value();
  const int columns = gemm && TransposedB(node) ? 0 : rank - 1;
  const std::optional<QdqTensor> b =
      weights && rank == 2 ? qdq.Dequantized(node.src[1], columns) : qdq.Dequantized(node.src[1]);
  if (!a || !b) return false;
  product->node = p;
  product->a = *a;
  product->b = *b;
  if (!gemm || node.src.size() < 3 || node.src[2] == kNoValue) return true;
  if (!weights || qdq.graph().value(b->bytes).constant == nullptr) return false;
  const int64_t count = qdq.graph().value(b->bytes).constant->desc.dims[static_cast<size_t>(columns)];
  return QuantizeBias(qdq, node.src[2], *a, *b, count, &product->bias);
}

Attributes GemmAttributes(const Node& gemm) {
  Attributes attrs;
  if (TransposedB(gemm)) attrs.Set("transB", int64_t{1});
  return attrs;
}

}  // namespace

bool FuseQdqConv(Qdq& qdq, int n, const QdqTensor& y) {
  const QdqBounds bounds = BoundsAbove(qdq, n);
  const int p = qdq.uses().Producer(bounds.value);
  if (p < 0 || !IsOp(qdq.node(p), "Conv") || qdq.uses().OnlyReader(bounds.value) < 0) return false;
  const Node conv = qdq.node(p);
  const std::optional<QdqTensor> x = qdq.Dequantized(conv.src[0]), w = qdq.Dequantized(conv.src[1], 0);
  if (conv.program_begin >= 0 || !x || !w) return false;
  ValueId bias = kNoValue;
  const int64_t outputs = qdq.graph().value(w->bytes).constant->desc.dims[0];
  if (!QuantizeBias(qdq, conv.src.size() > 2 ? conv.src[2] : kNoValue, *x, *w, outputs, &bias)) return false;
  Attributes attrs = conv.attrs;
  SetBounds(qdq, bounds, y, "lo", "hi", &attrs);
  std::vector<int> fused = bounds.nodes;
  fused.push_back(p);
  qdq.Become(n, "moka", "QLinearConv", std::move(attrs),
             {x->bytes, x->scale, x->zero, w->bytes, w->scale, w->zero, y.scale, y.zero, bias}, fused);
  return true;
}

bool FuseQdqMatrix(Qdq& qdq, int n, const QdqTensor& y) {
  const ValueId value = qdq.node(n).src[0];
  const int p = qdq.uses().Producer(value);
  MatrixProduct product;
  if (p < 0 || qdq.uses().OnlyReader(value) != n || !MatchMatrix(qdq, p, &product)) return false;
  const QdqTensor &a = product.a, &b = product.b;
  if (IsOp(qdq.node(p), "Gemm")) {
    qdq.Become(n, "com.microsoft", "QGemm", GemmAttributes(qdq.node(p)),
               {a.bytes, a.scale, a.zero, b.bytes, b.scale, b.zero, product.bias, y.scale, y.zero}, {p});
    return true;
  }
  if (a.zero == kNoValue || b.zero == kNoValue || y.zero == kNoValue) return false;  // QLinearMatMul wants them
  qdq.Become(n, "", "QLinearMatMul", {}, {a.bytes, a.scale, a.zero, b.bytes, b.scale, b.zero, y.scale, y.zero}, {p});
  return true;
}

bool FuseQdqFloatResult(Qdq& qdq, int n) {
  MatrixProduct product;
  if (!MatchMatrix(qdq, n, &product)) return false;
  // One that a QuantizeLinear follows is fused there.
  const ValueId dst = qdq.node(n).dst[0];
  const int reader = qdq.uses().OnlyReader(dst);
  if (reader >= 0 && qdq.Quantizes(reader)) return false;
  const QdqTensor &a = product.a, &b = product.b;
  if (IsOp(qdq.node(n), "Gemm")) {
    qdq.Become(n, "com.microsoft", "QGemm", GemmAttributes(qdq.node(n)),
               {a.bytes, a.scale, a.zero, b.bytes, b.scale, b.zero, product.bias}, {});
  } else {
    qdq.Become(n, "com.microsoft", "MatMulIntegerToFloat", {}, {a.bytes, b.bytes, a.scale, b.scale, a.zero, b.zero},
               {});
  }
  return true;
}

bool FuseQdqBinary(Qdq& qdq, int n, const QdqTensor& y) {
  const QdqBounds bounds = BoundsAbove(qdq, n);
  const int p = qdq.uses().Producer(bounds.value);
  if (p < 0 || qdq.uses().OnlyReader(bounds.value) < 0) return false;
  const bool add = IsOp(qdq.node(p), "Add");
  if (!add && !IsOp(qdq.node(p), "Mul")) return false;
  std::optional<QdqTensor> a = qdq.Dequantized(qdq.node(p).src[0]), b = qdq.Dequantized(qdq.node(p).src[1]);
  if (!a || !b || qdq.tensor(a->bytes).type != qdq.tensor(b->bytes).type) return false;
  Attributes limits;
  SetBounds(qdq, bounds, y, "sum_lo", "sum_hi", &limits);
  const bool bounded = limits.Has("sum_lo") || limits.Has("sum_hi");
  std::vector<int> fused = bounds.nodes;
  fused.push_back(p);
  for (int turn = 0; add && turn < 2; ++turn, std::swap(a, b)) {
    const int c = qdq.uses().Producer(a->bytes);
    if (c < 0 || !IsOp(qdq.node(c), "QLinearConv", "moka") || qdq.node(c).src.size() > 9) continue;
    const int dequantize = qdq.uses().OnlyReader(a->bytes);
    if (dequantize < 0 || qdq.uses().OnlyReader(qdq.node(dequantize).dst[0]) != p) continue;
    if (qdq.tensor(b->bytes).dims != qdq.tensor(y.bytes).dims || qdq.tensor(a->bytes).dims != qdq.tensor(y.bytes).dims)
      continue;
    if (qdq.graph().value(b->bytes).constant != nullptr) continue;
    const Node conv = qdq.node(c);
    Attributes attrs = conv.attrs;
    for (const char* name : {"sum_lo", "sum_hi"}) {
      if (const AttributeValue* limit = limits.Find(name); limit != nullptr) attrs.Set(name, *limit);
    }
    std::vector<ValueId> src = conv.src;
    src.resize(9, kNoValue);
    src.insert(src.end(), {b->bytes, b->scale, b->zero, y.scale, y.zero});
    fused.push_back(c);
    qdq.Become(n, "moka", "QLinearConv", std::move(attrs), std::move(src), fused);
    return true;
  }
  if (bounded) return false;
  qdq.Become(n, "com.microsoft", add ? "QLinearAdd" : "QLinearMul", {},
             {a->bytes, a->scale, a->zero, b->bytes, b->scale, b->zero, y.scale, y.zero}, fused);
  return true;
}

}  // namespace moka

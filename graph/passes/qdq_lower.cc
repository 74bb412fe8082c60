// Operators of com.microsoft that are others put together.
#include "graph/passes/qdq.h"

namespace moka {
namespace {

ValueId AddScalar(Qdq& qdq, const std::string& name, DataType type) {
  const ValueId id = qdq.graph().AddValue(name);
  Value& value = qdq.graph().value(id);
  value.tensor.type = type;
  value.inferred = true;
  return id;
}

// DynamicQuantizeLinear, then MatMulIntegerToFloat.
bool LowerDynamic(Qdq& qdq, int n) {
  const Node product = qdq.node(n);
  const auto source = [&](size_t i) { return i < product.src.size() ? product.src[i] : kNoValue; };
  Node quantize;
  quantize.op = FindOp("", "DynamicQuantizeLinear");
  quantize.name = StrCat(product.name, "/quantize");
  quantize.src = {product.src[0]};
  const ValueId bytes = qdq.AddBytes(StrCat(product.name, "/bytes"), product.src[0], DataType::kU8);
  const ValueId scale = AddScalar(qdq, StrCat(product.name, "/scale"), DataType::kF32);
  const ValueId zero = AddScalar(qdq, StrCat(product.name, "/zero"), DataType::kU8);
  quantize.dst = {bytes, scale, zero};
  qdq.InsertBefore(n, std::move(quantize));
  qdq.Become(n, "com.microsoft", "MatMulIntegerToFloat", {},
             {bytes, source(1), scale, source(2), zero, source(3), source(4)}, {});
  return true;
}

// A table for each part whose scale is not that of the result, then Concat.
bool LowerConcat(Qdq& qdq, int n) {
  const Node concat = qdq.node(n);
  QdqTensor y = {concat.dst[0], concat.src[0], concat.src[1]};
  if (!qdq.IsConstant(y.scale) || !qdq.IsConstant(y.zero)) return false;
  std::vector<ValueId> parts;
  std::vector<Node> lookups;
  for (size_t i = 2; i + 1 < concat.src.size(); i += 3) {
    const QdqTensor x = {concat.src[i], concat.src[i + 1], i + 2 < concat.src.size() ? concat.src[i + 2] : kNoValue};
    if (!qdq.IsConstant(x.scale) || !qdq.IsConstant(x.zero)) return false;
    parts.push_back(x.bytes);
    if (qdq.SameScale(x, y)) continue;
    const std::string name = StrCat(concat.name, "/part", parts.size() - 1);
    Node lookup;
    lookup.op = FindOp("moka", "Lookup");
    lookup.name = name;
    lookup.src = {x.bytes, LookupTable(qdq, x, {}, y, name)};
    if (lookup.src[1] == kNoValue) return false;
    parts.back() = qdq.AddBytes(name, x.bytes, qdq.tensor(y.bytes).type);
    lookup.dst = {parts.back()};
    lookups.push_back(std::move(lookup));
  }
  for (Node& lookup : lookups) qdq.InsertBefore(n, std::move(lookup));
  qdq.Become(n, "", "Concat", concat.attrs, std::move(parts), {});
  return true;
}

}  // namespace

bool LowerQuantized(Qdq& qdq, int n) {
  if (IsOp(qdq.node(n), "DynamicQuantizeMatMul", "com.microsoft")) return LowerDynamic(qdq, n);
  if (IsOp(qdq.node(n), "QLinearConcat", "com.microsoft")) return LowerConcat(qdq, n);
  return false;
}

}  // namespace moka

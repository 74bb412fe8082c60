#include "formats/onnx/microsoft_attention.h"

#include <utility>

#include "formats/onnx/types.h"

namespace moka::onnx {
namespace {

using Node = OnnxNode;

ValueId Cast(Upgrader& up, const Node& node, ValueId src, DataType type) {
  Attributes attrs;
  attrs.Set("to", static_cast<int64_t>(ToOnnx(type)));
  return up.EmitBefore(node, "Cast", {src}, std::move(attrs));
}

Result<ValueId> Unsqueeze(Upgrader& up, const Node& node, ValueId src, std::vector<int64_t> axes) {
  MOKA_ASSIGN_OR_RETURN(const ValueId ids, up.AddInts(node, "axes", std::move(axes)));
  return up.EmitBefore(node, "Unsqueeze", {src, ids});
}

ValueId Concat(Upgrader& up, const Node& node, std::vector<ValueId> src, int64_t axis) {
  Attributes attrs;
  attrs.Set("axis", axis);
  return up.EmitBefore(node, "Concat", std::move(src), std::move(attrs));
}

// 0, 1 ... length - 1 as i64; `length` is i64[1].
Result<ValueId> Positions(Upgrader& up, const Node& node, ValueId length) {
  MOKA_ASSIGN_OR_RETURN(const ValueId zero, up.AddInts(node, "zero", {0}));
  MOKA_ASSIGN_OR_RETURN(const ValueId one, up.AddInts(node, "one", {1}));
  return up.EmitBefore(node, "Range", {zero, length, one});
}

// Dimension d of a value, where the file says it; else -1.
int64_t DeclaredDimOf(Upgrader& up, ValueId id, size_t d) {
  const Value& value = up.scope().graph().value(id);
  if (value.constant != nullptr) {
    return d < static_cast<size_t>(value.constant->desc.rank) ? value.constant->desc.dims[d] : -1;
  }
  const bool known = value.declared_rank && d < value.declared_dims.size() && value.declared_dims[d].is_constant();
  return known ? value.declared_dims[d].constant() : -1;
}

// `count` elements of a list from `first` on.
Result<ValueId> PartOf(Upgrader& up, const Node& node, ValueId list, int64_t first, int64_t count) {
  MOKA_ASSIGN_OR_RETURN(const ValueId begin, up.AddInts(node, "begin", {first}));
  MOKA_ASSIGN_OR_RETURN(const ValueId end, up.AddInts(node, "end", {first + count}));
  return up.EmitBefore(node, "Slice", {list, begin, end});
}

// Which keys may be seen, as bool [batch, 1, queries or 1, keys], from com.microsoft's forms: a mask of 0 and 1
// [batch, keys] or [batch, queries, keys], or the number of valid keys [batch], which the first valid key [batch] or
// lengths of several sequences [2 * batch + 2] may follow. `keys` is i64[1].
Result<ValueId> KeyMask(Upgrader& up, const Node& node, ValueId mask, ValueId keys) {
  const int rank = up.RankOf(mask);
  if (rank == 2 || rank == 3)
    return Unsqueeze(up, node, Cast(up, node, mask, DataType::kBool),
                     rank == 2 ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{1});
  if (rank != 1) return Unsupported("a mask of rank ", rank);
  const int64_t batch = DeclaredDimOf(up, node.src[0], 0), length = DeclaredDimOf(up, mask, 0);
  const bool has_first = batch > 0 && length == 2 * batch, has_sums = batch > 0 && length == 3 * batch + 2;
  MOKA_ASSIGN_OR_RETURN(const ValueId positions, Positions(up, node, keys));
  ValueId ends = mask;
  if (has_first || has_sums) {
    MOKA_ASSIGN_OR_RETURN(ends, PartOf(up, node, mask, 0, batch));
  }
  MOKA_ASSIGN_OR_RETURN(const ValueId lengths, Unsqueeze(up, node, Cast(up, node, ends, DataType::kI64), {1, 2, 3}));
  const ValueId before = up.EmitBefore(node, "Less", {positions, lengths});
  if (!has_first) return before;
  MOKA_ASSIGN_OR_RETURN(const ValueId first, PartOf(up, node, mask, batch, batch));
  MOKA_ASSIGN_OR_RETURN(const ValueId begins, Unsqueeze(up, node, Cast(up, node, first, DataType::kI64), {1, 2, 3}));
  return up.EmitBefore(node, "And", {before, up.EmitBefore(node, "GreaterOrEqual", {positions, begins})});
}

// One mask of both: a number is added where a key may be seen, else `filter`.
Result<ValueId> JoinMasks(Upgrader& up, const Node& node, ValueId seen, ValueId bias) {
  if (seen == kNoValue || bias == kNoValue) return seen == kNoValue ? bias : seen;
  MOKA_ASSIGN_OR_RETURN(const float filter, node.attrs.Float("mask_filter_value", -10000.0f));
  MOKA_ASSIGN_OR_RETURN(const ValueId hidden, AddScalarLike(up, node, "mask_filter_value", bias, filter));
  return up.EmitBefore(node, "Where", {seen, bias, hidden});
}

Result<Attributes> AttentionAttributes(const Node& node, int64_t heads) {
  Attributes attrs;
  attrs.Set("q_num_heads", heads);
  attrs.Set("kv_num_heads", heads);
  MOKA_ASSIGN_OR_RETURN(const int64_t causal, node.attrs.Int("unidirectional", 0));
  MOKA_ASSIGN_OR_RETURN(const float scale, node.attrs.Float("scale", 0));
  if (causal != 0) attrs.Set("is_causal", int64_t{1});
  if (scale != 0) attrs.Set("scale", scale);
  return attrs;
}

Result<int64_t> NumHeads(const Node& node) {
  MOKA_ASSIGN_OR_RETURN(const int64_t heads, node.attrs.Int("num_heads", 0));
  if (heads <= 0) return InvalidModel("attribute 'num_heads' is ", heads, ", expected a positive number");
  return heads;
}

void TrimSources(std::vector<ValueId>& src) {
  while (!src.empty() && src.back() == kNoValue) src.pop_back();
}

Result<bool> HasFlag(const Node& node, const char* name) {
  MOKA_ASSIGN_OR_RETURN(const int64_t value, node.attrs.Int(name, 0));
  return value != 0;
}

// Part `index` of [batch, length, heads, parts, size] as [batch, length, heads * size].
Result<ValueId> Unpacked(Upgrader& up, const Node& node, ValueId src, int64_t index) {
  MOKA_ASSIGN_OR_RETURN(const ValueId at, up.AddInts(node, "part", {index}));
  MOKA_ASSIGN_OR_RETURN(const ValueId shape, up.AddInts(node, "joined", {0, 0, -1}));
  Attributes attrs;
  attrs.Set("axis", int64_t{3});
  return up.EmitBefore(node, "Reshape", {up.EmitBefore(node, "Gather", {src, at}, std::move(attrs)), shape});
}

// Query, key and value of a MultiHeadAttention, which may lie in one operand, or the latter two.
Result<std::vector<ValueId>> UnpackedSources(Upgrader& up, const Node& node) {
  std::vector<ValueId> src = {Source(node, 0), Source(node, 1), Source(node, 2)};
  if (src[0] == kNoValue) return InvalidModel("src 0 is missing");
  const bool all = src[1] == kNoValue, pairs = !all && src[2] == kNoValue;
  if (!all && !pairs) return src;
  const size_t packed = all ? 0 : 1;
  if (up.RankOf(src[packed]) != 5) {
    return InvalidModel("src ", packed + 1, " is missing, and src ", packed, " is not packed: it has not rank 5");
  }
  const ValueId from = src[packed];
  for (size_t i = packed; i < 3; ++i) {
    MOKA_ASSIGN_OR_RETURN(src[i], Unpacked(up, node, from, static_cast<int64_t>(i - packed)));
  }
  return src;
}

// Half `index` of [2, ...].
Result<ValueId> Half(Upgrader& up, const Node& node, ValueId src, int64_t index) {
  MOKA_ASSIGN_OR_RETURN(const ValueId at, up.AddInts(node, "half", {index}));
  const ValueId part = up.EmitBefore(node, "Gather", {src, at});
  MOKA_ASSIGN_OR_RETURN(const ValueId axis, up.AddInts(node, "axes", {0}));
  return up.EmitBefore(node, "Squeeze", {part, axis});
}

}  // namespace

// src: input [batch, length, hidden], weights [hidden, q + k + v], bias, mask_index, past [2, batch, heads, past,
// size], attention_bias. dst: output, present as past.
Status RewriteAttention(Upgrader& up, Node& node) {
  enum : size_t { kInput, kWeights, kBias, kMask, kPast, kAttentionBias, kPastLength };
  if (Source(node, kInput) == kNoValue || Source(node, kWeights) == kNoValue)
    return InvalidModel("src 0 or 1 is missing");
  for (const char* name : {"do_rotary", "past_present_share_buffer"}) {
    MOKA_ASSIGN_OR_RETURN(const bool set, HasFlag(node, name));
    if (set) return Unsupported("attribute '", name, "'");
  }
  MOKA_ASSIGN_OR_RETURN(const int64_t heads, NumHeads(node));
  MOKA_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, node.attrs.Ints("qkv_hidden_sizes", {}));
  ValueId projected = up.EmitBefore(node, "MatMul", {node.src[kInput], node.src[kWeights]});
  if (Source(node, kBias) != kNoValue) projected = up.EmitBefore(node, "Add", {projected, node.src[kBias]});
  std::vector<ValueId> qkv;
  if (sizes.empty()) {
    qkv = SplitEqually(up, node, projected, 3);
  } else {
    if (sizes.size() != 3)
      return InvalidModel("attribute 'qkv_hidden_sizes' has ", sizes.size(), " elements, expected 3");
    MOKA_ASSIGN_OR_RETURN(const ValueId parts, up.AddInts(node, "qkv_hidden_sizes", sizes));
    Attributes split;
    split.Set("axis", int64_t{-1});
    qkv = up.EmitBefore(node, "Split", {projected, parts}, 3, std::move(split));
  }
  const ValueId past = Source(node, kPast);
  std::vector<ValueId> src = {qkv[0], qkv[1], qkv[2], kNoValue, kNoValue, kNoValue};
  ValueId keys = DimOf(up, node, node.src[kInput], 1);
  if (past != kNoValue) {
    for (int64_t half : {0, 1}) {
      MOKA_ASSIGN_OR_RETURN(src[static_cast<size_t>(4 + half)], Half(up, node, past, half));
    }
    keys = up.EmitBefore(node, "Add", {keys, DimOf(up, node, past, 3)});
  }
  ValueId seen = kNoValue;
  if (Source(node, kMask) != kNoValue) {
    MOKA_ASSIGN_OR_RETURN(seen, KeyMask(up, node, node.src[kMask], keys));
  }
  MOKA_ASSIGN_OR_RETURN(src[3], JoinMasks(up, node, seen, Source(node, kAttentionBias)));
  MOKA_ASSIGN_OR_RETURN(Attributes attrs, AttentionAttributes(node, heads));
  if (node.dst.size() > 1 && node.dst[1] != kNoValue) {
    const ValueId present = node.dst[1];
    node.dst = {node.dst[0], up.scope().Fresh(node.name + ".present_key"),
                up.scope().Fresh(node.name + ".present_value")};
    MOKA_ASSIGN_OR_RETURN(const ValueId axis, up.AddInts(node, "axes", {0}));
    std::vector<ValueId> halves;
    for (size_t i = 1; i < 3; ++i) {
      halves.push_back(up.scope().Fresh(node.name + ".half"));
      up.EmitAfter(node, "Unsqueeze", {node.dst[i], axis}, halves.back());
    }
    Attributes concat;
    concat.Set("axis", int64_t{0});
    up.EmitAfter(node, "Concat", halves, present, std::move(concat));
  } else {
    node.dst.resize(1);
  }
  TrimSources(src);
  return Become(node, "Attention", std::move(src), std::move(attrs));
}

// src: query, key, value [batch, length, heads * size] (key and value also [batch, heads, length, size]; packed: all in
// query [batch, length, heads, 3, size], or both in key [batch, length, heads, 2, size]), bias of all three,
// key_padding_mask, attention_bias, past_key, past_value. dst: output, present_key, present_value.
Status RewriteMultiHeadAttention(Upgrader& up, Node& node) {
  enum : size_t { kBias = 3, kMask, kAttentionBias, kPastKey, kPastValue, kPastLength };
  if (Source(node, kPastLength) != kNoValue) return Unsupported("src 8 (past_sequence_length)");
  MOKA_ASSIGN_OR_RETURN(const int64_t heads, NumHeads(node));
  MOKA_ASSIGN_OR_RETURN(std::vector<ValueId> src, UnpackedSources(up, node));
  src.insert(src.end(), {kNoValue, Source(node, kPastKey), Source(node, kPastValue)});
  const bool heads_first = up.RankOf(src[1]) == 4;
  if (Source(node, kBias) != kNoValue) {  // keys and values in heads have theirs already
    const std::vector<ValueId> parts = SplitEqually(up, node, node.src[kBias], 3);
    for (size_t i = 0; i < (heads_first ? 1 : 3); ++i) src[i] = up.EmitBefore(node, "Add", {src[i], parts[i]});
  }
  if (heads_first) {  // all three in the same form
    MOKA_ASSIGN_OR_RETURN(const ValueId shape, up.AddInts(node, "heads", {0, 0, heads, -1}));
    const ValueId split = up.EmitBefore(node, "Reshape", {src[0], shape});
    Attributes perm;
    perm.Set("perm", std::vector<int64_t>{0, 2, 1, 3});
    src[0] = up.EmitBefore(node, "Transpose", {split}, std::move(perm));
  }
  ValueId seen = kNoValue;
  if (Source(node, kMask) != kNoValue) {
    ValueId keys = DimOf(up, node, src[1], heads_first ? 2 : 1);
    if (src[4] != kNoValue) keys = up.EmitBefore(node, "Add", {keys, DimOf(up, node, src[4], 2)});
    MOKA_ASSIGN_OR_RETURN(seen, KeyMask(up, node, node.src[kMask], keys));
  }
  MOKA_ASSIGN_OR_RETURN(src[3], JoinMasks(up, node, seen, Source(node, kAttentionBias)));
  MOKA_ASSIGN_OR_RETURN(Attributes attrs, AttentionAttributes(node, heads));
  if (node.dst.size() > 3) {
    if (up.IsUsed(node.dst[3])) return Unsupported("result 3 is used");
    node.dst.resize(3);
  }
  TrimSources(src);
  if (!heads_first) return Become(node, "Attention", std::move(src), std::move(attrs));
  const ValueId result = node.dst[0], wide = up.scope().Fresh(node.name + ".heads"),
                narrow = up.scope().Fresh(node.name + ".rows");
  node.dst[0] = wide;
  Attributes perm;
  perm.Set("perm", std::vector<int64_t>{0, 2, 1, 3});
  MOKA_ASSIGN_OR_RETURN(const ValueId shape, up.AddInts(node, "joined", {0, 0, -1}));
  up.EmitAfter(node, "Transpose", {wide}, narrow, std::move(perm));
  up.EmitAfter(node, "Reshape", {narrow, shape}, result);
  return Become(node, "Attention", std::move(src), std::move(attrs));
}

// src: input [batch, length, hidden] or [batch, heads, length, size], position_ids [batch, length] or [1] (where the
// first position is), cos_cache, sin_cache [positions, size / 2].
Status RewriteRotaryEmbedding(Upgrader& up, Node& node) {
  if (node.src.size() < 4) return InvalidModel(node.src.size(), " sources, expected 4");
  MOKA_ASSIGN_OR_RETURN(const bool packed, HasFlag(node, "is_packed_batching"));
  if (packed) return Unsupported("attribute 'is_packed_batching'");
  const ValueId x = node.src[0], cos = node.src[2];
  const int rank = up.RankOf(x);
  ValueId positions = node.src[1];
  if (up.RankOf(positions) == 1) {
    if (rank != 3 && rank != 4) return Unsupported("src 0 of unknown rank");
    const ValueId batch = DimOf(up, node, x, 0), length = DimOf(up, node, x, rank - 2);
    MOKA_ASSIGN_OR_RETURN(const ValueId steps, Positions(up, node, length));
    positions = up.EmitBefore(node, "Add", {positions, steps});
    positions = up.EmitBefore(node, "Expand", {positions, Concat(up, node, {batch, length}, 0)});
  }
  Attributes attrs;
  for (const char* name : {"interleaved", "rotary_embedding_dim", "num_heads"}) {
    MOKA_ASSIGN_OR_RETURN(const int64_t value, node.attrs.Int(name, 0));
    if (value != 0) attrs.Set(name, value);
  }
  if (rank == 3 && !attrs.Has("num_heads")) {
    const Value &input = up.scope().graph().value(x), &table = up.scope().graph().value(cos);
    const bool known = table.constant != nullptr && table.constant->desc.rank == 2 &&
                       table.constant->desc.dims[1] > 0 && input.declared_rank && input.declared_dims[2].is_constant();
    if (!known) return Unsupported("attribute 'num_heads' is missing, and the shapes do not tell it");
    attrs.Set("num_heads", input.declared_dims[2].constant() / (2 * table.constant->desc.dims[1]));
  }
  return Become(node, "RotaryEmbedding", {x, cos, node.src[3], positions}, std::move(attrs));
}

}  // namespace moka::onnx

#include "formats/onnx/microsoft.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "formats/onnx/microsoft_attention.h"
#include "formats/onnx/types.h"

namespace moka::onnx {
namespace {

using Node = OnnxNode;

Status RequireSources(const Node& node, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (Source(node, i) == kNoValue) return InvalidModel("src ", i, " is missing");
  }
  return node.dst.empty() ? InvalidModel("has no result") : Status();
}

// ---- Activations --------------------------------------------------------------------------------------------------

// What an activation of a fused operator is called, and where its parameters go.
struct FusedActivation {
  std::string_view name;
  const char* first;
  const char* second;
};
constexpr FusedActivation kActivations[] = {
    {"Relu", nullptr, nullptr},      {"Tanh", nullptr, nullptr},       {"Sigmoid", nullptr, nullptr},
    {"LeakyRelu", "alpha", nullptr}, {"HardSigmoid", "alpha", "beta"}, {"Elu", "alpha", nullptr},
    {"Softplus", nullptr, nullptr},  {"Softsign", nullptr, nullptr},   {"ThresholdedRelu", "alpha", nullptr},
    {"HardSwish", nullptr, nullptr},
};

// `node` becomes the activation of `src`.
Status BecomeActivation(Upgrader& up, Node& node, ValueId src, const std::string& name,
                        const std::vector<float>& params) {
  node.domain.clear();
  node.op = name;
  node.src = {src};
  node.attrs = {};
  if (name == "Clip") {
    if (params.size() != 2)
      return InvalidModel("attribute 'activation_params' has ", params.size(), " elements, expected 2");
    for (size_t i = 0; i < 2; ++i) {
      MOKA_ASSIGN_OR_RETURN(const ValueId bound, up.AddScalar(node, i == 0 ? "min" : "max", DataType::kF32, params[i]));
      node.src.push_back(bound);
    }
    return Status();
  }
  const auto row = std::find_if(std::begin(kActivations), std::end(kActivations),
                                [&](const FusedActivation& known) { return known.name == name; });
  if (row == std::end(kActivations)) return Unsupported("attribute 'activation' is '", name, "'");
  if (row->first != nullptr && !params.empty()) node.attrs.Set(row->first, params[0]);
  if (row->second != nullptr && params.size() > 1) node.attrs.Set(row->second, params[1]);
  return Status();
}

// Conv [+ Z] and an activation.
Status FusedConv(Upgrader& up, Node& node) {
  MOKA_RETURN_IF_ERROR(RequireSources(node, 2));
  MOKA_ASSIGN_OR_RETURN(const std::string activation, node.attrs.String("activation", ""));
  MOKA_ASSIGN_OR_RETURN(const std::vector<float> params, node.attrs.Floats("activation_params", {}));
  Attributes conv = node.attrs;
  conv.Erase("activation");
  conv.Erase("activation_params");
  std::vector<ValueId> src = {node.src[0], node.src[1]};
  if (Source(node, 2) != kNoValue) src.push_back(node.src[2]);
  const ValueId added = Source(node, 3);
  if (added == kNoValue && activation.empty()) return Become(node, "Conv", std::move(src), std::move(conv));
  const ValueId product = up.EmitBefore(node, "Conv", std::move(src), std::move(conv));
  if (activation.empty()) return Become(node, "Add", {product, added});
  const ValueId sum = added == kNoValue ? product : up.EmitBefore(node, "Add", {product, added});
  return BecomeActivation(up, node, sum, activation, params);
}

Status FusedGemm(Upgrader& up, Node& node) {
  MOKA_RETURN_IF_ERROR(RequireSources(node, 2));
  MOKA_ASSIGN_OR_RETURN(const std::string activation, node.attrs.String("activation", ""));
  std::vector<float> params;
  for (const char* name : {"activation_alpha", "activation_beta"}) {
    if (!node.attrs.Has(name)) continue;
    MOKA_ASSIGN_OR_RETURN(const float value, node.attrs.Float(name, 0));
    params.push_back(value);
  }
  Attributes gemm = node.attrs;
  for (const char* name : {"activation", "activation_alpha", "activation_beta", "activation_gamma"}) gemm.Erase(name);
  if (activation.empty()) return Become(node, "Gemm", node.src, std::move(gemm));
  const ValueId product = up.EmitBefore(node, "Gemm", node.src, std::move(gemm));
  return BecomeActivation(up, node, product, activation, params);
}

Status Gelu(Upgrader& up, Node& node, const char* approximate) {
  MOKA_RETURN_IF_ERROR(RequireSources(node, 1));
  Attributes attrs;
  attrs.Set("approximate", std::string(approximate));
  const ValueId bias = Source(node, 1);
  const ValueId x = bias == kNoValue ? node.src[0] : up.EmitBefore(node, "Add", {node.src[0], bias});
  return Become(node, "Gelu", {x}, std::move(attrs));
}
Status ExactGelu(Upgrader& up, Node& node) { return Gelu(up, node, "none"); }
Status FastGelu(Upgrader& up, Node& node) { return Gelu(up, node, "tanh"); }

// x * sigmoid(alpha * x)
Status QuickGelu(Upgrader& up, Node& node) {
  MOKA_RETURN_IF_ERROR(RequireSources(node, 1));
  MOKA_ASSIGN_OR_RETURN(const float alpha, node.attrs.Float("alpha", 1.702f));
  const ValueId x = node.src[0];
  ValueId scaled = x;
  if (alpha != 1) {
    MOKA_ASSIGN_OR_RETURN(const ValueId factor, AddScalarLike(up, node, "alpha", x, alpha));
    scaled = up.EmitBefore(node, "Mul", {x, factor});
  }
  const ValueId sigmoid = up.EmitBefore(node, "Sigmoid", {scaled});
  return Become(node, "Mul", {x, sigmoid});
}

// a * gelu(b), where x + bias is a and b side by side.
Status BiasSplitGelu(Upgrader& up, Node& node) {
  MOKA_RETURN_IF_ERROR(RequireSources(node, 2));
  const ValueId sum = up.EmitBefore(node, "Add", {node.src[0], node.src[1]});
  const std::vector<ValueId> halves = SplitEqually(up, node, sum, 2);
  Attributes attrs;
  attrs.Set("approximate", std::string("none"));
  const ValueId gelu = up.EmitBefore(node, "Gelu", {halves[1]}, std::move(attrs));
  return Become(node, "Mul", {halves[0], gelu});
}

Status BiasAdd(Upgrader& up, Node& node) {
  MOKA_RETURN_IF_ERROR(RequireSources(node, 3));
  const ValueId sum = up.EmitBefore(node, "Add", {node.src[0], node.src[1]});
  return Become(node, "Add", {sum, node.src[2]});
}

// ---- Products -----------------------------------------------------------------------------------------------------

// The last two dimensions swapped (`transpose`), dimension 0 behind the other batch dimensions (`batch`).
Result<ValueId> Permuted(Upgrader& up, const Node& node, ValueId src, bool transpose, bool batch) {
  if (!transpose && !batch) return src;
  const int rank = up.RankOf(src);
  if (rank < 0) return Unsupported("a transposed operand whose rank the file does not state");
  if (rank < 2) return src;
  std::vector<int64_t> perm;
  for (int i = 0; i < rank; ++i) perm.push_back(i);
  if (batch && rank > 2) std::rotate(perm.begin(), perm.begin() + 1, perm.end() - 1);
  if (transpose) std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  Attributes attrs;
  attrs.Set("perm", std::move(perm));
  return up.EmitBefore(node, "Transpose", {src}, std::move(attrs));
}

Status FusedMatMul(Upgrader& up, Node& node) {
  MOKA_RETURN_IF_ERROR(RequireSources(node, 2));
  std::vector<ValueId> src;
  for (size_t i = 0; i < 2; ++i) {
    MOKA_ASSIGN_OR_RETURN(const int64_t transpose, node.attrs.Int(i == 0 ? "transA" : "transB", 0));
    MOKA_ASSIGN_OR_RETURN(const int64_t batch, node.attrs.Int(i == 0 ? "transBatchA" : "transBatchB", 0));
    MOKA_ASSIGN_OR_RETURN(const ValueId operand, Permuted(up, node, node.src[i], transpose != 0, batch != 0));
    src.push_back(operand);
  }
  MOKA_ASSIGN_OR_RETURN(const float alpha, node.attrs.Float("alpha", 1));
  if (alpha == 1) return Become(node, "MatMul", std::move(src));
  MOKA_ASSIGN_OR_RETURN(const ValueId factor, AddScalarLike(up, node, "alpha", node.src[0], alpha));
  const ValueId product = up.EmitBefore(node, "MatMul", std::move(src));
  return Become(node, "Mul", {product, factor});
}

// ---- Normalizations -----------------------------------------------------------------------------------------------

Status NoResults(Upgrader& up, const Node& node, std::initializer_list<size_t> results) {
  for (const size_t i : results) {
    if (i < node.dst.size() && up.IsUsed(node.dst[i])) return Unsupported("result ", i, " is used");
  }
  return Status();
}

// `op` over the last dimension of `x` becomes the node; its first result stays.
Status BecomeNorm(Node& node, const char* op, ValueId x, std::vector<ValueId> scales, float epsilon) {
  Attributes attrs;
  attrs.Set("axis", int64_t{-1});
  attrs.Set("epsilon", epsilon);
  std::vector<ValueId> src = {x};
  src.insert(src.end(), scales.begin(), scales.end());
  while (src.back() == kNoValue) src.pop_back();
  if (node.dst.size() > 1) node.dst.resize(1);
  return Become(node, op, std::move(src), std::move(attrs));
}

// x + skip [+ bias], which is also result `sum_result`.
ValueId AddSkip(Upgrader& up, const Node& node, ValueId bias, size_t sum_result) {
  ValueId sum = up.EmitBefore(node, "Add", {node.src[0], node.src[1]});
  if (bias != kNoValue) sum = up.EmitBefore(node, "Add", {sum, bias});
  if (sum_result < node.dst.size() && node.dst[sum_result] != kNoValue) {
    up.EmitAfter(node, "Identity", {sum}, node.dst[sum_result]);
  }
  return sum;
}

Status SkipLayerNormalization(Upgrader& up, Node& node) {
  MOKA_RETURN_IF_ERROR(RequireSources(node, 3));
  MOKA_RETURN_IF_ERROR(NoResults(up, node, {1, 2}));
  MOKA_ASSIGN_OR_RETURN(const float epsilon, node.attrs.Float("epsilon", 1e-12f));
  const ValueId gamma = node.src[2], beta = Source(node, 3), sum = AddSkip(up, node, Source(node, 4), 3);
  return BecomeNorm(node, "LayerNormalization", sum, {gamma, beta}, epsilon);
}

Status SkipSimplifiedLayerNormalization(Upgrader& up, Node& node) {
  MOKA_RETURN_IF_ERROR(RequireSources(node, 3));
  MOKA_RETURN_IF_ERROR(NoResults(up, node, {1, 2}));
  MOKA_ASSIGN_OR_RETURN(const float epsilon, node.attrs.Float("epsilon", 1e-12f));
  const ValueId gamma = node.src[2], sum = AddSkip(up, node, Source(node, 3), 3);
  return BecomeNorm(node, "RMSNormalization", sum, {gamma}, epsilon);
}

Status SimplifiedLayerNormalization(Upgrader& up, Node& node) {
  MOKA_RETURN_IF_ERROR(RequireSources(node, 2));
  MOKA_RETURN_IF_ERROR(NoResults(up, node, {1}));
  Attributes attrs;
  for (const char* name : {"axis", "epsilon", "stash_type"}) {
    if (const AttributeValue* value = node.attrs.Find(name); value != nullptr) attrs.Set(name, *value);
  }
  if (node.dst.size() > 1) node.dst.resize(1);
  return Become(node, "RMSNormalization", {node.src[0], node.src[1]}, std::move(attrs));
}

// Sum of the embeddings of words, positions and segments, normalized.
Status EmbedLayerNormalization(Upgrader& up, Node& node) {
  enum : size_t { kIds, kSegments, kWords, kPositions, kSegmentTable, kGamma, kBeta, kMask, kPositionIds };
  for (const size_t required : {kIds, kWords, kPositions, kGamma, kBeta}) {
    if (Source(node, required) == kNoValue) return InvalidModel("src ", required, " is missing");
  }
  MOKA_ASSIGN_OR_RETURN(const float epsilon, node.attrs.Float("epsilon", 1e-12f));
  const ValueId ids = node.src[kIds], positions = node.src[kPositions],
                words = up.EmitBefore(node, "Gather", {node.src[kWords], ids});
  ValueId position = kNoValue;
  if (Source(node, kPositionIds) != kNoValue) {
    position = up.EmitBefore(node, "Gather", {positions, node.src[kPositionIds]});
  } else {
    MOKA_ASSIGN_OR_RETURN(const ValueId zero, up.AddInts(node, "zero", {0}));
    position = up.EmitBefore(node, "Slice", {positions, zero, DimOf(up, node, ids, 1), zero});
  }
  ValueId sum = up.EmitBefore(node, "Add", {words, position});
  if (Source(node, kSegments) != kNoValue && Source(node, kSegmentTable) != kNoValue) {
    const ValueId segments = up.EmitBefore(node, "Gather", {node.src[kSegmentTable], node.src[kSegments]});
    sum = up.EmitBefore(node, "Add", {sum, segments});
  }
  if (node.dst.size() > 1 && up.IsUsed(node.dst[1])) {
    if (Source(node, kMask) == kNoValue) return Unsupported("result 1 (mask_index) is used, but there is no mask");
    MOKA_ASSIGN_OR_RETURN(const ValueId axis, up.AddInts(node, "axis", {1}));
    Attributes reduce;
    reduce.Set("keepdims", int64_t{0});
    up.EmitAfter(node, "ReduceSum", {node.src[kMask], axis}, node.dst[1], std::move(reduce));
  }
  if (node.dst.size() > 2 && node.dst[2] != kNoValue) up.EmitAfter(node, "Identity", {sum}, node.dst[2]);
  return BecomeNorm(node, "LayerNormalization", sum, {node.src[kGamma], node.src[kBeta]}, epsilon);
}

// ---- The table ----------------------------------------------------------------------------------------------------

struct Row {
  std::string_view op;
  RewriteFn rewrite;
  bool in_default_domain;
};
// Sorted by operator.
constexpr Row kRows[] = {
    {"Attention", RewriteAttention, false},
    {"BiasAdd", BiasAdd, false},
    {"BiasGelu", ExactGelu, false},
    {"BiasSplitGelu", BiasSplitGelu, false},
    {"EmbedLayerNormalization", EmbedLayerNormalization, false},
    {"FastGelu", FastGelu, false},
    {"FusedConv", FusedConv, false},
    {"FusedGemm", FusedGemm, false},
    {"FusedMatMul", FusedMatMul, false},
    {"Gelu", ExactGelu, false},
    {"MultiHeadAttention", RewriteMultiHeadAttention, false},
    {"QuickGelu", QuickGelu, false},
    {"RotaryEmbedding", RewriteRotaryEmbedding, false},
    {"SimplifiedLayerNormalization", SimplifiedLayerNormalization, true},
    {"SkipLayerNormalization", SkipLayerNormalization, false},
    {"SkipSimplifiedLayerNormalization", SkipSimplifiedLayerNormalization, true},
    {"TransposeMatMul", FusedMatMul, false},
};
static_assert(std::is_sorted(std::begin(kRows), std::end(kRows), [](auto& a, auto& b) { return a.op < b.op; }));

}  // namespace

RewriteFn FindRewrite(std::string_view domain, std::string_view op) {
  if (!domain.empty() && domain != "com.microsoft") return nullptr;
  const auto row = std::lower_bound(std::begin(kRows), std::end(kRows), op,
                                    [](const Row& row, std::string_view wanted) { return row.op < wanted; });
  if (row == std::end(kRows) || row->op != op || (domain.empty() && !row->in_default_domain)) return nullptr;
  return row->rewrite;
}

// ---- What rewrites share ------------------------------------------------------------------------------------------

ValueId Source(const OnnxNode& node, size_t i) { return i < node.src.size() ? node.src[i] : kNoValue; }

Status Become(OnnxNode& node, const char* op, std::vector<ValueId> src, Attributes attrs) {
  node.op = op;
  node.domain.clear();
  node.src = std::move(src);
  node.attrs = std::move(attrs);
  return Status();
}

Result<ValueId> AddScalarLike(Upgrader& up, const OnnxNode& node, const char* suffix, ValueId like, float value) {
  MOKA_ASSIGN_OR_RETURN(const ValueId scalar, up.AddScalar(node, suffix, DataType::kF32, value));
  const DataType type = up.TypeOf(like);
  if (type == DataType::kF32) return scalar;
  Attributes attrs;
  attrs.Set("to", static_cast<int64_t>(ToOnnx(type)));
  return up.EmitBefore(node, "Cast", {scalar}, std::move(attrs));
}

std::vector<ValueId> SplitEqually(Upgrader& up, const OnnxNode& node, ValueId src, int parts) {
  Attributes attrs;
  attrs.Set("axis", int64_t{-1});
  attrs.Set("num_outputs", static_cast<int64_t>(parts));
  return up.EmitBefore(node, "Split", {src}, parts, std::move(attrs));
}

ValueId DimOf(Upgrader& up, const OnnxNode& node, ValueId src, int64_t axis) {
  Attributes attrs;
  attrs.Set("start", axis);
  attrs.Set("end", axis + 1);
  return up.EmitBefore(node, "Shape", {src}, std::move(attrs));
}

}  // namespace moka::onnx

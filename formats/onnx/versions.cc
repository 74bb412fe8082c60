#include "formats/onnx/versions.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string_view>
#include <utility>

#include "formats/onnx/microsoft.h"
#include "formats/onnx/tensor_reader.h"
#include "formats/onnx/types.h"
#include "formats/onnx/versions_normalization.h"
#include "formats/onnx/versions_spatial.h"
#include "ops/scan.h"

namespace moka::onnx {
namespace {

// ---- Attributes that became inputs --------------------------------------------------------------------------------

void SetSource(OnnxNode& node, size_t i, ValueId id) {
  if (node.src.size() <= i) node.src.resize(i + 1, kNoValue);
  node.src[i] = id;
}

Status IntsToSource(Upgrader& up, OnnxNode& node, const char* attribute, size_t source) {
  if (!node.attrs.Has(attribute)) return Status();
  MOKA_ASSIGN_OR_RETURN(const auto values, node.attrs.Ints(attribute, {}));
  MOKA_ASSIGN_OR_RETURN(const ValueId id, up.AddInts(node, attribute, values));
  SetSource(node, source, id);
  node.attrs.Erase(attribute);
  return Status();
}

Status ScalarToSource(Upgrader& up, OnnxNode& node, const char* attribute, size_t source) {
  if (!node.attrs.Has(attribute) || node.src.empty()) return Status();
  MOKA_ASSIGN_OR_RETURN(const float value, node.attrs.Float(attribute, 0));
  MOKA_ASSIGN_OR_RETURN(const ValueId id, up.AddScalar(node, attribute, up.TypeOf(node.src[0]), value));
  SetSource(node, source, id);
  node.attrs.Erase(attribute);
  return Status();
}

Status AxesToSource(Upgrader& up, OnnxNode& node) { return IntsToSource(up, node, "axes", 1); }

Status ReshapeShape(Upgrader& up, OnnxNode& node) { return IntsToSource(up, node, "shape", 1); }

Status SliceRanges(Upgrader& up, OnnxNode& node) {
  MOKA_RETURN_IF_ERROR(IntsToSource(up, node, "starts", 1));
  MOKA_RETURN_IF_ERROR(IntsToSource(up, node, "ends", 2));
  return IntsToSource(up, node, "axes", 3);
}

Status PadWidths(Upgrader& up, OnnxNode& node) {
  MOKA_RETURN_IF_ERROR(IntsToSource(up, node, "paddings", 1));  // Pad-1
  MOKA_RETURN_IF_ERROR(IntsToSource(up, node, "pads", 1));
  return ScalarToSource(up, node, "value", 2);
}

Status ClipBounds(Upgrader& up, OnnxNode& node) {
  MOKA_RETURN_IF_ERROR(ScalarToSource(up, node, "min", 1));
  return ScalarToSource(up, node, "max", 2);
}

Status SplitSizes(Upgrader& up, OnnxNode& node) { return IntsToSource(up, node, "split", 1); }

// Split-18 wants the number of equal parts in words where no sizes are given.
Status SplitCount(Upgrader&, OnnxNode& node) {
  const bool has_sizes = node.src.size() > 1 && node.src[1] != kNoValue;
  if (!has_sizes) node.attrs.Set("num_outputs", static_cast<int64_t>(node.dst.size()));
  return Status();
}

Status TopKCount(Upgrader& up, OnnxNode& node) {
  if (!node.attrs.Has("k")) return InvalidModel("attribute 'k' is missing");
  MOKA_ASSIGN_OR_RETURN(const int64_t k, node.attrs.Int("k", 0));
  MOKA_ASSIGN_OR_RETURN(const ValueId id, up.AddInts(node, "k", {k}));
  SetSource(node, 1, id);
  node.attrs.Erase("k");
  return Status();
}

// ---- Attributes that changed their form ---------------------------------------------------------------------------

Status CastName(Upgrader&, OnnxNode& node) {
  const AttributeValue* to = node.attrs.Find("to");
  if (to == nullptr || !std::holds_alternative<std::string>(*to)) return Status();
  const std::string name = std::get<std::string>(*to);
  const int64_t type = OnnxTypeOfName(name);
  if (type == 0) return InvalidModel("attribute 'to': no type is called '", name, "'");
  node.attrs.Set("to", type);
  return Status();
}

Status ConcatAxis(Upgrader&, OnnxNode& node) {
  if (!node.attrs.Has("axis")) node.attrs.Set("axis", int64_t{1});
  return Status();
}

// Appends dimensions of 1 to the shape of source 1, whose rank is `rank`.
Status AppendOnes(Upgrader& up, OnnxNode& node, int64_t rank, int64_t ones) {
  if (ones <= 0) return Status();
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < ones; ++i) axes.push_back(rank + i);
  MOKA_ASSIGN_OR_RETURN(const ValueId axes_id, up.AddInts(node, "axes", axes));
  node.src[1] = up.EmitBefore(node, "Unsqueeze", {node.src[1], axes_id});
  return Status();
}

// Before opset 7 the second operand of a binary operator was broadcast only where `broadcast` said so, and `axis` named
// the dimension of the first operand at which it begins: ones are appended to its shape.
Status BroadcastAxis(Upgrader& up, OnnxNode& node) {
  MOKA_ASSIGN_OR_RETURN(const int64_t broadcast, node.attrs.Int("broadcast", 0));
  const bool has_axis = node.attrs.Has("axis");
  MOKA_ASSIGN_OR_RETURN(int64_t axis, node.attrs.Int("axis", 0));
  node.attrs.Erase("broadcast");
  node.attrs.Erase("axis");
  if (broadcast == 0 || !has_axis || node.src.size() != 2 || node.src[1] == kNoValue) return Status();
  const int rank_a = up.RankOf(node.src[0]), rank_b = up.RankOf(node.src[1]);
  if (rank_a < 0 || rank_b < 0) return Unsupported("attribute 'axis' with operands whose rank the file does not state");
  if (axis < 0) axis += rank_a;
  const int64_t ones = rank_a - axis - rank_b;
  if (axis < 0 || ones < 0) {
    return InvalidModel("attribute 'axis': ", axis, " with operands of rank ", rank_a, " and ", rank_b);
  }
  return AppendOnes(up, node, rank_b, ones);
}

// Before opset 7 the slopes of PRelu were one for all, or one per channel.
Status PReluChannels(Upgrader& up, OnnxNode& node) {
  if (node.src.size() != 2) return Status();
  const int rank = up.RankOf(node.src[0]), slope_rank = up.RankOf(node.src[1]);
  if (slope_rank == 0) return Status();
  if (rank < 0 || slope_rank < 0)
    return Unsupported("slopes per channel of an input whose rank the file does not state");
  return slope_rank == 1 ? AppendOnes(up, node, 1, rank - 2) : Status();
}

// The defaults had fewer digits before opset 6.
Status SeluDefaults(Upgrader&, OnnxNode& node) {
  if (!node.attrs.Has("alpha")) node.attrs.Set("alpha", 1.6732f);
  if (!node.attrs.Has("gamma")) node.attrs.Set("gamma", 1.0507f);
  return Status();
}

// Before opset 13 softmax worked on the matrix that Flatten(axis) makes. That is the newest form where axis is the last
// one; else Shape, Flatten and Reshape go around it, which cost nothing at run time.
Status SoftmaxMatrix(Upgrader& up, OnnxNode& node) {
  MOKA_ASSIGN_OR_RETURN(const int64_t axis, node.attrs.Int("axis", 1));
  node.attrs.Set("axis", int64_t{-1});
  if (node.src.size() != 1 || node.dst.size() != 1) return Status();
  const int rank = up.RankOf(node.src[0]);
  if (axis == -1 || (rank >= 0 && axis == rank - 1)) return Status();
  Attributes flatten;
  flatten.Set("axis", axis);
  const ValueId shape = up.EmitBefore(node, "Shape", {node.src[0]});
  node.src[0] = up.EmitBefore(node, "Flatten", {node.src[0]}, std::move(flatten));
  Attributes reshape;
  reshape.Set("allowzero", int64_t{1});
  const ValueId result = node.dst[0];
  node.dst[0] = up.scope().Fresh(node.name + ".matrix");
  up.EmitAfter(node, "Reshape", {node.dst[0], shape}, result, std::move(reshape));
  return Status();
}

// Before opset 7 an attribute said whether result 0 is wanted; the names of results say it.
Status RecurrentSequence(Upgrader&, OnnxNode& node) {
  node.attrs.Erase("output_sequence");
  return Status();
}

// Scan had lengths as its first input, and a batch in front of all others.
Status ScanBatch(Upgrader&, OnnxNode& node) {
  if (node.src.empty() || node.src[0] != kNoValue) return Unsupported("sequence_lens of Scan's first form");
  node.src.erase(node.src.begin());
  node.attrs.Set(kScanBatched, int64_t{1});
  if (const AttributeValue* directions = node.attrs.Find("directions")) {
    node.attrs.Set("scan_input_directions", *directions);
    node.attrs.Erase("directions");
  }
  return Status();
}

// ---- The table ----------------------------------------------------------------------------------------------------

// Applies to nodes of operator `op` in opsets below `until`. The rows of one operator apply in their order.
struct Row {
  std::string_view op;
  int64_t until;
  Status (*convert)(Upgrader&, OnnxNode&);
};
constexpr int64_t kAlways = std::numeric_limits<int64_t>::max();
// Sorted by operator.
constexpr Row kRows[] = {
    {"Add", 7, BroadcastAxis},
    {"And", 7, BroadcastAxis},
    {"BatchNormalization", 14, BatchNormalizationInference},
    {"Cast", 6, CastName},
    {"Clip", 11, ClipBounds},
    {"Concat", 4, ConcatAxis},
    {"DFT", 20, TransformAxis},
    {"Div", 7, BroadcastAxis},
    {"Dropout", 12, DropoutAttributes},
    {"Dropout", kAlways, DropoutIdentity},
    {"Equal", 7, BroadcastAxis},
    {"GRU", 7, RecurrentSequence},
    {"GlobalLpPool", 2, PoolPower},
    {"Greater", 7, BroadcastAxis},
    {"GridSample", 20, GridSampleNames},
    {"GroupNormalization", 21, GroupNormalizationScale},
    {"Hardmax", 13, SoftmaxMatrix},
    {"LSTM", 7, RecurrentSequence},
    {"Less", 7, BroadcastAxis},
    {"LogSoftmax", 13, SoftmaxMatrix},
    {"LpPool", 2, PoolPower},
    {"Mul", 7, BroadcastAxis},
    {"Or", 7, BroadcastAxis},
    {"PRelu", 7, PReluChannels},
    {"Pad", 11, PadWidths},
    {"Pow", 7, BroadcastAxis},
    {"RNN", 7, RecurrentSequence},
    {"ReduceL1", 18, AxesToSource},
    {"ReduceL2", 18, AxesToSource},
    {"ReduceLogSum", 18, AxesToSource},
    {"ReduceLogSumExp", 18, AxesToSource},
    {"ReduceMax", 18, AxesToSource},
    {"ReduceMean", 18, AxesToSource},
    {"ReduceMin", 18, AxesToSource},
    {"ReduceProd", 18, AxesToSource},
    {"ReduceSum", 13, AxesToSource},
    {"ReduceSumSquare", 18, AxesToSource},
    {"Reshape", 5, ReshapeShape},
    {"Resize", 11, ResizeScales},
    {"RoiAlign", 16, RoiAlignHalfPixel},
    {"Scan", 9, ScanBatch},
    {"Scatter", kAlways, ScatterElementsName},
    {"Selu", 6, SeluDefaults},
    {"Slice", 10, SliceRanges},
    {"Softmax", 13, SoftmaxMatrix},
    {"Split", 13, SplitSizes},
    {"Split", 18, SplitCount},
    {"Squeeze", 13, AxesToSource},
    {"Sub", 7, BroadcastAxis},
    {"Tile", 6, TileRepeats},
    {"TopK", 10, TopKCount},
    {"Unsqueeze", 13, AxesToSource},
    {"Upsample", kAlways, UpsampleResize},
    {"Xor", 7, BroadcastAxis},
};
static_assert(std::is_sorted(std::begin(kRows), std::end(kRows), [](auto& a, auto& b) { return a.op < b.op; }));

// ---- Ranks --------------------------------------------------------------------------------------------------------

// Operators whose results have the rank of their first source; older converters need ranks before shapes are inferred.
constexpr std::string_view kSameRank[] = {
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "AveragePool",
    "BatchNormalization",
    "BitwiseNot",
    "Cast",
    "CastLike",
    "Ceil",
    "Celu",
    "Clip",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Cos",
    "Cosh",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "InstanceNormalization",
    "IsInf",
    "IsNaN",
    "LRN",
    "LayerNormalization",
    "LeakyRelu",
    "Log",
    "LogSoftmax",
    "MaxPool",
    "Mish",
    "Neg",
    "Not",
    "PRelu",
    "Pad",
    "RMSNormalization",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "Split",
    "Sqrt",
    "Tan",
    "Tanh",
    "ThresholdedRelu",
    "Transpose",
    "Upsample",
};
constexpr std::string_view kBroadcasting[] = {"Add",    "And", "Div",  "Equal", "Greater", "Less",
                                              "MatMul", "Max", "Mean", "Min",   "Mod",     "Mul",
                                              "Or",     "Pow", "Sub",  "Sum",   "Where",   "Xor"};

template <size_t N>
bool Contains(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace

bool IsReplaced(std::string_view op) {
  return std::any_of(std::begin(kRows), std::end(kRows),
                     [&](const Row& row) { return row.op == op && row.until == kAlways; });
}

Status Upgrader::Upgrade(OnnxNode node, std::vector<OnnxNode>* out) {
  opset_ = node.opset;
  TrackRank(node);
  before_.clear();
  after_.clear();
  if (opset_ < 6 && node.domain.empty()) node.attrs.Erase("consumed_inputs");
  const auto [first, last] = std::equal_range(std::begin(kRows), std::end(kRows), Row{node.op, 0, nullptr},
                                              [](const Row& a, const Row& b) { return a.op < b.op; });
  for (const Row* row = first; node.domain.empty() && row != last; ++row) {
    if (opset_ < row->until) MOKA_RETURN_IF_ERROR(row->convert(*this, node));
  }
  MOKA_RETURN_IF_ERROR(Rewrite(node));
  std::move(before_.begin(), before_.end(), std::back_inserter(*out));
  out->push_back(std::move(node));
  std::move(after_.begin(), after_.end(), std::back_inserter(*out));
  return Status();
}

Status Upgrader::Rewrite(OnnxNode& node) {
  const RewriteFn rewrite = FindRewrite(node.domain, node.op);
  if (rewrite == nullptr) return Status();
  MOKA_RETURN_IF_ERROR(rewrite(*this, node));
  for (const OnnxNode& part : before_) TrackRank(part);
  TrackRank(node);
  for (const OnnxNode& part : after_) TrackRank(part);
  return Status();
}

bool Upgrader::IsUsed(ValueId id) const {
  return id != kNoValue && static_cast<size_t>(id) < uses_->size() && (*uses_)[static_cast<size_t>(id)] > 0;
}

int Upgrader::RankOf(ValueId id) const {
  if (id == kNoValue) return -1;
  const Value& value = scope_->graph().value(id);
  if (value.constant != nullptr) return value.constant->desc.rank;
  if (value.declared_rank) return static_cast<int>(value.declared_dims.size());
  const auto it = ranks_.find(id);
  return it == ranks_.end() ? -1 : it->second;
}

DataType Upgrader::TypeOf(ValueId id) const {
  if (id == kNoValue) return DataType::kF32;
  const Value& value = scope_->graph().value(id);
  if (value.constant != nullptr) return value.constant->desc.type;
  return value.declared_type == DataType::kNone ? DataType::kF32 : value.declared_type;
}

void Upgrader::TrackRank(const OnnxNode& node) {
  int rank = -1;
  if (Contains(kSameRank, node.op) && !node.src.empty()) {
    rank = RankOf(node.src[0]);
  } else if (Contains(kBroadcasting, node.op)) {
    rank = 0;
    for (const ValueId src : node.src) {
      const int other = RankOf(src);
      rank = rank < 0 || other < 0 ? -1 : std::max(rank, other);
    }
  } else if (node.op == "Gemm" || node.op == "Flatten") {
    rank = 2;
  } else if (node.op == "Reshape") {
    if (Result<std::vector<int64_t>> shape = node.attrs.Ints("shape", {}); shape.ok() && opset_ < 5) {
      rank = static_cast<int>(shape->size());
    } else if (node.src.size() > 1 && node.src[1] != kNoValue) {
      const HostTensor* target = scope_->graph().value(node.src[1]).constant.get();
      if (target != nullptr && target->desc.rank == 1) rank = static_cast<int>(target->desc.dims[0]);
    }
  }
  if (rank < 0) return;
  for (const ValueId dst : node.dst) {
    if (dst != kNoValue) ranks_[dst] = rank;
  }
}

Result<ValueId> Upgrader::AddInts(const OnnxNode& node, const char* suffix, const std::vector<int64_t>& values) {
  const Shape shape = {static_cast<int64_t>(values.size())};
  static constexpr int64_t kEmpty = 0;
  MOKA_ASSIGN_OR_RETURN(HostTensor tensor, MakeTensor(DataType::kI64, shape, values.empty() ? &kEmpty : values.data()));
  return scope_->FreshConstant(StrCat(node.name, ".", suffix), std::move(tensor));
}

Result<ValueId> Upgrader::AddFloats(const OnnxNode& node, const char* suffix, const std::vector<float>& values) {
  static constexpr float kEmpty = 0;
  const Shape shape = {static_cast<int64_t>(values.size())};
  MOKA_ASSIGN_OR_RETURN(HostTensor tensor, MakeTensor(DataType::kF32, shape, values.empty() ? &kEmpty : values.data()));
  return scope_->FreshConstant(StrCat(node.name, ".", suffix), std::move(tensor));
}

Result<ValueId> Upgrader::AddInt(const OnnxNode& node, const char* suffix, int64_t value) {
  MOKA_ASSIGN_OR_RETURN(HostTensor tensor, MakeTensor(DataType::kI64, {}, &value));
  return scope_->FreshConstant(StrCat(node.name, ".", suffix), std::move(tensor));
}

Result<ValueId> Upgrader::AddScalar(const OnnxNode& node, const char* suffix, DataType type, float value) {
  const double wide = value;
  const void* data = type == DataType::kF32 ? static_cast<const void*>(&value) : &wide;
  if (type != DataType::kF32 && type != DataType::kF64) {
    return Unsupported("attribute '", suffix, "' with operands of type ", NameOf(type));
  }
  MOKA_ASSIGN_OR_RETURN(HostTensor tensor, MakeTensor(type, {}, data));
  return scope_->FreshConstant(StrCat(node.name, ".", suffix), std::move(tensor));
}

ValueId Upgrader::EmitBefore(const OnnxNode& node, const char* op, std::vector<ValueId> src, Attributes attrs) {
  const std::string name = StrCat(node.name, ".", op);
  const ValueId dst = scope_->Fresh(name);
  before_.push_back({op, "", name, std::move(attrs), std::move(src), {dst}});
  return dst;
}

std::vector<ValueId> Upgrader::EmitBefore(const OnnxNode& node, const char* op, std::vector<ValueId> src, int results,
                                          Attributes attrs) {
  const std::string name = StrCat(node.name, ".", op);
  std::vector<ValueId> dst;
  for (int i = 0; i < results; ++i) dst.push_back(scope_->Fresh(StrCat(name, ".", i)));
  before_.push_back({op, "", name, std::move(attrs), std::move(src), dst});
  return dst;
}

void Upgrader::EmitAfter(const OnnxNode& node, const char* op, std::vector<ValueId> src, ValueId dst,
                         Attributes attrs) {
  after_.push_back({op, "", StrCat(node.name, ".", op), std::move(attrs), std::move(src), {dst}});
}

}  // namespace moka::onnx

#include "formats/onnx/versions_normalization.h"

#include <algorithm>
#include <utility>

#include "formats/onnx/types.h"

namespace moka::onnx {
namespace {

// True for a constant of one element whose bytes are all zero: false, and +0 of any type of float.
bool IsZero(Upgrader& up, ValueId id) {
  const HostTensor* tensor = up.scope().graph().value(id).constant.get();
  if (tensor == nullptr || tensor->desc.type == DataType::kString || tensor->desc.NumElements() != 1) return false;
  const auto* bytes = static_cast<const uint8_t*>(tensor->data);
  return std::all_of(bytes, bytes + SizeOf(tensor->desc.type), [](uint8_t byte) { return byte == 0; });
}

Status DropResults(Upgrader& up, OnnxNode& node, const char* why) {
  for (size_t i = 1; i < node.dst.size(); ++i) {
    if (up.IsUsed(node.dst[i])) return Unsupported("result ", i, " is used, which exists ", why);
  }
  if (node.dst.size() > 1) node.dst.resize(1);
  return Status();
}

// Statistics per element, which BatchNormalization had before opset 9: (x - mean) * (scale / sqrt(var + epsilon)) + B.
Status BatchNormalizationPerElement(Upgrader& up, OnnxNode& node) {
  if (node.src.size() != 5) return InvalidModel("inputs: ", node.src.size(), ", expected 5");
  MOKA_ASSIGN_OR_RETURN(const float epsilon, node.attrs.Float("epsilon", 1e-5f));
  MOKA_ASSIGN_OR_RETURN(const ValueId small, up.AddScalar(node, "epsilon", up.TypeOf(node.src[0]), epsilon));
  const ValueId deviation = up.EmitBefore(node, "Sqrt", {up.EmitBefore(node, "Add", {node.src[4], small})});
  const ValueId factor = up.EmitBefore(node, "Div", {node.src[1], deviation});
  const ValueId centered = up.EmitBefore(node, "Sub", {node.src[0], node.src[3]});
  node.src = {up.EmitBefore(node, "Mul", {centered, factor}), node.src[2]};
  node.op = "Add";
  node.attrs = {};
  return Status();
}

}  // namespace

// Scale and bias were those of groups, not of channels.
Status GroupNormalizationScale(Upgrader&, OnnxNode& node) {
  node.attrs.Set("scale_per_group", int64_t{1});
  return Status();
}

Status BatchNormalizationInference(Upgrader& up, OnnxNode& node) {
  MOKA_RETURN_IF_ERROR(DropResults(up, node, "in training only"));
  MOKA_ASSIGN_OR_RETURN(const int64_t spatial, node.attrs.Int("spatial", 1));
  if (spatial == 0) return BatchNormalizationPerElement(up, node);
  node.attrs.Erase("spatial");
  node.attrs.Erase("is_test");
  return Status();
}

// Before opset 12 training was a matter of the whole graph, and the mask had the type of the data before opset 10.
Status DropoutAttributes(Upgrader& up, OnnxNode& node) {
  node.attrs = {};
  if (node.src.size() > 1) node.src.resize(1);
  if (node.dst.size() < 2) return Status();
  if (!up.IsUsed(node.dst[1])) {
    node.dst.resize(1);
    return Status();
  }
  if (up.opset() >= 10) return Status();
  const int64_t type = ToOnnx(up.TypeOf(node.src[0]));
  const ValueId result = node.dst[1];
  node.dst[1] = up.scope().Fresh(node.name + ".mask");
  Attributes cast;
  cast.Set("to", type);
  up.EmitAfter(node, "Cast", {node.dst[1]}, result, std::move(cast));
  return Status();
}

// Without training, or with a ratio of 0, nothing is left but the mask.
Status DropoutIdentity(Upgrader& up, OnnxNode& node) {
  const auto is_zero = [&](size_t src, bool absent) {
    return node.src.size() > src && node.src[src] != kNoValue ? IsZero(up, node.src[src]) : absent;
  };
  if (!is_zero(2, true) && !is_zero(1, false)) return Status();
  // The converter of attributes left a mask only where it is used, maybe under a new name.
  const bool has_mask = node.dst.size() > 1 && node.dst[1] != kNoValue;
  if (has_mask && (up.opset() < 12 || up.IsUsed(node.dst[1]))) return Status();
  node.op = "Identity";
  node.attrs = {};
  if (node.src.size() > 1) node.src.resize(1);
  if (node.dst.size() > 1) node.dst.resize(1);
  return Status();
}

}  // namespace moka::onnx

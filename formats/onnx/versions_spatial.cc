#include "formats/onnx/versions_spatial.h"

#include "ops/element.h"

namespace moka::onnx {
namespace {

// Both put the corner of a result's pixel at result / scale, and rounded down.
void SetAsymmetric(OnnxNode& node) {
  node.attrs.Set("coordinate_transformation_mode", std::string("asymmetric"));
  node.attrs.Set("nearest_mode", std::string("floor"));
}

Result<std::vector<float>> UpsampleScales(const Attributes& attrs) {
  if (attrs.Has("scales")) return attrs.Floats("scales", {});
  MOKA_ASSIGN_OR_RETURN(const float height, attrs.Float("height_scale", 1));
  MOKA_ASSIGN_OR_RETURN(const float width, attrs.Float("width_scale", 1));
  return std::vector<float>{1, 1, height, width};
}

// A mode that got another name.
void RenameMode(OnnxNode& node, std::string_view before, const char* now) {
  const AttributeValue* mode = node.attrs.Find("mode");
  const auto* text = mode == nullptr ? nullptr : std::get_if<std::string>(mode);
  if (text != nullptr && *text == before) node.attrs.Set("mode", std::string(now));
}

// The one number of a constant; fails where it is computed.
Result<int64_t> Number(Upgrader& up, ValueId id, const char* what) {
  const HostTensor* tensor = id == kNoValue ? nullptr : up.scope().graph().value(id).constant.get();
  if (tensor == nullptr || tensor->data == nullptr || tensor->desc.NumElements() != 1) {
    return Unsupported("input '", what, "' is not a constant number");
  }
  return Load<int64_t>(tensor->desc, tensor->data, 0);
}

}  // namespace

Status UpsampleResize(Upgrader& up, OnnxNode& node) {
  if (node.src.empty()) return Status();
  ValueId scales = node.src.size() > 1 ? node.src[1] : kNoValue;
  if (scales == kNoValue) {
    MOKA_ASSIGN_OR_RETURN(const std::vector<float> values, UpsampleScales(node.attrs));
    MOKA_ASSIGN_OR_RETURN(scales, up.AddFloats(node, "scales", values));
  }
  for (const char* name : {"scales", "height_scale", "width_scale"}) node.attrs.Erase(name);
  RenameMode(node, "bilinear", "linear");  // Upsample-1
  node.op = "Resize";
  node.src = {node.src[0], kNoValue, scales};
  SetAsymmetric(node);
  return Status();
}

Status ResizeScales(Upgrader&, OnnxNode& node) {
  if (node.src.size() != 2) return Status();
  node.src = {node.src[0], kNoValue, node.src[1]};
  SetAsymmetric(node);
  return Status();
}

Status GridSampleNames(Upgrader&, OnnxNode& node) {
  RenameMode(node, "bilinear", "linear");
  RenameMode(node, "bicubic", "cubic");
  return Status();
}

Status RoiAlignHalfPixel(Upgrader&, OnnxNode& node) {
  node.attrs.Set("coordinate_transformation_mode", std::string("output_half_pixel"));
  return Status();
}

Status ScatterElementsName(Upgrader&, OnnxNode& node) {
  node.op = "ScatterElements";
  return Status();
}

Status TileRepeats(Upgrader& up, OnnxNode& node) {
  if (node.src.size() != 3) return Status();
  const int rank = up.RankOf(node.src[0]);
  if (rank < 0) return Unsupported("an operand whose rank the file does not state");
  MOKA_ASSIGN_OR_RETURN(const int64_t times, Number(up, node.src[1], "tiles"));
  MOKA_ASSIGN_OR_RETURN(const int64_t axis, Number(up, node.src[2], "axis"));
  if (axis < 0 || axis >= rank) return InvalidModel("input 'axis' is ", axis, " with an operand of rank ", rank);
  std::vector<int64_t> repeats(static_cast<size_t>(rank), 1);
  repeats[static_cast<size_t>(axis)] = times;
  MOKA_ASSIGN_OR_RETURN(const ValueId id, up.AddInts(node, "repeats", repeats));
  node.src = {node.src[0], id};
  return Status();
}

Status TransformAxis(Upgrader& up, OnnxNode& node) {
  MOKA_ASSIGN_OR_RETURN(const int64_t axis, node.attrs.Int("axis", 1));
  node.attrs.Erase("axis");
  if (node.src.empty()) return Status();
  node.src.resize(3, kNoValue);
  MOKA_ASSIGN_OR_RETURN(node.src[2], up.AddInt(node, "axis", axis));
  return Status();
}

Status PoolPower(Upgrader&, OnnxNode& node) {
  const AttributeValue* p = node.attrs.Find("p");
  if (p == nullptr || !std::holds_alternative<float>(*p)) return Status();
  const float power = std::get<float>(*p);
  if (power != static_cast<float>(static_cast<int64_t>(power))) return Unsupported("attribute 'p' is ", power);
  node.attrs.Set("p", static_cast<int64_t>(power));
  return Status();
}

}  // namespace moka::onnx

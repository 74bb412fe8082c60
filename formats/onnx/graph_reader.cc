#include "formats/onnx/graph_reader.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "formats/onnx/attribute_reader.h"
#include "formats/onnx/fields.h"
#include "formats/onnx/graph_proto.h"
#include "formats/onnx/microsoft.h"
#include "formats/onnx/scope.h"
#include "formats/onnx/sparse_reader.h"
#include "formats/onnx/tensor_reader.h"
#include "formats/onnx/value_info.h"
#include "formats/onnx/versions.h"
#include "formats/onnx/wire.h"

namespace moka::onnx {
namespace {

constexpr std::string_view kDefaultDomain = "ai.onnx";
constexpr std::string_view kOwnDomain = "moka";  // operators that passes make; no file may name them

std::string DescribeNode(const OnnxNode& node) { return StrCat("node '", node.name, "' (", node.op, ")"); }

class GraphReader {
 public:
  GraphReader(int depth, ModelContext& model, Graph* graph)
      : depth_(depth), model_(model), graph_(graph), scope_(graph), outer_calls_(model.calls.size()) {}

  Status Read(std::string_view bytes);

 private:
  using TensorReader = Result<HostTensor>(std::string_view bytes, ReadContext& context, std::string_view* name);
  Status ReadInitializers(const std::vector<std::string_view>& initializers, TensorReader* read);
  Status ReadInputs(const std::vector<std::string_view>& inputs);
  Status ReadNodes(const std::vector<std::string_view>& nodes);
  Status ReadNode(std::string_view bytes, size_t index);
  Status ParseNode(std::string_view bytes, size_t index, OnnxNode* node);
  Status ParseAttributes(const std::vector<std::string_view>& attributes, OnnxNode* node);
  Status MakeConstant(OnnxNode& node);
  Status CallFunction(const Function& function, OnnxNode node);
  ValueId UseName(std::string_view name);
  bool InFunction() const { return model_.calls.size() > outer_calls_; }
  Status ReadOutputs(const std::vector<std::string_view>& outputs);
  Status ReadValueInfos(const std::vector<std::string_view>& infos);
  Status Declare(ValueId id, const DeclaredValue& declared, bool is_input);
  Status UpgradeNodes();
  void AddNode(OnnxNode node);
  bool IsKnown(const OnnxNode& node) const;
  void NoteUnknown(const OnnxNode& node, size_t position);
  void NoteRefusedSources(const OnnxNode& node);
  int64_t OpsetOf(std::string_view domain) const;
  std::string UniqueName(std::string name);

  int depth_;
  ModelContext& model_;
  Graph* graph_;
  Scope scope_;
  size_t outer_calls_;  // functions whose calls have this graph in them: their values are not of this graph
  std::vector<OnnxNode> nodes_;
  std::vector<int> uses_;
  std::unordered_map<ValueId, Status> refused_;  // constants that moka has no form for, until something needs them
  std::unordered_map<std::string, int> node_names_;
};

Status GraphReader::Read(std::string_view bytes) {
  GraphProto proto;
  MOKA_RETURN_IF_ERROR(ParseGraph(bytes, &proto));
  const auto count = static_cast<int64_t>(proto.nodes.size());
  if (count > model_.nodes_left) {
    return InvalidModel("more nodes than the limit of ", model_.read.options.max_nodes);
  }
  model_.nodes_left -= count;
  MOKA_RETURN_IF_ERROR(ReadInitializers(proto.initializers, ReadTensor));
  MOKA_RETURN_IF_ERROR(ReadInitializers(proto.sparse_initializers, ReadSparseTensor));
  MOKA_RETURN_IF_ERROR(ReadInputs(proto.inputs));
  MOKA_RETURN_IF_ERROR(ReadNodes(proto.nodes));
  MOKA_RETURN_IF_ERROR(ReadOutputs(proto.outputs));
  MOKA_RETURN_IF_ERROR(ReadValueInfos(proto.value_infos));
  return UpgradeNodes();
}

// ---- Values -------------------------------------------------------------------------------------------------------

Status GraphReader::ReadInitializers(const std::vector<std::string_view>& initializers, TensorReader* read) {
  for (size_t i = 0; i < initializers.size(); ++i) {
    std::string_view name;
    Result<HostTensor> tensor = read(initializers[i], model_.read, &name);
    const std::string context = name.empty() ? StrCat("initializer ", i) : StrCat("initializer '", name, "'");
    if (!tensor.ok() && tensor.status().code() != StatusCode::kUnsupported) {
      return tensor.status().WithContext(context);
    }
    if (name.empty()) return InvalidModel(context, " has no name");
    const ValueId id = scope_.Use(name);
    if (!scope_.Define(id)) return InvalidModel(context, " is there twice");
    if (tensor.ok()) {
      scope_.SetConstant(id, std::move(tensor).value());
    } else {
      refused_.emplace(id, tensor.status().WithContext(context));
    }
  }
  return Status();
}

Status GraphReader::ReadInputs(const std::vector<std::string_view>& inputs) {
  std::unordered_set<std::string_view> names;
  for (const std::string_view bytes : inputs) {
    DeclaredValue declared;
    const Status status = ReadValueInfo(bytes, model_.read.options, &declared);
    const std::string context = StrCat("graph input '", declared.name, "'");
    MOKA_RETURN_IF_ERROR(status.WithContext(context));
    if (declared.name.empty()) return InvalidModel("a graph input has no name");
    if (!names.insert(declared.name).second) return InvalidModel(context, " is there twice");
    const ValueId id = scope_.Use(declared.name);
    // Up to IR version 3 every initializer is an input too; later, one that is an input is its default value.
    if (!scope_.Define(id)) continue;
    graph_->inputs.push_back(id);
    MOKA_RETURN_IF_ERROR(Declare(id, declared, true).WithContext(context));
    if (!declared.refusal.empty()) model_.Note(Unsupported(context, " is ", declared.refusal));
  }
  return Status();
}

Status GraphReader::ReadOutputs(const std::vector<std::string_view>& outputs) {
  std::unordered_set<std::string_view> names;
  uses_.resize(graph_->values.size());
  for (const std::string_view bytes : outputs) {
    DeclaredValue declared;
    const Status status = ReadValueInfo(bytes, model_.read.options, &declared);
    const std::string context = StrCat("graph output '", declared.name, "'");
    MOKA_RETURN_IF_ERROR(status.WithContext(context));
    if (declared.name.empty()) return InvalidModel("a graph output has no name");
    if (!names.insert(declared.name).second) return InvalidModel(context, " is there twice");
    const ValueId id = scope_.Use(declared.name);
    uses_.resize(graph_->values.size());
    if (depth_ == 0 && !scope_.IsDefined(id)) return InvalidModel(context, " is made by no node");
    if (const auto refused = refused_.find(id); refused != refused_.end()) model_.Note(refused->second);
    ++uses_[static_cast<size_t>(id)];
    graph_->outputs.push_back(id);
    MOKA_RETURN_IF_ERROR(Declare(id, declared, false).WithContext(context));
    if (!declared.refusal.empty()) model_.Note(Unsupported(context, " is ", declared.refusal));
  }
  if (graph_->outputs.empty()) return InvalidModel("the graph has no outputs");
  return Status();
}

Status GraphReader::ReadValueInfos(const std::vector<std::string_view>& infos) {
  for (const std::string_view bytes : infos) {
    DeclaredValue declared;
    const Status status = ReadValueInfo(bytes, model_.read.options, &declared);
    MOKA_RETURN_IF_ERROR(status.WithContext(StrCat("value_info '", declared.name, "'")));
    const ValueId id = scope_.Find(declared.name);
    if (id != kNoValue && graph_->value(id).declared_type == DataType::kNone) {
      MOKA_RETURN_IF_ERROR(Declare(id, declared, false));
    }
  }
  return Status();
}

// A dimension without a name is a symbol of its own.
Status GraphReader::Declare(ValueId id, const DeclaredValue& declared, bool is_input) {
  Value& value = graph_->value(id);
  value.declared_type = declared.type;
  value.declared_kind = declared.kind;
  value.declared_rank = declared.ranked;
  value.declared_dims.clear();
  for (size_t i = 0; i < declared.dims.size(); ++i) {
    const DeclaredDim& dim = declared.dims[i];
    if (dim.known) {
      value.declared_dims.emplace_back(dim.value);
    } else if (!dim.param.empty()) {
      value.declared_dims.push_back(Dim::Symbol(graph_->symbols.Intern(dim.param)));
    } else {
      value.declared_dims.push_back(Dim::Symbol(graph_->symbols.Fresh(StrCat(declared.name, "_", i))));
    }
  }
  // Graphs in attributes may leave the types of their inputs to inference.
  if (is_input && depth_ == 0 && declared.refusal.empty() && declared.type == DataType::kNone &&
      declared.kind == ValueKind::kTensor) {
    return InvalidModel("states no element type");
  }
  return Status();
}

// ---- Nodes --------------------------------------------------------------------------------------------------------

Status GraphReader::ReadNodes(const std::vector<std::string_view>& nodes) {
  for (size_t i = 0; i < nodes.size(); ++i) MOKA_RETURN_IF_ERROR(ReadNode(nodes[i], i));
  return Status();
}

Status GraphReader::ReadNode(std::string_view bytes, size_t index) {
  OnnxNode node;
  const size_t position = model_.unknown.size();
  const Status status = Guard([&] { return ParseNode(bytes, index, &node); });
  if (!status.ok() && status.code() != StatusCode::kUnsupported) return status.WithContext(DescribeNode(node));
  node.opset = OpsetOf("");
  if (node.domain.empty() && node.opset == 0) return InvalidModel("opset_import: nothing for domain ai.onnx");
  if (const auto function = model_.functions.find({node.domain, node.op}); function != model_.functions.end()) {
    MOKA_RETURN_IF_ERROR(status.WithContext(DescribeNode(node)));
    return CallFunction(function->second, std::move(node));
  }
  for (const ValueId dst : node.dst) {
    if (dst == kNoValue || scope_.Define(dst)) continue;
    return InvalidModel(DescribeNode(node), ": result '", graph_->value(dst).name,
                        "' is also an input, an initializer or another node's result");
  }
  // An attribute that moka cannot hold matters only where moka has the operator.
  if (!IsKnown(node)) {
    NoteUnknown(node, position);
    return Status();
  }
  if (!status.ok()) {
    model_.Note(status.WithContext(DescribeNode(node)));
    return Status();
  }
  if (node.domain.empty() && node.op == "Constant") return MakeConstant(node).WithContext(DescribeNode(node));
  uses_.resize(graph_->values.size());
  for (const ValueId src : node.src) {
    if (src != kNoValue) ++uses_[static_cast<size_t>(src)];
  }
  for (const std::string& name : node.captures) {
    const ValueId id = UseName(name);
    node.captured.push_back(id);
    uses_.resize(graph_->values.size());
    ++uses_[static_cast<size_t>(id)];
  }
  nodes_.push_back(std::move(node));
  return Status();
}

Status GraphReader::ParseNode(std::string_view bytes, size_t index, OnnxNode* node) {
  node->name = StrCat("#", index);
  node->op = "?";
  std::vector<std::string_view> attributes;
  std::string_view name, op;
  for (Fields fields(bytes); fields.Next();) {
    switch (fields.field()) {
      case NodeFields::kInput:
        node->src.push_back(UseName(fields.Bytes()));
        break;
      case NodeFields::kOutput:
        node->dst.push_back(UseName(fields.Bytes()));
        break;
      case NodeFields::kName:
        name = fields.Bytes();
        break;
      case NodeFields::kOpType:
        op = fields.Bytes();
        break;
      case NodeFields::kAttribute:
        attributes.push_back(fields.Bytes());
        break;
      case NodeFields::kDomain:
        node->domain = fields.String();
        break;
      default:
        fields.Skip();
    }
  }
  if (node->domain == kDefaultDomain) node->domain.clear();
  while (!node->src.empty() && node->src.back() == kNoValue) node->src.pop_back();
  while (!node->dst.empty() && node->dst.back() == kNoValue) node->dst.pop_back();
  if (!op.empty()) node->op = op;
  if (!name.empty()) {
    node->name = StrCat(InFunction() ? model_.calls.back()->prefix : "", name);
  } else if (!node->dst.empty()) {
    const ValueId first = *std::find_if(node->dst.begin(), node->dst.end(), [](ValueId id) { return id != kNoValue; });
    node->name = StrCat(node->op, ":", graph_->value(first).name);
  }
  if (op.empty()) return InvalidModel("names no operator");
  return ParseAttributes(attributes, node);
}

Status GraphReader::ParseAttributes(const std::vector<std::string_view>& attributes, OnnxNode* node) {
  if (attributes.size() > kMaxAttributes) return InvalidModel("has more than ", kMaxAttributes, " attributes");
  const SubgraphReader read_subgraph =
      [this, node](std::string_view bytes) -> Result<std::shared_ptr<const SubgraphAttribute>> {
    auto subgraph = std::make_shared<SubgraphAttribute>();
    subgraph->graph.source = graph_->source;
    MOKA_RETURN_IF_ERROR(ReadGraph(bytes, depth_ + 1, model_, &subgraph->graph));
    for (std::string& name : CapturesOf(subgraph->graph)) {
      if (std::find(node->captures.begin(), node->captures.end(), name) == node->captures.end()) {
        node->captures.push_back(std::move(name));
      }
    }
    return std::shared_ptr<const SubgraphAttribute>(std::move(subgraph));
  };
  Status unsupported;
  for (const std::string_view bytes : attributes) {
    std::string_view name;
    const Attributes* of_call = model_.calls.empty() ? nullptr : &model_.calls.back()->attributes;
    const Status status = ReadAttribute(bytes, model_.read, read_subgraph, of_call, &node->attrs, &name);
    if (status.ok()) continue;
    const Status named = status.WithContext(StrCat("attribute '", name, "'"));
    if (named.code() != StatusCode::kUnsupported) return named;
    if (unsupported.ok()) unsupported = named;
  }
  return unsupported;
}

// Constant nodes are not nodes of the graph: their results are constants.
Status GraphReader::MakeConstant(OnnxNode& node) {
  if (node.dst.size() != 1 || !node.src.empty()) return InvalidModel("must have no inputs and one output");
  const auto& attributes = node.attrs.all();
  if (attributes.size() != 1) return InvalidModel("must have one attribute, it has ", attributes.size());
  const auto& [name, value] = attributes.front();
  const auto length = [](const auto& list) { return Shape{static_cast<int64_t>(list.size())}; };
  static constexpr int64_t kNothing = 0;
  std::optional<Result<HostTensor>> tensor;
  const auto* whole = std::get_if<HostTensor>(&value);
  if (whole != nullptr && (name == "value" || name == "sparse_value")) {
    tensor = *whole;
  } else if (const auto* f = std::get_if<float>(&value); f != nullptr && name == "value_float") {
    tensor = MakeTensor(DataType::kF32, {}, f);
  } else if (const auto* i = std::get_if<int64_t>(&value); i != nullptr && name == "value_int") {
    tensor = MakeTensor(DataType::kI64, {}, i);
  } else if (const auto* fs = std::get_if<std::vector<float>>(&value); fs != nullptr && name == "value_floats") {
    tensor = MakeTensor(DataType::kF32, length(*fs), fs->empty() ? static_cast<const void*>(&kNothing) : fs->data());
  } else if (const auto* is = std::get_if<std::vector<int64_t>>(&value); is != nullptr && name == "value_ints") {
    tensor = MakeTensor(DataType::kI64, length(*is), is->empty() ? &kNothing : is->data());
  } else if (const auto* text = std::get_if<std::string>(&value); text != nullptr && name == "value_string") {
    tensor = MakeTensor(DataType::kString, {}, text);
  } else if (const auto* list = std::get_if<std::vector<std::string>>(&value);
             list != nullptr && name == "value_strings") {
    tensor = MakeTensor(DataType::kString, length(*list), list->data());
  }
  if (!tensor.has_value()) return InvalidModel("attribute '", name, "' is none that Constant has, or of another type");
  MOKA_RETURN_IF_ERROR(tensor->status());
  scope_.SetConstant(node.dst[0], std::move(*tensor).value());
  return Status();
}

Status GraphReader::UpgradeNodes() {
  uses_.resize(graph_->values.size());
  Upgrader upgrader(&scope_, &uses_);
  std::vector<OnnxNode> upgraded;
  for (OnnxNode& node : nodes_) {
    NoteRefusedSources(node);
    node.name = UniqueName(std::move(node.name));
    const std::string name = node.name, description = DescribeNode(node);
    upgraded.clear();
    const Status status = upgrader.Upgrade(std::move(node), &upgraded);
    if (!status.ok()) {
      if (status.code() != StatusCode::kUnsupported) return status.WithContext(description);
      model_.Note(status.WithContext(description));
      continue;
    }
    for (OnnxNode& part : upgraded) {
      if (part.name != name) part.name = UniqueName(std::move(part.name));
      AddNode(std::move(part));
    }
  }
  return Status();
}

void GraphReader::AddNode(OnnxNode node) {
  const OpSchema* op = FindOp(node.domain, node.op);
  if (op == nullptr) return NoteUnknown(node, model_.unknown.size());
  Node& added = graph_->nodes.emplace_back();
  added.op = op;
  added.name = std::move(node.name);
  added.attrs = std::move(node.attrs);
  added.src = std::move(node.src);
  added.src.insert(added.src.end(), node.captured.begin(), node.captured.end());
  added.captures = std::move(node.captures);
  added.dst = std::move(node.dst);
}

bool GraphReader::IsKnown(const OnnxNode& node) const {
  if (node.domain == kOwnDomain) return false;
  if (node.domain.empty() && (node.op == "Constant" || IsReplaced(node.op))) return true;
  return FindOp(node.domain, node.op) != nullptr || FindRewrite(node.domain, node.op) != nullptr;
}

void GraphReader::NoteUnknown(const OnnxNode& node, size_t position) {
  const std::string domain = node.domain.empty() ? std::string(kDefaultDomain) : node.domain;
  const int64_t opset = OpsetOf(node.domain);
  model_.unknown.insert(model_.unknown.begin() + static_cast<ptrdiff_t>(position),
                        {node.op, StrCat("node '", node.name, "' (operator ", node.op, ", domain ", domain,
                                         opset > 0 ? StrCat(", opset ", opset) : "", ")")});
}

void GraphReader::NoteRefusedSources(const OnnxNode& node) {
  if (refused_.empty()) return;
  for (const ValueId src : node.src) {
    const auto refused = refused_.find(src);
    if (refused != refused_.end()) model_.Note(refused->second);
  }
}

int64_t GraphReader::OpsetOf(std::string_view domain) const {
  const Opsets& opsets = model_.calls.empty() ? model_.opsets : model_.calls.back()->function->opsets;
  const auto it = opsets.find(domain);
  return it == opsets.end() ? 0 : it->second;
}

// ---- Functions ----------------------------------------------------------------------------------------------------

// The value that a name means: in a function, one of the call's own.
ValueId GraphReader::UseName(std::string_view name) {
  if (!InFunction() || name.empty()) return scope_.Use(name);
  FunctionCall& call = *model_.calls.back();
  const auto [it, is_new] = call.values.try_emplace(name, kNoValue);
  if (is_new) it->second = scope_.Unused(StrCat(call.prefix, name));
  return it->second;
}

Status GraphReader::CallFunction(const Function& function, OnnxNode node) {
  const std::string context = DescribeNode(node);
  const auto most = static_cast<size_t>(model_.read.options.max_nesting);
  if (model_.calls.size() >= most)
    return InvalidModel(context, ": functions call each other more than ", most, " deep");
  model_.nodes_left -= static_cast<int64_t>(function.nodes.size());
  if (model_.nodes_left < 0) return InvalidModel("more nodes than the limit of ", model_.read.options.max_nodes);
  if (node.src.size() > function.inputs.size() || node.dst.size() > function.outputs.size()) {
    return InvalidModel(context, ": ", node.src.size(), " inputs and ", node.dst.size(), " outputs, the function has ",
                        function.inputs.size(), " and ", function.outputs.size());
  }
  FunctionCall call;
  call.function = &function;
  call.prefix = node.name + "/";
  call.attributes = std::move(node.attrs);
  Attributes defaults;
  for (const std::string_view bytes : function.defaults) {
    std::string_view name;
    MOKA_RETURN_IF_ERROR(ReadAttribute(bytes, model_.read, nullptr, nullptr, &defaults, &name).WithContext(context));
  }
  for (const auto& [name, value] : defaults.all()) {
    if (!call.attributes.Has(name)) call.attributes.Set(name, value);
  }
  for (size_t i = 0; i < function.inputs.size(); ++i) {
    call.values[function.inputs[i]] = i < node.src.size() ? node.src[i] : kNoValue;
  }
  std::vector<std::pair<ValueId, ValueId>> passed;  // an output that is an input
  for (size_t i = 0; i < node.dst.size(); ++i) {
    const auto [it, is_new] = call.values.try_emplace(function.outputs[i], node.dst[i]);
    if (!is_new) passed.emplace_back(it->second, node.dst[i]);
  }
  model_.calls.push_back(&call);
  Status status;
  for (size_t i = 0; status.ok() && i < function.nodes.size(); ++i) status = ReadNode(function.nodes[i], i);
  model_.calls.pop_back();
  MOKA_RETURN_IF_ERROR(status.WithContext(context));
  for (const auto& [src, dst] : passed) {
    if (src == kNoValue || dst == kNoValue) continue;
    if (!scope_.Define(dst)) return InvalidModel(context, ": result '", graph_->value(dst).name, "' is made twice");
    OnnxNode identity;
    identity.op = "Identity";
    identity.name = node.name;
    identity.opset = kNewestOpset;
    identity.src = {src};
    identity.dst = {dst};
    nodes_.push_back(std::move(identity));
  }
  return Status();
}

std::string GraphReader::UniqueName(std::string name) {
  const std::string first = name;
  int& last = node_names_[first];
  while (last++ > 0) {
    name = StrCat(first, "_", last);
    if (node_names_.try_emplace(name, 1).second) break;
  }
  return name;
}

}  // namespace

Status ReadGraph(std::string_view bytes, int depth, ModelContext& model, Graph* graph) {
  const int most = model.read.options.max_nesting;
  if (depth > most) return InvalidModel("graphs are nested more than ", most, " deep");
  return Guard([&] { return GraphReader(depth, model, graph).Read(bytes); });
}

}  // namespace moka::onnx

#include "graph/model_impl.h"

#include <algorithm>

#include "graph/passes/passes.h"
#include "graph/stages.h"

namespace moka {
namespace {

constexpr size_t kMaxSpecializations = 16;

ValueInfo InfoOf(const Graph& graph, const Value& value) {
  ValueInfo info;
  info.name = value.name;
  info.kind = value.declared_kind;
  const bool inferred = value.inferred && value.tensor.present();
  info.type = inferred ? value.tensor.type : value.declared_type;
  info.ranked = inferred || value.declared_rank;
  for (const Dim& dim : inferred ? value.tensor.dims : value.declared_dims) {
    info.dims.push_back(dim.is_constant() ? dim.constant() : -1);
    info.symbols.push_back(dim.is_constant() ? "" : dim.ToString(graph.symbols));
  }
  return info;
}

bool IsFloating(DataType type) {
  return type == DataType::kF32 || type == DataType::kF64 || type == DataType::kF16 || type == DataType::kBF16;
}

bool AllRanked(const Graph& graph) {
  return std::all_of(graph.inputs.begin(), graph.inputs.end(), [&](ValueId v) {
    return graph.value(v).declared_rank || graph.value(v).declared_kind != ValueKind::kTensor;
  });
}

std::string Serialize(const SpecializationKey& key) {
  std::string text;
  const auto append = [&text](const void* data, size_t bytes) { text.append(static_cast<const char*>(data), bytes); };
  append(key.outputs.data(), key.outputs.size() * sizeof(ValueId));
  text += key.for_cpu ? '|' : '/';
  append(key.ranks.data(), key.ranks.size() * sizeof(int));
  for (const auto& [input, tensor] : key.known) {
    text += '|';
    append(&input, sizeof(input));
    append(tensor->desc.dims.data(), sizeof(tensor->desc.dims));
    append(tensor->data, tensor->desc.ExtentBytes());
  }
  return text;
}

}  // namespace

Result<std::shared_ptr<const ModelImpl>> ModelImpl::Create(Graph graph, std::string path, const ModelOptions& options,
                                                           std::shared_ptr<WeightStore> weights) {
  std::shared_ptr<ModelImpl> model(new ModelImpl);
  model->graph_ = std::move(graph);
  model->path_ = std::move(path);
  model->options_ = options;
  model->weights_ = weights != nullptr ? std::move(weights) : std::make_shared<WeightStore>();
  Graph& own = model->graph_;
  model->metadata_ = std::move(own.metadata);
  for (const Value& value : own.values) {
    const bool weight = value.constant != nullptr && IsFloating(value.constant->desc.type);
    if (weight && value.constant->desc.rank > 0) {
      model->parameters_ += value.constant->desc.NumElements();
    }
  }
  const bool ranked = AllRanked(own);
  InferResult inferred;
  if (ranked) {
    MOKA_ASSIGN_OR_RETURN(inferred, InferShapes(own));
  }
  model->staged_ = NeedsStages(own, inferred);
  for (ValueId v : own.inputs) model->inputs_.push_back(InfoOf(own, own.value(v)));
  for (ValueId v : own.outputs) model->outputs_.push_back(InfoOf(own, own.value(v)));
  if (ranked && !model->staged_) {
    MOKA_ASSIGN_OR_RETURN(const SpecializationKey key, model->KeyFor({}));
    MOKA_RETURN_IF_ERROR(model->Specialize(key).status());
  }
  return std::shared_ptr<const ModelImpl>(std::move(model));
}

Result<SpecializationKey> ModelImpl::KeyFor(const std::vector<std::string>& outputs) const {
  SpecializationKey key;
  key.ranks.assign(graph_.inputs.size(), -1);
  if (outputs.empty()) key.outputs = graph_.outputs;
  for (const std::string& name : outputs) {
    const ValueId v = graph_.FindValue(name);
    if (v == kNoValue) return NotFound("the graph has no value '", name, "'");
    key.outputs.push_back(v);
  }
  return key;
}

Result<std::shared_ptr<const Specialization>> ModelImpl::Specialize(const SpecializationKey& key) const {
  const std::string text = Serialize(key);
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(recent_.begin(), recent_.end(), [&](const auto& e) { return e.first == text; });
  if (found != recent_.end()) {
    recent_.splice(recent_.begin(), recent_, found);
    return recent_.front().second;
  }
  MOKA_ASSIGN_OR_RETURN(std::shared_ptr<const Specialization> made, MakeSpecialization(key));
  recent_.emplace_front(text, made);
  if (recent_.size() > kMaxSpecializations) recent_.pop_back();
  return made;
}

Result<std::shared_ptr<const Specialization>> ModelImpl::MakeSpecialization(const SpecializationKey& key) const {
  auto made = std::make_shared<Specialization>();
  Graph& graph = made->graph;
  graph = graph_;
  graph.outputs = key.outputs;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    Value& input = graph.value(graph.inputs[i]);
    if (input.declared_rank || key.ranks[i] < 0) continue;
    input.declared_rank = true;
    for (int d = 0; d < key.ranks[i]; ++d) {
      input.declared_dims.push_back(Dim::Symbol(graph.symbols.Fresh(StrCat(input.name, "_", d))));
    }
  }
  for (const auto& [index, tensor] : key.known) {
    Value& input = graph.value(graph.inputs[static_cast<size_t>(index)]);
    input.constant = tensor;
    input.tensor.constant = tensor.get();
  }
  MOKA_RETURN_IF_ERROR(RemoveDeadNodes(graph));
  MOKA_ASSIGN_OR_RETURN(const InferResult inferred, InferShapes(graph));
  for (ValueId v : inferred.shape_inputs) {
    const auto it = std::find(graph.inputs.begin(), graph.inputs.end(), v);
    made->shape_inputs.push_back(static_cast<int>(it - graph.inputs.begin()));
  }
  made->staged = NeedsStages(graph, inferred);
  made->cuts = inferred.cuts;
  if (inferred.shape_inputs.empty() && !made->staged && options_.optimize) {
    MOKA_RETURN_IF_ERROR(Optimize(graph, key.for_cpu));
  }
  return std::shared_ptr<const Specialization>(std::move(made));
}

}  // namespace moka

#include "graph/graph_part.h"

#include <algorithm>

#include "base/status.h"
#include "graph/graph_runner.h"
#include "graph/inline_if.h"
#include "graph/session_impl.h"
#include "graph/stages.h"
#include "ops/string_tensor.h"

namespace moka {
namespace {

void Append(const PlanInfo& part, PlanInfo* whole) {
  whole->steps.insert(whole->steps.end(), part.steps.begin(), part.steps.end());
  whole->memory.weights += part.memory.weights;
  whole->memory.packs += part.memory.packs;
  whole->memory.arena += part.memory.arena;
  whole->memory.scratch += part.memory.scratch;
  whole->memory_lower_bound += part.memory_lower_bound;
  whole->segments += part.segments;
  whole->crossings += part.crossings;
  whole->barriers += part.barriers;
  whole->depth += part.depth;
  whole->bind_us += part.bind_us;
  whole->prepare_us += part.prepare_us;
}

void Append(const TransferCounts& part, TransferCounts* whole) {
  whole->uploads += part.uploads;
  whole->downloads += part.downloads;
  whole->upload_bytes += part.upload_bytes;
  whole->download_bytes += part.download_bytes;
}

}  // namespace

struct GraphPart::Variant {
  std::string signature;
  std::unique_ptr<SessionImpl> session;  // where plans can hold the graph
  std::unique_ptr<GraphRunner> runner;   // else
};

GraphPart::GraphPart(Graph graph, const RunnerContext& context, std::vector<ValueId> cuts)
    : graph_(std::move(graph)), context_(context), cuts_(std::move(cuts)), has_if_(HasIf(graph_)) {}
GraphPart::~GraphPart() = default;

Result<std::vector<Datum>> GraphPart::Run(std::span<const Datum> inputs) {
  if (inputs.size() != graph_.inputs.size()) {
    return InvalidArgument(graph_.inputs.size(), " inputs expected, got ", inputs.size());
  }
  MOKA_RETURN_IF_ERROR(Select(inputs));
  Variant& variant = *variants_.front();
  if (variant.runner != nullptr) return variant.runner->Run(inputs);
  std::vector<ConstTensorView> views;
  for (const Datum& input : inputs) views.push_back(input.tensor().view());
  MOKA_ASSIGN_OR_RETURN(std::vector<Tensor> tensors, variant.session->Run(views));
  Append(variant.session->transfers(), context_.transfers);
  std::vector<Datum> outputs;
  for (Tensor& tensor : tensors) outputs.emplace_back(std::move(tensor));
  return outputs;
}

void GraphPart::AppendInfo(PlanInfo* info) const {
  if (variants_.empty()) return;
  const Variant& variant = *variants_.front();
  if (variant.runner != nullptr) return variant.runner->AppendInfo(info);
  const Result<PlanInfo> own = variant.session->Inspect();
  if (own.ok()) Append(*own, info);
}

std::string GraphPart::SignatureOf(std::span<const Datum> inputs) const {
  std::string signature;
  const auto append = [&](const void* data, size_t bytes) { signature.append(static_cast<const char*>(data), bytes); };
  for (const Datum& input : inputs) {
    signature += static_cast<char>(input.type());
    signature += input.is_tensor() ? 't' : input.is_sequence() ? 's' : input.is_map() ? 'm' : 'n';
    if (!input.is_tensor()) continue;
    const Shape& shape = input.tensor().shape();
    signature += static_cast<char>(shape.size());
    if (has_if_) append(shape.data(), shape.size() * sizeof(shape[0]));
  }
  for (const size_t i : fixed_inputs_) append(inputs[i].tensor().data(), inputs[i].tensor().bytes());
  return signature;
}

// Dimensions are symbols of their own; numbers where the graph has branches, since shapes may choose those.
void GraphPart::DeclareInputs(std::span<const Datum> inputs, Graph* graph) const {
  for (size_t i = 0; i < inputs.size(); ++i) {
    Value& value = graph->value(graph->inputs[i]);
    value.declared_kind = inputs[i].is_tensor()     ? ValueKind::kTensor
                          : inputs[i].is_sequence() ? ValueKind::kSequence
                          : inputs[i].is_map()      ? ValueKind::kMap
                                                    : ValueKind::kOptional;
    value.declared_type = inputs[i].type();
    if (!inputs[i].is_tensor()) continue;
    const Shape& shape = inputs[i].tensor().shape();
    value.declared_rank = true;
    value.declared_dims.clear();
    for (size_t d = 0; d < shape.size(); ++d) {
      value.declared_dims.push_back(has_if_ ? Dim(shape[d])
                                            : Dim::Symbol(graph->symbols.Fresh(StrCat(value.name, "_", d))));
    }
  }
  for (const size_t i : fixed_inputs_) {
    Value& value = graph->value(graph->inputs[i]);
    value.constant = std::make_shared<const HostTensor>(
        HostTensorOf(std::make_shared<const Tensor>(*Tensor::CopyOf(inputs[i].tensor().view()))));
  }
}

Result<std::unique_ptr<GraphPart::Variant>> GraphPart::MakeVariant(std::span<const Datum> inputs) {
  auto variant = std::make_unique<Variant>();
  Graph graph;
  for (;;) {
    graph = graph_;
    DeclareInputs(inputs, &graph);
    if (!has_if_) break;
    MOKA_ASSIGN_OR_RETURN(const std::vector<ValueId> needed, InlineIfs(graph));
    if (needed.empty()) break;
    for (const ValueId id : needed) {
      const auto at = std::find(graph.inputs.begin(), graph.inputs.end(), id);
      fixed_inputs_.push_back(static_cast<size_t>(at - graph.inputs.begin()));
    }
  }
  variant->signature = SignatureOf(inputs);
  Graph inferred_graph = graph;
  MOKA_ASSIGN_OR_RETURN(const InferResult inferred, InferShapes(inferred_graph));
  const bool only_tensors = std::all_of(inputs.begin(), inputs.end(), [](const Datum& d) { return d.is_tensor(); });
  if (!cuts_.empty() || !only_tensors || NeedsStages(inferred_graph, inferred)) {
    MOKA_ASSIGN_OR_RETURN(variant->runner, GraphRunner::Create(std::move(graph), context_, cuts_));
  } else {
    MOKA_ASSIGN_OR_RETURN(auto model,
                          ModelImpl::Create(std::move(graph), "", context_.model_options, context_.weights));
    MOKA_ASSIGN_OR_RETURN(variant->session, SessionImpl::Create(model, context_.devices, context_.options));
  }
  return variant;
}

Status GraphPart::Select(std::span<const Datum> inputs) {
  const std::string signature = SignatureOf(inputs);
  const auto found = std::find_if(variants_.begin(), variants_.end(),
                                  [&](const auto& variant) { return variant->signature == signature; });
  if (found != variants_.end()) {
    variants_.splice(variants_.begin(), variants_, found);
    return {};
  }
  MOKA_ASSIGN_OR_RETURN(std::unique_ptr<Variant> variant, MakeVariant(inputs));
  variants_.push_front(std::move(variant));
  if (variants_.size() > kMaxVariants) variants_.pop_back();
  return {};
}

}  // namespace moka

#include "graph/graph_runner.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "graph/session_impl.h"
#include "ops/string_tensor.h"

namespace moka {
namespace {

bool EverythingDeclared(const Graph& graph) {
  return std::all_of(graph.inputs.begin(), graph.inputs.end(), [&](ValueId id) {
    const Value& value = graph.value(id);
    if (value.constant != nullptr || value.declared_kind != ValueKind::kTensor) return true;
    return value.declared_type != DataType::kNone && value.declared_rank;
  });
}

// Types and ranks; every dimension is a symbol of its own.
void DeclareInputs(std::span<const Datum> inputs, Graph* graph) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    Value& value = graph->value(graph->inputs[i]);
    value.declared_kind = inputs[i].is_tensor()     ? ValueKind::kTensor
                          : inputs[i].is_sequence() ? ValueKind::kSequence
                                                    : ValueKind::kOptional;
    value.declared_type = inputs[i].type();
    if (!inputs[i].is_tensor()) continue;
    value.declared_rank = true;
    value.declared_dims.clear();
    for (size_t d = 0; d < inputs[i].tensor().shape().size(); ++d) {
      value.declared_dims.push_back(Dim::Symbol(graph->symbols.Fresh(StrCat(value.name, "_", d))));
    }
  }
}

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

}  // namespace

// A graph in an attribute of a node: what it takes from around it comes after its own inputs.
class GraphRunner::Body final : public SubgraphRunner {
 public:
  static Result<std::unique_ptr<Body>> Create(const Graph& whole, const Node& node, Graph graph,
                                              const RunnerContext& context) {
    std::unique_ptr<Body> body(new Body);
    body->own_inputs_ = graph.inputs.size();
    for (const ValueId id : graph.outputs) {
      const Value& value = graph.value(id);
      Shape shape;
      for (const Dim& dim : value.declared_dims) shape.push_back(dim.is_constant() ? dim.constant() : 0);
      body->declared_.push_back({value.declared_type, std::move(shape)});
    }
    // What a body declares holds for some runs of it only: a loop's values may grow.
    for (Value& value : graph.values) {
      value.declared_type = DataType::kNone;
      value.declared_rank = false;
      value.declared_dims.clear();
    }
    for (size_t c = 0; c < node.captures.size(); ++c) {
      const ValueId inside = graph.FindValue(node.captures[c]);
      if (inside == kNoValue) continue;
      const ValueId outside = node.src[node.num_own_src() + c];
      if (whole.value(outside).constant != nullptr) {
        graph.value(inside).constant = whole.value(outside).constant;
      } else {
        graph.inputs.push_back(inside);
        body->captures_.push_back(c);
      }
    }
    graph.source = whole.source;
    MOKA_RETURN_IF_ERROR(SortAndCheck(graph));
    MOKA_ASSIGN_OR_RETURN(body->runner_, GraphRunner::Create(std::move(graph), context));
    return body;
  }

  void SetCaptures(std::span<const Datum> captured) {
    outer_.clear();
    for (const size_t c : captures_) outer_.push_back(captured[c]);
  }
  void DropCaptures() { outer_.clear(); }

  size_t num_inputs() const override { return own_inputs_; }
  size_t num_outputs() const override { return declared_.size(); }
  const Output& declared_output(size_t i) const override { return declared_[i]; }

  Result<std::vector<Datum>> Run(std::span<const Datum> inputs) override {
    if (inputs.size() != own_inputs_) {
      return InvalidModel("a graph with ", own_inputs_, " inputs in its attribute is given ", inputs.size());
    }
    std::vector<Datum> all(inputs.begin(), inputs.end());
    all.insert(all.end(), outer_.begin(), outer_.end());
    return runner_->Run(all);
  }

  const GraphRunner& runner() const { return *runner_; }
  GraphRunner& runner() { return *runner_; }

 private:
  size_t own_inputs_ = 0;
  std::vector<Output> declared_;
  std::vector<size_t> captures_;  // which of the node's captures follow the own inputs
  std::vector<Datum> outer_;      // those of the current run
  std::unique_ptr<GraphRunner> runner_;
};

struct GraphRunner::HostStep {
  std::map<std::string, std::unique_ptr<Body>, std::less<>> bodies;  // by attribute
};

// Of one graph, with what its inputs are: a session over plans, or, where that takes stages again, a runner.
class GraphRunner::Part {
 public:
  Part(const Stage& stage, const RunnerContext& context) : stage_(stage), context_(context) {}

  Result<std::vector<Datum>> Run(std::span<const Datum> inputs) {
    MOKA_RETURN_IF_ERROR(Select(inputs));
    Variant& variant = variants_.front();
    if (variant.runner != nullptr) return variant.runner->Run(inputs);
    std::vector<ConstTensorView> views;
    for (const Datum& input : inputs) views.push_back(input.tensor().view());
    MOKA_ASSIGN_OR_RETURN(std::vector<Tensor> tensors, variant.session->Run(views));
    const TransferCounts own = variant.session->transfers();
    context_.transfers->uploads += own.uploads;
    context_.transfers->downloads += own.downloads;
    context_.transfers->upload_bytes += own.upload_bytes;
    context_.transfers->download_bytes += own.download_bytes;
    std::vector<Datum> outputs;
    for (Tensor& tensor : tensors) outputs.emplace_back(std::move(tensor));
    return outputs;
  }

  void AppendInfo(PlanInfo* info) const {
    if (variants_.empty()) return;
    const Variant& variant = variants_.front();
    if (variant.runner != nullptr) return variant.runner->AppendInfo(info);
    const Result<PlanInfo> own = variant.session->Inspect();
    if (own.ok()) Append(*own, info);
  }

 private:
  struct Variant {
    std::string signature;
    std::unique_ptr<SessionImpl> session;
    std::unique_ptr<GraphRunner> runner;
  };
  static constexpr size_t kMaxVariants = 8;

  // What the plans of a part are made for; shapes are the session's own business.
  static std::string SignatureOf(std::span<const Datum> inputs) {
    std::string signature;
    for (const Datum& input : inputs) {
      signature += static_cast<char>(input.type());
      signature += static_cast<char>(input.is_tensor() ? 'a' + static_cast<int>(input.tensor().shape().size())
                                     : input.is_none() ? '0'
                                                       : '1');
    }
    return signature;
  }

  Status Select(std::span<const Datum> inputs) {
    std::string signature = SignatureOf(inputs);
    const auto found = std::find_if(variants_.begin(), variants_.end(),
                                    [&](const Variant& variant) { return variant.signature == signature; });
    if (found != variants_.end()) {
      variants_.splice(variants_.begin(), variants_, found);
      return {};
    }
    Graph graph = stage_.graph;
    DeclareInputs(inputs, &graph);
    Variant variant;
    variant.signature = std::move(signature);
    Graph inferred_graph = graph;
    MOKA_ASSIGN_OR_RETURN(const InferResult inferred, InferShapes(inferred_graph));
    if (NeedsStages(inferred_graph, inferred)) {
      MOKA_ASSIGN_OR_RETURN(variant.runner, GraphRunner::Create(std::move(graph), context_));
    } else {
      MOKA_ASSIGN_OR_RETURN(auto model, ModelImpl::Create(std::move(graph), "", {}));
      MOKA_ASSIGN_OR_RETURN(variant.session, SessionImpl::Create(model, context_.devices, context_.options));
    }
    variants_.push_front(std::move(variant));
    if (variants_.size() > kMaxVariants) variants_.pop_back();
    return {};
  }

  const Stage& stage_;
  const RunnerContext& context_;
  std::list<Variant> variants_;  // most recently used first
};

GraphRunner::GraphRunner(Graph graph, const RunnerContext& context) : graph_(std::move(graph)), context_(context) {}
GraphRunner::~GraphRunner() = default;

Result<std::unique_ptr<GraphRunner>> GraphRunner::Create(Graph graph, const RunnerContext& context,
                                                         std::vector<ValueId> cuts) {
  std::unique_ptr<GraphRunner> runner(new GraphRunner(std::move(graph), context));
  MOKA_RETURN_IF_ERROR(runner->Prepare(std::move(cuts)));
  return runner;
}

Status GraphRunner::Prepare(std::vector<ValueId> cuts) {
  if (EverythingDeclared(graph_)) {
    MOKA_ASSIGN_OR_RETURN(InferResult inferred, InferShapes(graph_));
    cuts.insert(cuts.end(), inferred.cuts.begin(), inferred.cuts.end());
  }
  MOKA_ASSIGN_OR_RETURN(stages_, DivideIntoStages(graph_, HostNodes(graph_), cuts));
  constants_.resize(graph_.values.size());
  const auto keep = [&](ValueId id) -> Status {
    if (id == kNoValue || graph_.value(id).constant == nullptr) return {};
    Datum& constant = constants_[static_cast<size_t>(id)];
    if (!constant.is_none()) return {};
    MOKA_ASSIGN_OR_RETURN(Tensor copy, TensorOf(*graph_.value(id).constant));
    constant = Datum(std::move(copy));
    return {};
  };
  for (const ValueId id : graph_.outputs) MOKA_RETURN_IF_ERROR(keep(id));
  for (const Stage& stage : stages_) {
    const bool on_host = stage.node >= 0;
    parts_.push_back(on_host ? nullptr : std::make_unique<Part>(stage, context_));
    host_steps_.push_back(on_host ? std::make_unique<HostStep>() : nullptr);
    if (!on_host) continue;
    const Node& node = graph_.nodes[static_cast<size_t>(stage.node)];
    if (node.op->execute == nullptr) {
      return Unsupported(Describe(graph_, node), ": takes tensors only, and gets something else");
    }
    if (context_.options.strict && !context_.devices[0]->limits().host_memory) {
      return Unsupported(Describe(graph_, node), ": runs on the host, not on ", context_.devices[0]->info().name);
    }
    for (const ValueId id : stage.inputs) MOKA_RETURN_IF_ERROR(keep(id));
  }
  return {};
}

Status GraphRunner::RunHostNode(size_t s) {
  const Stage& stage = stages_[s];
  const Node& node = graph_.nodes[static_cast<size_t>(stage.node)];
  HostStep& step = *host_steps_[s];
  std::vector<Datum> captured;
  std::vector<const Datum*> src;
  for (size_t i = 0; i < node.src.size(); ++i) {
    const ValueId id = node.src[i];
    const auto v = static_cast<size_t>(id);
    const Datum* datum = id == kNoValue ? nullptr : graph_.values[v].constant ? &constants_[v] : &values_[v];
    if (i < node.num_own_src()) {
      src.push_back(datum);
    } else {
      captured.push_back(*datum);
    }
  }
  std::vector<Datum> dst(node.dst.size());
  Status body_status;
  HostCall call;
  call.op = node.op;
  call.attrs = &node.attrs;
  call.name = node.name;
  call.src = src;
  call.dst = dst;
  call.max_trips = context_.options.max_loop_trips;
  call.subgraph = [&](std::string_view name) -> SubgraphRunner* {
    auto body = step.bodies.find(name);
    if (body == step.bodies.end()) {
      const AttributeValue* value = node.attrs.Find(name);
      const auto* graph = value == nullptr ? nullptr : std::get_if<std::shared_ptr<const SubgraphAttribute>>(value);
      if (graph == nullptr) return nullptr;
      auto made = Body::Create(graph_, node, (*graph)->graph, context_);
      if (!made.ok()) {
        body_status = made.status();
        return nullptr;
      }
      body = step.bodies.emplace(name, std::move(made).value()).first;
    }
    body->second->SetCaptures(captured);
    return body->second.get();
  };
  const Status status = node.op->execute(call);
  for (auto& [name, body] : step.bodies) body->DropCaptures();
  MOKA_RETURN_IF_ERROR(body_status.WithContext(Describe(graph_, node)));
  MOKA_RETURN_IF_ERROR(status.WithContext(Describe(graph_, node)));
  for (size_t i = 0; i < dst.size(); ++i) {
    if (node.dst[i] != kNoValue) values_[static_cast<size_t>(node.dst[i])] = std::move(dst[i]);
  }
  return {};
}

Status GraphRunner::RunPart(size_t s) {
  const Stage& stage = stages_[s];
  std::vector<Datum> inputs;
  for (const ValueId id : stage.inputs) inputs.push_back(values_[static_cast<size_t>(id)]);
  MOKA_ASSIGN_OR_RETURN(std::vector<Datum> outputs, parts_[s]->Run(inputs));
  for (size_t i = 0; i < outputs.size(); ++i) values_[static_cast<size_t>(stage.outputs[i])] = std::move(outputs[i]);
  return {};
}

Result<std::vector<Datum>> GraphRunner::Run(std::span<const Datum> inputs) {
  if (inputs.size() != graph_.inputs.size()) {
    return InvalidArgument(graph_.inputs.size(), " inputs expected, got ", inputs.size());
  }
  values_.assign(graph_.values.size(), Datum());
  for (size_t i = 0; i < inputs.size(); ++i) values_[static_cast<size_t>(graph_.inputs[i])] = inputs[i];
  for (size_t s = 0; s < stages_.size(); ++s) {
    const Status status = stages_[s].node >= 0 ? RunHostNode(s) : RunPart(s);
    if (!status.ok()) {
      values_.clear();
      return status;
    }
    for (const ValueId id : stages_[s].last_uses) values_[static_cast<size_t>(id)] = Datum();
  }
  std::vector<Datum> outputs;
  for (const ValueId id : graph_.outputs) {
    const auto v = static_cast<size_t>(id);
    outputs.push_back(graph_.values[v].constant != nullptr ? constants_[v] : values_[v]);
  }
  values_.clear();
  return outputs;
}

void GraphRunner::AppendInfo(PlanInfo* info) const {
  const std::string& asked = context_.devices[0]->info().name;
  const bool host = context_.devices[0]->limits().host_memory;
  for (size_t s = 0; s < stages_.size(); ++s) {
    if (parts_[s] != nullptr) {
      parts_[s]->AppendInfo(info);
      continue;
    }
    const Node& node = graph_.nodes[static_cast<size_t>(stages_[s].node)];
    StepInfo step;
    step.node = node.name;
    step.op = node.op->name;
    step.device = host ? asked : "cpu";
    step.kernel = StrCat("host/", node.op->name);
    step.own_kernel = host;
    if (!host) step.why_fallback = "runs on the host, between plans";
    info->steps.push_back(std::move(step));
    for (const auto& [name, body] : host_steps_[s]->bodies) body->runner().AppendInfo(info);
  }
}

}  // namespace moka

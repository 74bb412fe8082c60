#include "graph/graph_runner.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "graph/graph_part.h"
#include "ops/string_tensor.h"

namespace moka {
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
    body->part_ = std::make_unique<GraphPart>(std::move(graph), context);
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
    return part_->Run(all);
  }

  const GraphPart& part() const { return *part_; }

 private:
  size_t own_inputs_ = 0;
  std::vector<Output> declared_;
  std::vector<size_t> captures_;  // which of the node's captures follow the own inputs
  std::vector<Datum> outer_;      // those of the current run
  std::unique_ptr<GraphPart> part_;
};

struct GraphRunner::HostStep {
  std::map<std::string, std::unique_ptr<Body>, std::less<>> bodies;  // by attribute
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
  MOKA_ASSIGN_OR_RETURN(const InferResult inferred, InferShapes(graph_));
  cuts.insert(cuts.end(), inferred.cuts.begin(), inferred.cuts.end());
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
    parts_.push_back(on_host ? nullptr : std::make_unique<GraphPart>(stage.graph, context_));
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
  call.max_tensor_bytes = context_.options.max_tensor_bytes;
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
    for (const auto& [name, body] : host_steps_[s]->bodies) body->part().AppendInfo(info);
  }
}

}  // namespace moka

#include "graph/bind.h"

#include <algorithm>

#include "graph/bind_shapes.h"
#include "graph/chains.h"
#include "graph/partition.h"
#include "graph/place.h"
#include "graph/schedule.h"
#include "graph/step_builder.h"

namespace moka {
namespace {

// More work than a few operations an element: worth a copy to the device and back.
bool IsHeavy(const Graph& graph, const BoundShapes& shapes, const Node& node) {
  if (node.op->cost == nullptr || node.dst.empty() || node.dst[0] == kNoValue) return false;
  std::vector<TensorDesc> src, dst;
  std::vector<const HostTensor*> constants;
  for (ValueId v : node.src) {
    src.push_back(v == kNoValue ? TensorDesc{} : shapes.descs[static_cast<size_t>(v)]);
    constants.push_back(v == kNoValue ? nullptr : shapes.contents[static_cast<size_t>(v)].get());
  }
  for (ValueId v : node.dst) dst.push_back(v == kNoValue ? TensorDesc{} : shapes.descs[static_cast<size_t>(v)]);
  OpCall call;
  call.op = node.op;
  call.attrs = &node.attrs;
  call.name = node.name;
  if (node.program_begin >= 0) {
    call.program = &node.program;
    call.program_begin = node.program_begin;
  }
  call.src = src;
  call.dst = dst;
  call.constants = constants;
  const double elements = static_cast<double>(std::max<int64_t>(dst[0].NumElements(), src[0].NumElements()));
  return node.op->cost(call).flops > 16 * (1 + elements) && graph.nodes.size() > 1;
}

// Nodes that the device refused run on the CPU; cheap ones follow them where that saves copies between devices.
std::vector<int> DivideNodes(const Graph& graph, const BoundShapes& shapes,
                             const std::vector<std::vector<Refusal>>& why_not) {
  const size_t n = graph.nodes.size();
  PartitionProblem problem;
  problem.sides.assign(n + 1, Side::kFree);
  problem.sides[n] = Side::kHost;  // the caller, who feeds inputs and takes outputs
  std::vector<std::vector<int>> touching(graph.values.size());
  for (size_t i = 0; i < n; ++i) {
    const Node& node = graph.nodes[i];
    if (!why_not[i].empty()) {
      problem.sides[i] = Side::kHost;
    } else if (IsHeavy(graph, shapes, node)) {
      problem.sides[i] = Side::kDevice;
    }
    for (const auto* list : {&node.src, &node.dst}) {
      for (ValueId v : *list) {
        if (v == kNoValue || shapes.contents[static_cast<size_t>(v)] != nullptr) continue;
        touching[static_cast<size_t>(v)].push_back(static_cast<int>(i));
      }
    }
  }
  for (const auto* list : {&graph.inputs, &graph.outputs}) {
    for (ValueId v : *list) touching[static_cast<size_t>(v)].push_back(static_cast<int>(n));
  }
  for (std::vector<int>& edge : touching) {
    if (edge.size() > 1) problem.edges.push_back(std::move(edge));
  }
  const std::vector<bool> on_host = Partition(problem);
  std::vector<int> node_device(n, 0);
  for (size_t i = 0; i < n; ++i) node_device[i] = on_host[i] ? 1 : 0;
  return node_device;
}

std::string Reasons(const std::vector<Refusal>& refusals) {
  std::string reasons;
  for (const Refusal& refusal : refusals) {
    reasons += StrCat(reasons.empty() ? "" : "; ", refusal.kernel, ": ", refusal.reason);
  }
  return reasons.empty() ? "no kernel" : reasons;
}

Status FallbackList(const BindRequest& request, const char* what,
                    const std::vector<std::pair<int, const std::vector<Refusal>*>>& nodes) {
  const std::string device = request.devices[0]->info().name;
  std::string message = StrCat(nodes.size(), nodes.size() == 1 ? " node " : " nodes ", what, " ", device, ":");
  for (const auto& [n, refusals] : nodes) {
    const Node& node = request.graph->nodes[static_cast<size_t>(n)];
    message += StrCat("\n  node '", node.name, "' (", node.op->name, "): ", Reasons(*refusals));
  }
  return Status(StatusCode::kUnsupported, std::move(message));
}

Status CheckStrict(const BindRequest& request, const Plan& plan) {
  std::vector<std::pair<int, const std::vector<Refusal>*>> nodes;
  for (const PlanStep& step : plan.steps) {
    if (step.node >= 0 && !step.own_kernel) nodes.emplace_back(step.node, &step.refusals);
  }
  return nodes.empty() ? Status() : FallbackList(request, "without a kernel of", nodes);
}

// Before kernels are chosen: they may look at every element of a result.
Status CheckSizes(const Graph& graph, const BoundShapes& shapes, int64_t limit) {
  for (const Node& node : graph.nodes) {
    for (const ValueId id : node.dst) {
      if (id == kNoValue) continue;
      const TensorDesc& desc = shapes.descs[static_cast<size_t>(id)];
      if (desc.ExtentBytes() <= static_cast<uint64_t>(limit)) continue;
      return OutOfMemory(Describe(graph, node), ": ", NameOf(desc.type), ToString(desc.shape()),
                         " is larger than the limit of ", limit, " bytes");
    }
  }
  return {};
}

}  // namespace

Result<Plan> Bind(const BindRequest& request) {
  const Graph& graph = *request.graph;
  if (std::none_of(request.devices.begin(), request.devices.end(),
                   [](const Device* device) { return device->limits().host_memory; })) {
    return Internal("no device works in host memory");
  }
  MOKA_ASSIGN_OR_RETURN(const BoundShapes shapes, BindShapes(graph, request.inputs));
  MOKA_RETURN_IF_ERROR(CheckSizes(graph, shapes, request.max_tensor_bytes));
  std::vector<int> node_device(graph.nodes.size(), 0);
  std::vector<std::vector<Refusal>> why_not(graph.nodes.size());
  for (;;) {
    StepBuilder builder(request, shapes, node_device, why_not);
    builder.Build();
    MOKA_RETURN_IF_ERROR(builder.status());
    if (builder.refused().empty()) {
      Draft& draft = builder.draft();
      if (request.strict) MOKA_RETURN_IF_ERROR(CheckStrict(request, draft.plan));
      Schedule schedule = ScheduleSteps(draft, request.devices);
      if (request.depth_first) FormChains(draft, schedule, request.devices, request.workers);
      PlaceValues(draft, schedule, request.devices);
      return std::move(draft.plan);
    }
    std::vector<std::pair<int, const std::vector<Refusal>*>> refused, nowhere;
    for (const StepBuilder::Refused& node : builder.refused()) {
      refused.emplace_back(node.node, &node.refusals);
      const bool last = node_device[static_cast<size_t>(node.node)] + 1 == static_cast<int>(request.devices.size());
      if (last) nowhere.emplace_back(node.node, &node.refusals);
    }
    if (!nowhere.empty()) return FallbackList(request, "that no device runs, not even the CPU beside", nowhere);
    if (request.strict) return FallbackList(request, "without a kernel of", refused);
    for (const StepBuilder::Refused& node : builder.refused()) {
      auto& reasons = why_not[static_cast<size_t>(node.node)];
      reasons = node.refusals;
      if (reasons.empty()) reasons.push_back({"", "no kernel"});
    }
    node_device = DivideNodes(graph, shapes, why_not);
  }
}

}  // namespace moka

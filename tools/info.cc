#include <fmt/core.h>
#include <fmt/format.h>

#include "tools/command.h"
#include "tools/json.h"
#include "tools/memory_svg.h"

namespace moka::tools {
namespace {

using nlohmann::json;

struct InfoCommand {
  RunOptions run;
  std::vector<std::string> sizes;
  bool as_json = false, explain = false;
  std::string svg;
};

json ToJson(const ValueInfo& value) {
  json dims = json::array();
  for (size_t i = 0; i < value.dims.size(); i++)
    dims.push_back(value.dims[i] >= 0 ? json(value.dims[i]) : json(value.symbols[i]));
  return {{"name", value.name}, {"type", NameOf(value.type)}, {"shape", value.ranked ? dims : json(nullptr)}};
}

json ToJson(const GraphInfo& graph) {
  json nodes = json::array();
  for (const NodeInfo& n : graph.nodes)
    nodes.push_back({{"name", n.name},
                     {"op", n.op},
                     {"detail", n.detail},
                     {"inputs", n.inputs},
                     {"outputs", n.outputs},
                     {"shapes", n.shapes}});
  return nodes;
}

json ToJson(const PlanInfo& plan) {
  json steps = json::array();
  for (const StepInfo& s : plan.steps)
    steps.push_back({{"node", s.node},
                     {"op", s.op},
                     {"device", s.device},
                     {"kernel", s.kernel},
                     {"own_kernel", s.own_kernel},
                     {"why_fallback", s.why_fallback},
                     {"shape", s.shape},
                     {"flops", s.flops},
                     {"bytes", s.bytes},
                     {"chain", s.chain}});
  return {{"steps", steps},
          {"segments", plan.segments},
          {"crossings", plan.crossings},
          {"barriers", plan.barriers},
          {"depth", plan.depth},
          {"bind_us", plan.bind_us},
          {"prepare_us", plan.prepare_us},
          {"memory",
           {{"weights", plan.memory.weights},
            {"packs", plan.memory.packs},
            {"arena", plan.memory.arena},
            {"scratch", plan.memory.scratch},
            {"total", plan.memory.total()},
            {"lower_bound", plan.memory_lower_bound}}}};
}

int64_t TotalFlops(const PlanInfo& plan) {
  int64_t flops = 0;
  for (const StepInfo& step : plan.steps) flops += step.flops;
  return flops;
}

void PrintValues(const char* title, const std::vector<ValueInfo>& values) {
  for (const ValueInfo& v : values) {
    std::string dims;
    for (size_t i = 0; i < v.dims.size(); i++)
      dims += (i > 0 ? ", " : "") + (v.dims[i] >= 0 ? std::to_string(v.dims[i]) : v.symbols[i]);
    fmt::print("{:<8}{}: {} {}\n", title, v.name, NameOf(v.type), v.ranked ? "[" + dims + "]" : "of any rank");
  }
}

void PrintGraph(const char* title, const GraphInfo& graph) {
  fmt::print("\n{} ({} nodes)\n", title, graph.nodes.size());
  for (const NodeInfo& n : graph.nodes)
    fmt::print("  {:<24} {} = {}({}){}\n", fmt::join(n.shapes, " "), fmt::join(n.outputs, ", "), n.op,
               fmt::join(n.inputs, ", "), n.detail.empty() ? "" : "  " + n.detail);
}

std::string ChainMark(int chain) { return chain < 0 ? std::string() : fmt::format("  [chain {}]", chain); }

void PrintPlan(const PlanInfo& plan, bool explain) {
  fmt::print("\nPlan ({} steps, {} segments, {} crossings, {} barriers, depth {}; bound in {:.0f} us)\n",
             plan.steps.size(), plan.segments, plan.crossings, plan.barriers, plan.depth, plan.bind_us);
  for (size_t i = 0; i < plan.steps.size(); i++) {
    const StepInfo& s = plan.steps[i];
    fmt::print("  {:>3} {:<9} {:<30} {:<32} {:>9.2f} MFLOP {:>9.1f} kB  {}{}\n", i, s.device, s.kernel, s.shape,
               s.flops / 1e6, s.bytes / 1e3, s.node, ChainMark(s.chain));
    if (!s.own_kernel) fmt::print("      falls back: {}\n", s.why_fallback);
    if (explain)
      for (const std::string& refusal : s.refusals) fmt::print("      refused: {}\n", refusal);
  }
  const MemoryInfo& m = plan.memory;
  fmt::print("\nLive bytes: weights {} + packs {} + arena {} + scratch {} = {}; lower bound {} ({:.3f} of it)\n",
             m.weights, m.packs, m.arena, m.scratch, m.total(), plan.memory_lower_bound,
             static_cast<double>(m.total()) / static_cast<double>(std::max<uint64_t>(1, plan.memory_lower_bound)));
}

int Info(const InfoCommand& command) {
  Result<Model> model = Model::Load(command.run.model);
  if (!model.ok()) return Fail(model.status());
  Result<Session> session = Session::Create(*model, ToSessionOptions(command.run));
  if (!session.ok()) return Fail(session.status());
  Result<std::vector<Tensor>> inputs = LoadInputs(*model, command.run.inputs, /*synthesize=*/true, command.sizes);
  if (!inputs.ok()) return Fail(inputs.status());
  Result<std::vector<Tensor>> outputs = session->Run(Views(*inputs));
  if (!outputs.ok()) return Fail(outputs.status());
  Result<PlanInfo> plan = Inspect(*session);
  if (!plan.ok()) return Fail(plan.status());

  if (!command.svg.empty() && !WriteText(command.svg, MemorySvg(*plan, model->path())))
    return Fail(fmt::format("cannot write {}", command.svg));
  const GraphInfo before = Inspect(*model, false), after = Inspect(*model, true);
  if (command.as_json) {
    json report = {{"model", model->path()},     {"metadata", model->metadata()}, {"parameters", model->parameters()},
                   {"flops", TotalFlops(*plan)}, {"graph", ToJson(before)},       {"optimized", ToJson(after)},
                   {"plan", ToJson(*plan)}};
    for (const ValueInfo& v : model->inputs()) report["inputs"].push_back(ToJson(v));
    for (const ValueInfo& v : model->outputs()) report["outputs"].push_back(ToJson(v));
    fmt::print("{}\n", TextOf(report, 2));
    return kRight;
  }
  fmt::print("{}: {} parameters, {:.2f} MFLOP for the shapes planned below\n", model->path(), model->parameters(),
             TotalFlops(*plan) / 1e6);
  for (const auto& [name, value] : model->metadata()) fmt::print("about   {}: {}\n", name, value);
  PrintValues("input", model->inputs());
  PrintValues("output", model->outputs());
  PrintGraph("Graph as the file states it", before);
  PrintGraph("Graph after the passes", after);
  PrintPlan(*plan, command.explain);
  return kRight;
}

}  // namespace

void AddInfo(CLI::App& app, int& exit_code) {
  CLI::App* app_info = app.add_subcommand("info", "Show a model: inputs, outputs, graph, plan, memory");
  auto command = std::make_shared<InfoCommand>();
  AddRunOptions(*app_info, command->run);
  app_info->add_option("--set", command->sizes, "Sizes for symbolic dimensions, such as batch=8")
      ->default_str("1 for the first dimension, else 224");
  app_info->add_flag("--json", command->as_json, "Print JSON");
  app_info->add_flag("--explain", command->explain, "Print why each kernel that was asked refused");
  app_info->add_option("--svg", command->svg, "Draw the memory plan over time into this file");
  app_info->callback([command, &exit_code] { exit_code = Info(*command); });
}

}  // namespace moka::tools

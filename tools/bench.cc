#include <fmt/core.h>

#include <algorithm>

#include "tools/command.h"
#include "tools/json.h"
#include "tools/worker.h"

namespace moka::tools {
namespace {

using nlohmann::json;

struct BenchCommand {
  RunOptions run;
  std::vector<std::string> sizes;
  int warmup = 3, rounds = 20;
  bool as_json = false, worker = false;
  std::string trace;
};

// `values` must not be empty.
double Percentile(std::vector<double> values, double fraction) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(fraction * static_cast<double>(values.size() - 1) + 0.5)];
}

struct Timings {
  double load_ms = 0, first_ms = 0;
  std::vector<double> run_ms;
};

// Runs `rounds` times after the warm-up, into tensors that are made once.
Status Measure(Session& session, const std::vector<Tensor>& inputs, const BenchCommand& command, Timings& timings) {
  const Stopwatch first;
  Result<std::vector<Tensor>> outputs = session.Run(Views(inputs));
  timings.first_ms = first.milliseconds();
  if (!outputs.ok()) return outputs.status();
  std::vector<TensorView> into;
  for (Tensor& tensor : *outputs) into.push_back(tensor.view());
  const std::vector<ConstTensorView> from = Views(inputs);
  for (int i = 0; i < command.warmup + command.rounds; i++) {
    const Stopwatch watch;
    const Status status = session.RunInto(from.data(), from.size(), into.data(), into.size());
    if (!status.ok()) return status;
    if (i >= command.warmup) timings.run_ms.push_back(watch.milliseconds());
  }
  return Status();
}

json Report(const PlanInfo& plan, const Timings& timings, double peak_gflops) {
  double flops = 0;
  json nodes = json::array();
  for (const StepInfo& s : plan.steps) {
    flops += static_cast<double>(s.flops);
    nodes.push_back({{"name", s.node},
                     {"op", s.op},
                     {"device", s.device},
                     {"kernel", s.kernel},
                     {"ms", s.us / 1e3},
                     {"flops", s.flops},
                     {"bytes", s.bytes},
                     {"chain", s.chain}});
  }
  const double median = Percentile(timings.run_ms, 0.5);
  const double gflops = flops / (median * 1e6);
  return {{"load_ms", timings.load_ms},
          {"first_ms", timings.first_ms},
          {"median_ms", median},
          {"min_ms", Percentile(timings.run_ms, 0)},
          {"p90_ms", Percentile(timings.run_ms, 0.9)},
          {"rounds", timings.run_ms.size()},
          {"gflops", gflops},
          {"peak_gflops", peak_gflops},
          {"percent_of_peak", peak_gflops > 0 ? 100 * gflops / peak_gflops : 0},
          {"live_bytes",
           {{"weights", plan.memory.weights},
            {"packs", plan.memory.packs},
            {"arena", plan.memory.arena},
            {"scratch", plan.memory.scratch},
            {"total", plan.memory.total()},
            {"lower_bound", plan.memory_lower_bound}}},
          {"nodes", nodes}};
}

// The Trace Event Format of Chrome and Perfetto: complete events ("X") with times in microseconds.
json Trace(const PlanInfo& plan) {
  json events = json::array();
  double now = 0;
  for (const StepInfo& s : plan.steps) {
    events.push_back({{"name", s.node},
                      {"cat", s.op},
                      {"ph", "X"},
                      {"ts", now},
                      {"dur", s.us},
                      {"pid", 1},
                      {"tid", s.device},
                      {"args", {{"kernel", s.kernel}, {"shape", s.shape}, {"flops", s.flops}, {"bytes", s.bytes}}}});
    now += s.us;
  }
  return {{"traceEvents", events}, {"displayTimeUnit", "ms"}};
}

void Print(const json& report) {
  fmt::print("{:<32} {:<30} {:>9} {:>9} {:>8}  {}\n", "node", "kernel", "ms", "GFLOP/s", "GB/s", "chain");
  for (const json& n : report["nodes"]) {
    const double ms = std::max(n["ms"].get<double>(), 1e-6);
    const int chain = n["chain"].get<int>();
    fmt::print("{:<32} {:<30} {:>9.4f} {:>9.1f} {:>8.1f}  {}\n", n["name"].get<std::string>(),
               n["kernel"].get<std::string>(), ms, n["flops"].get<double>() / ms / 1e6,
               n["bytes"].get<double>() / ms / 1e6, chain < 0 ? std::string() : std::to_string(chain));
  }
  fmt::print(
      "load {:.2f} ms, first run {:.2f} ms; then median {:.3f} ms, min {:.3f}, p90 {:.3f} over {} rounds\n"
      "{:.1f} GFLOP/s, {:.0f} % of the CPU's peak of {:.0f} measured now; live bytes {} (lower bound {})\n",
      report["load_ms"].get<double>(), report["first_ms"].get<double>(), report["median_ms"].get<double>(),
      report["min_ms"].get<double>(), report["p90_ms"].get<double>(), report["rounds"].get<int>(),
      report["gflops"].get<double>(), report["percent_of_peak"].get<double>(), report["peak_gflops"].get<double>(),
      report["live_bytes"]["total"].get<uint64_t>(), report["live_bytes"]["lower_bound"].get<uint64_t>());
}

int Bench(const BenchCommand& command) {
  if (command.worker) return Work(command.run, command.sizes);
  Timings timings, profiled;
  const Stopwatch watch;
  Result<Model> model = Model::Load(command.run.model);
  if (!model.ok()) return Fail(model.status());
  Result<Session> session = Session::Create(*model, ToSessionOptions(command.run));
  if (!session.ok()) return Fail(session.status());
  timings.load_ms = watch.milliseconds();
  Result<std::vector<Tensor>> inputs = LoadInputs(*model, command.run.inputs, /*synthesize=*/true, command.sizes);
  if (!inputs.ok()) return Fail(inputs.status());
  if (Status status = Measure(*session, *inputs, command, timings); !status.ok()) return Fail(status);
  const double peak = MeasurePeakGflops(command.run.threads);

  // Step times come from a session of their own: reading clocks between steps costs time.
  SessionOptions options = ToSessionOptions(command.run);
  options.profile = true;
  Result<Session> profiling = Session::Create(*model, options);
  if (!profiling.ok()) return Fail(profiling.status());
  if (Status status = Measure(*profiling, *inputs, command, profiled); !status.ok()) return Fail(status);
  Result<PlanInfo> plan = Inspect(*profiling);
  if (!plan.ok()) return Fail(plan.status());

  const json report = Report(*plan, timings, peak);
  if (!command.trace.empty() && !WriteText(command.trace, TextOf(Trace(*plan))))
    return Fail(fmt::format("cannot write {}", command.trace));
  if (command.as_json)
    fmt::print("{}\n", TextOf(report, 2));
  else
    Print(report);
  return kRight;
}

}  // namespace

void AddBench(CLI::App& app, int& exit_code) {
  CLI::App* app_bench = app.add_subcommand("bench", "Time a model, whole and step by step");
  auto command = std::make_shared<BenchCommand>();
  AddRunOptions(*app_bench, command->run);
  app_bench->add_option("--set", command->sizes, "Sizes for symbolic dimensions, such as batch=8")
      ->default_str("1 for the first dimension, else 224");
  app_bench->add_option("--warmup", command->warmup, "Runs before measuring")->check(CLI::Range(0, 100000));
  app_bench->add_option("--rounds", command->rounds, "Runs measured")->check(CLI::Range(1, 1000000));
  CLI::Option* as_json = app_bench->add_flag("--json", command->as_json, "Print JSON");
  CLI::Option* trace =
      app_bench->add_option("--trace", command->trace, "Write a trace for Chrome (chrome://tracing) or Perfetto");
  app_bench
      ->add_flag("--worker", command->worker, "Answer run, mem, save DIR and quit on standard input, for a harness")
      ->excludes(as_json)
      ->excludes(trace);
  app_bench->callback([command, &exit_code] { exit_code = Bench(*command); });
}

}  // namespace moka::tools

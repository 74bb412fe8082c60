#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string_view>

#include "tools/command.h"
#include "tools/compare.h"
#include "tools/json.h"
#include "tools/progress.h"

namespace moka::tools {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::string_view kInput = "input", kOutput = "output";  // the files' prefixes
constexpr const char kDebianSuite[] = "/usr/share/libonnx-testdata/data";

struct ConformanceCommand {
  std::string device = "cpu", suite = kDebianSuite, json_path, skips_path, filter;
  int threads = 0;
};

struct CaseResult {
  enum Verdict { kPassed, kFailed, kSkipped } verdict = kPassed;
  std::string reason;                                // of a failure or a skip
  std::vector<std::string> kernels;                  // that ran
  bool by_reference = false;                         // a step ran in the scalar reference
  std::set<std::string> operators = {}, types = {};  // of the model's nodes; of its inputs and outputs
};
constexpr const char* kVerdictNames[] = {"passed", "failed", "skipped"};

CaseResult Failed(const std::string& reason) { return {CaseResult::kFailed, reason, {}, false}; }
// What moka cannot do is a skip with the engine's own reason; everything else is a failure.
CaseResult From(const Status& status) {
  const bool unsupported = status.code() == StatusCode::kUnsupported;
  return {unsupported ? CaseResult::kSkipped : CaseResult::kFailed, status.message(), {}, false};
}

// Folders with a model.onnx, in the order of their paths.
std::vector<fs::path> FindCases(const std::string& suite, const std::string& filter) {
  std::vector<fs::path> cases;
  std::error_code error;
  for (fs::recursive_directory_iterator it(suite, error), end; !error && it != end; it.increment(error))
    if (it->path().filename() == "model.onnx" &&
        it->path().parent_path().filename().string().find(filter) != std::string::npos)
      cases.push_back(it->path().parent_path());
  std::sort(cases.begin(), cases.end());
  return cases;
}

Tolerance ToleranceOf(const fs::path& folder) {
  Tolerance tolerance;
  std::ifstream file(folder / "data.json");
  const json data = json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (data.is_object()) {
    tolerance.relative = data.value("rtol", tolerance.relative);
    tolerance.absolute = data.value("atol", tolerance.absolute);
  }
  return tolerance;
}

// Old suites hold bf16 as the bits in u16.
Result<Tensor> AsDeclaredType(const Tensor& tensor, DataType declared) {
  if (tensor.type() != DataType::kU16 || declared != DataType::kBF16) return tensor;
  return Tensor::CopyOf({declared, tensor.shape(), tensor.data()});
}

// Debian's cases of CastLike hold one element, [1], for an input `like` of [3, 4], of which only the type matters. Such
// a single element is repeated. Other ranks and shapes stay as they are, for the engine to refuse.
Result<Tensor> AsDeclaredShape(const Tensor& tensor, const ValueInfo& info) {
  const bool fixed = info.ranked && std::all_of(info.dims.begin(), info.dims.end(), [](int64_t d) { return d > 0; });
  const size_t element = SizeOf(tensor.type());
  if (!fixed || tensor.shape() != Shape{1} || info.dims.size() < 2 || tensor.type() == DataType::kString) return tensor;
  Result<Tensor> repeated = Tensor::Create(tensor.type(), info.dims);
  if (!repeated.ok()) return repeated.status();
  for (int64_t i = 0; i < repeated->size(); i++)
    std::memcpy(repeated->as<std::byte>() + static_cast<size_t>(i) * element, tensor.data(), element);
  return repeated;
}

// prefix_0.pb, prefix_1.pb ... as far as they exist, as the model's inputs or outputs declare them.
Result<std::vector<Datum>> LoadData(const fs::path& folder, std::string_view prefix,
                                    const std::vector<ValueInfo>& infos) {
  std::vector<Datum> data;
  for (size_t i = 0;; i++) {
    const fs::path path = folder / fmt::format("{}_{}.pb", prefix, i);
    if (!fs::exists(path)) return data;
    const ValueInfo info = i < infos.size() ? infos[i] : ValueInfo();
    Result<Datum> datum = LoadDatum(path.string(), info.kind);
    if (!datum.ok()) return datum.status();
    if (datum->is_tensor()) {
      Result<Tensor> tensor = AsDeclaredType(datum->tensor(), info.type);
      if (tensor.ok() && prefix == kInput) tensor = AsDeclaredShape(*tensor, info);
      if (!tensor.ok()) return tensor.status();
      datum = Datum(std::move(*tensor));
    }
    data.push_back(std::move(*datum));
  }
}

CaseResult RunDataSet(const Model& model, Session& session, const fs::path& folder, const Tolerance& tolerance) {
  Result<std::vector<Datum>> inputs = LoadData(folder, kInput, model.inputs());
  if (!inputs.ok()) return From(inputs.status());
  Result<std::vector<Datum>> wanted = LoadData(folder, kOutput, model.outputs());
  if (!wanted.ok()) return From(wanted.status());
  Result<std::vector<Datum>> outputs = session.RunData(*inputs);
  if (!outputs.ok()) return From(outputs.status());
  if (outputs->size() != wanted->size())
    return Failed(fmt::format("{} outputs, expected {}", outputs->size(), wanted->size()));
  for (size_t i = 0; i < wanted->size(); i++) {
    const std::string difference = Difference((*outputs)[i], (*wanted)[i], tolerance);
    if (!difference.empty())
      return Failed(
          fmt::format("{}: output '{}': {}", folder.filename().string(), session.output_names()[i], difference));
  }
  return {};
}

// What the file asks for, and the types that come in and go out.
void NoteOperators(const Model& model, CaseResult& result) {
  for (const NodeInfo& node : Inspect(model, false).nodes) result.operators.insert(node.op);
  for (const auto* list : {&model.inputs(), &model.outputs()})
    for (const ValueInfo& info : *list)
      if (info.type != DataType::kNone) result.types.insert(NameOf(info.type));
}

// Passes when every data set is right; on another device than the CPU also every step must have run there, in its own
// kernel
// (`strict`). The kernels that ran are noted.
CaseResult RunCase(const fs::path& folder, const ConformanceCommand& command) {
  Result<Model> model = Model::Load((folder / "model.onnx").string());
  if (!model.ok()) return From(model.status());
  SessionOptions options;
  options.device = command.device;
  options.threads = command.threads;
  options.strict = command.device != "cpu";
  Result<Session> session = Session::Create(*model, options);
  if (!session.ok()) return From(session.status());

  CaseResult result;
  NoteOperators(*model, result);
  const Tolerance tolerance = ToleranceOf(folder);
  int data_sets = 0;
  for (; fs::exists(folder / fmt::format("test_data_set_{}", data_sets)); data_sets++) {
    const CaseResult run = RunDataSet(*model, *session, folder / fmt::format("test_data_set_{}", data_sets), tolerance);
    result.verdict = run.verdict;
    result.reason = run.reason;
    if (result.verdict != CaseResult::kPassed) return result;
  }
  if (data_sets == 0) return Failed("has no test_data_set_0");
  Result<PlanInfo> plan = Inspect(*session);
  if (!plan.ok()) return From(plan.status());
  for (const StepInfo& step : plan->steps) {
    result.kernels.push_back(step.kernel);
    if (step.kernel.rfind("reference/", 0) == 0) result.by_reference = true;
  }
  return result;
}

// Lines "case: reason"; '#' starts a comment. A reason that starts with '~' says that the case may also pass, by
// chance.
std::map<std::string, std::string> LoadSkips(const std::string& path) {
  std::map<std::string, std::string> skips;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.empty() || line[0] == '#' || colon == std::string::npos) continue;
    skips[line.substr(0, colon)] = line.substr(colon + 2);
  }
  return skips;
}

// A listed case must fail or be skipped anyway; one that passes is taken off the list, unless chance decides it ('~').
void ApplySkip(const std::string& reason, CaseResult& result) {
  if (result.verdict == CaseResult::kPassed && reason[0] != '~')
    result = Failed("passes, but the list of skips has it: " + reason);
  else
    result = {CaseResult::kSkipped, reason, result.kernels, result.by_reference, result.operators, result.types};
}

int Conformance(const ConformanceCommand& command) {
  if (!command.skips_path.empty() && !fs::exists(command.skips_path))
    return Fail(fmt::format("cannot read the skips of {}", command.skips_path));
  const std::map<std::string, std::string> skips = LoadSkips(command.skips_path);
  const std::vector<fs::path> cases = FindCases(command.suite, command.filter);
  if (cases.empty())
    return Fail(
        fmt::format("{}: no folder there has a model.onnx (Debian's suite is in libonnx-testdata)", command.suite));

  int count[3] = {}, by_reference = 0;
  json rows = json::array();
  {
    Progress progress("conformance on " + command.device, cases.size());
    for (const fs::path& folder : cases) {
      const std::string name = folder.filename().string();
      progress.Step(name);
      CaseResult result = RunCase(folder, command);
      if (const auto skip = skips.find(name); skip != skips.end()) ApplySkip(skip->second, result);
      count[result.verdict]++;
      by_reference += result.verdict == CaseResult::kPassed && result.by_reference;
      rows.push_back({{"name", name},
                      {"group", folder.parent_path().filename().string()},
                      {"verdict", kVerdictNames[result.verdict]},
                      {"reason", result.reason},
                      {"kernels", result.kernels},
                      {"operators", result.operators},
                      {"types", result.types},
                      {"by_reference", result.by_reference}});
      if (result.verdict == CaseResult::kFailed) fmt::print("FAILED {}: {}\n", name, result.reason);
    }
  }
  if (!command.json_path.empty()) {
    const json report = {
        {"device", command.device}, {"suite", command.suite},       {"passed", count[0]}, {"failed", count[1]},
        {"skipped", count[2]},      {"by_reference", by_reference}, {"cases", rows}};
    if (!WriteText(command.json_path, TextOf(report, 1)))
      return Fail(fmt::format("cannot write {}", command.json_path));
  }
  if (by_reference > 0) fmt::print("{} of the passed ran a scalar reference\n", by_reference);
  fmt::print("{} passed, {} failed, {} skipped\n", count[0], count[1], count[2]);
  return count[1] == 0 ? kRight : kWrongInput;
}

}  // namespace

void AddConformance(CLI::App& app, int& exit_code) {
  CLI::App* app_conformance = app.add_subcommand(
      "conformance", "Run a suite of ONNX backend cases on a device: what can its driver be trusted with?");
  auto command = std::make_shared<ConformanceCommand>();
  app_conformance->add_option("--device", command->device, "cpu, vulkan, opencl ...")->capture_default_str();
  app_conformance
      ->add_option("--suite", command->suite, "Folder that is searched for cases (model.onnx, test_data_set_*)")
      ->capture_default_str();
  app_conformance->add_option("--json", command->json_path, "Write every case, its verdict, reason and kernels");
  app_conformance->add_option("--skips", command->skips_path, "A list of cases known to fail, lines 'case: reason'");
  app_conformance->add_option("--filter", command->filter, "Only cases whose name contains this");
  app_conformance->add_option("--threads", command->threads, "Workers on the CPU")->check(CLI::Range(1, 1024));
  app_conformance->callback([command, &exit_code] { exit_code = Conformance(*command); });
}

}  // namespace moka::tools
